//! Servers of NATS, each with a store of its own, in a temporary directory.

use std::env;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use eventful_nats::async_nats::{self, Client, ConnectOptions};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// Tries of a connection, with a hundredth of a second between them: machines of tests are slow at times.
const TRIES: u32 = 3000;

/// Runs a server until it ends, or the standard input does: so it ends with the test, however that ends.
const SUPERVISE: &str = "exec 3<&0; \"$@\" & server=$!; { read -r _ <&3; kill -KILL $server; } 2>/dev/null & \
                         reader=$!; wait $server; kill $reader";

/// A server with JetStream. It ends when this is dropped.
#[derive(Debug)]
pub(crate) struct NatsServer {
    folder: TempDir,
    port: u16,
    process: Option<Child>,
}

impl NatsServer {
    /// Starts a server. None, after saying so, when there is no program; that is a failure where the variable `CI` is set.
    pub(crate) async fn start() -> Option<Self> {
        let Some(_) = program() else {
            assert!(env::var_os("CI").is_none(), "{MISSING}");
            eprintln!("SKIPPED: {MISSING}");
            return None;
        };
        let folder = tempfile::tempdir().expect("a directory");
        let port = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a port").port();
        let mut server = Self { folder, port, process: None };
        server.restart().await;
        Some(server)
    }

    pub(crate) fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// Connects a client that tries again soon when the connection is lost.
    pub(crate) async fn connect(&self) -> Client {
        self.try_connect().await.expect("the server runs")
    }

    async fn try_connect(&self) -> Result<Client, async_nats::ConnectError> {
        let options = ConnectOptions::new().reconnect_delay_callback(|_| Duration::from_millis(20));
        options.connect(self.url()).await
    }

    /// Starts it again after [`kill`](Self::kill).
    pub(crate) async fn restart(&mut self) {
        self.process = Some(self.spawn());
        for _ in 0..TRIES {
            if self.try_connect().await.is_ok() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("the server does not start: {}", fs::read_to_string(self.folder.path().join("log")).unwrap_or_default());
    }

    fn spawn(&self) -> Child {
        let mut command = Command::new("sh");
        command.args(["-c", SUPERVISE, "sh"]).arg(program().expect("it was there"));
        command.args(["-a", "127.0.0.1", "-js", "-p", &self.port.to_string()]);
        let at = |name: &str| self.folder.path().join(name);
        command.arg("-sd").arg(at("store")).arg("-P").arg(at("pid")).arg("-l").arg(at("log"));
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("sh")
    }

    /// Kills it, as a crash would.
    pub(crate) fn kill(&mut self) {
        let pid = fs::read_to_string(self.folder.path().join("pid")).expect("it runs");
        let pid = pid.trim().parse().ok().and_then(Pid::from_raw).expect("a process");
        kill_process(pid, Signal::KILL).expect("a process of this test");
        self.stop();
    }

    fn stop(&mut self) {
        if let Some(mut process) = self.process.take() {
            drop(process.stdin.take());
            process.wait().expect("a child");
        }
    }
}

impl Drop for NatsServer {
    fn drop(&mut self) {
        self.stop();
    }
}

const MISSING: &str = "these tests need nats-server: run .ci/nats-server, or name the program in NATS_SERVER";

/// The program: that of the variable, of `PATH`, or the one that `.ci/nats-server` installs.
fn program() -> Option<PathBuf> {
    if let Some(named) = env::var_os("NATS_SERVER") {
        return Some(named.into());
    }
    let in_path = env::var_os("PATH").into_iter().flat_map(|path| env::split_paths(&path).collect::<Vec<_>>());
    // Of the workspace, above the package that these tests are of.
    let above = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().skip(1).map(|folder| folder.join("target"));
    let targets = env::var_os("CARGO_TARGET_DIR").map_or_else(|| above.collect(), |target| vec![target.into()]);
    let folders = in_path.chain(targets.into_iter().map(|target| target.join("nats-server/bin")));
    folders.map(|folder| folder.join("nats-server")).find(|path| path.exists())
}
