//! Servers of PostgreSQL, each in a directory of its own, on a Unix socket only, run by a user without rights.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread::park_timeout;
use std::time::Duration;

use eventful_postgres::Database;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// Tries of a condition, with a hundredth of a second between them: machines of tests are slow at times.
const TRIES: u32 = 12_000;

/// Runs a server until it ends, or the standard input does: so it ends with the test, however that ends. A shell has its
/// children ignore the signal until they choose otherwise, so it is sent until the server is gone.
const SUPERVISE: &str = "exec 3<&0; \"$@\" & server=$!; { read -r _ <&3; while kill -QUIT $server; do sleep 0.1; done; } \
                         2>/dev/null & reader=$!; wait $server; kill $reader";

/// A cluster that `initdb` has made, which each server begins with a copy of.
static TEMPLATE: Mutex<Weak<TempDir>> = Mutex::new(Weak::new());

/// A server of PostgreSQL. It ends when this is dropped.
#[derive(Debug)]
pub(crate) struct PostgresServer {
    folder: Arc<TempDir>,
    name: &'static str,
    process: Option<Child>,
}

impl PostgresServer {
    /// Starts a new server.
    pub(crate) fn start() -> Self {
        let template = template();
        let folder = folder();
        run(as_user("cp").arg("-R").arg(template.path().join("data")).arg(folder.path().join("primary")));
        let mut server = Self { folder: Arc::new(folder), name: "primary", process: None };
        server.restart();
        server
    }

    /// Starts a standby of this server, and makes it synchronous.
    pub(crate) fn synchronous_standby(&self) -> Self {
        let mut standby = Self { folder: Arc::clone(&self.folder), name: "standby", process: None };
        let source = format!("{} application_name=standby", self.url());
        let mut copy = as_user(binary("pg_basebackup"));
        run(copy
            .args(["-R", "-X", "stream", "-c", "fast", "--no-sync", "-D"])
            .arg(standby.data())
            .args(["-d", &source]));
        standby.restart();
        self.set("synchronous_standby_names", "standby");
        self.until(
            "the standby is synchronous",
            "SELECT count(*) = 1 FROM pg_stat_replication WHERE sync_state = 'sync'",
        );
        standby
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join(self.name)
    }

    /// The directory of its socket.
    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.path().join(format!("{}-socket", self.name))
    }

    /// Its URL, for the superuser.
    pub(crate) fn url(&self) -> String {
        format!("host={} user=postgres dbname=postgres", self.socket().display())
    }

    pub(crate) fn database(&self) -> Database {
        self.url().parse().expect("a URL")
    }

    /// Starts it again after [`kill`](Self::kill).
    pub(crate) fn restart(&mut self) {
        self.stop();
        let (socket, log) = (self.socket(), self.folder.path().join(format!("{}.log", self.name)));
        run(as_user("mkdir").arg("-p").arg(&socket));
        // What was killed leaves its shared memory for as long as one of its processes runs.
        until("the server starts", || {
            if self.process.as_mut().is_none_or(|process| process.try_wait().expect("a child").is_some()) {
                self.process = Some(self.spawn(&socket, &log));
            }
            self.try_sql("SELECT 1").is_some()
        });
    }

    fn spawn(&self, socket: &Path, log: &Path) -> Child {
        let log = fs::OpenOptions::new().create(true).append(true).open(log).expect("a log");
        let mut command = as_user("sh");
        command.args(["-c", SUPERVISE, "sh"]).arg(binary("postgres")).arg("-D").arg(self.data()).arg("-k").arg(socket);
        command.args([
            "-c",
            "listen_addresses=",
            "-c",
            "wal_receiver_status_interval=1",
            "-c",
            "wal_retrieve_retry_interval=100",
        ]);
        let log_too = log.try_clone().expect("a log");
        command.stdin(Stdio::piped()).stdout(log).stderr(log_too).spawn().expect("sh")
    }

    /// Ends it as an immediate shutdown does.
    pub(crate) fn stop(&mut self) {
        if let Some(mut process) = self.process.take() {
            drop(process.stdin.take());
            process.wait().expect("a child");
        }
    }

    /// Kills the postmaster, as a crash would.
    pub(crate) fn kill(&mut self) {
        let pid = self.postmaster().expect("it runs");
        kill_process(pid, Signal::KILL).expect("a process of this test");
        until("the server is gone", || self.try_sql("SELECT 1").is_none());
    }

    fn postmaster(&self) -> Option<Pid> {
        let text = fs::read_to_string(self.data().join("postmaster.pid")).ok()?;
        let pid = Pid::from_raw(text.lines().next()?.trim().parse().ok()?)?;
        rustix::process::test_kill_process(pid).is_ok().then_some(pid)
    }

    /// Makes a standby the primary.
    pub(crate) fn promote(&self) {
        assert_eq!(self.sql("SELECT pg_promote(true, 120)"), "t", "it is promoted");
    }

    /// Changes a setting, and waits until new sessions have it.
    pub(crate) fn set(&self, name: &str, value: &str) {
        self.sql(&format!("ALTER SYSTEM SET {name} = '{value}'"));
        self.sql("SELECT pg_reload_conf()");
        self.until("the setting is there", &format!("SELECT current_setting('{name}') = '{value}'"));
    }

    /// Runs a statement as the superuser. Returns what it gives, a line for each row.
    pub(crate) fn sql(&self, sql: &str) -> String {
        self.try_sql(sql).unwrap_or_else(|| panic!("it is done: {sql}"))
    }

    fn try_sql(&self, sql: &str) -> Option<String> {
        self.psql(sql).0
    }

    /// Runs a statement. Returns its result, when it is done, and what psql prints about it.
    fn psql(&self, sql: &str) -> (Option<String>, String) {
        let mut psql = Command::new(binary("psql"));
        let done =
            psql.args(["-XAtq", "-v", "ON_ERROR_STOP=1", "-d", &self.url(), "-c", sql]).output().expect("psql runs");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end().to_owned();
        (done.status.success().then(|| text(&done.stdout)), text(&done.stderr))
    }

    /// Returns whether a statement is refused for want of a right.
    pub(crate) fn denies(&self, sql: &str) -> bool {
        let (_, said) = self.psql(sql);
        said.contains("permission denied") || said.contains("must be owner")
    }

    /// Waits until a statement gives true.
    pub(crate) fn until(&self, what: &str, sql: &str) {
        until(what, || self.try_sql(sql).is_some_and(|given| given == "t"));
    }

    /// A session of the superuser that stays.
    pub(crate) fn session(&self) -> PsqlSession {
        let mut command = Command::new(binary("psql"));
        command.args(["-XAtq", "-d", &self.url()]).stdin(Stdio::piped()).stdout(Stdio::null());
        PsqlSession(command.spawn().expect("psql"))
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        self.stop();
    }
}

/// A session that is given one statement after the other. It is killed when this is dropped: what it has not committed is
/// rolled back.
#[derive(Debug)]
pub(crate) struct PsqlSession(Child);

impl PsqlSession {
    /// Has it run a statement; what comes of that is seen by other sessions.
    pub(crate) fn run(&mut self, sql: &str) {
        let input = self.0.stdin.as_mut().expect("it is piped");
        writeln!(input, "{sql}").expect("psql runs");
    }
}

impl Drop for PsqlSession {
    fn drop(&mut self) {
        self.0.kill().expect("a child");
        self.0.wait().expect("a child");
    }
}

/// Waits until a condition holds.
pub(crate) fn until(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..TRIES {
        if holds() {
            return;
        }
        park_timeout(Duration::from_millis(10));
    }
    panic!("waited in vain until {what}");
}

fn template() -> Arc<TempDir> {
    let mut template = TEMPLATE.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(made) = template.upgrade() {
        return made;
    }
    let made = Arc::new(folder());
    let mut init = as_user(binary("initdb"));
    init.args(["-U", "postgres", "-A", "trust", "--no-sync", "--wal-segsize=1", "-E", "UTF8", "--no-locale", "-D"]);
    run(init.arg(made.path().join("data")));
    *template = Arc::downgrade(&made);
    made
}

/// A directory of the user that runs servers.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().expect("a directory");
    if let Some((uid, gid)) = unprivileged() {
        chown(folder.path(), Some(uid), Some(gid)).expect("this is root");
    }
    folder
}

/// The user and the group of servers: they refuse to run as root.
fn unprivileged() -> Option<(u32, u32)> {
    if !rustix::process::geteuid().is_root() {
        return None;
    }
    let users = fs::read_to_string("/etc/passwd").expect("users");
    let ids = |name: &str| {
        let line = users.lines().find(|line| line.starts_with(&format!("{name}:")))?;
        let mut fields = line.split(':').skip(2);
        Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    };
    Some(ids("postgres").or_else(|| ids("daemon")).expect("a user `postgres` or `daemon`"))
}

fn as_user(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(program);
    if let Some((uid, gid)) = unprivileged() {
        command.uid(uid).gid(gid);
    }
    command.current_dir("/");
    command
}

fn run(command: &mut Command) {
    let done = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(done.status.success(), "{command:?}: {}", String::from_utf8_lossy(&done.stderr));
}

/// The path of a program of PostgreSQL: of the newest version that Debian has installed, or of the one in `PATH`.
fn binary(name: &str) -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten().map(|version| version.path());
    let newest = versions.max_by_key(|path| path.file_name().and_then(|name| name.to_str()?.parse::<u32>().ok()));
    let in_path =
        std::env::var_os("PATH").into_iter().flat_map(|path| std::env::split_paths(&path).collect::<Vec<_>>());
    let folders = newest.map(|version| version.join("bin")).into_iter().chain(in_path);
    let found = folders.map(|folder| folder.join(name)).find(|path| path.exists());
    found.unwrap_or_else(|| {
        panic!("`{name}` of PostgreSQL is not installed, and these tests start servers: apt-get install postgresql")
    })
}
