//! `eventful journal`: the calls of an operator, while a server has the journal open or not.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use eventful::journal::{DiskStore, JournalLog, Owner, recover};
use eventful::{
    Config, Event, Key, Timestamp,
    engine::{
        Epoch, RunId,
        facts::{AfterRun, AttemptEnd, Change, Charge, Fact},
    },
};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::process::{ServerChild, run};

const NOW: Timestamp = Timestamp::from_micros(1_700_000_000_000_000);
const EPOCH: Epoch = Epoch::new(NOW.as_micros());

#[tokio::test]
async fn verify_reports_what_a_journal_holds_and_changes_nothing() {
    let home = ProgramJournal::with_events(9);
    let before = home.files();

    let (code, stdout, stderr) = run(&["journal", "verify", home.dir()]).await;

    let text = "frames     1 to 10: 10 with 12 facts\nepochs     1\nrecords    9: 8 received, 1 completed\nsound\n";
    assert_eq!((code, stdout.as_str(), stderr.as_str()), (0, &*format!("journal    {}\n{text}", home.dir()), ""));
    assert!(home.files() == before, "a look changes nothing");
}

#[tokio::test]
async fn a_journal_that_was_not_closed_is_sound_and_stays_as_it_is() {
    let home = ProgramJournal::with_events(0);
    let mut log = home.open();
    (0..9).for_each(|n| log.append(&[accepted(n)]).expect("room"));
    let killed = ProgramJournal(tempfile::tempdir().expect("a directory"));
    home.files().iter().for_each(|(name, bytes)| fs::write(killed.0.path().join(name), bytes).expect("a copy"));
    drop(log);
    let before = killed.files();

    let (code, stdout, _) = run(&["journal", "verify", killed.dir()]).await;

    assert!(code == 0 && stdout.contains("records    9: 9 received"), "{stdout}");
    assert!(killed.files() == before, "a look repairs nothing");
}

#[tokio::test]
async fn verify_finds_damage_and_names_the_file_and_the_frame() {
    let home = ProgramJournal::with_events(9);
    home.damage("payload 5");

    let (code, _, stderr) = run(&["journal", "verify", home.dir()]).await;

    assert_eq!(code, 1);
    assert!(stderr.starts_with(&format!("damaged: {} at byte ", home.file().display())), "{stderr}");
    assert!(stderr.contains("salvage"), "{stderr}");
}

#[tokio::test]
async fn dump_prints_each_fact_as_json() {
    let home = ProgramJournal::with_events(3);

    let (code, stdout, _) = run(&["journal", "dump", home.dir()]).await;

    let lines: Vec<Value> = stdout.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!((code, lines.len()), (0, 6));
    let facts: Vec<_> = lines.iter().map(|line| line["fact"].as_str().expect("a name")).collect();
    assert_eq!(facts, ["epoch", "accepted", "started", "finished", "accepted", "accepted"]);
    let first = json!({ "frame": 2, "epoch": EPOCH.number(), "at": NOW.as_micros(), "fact": "accepted",
        "source": "shop", "id": "order 0", "payload": "payload 0" });
    assert_eq!(lines[1], first);
    assert_eq!(lines[3]["next"], "completed");
}

#[tokio::test]
async fn dump_prints_records_of_a_snapshot_and_bytes_as_base64() {
    let home = ProgramJournal::with_events(2);
    home.open()
        .append(&[Fact { at: NOW, change: Change::Accepted(Event::new(key(7), vec![0xff, 0xfe])) }])
        .expect("room");
    assert_eq!(run(&["journal", "compact", home.dir()]).await.0, 0);

    let (code, stdout, _) = run(&["journal", "dump", home.dir()]).await;

    let mut lines: Vec<Value> = stdout.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    lines.sort_by_key(|line| line["id"].to_string());
    let known: Vec<_> = lines.iter().map(|line| (line["id"].as_str(), line["status"].as_str())).collect();
    let wanted = [("order 0", "completed"), ("order 1", "received"), ("order 7", "received")];
    assert_eq!((code, known), (0, wanted.map(|(id, status)| (Some(id), Some(status))).to_vec()));
    assert_eq!((&lines[1]["payload"], &lines[2]["payload_base64"]), (&json!("payload 1"), &json!("//4=")));
}

#[tokio::test]
async fn salvage_saves_all_before_the_damage_and_reports_the_rest() {
    let home = ProgramJournal::with_events(9);
    home.damage("payload 5");
    let (before, saved) = (home.files(), ProgramJournal(tempfile::tempdir().expect("a directory")));

    let (code, stdout, stderr) = run(&["journal", "salvage", home.dir(), saved.dir()]).await;

    assert_eq!(code, 1);
    assert!(stdout.contains("records    5: 4 received, 1 completed\nsaved      6 frames, up to 6\n"), "{stdout}");
    assert!(stderr.contains("lost:      frames 7 to 10, or more: frame 7: no whole copy of it is left"), "{stderr}");
    assert!(home.files() == before, "what is salvaged is not touched");
    let (code, stdout, _) = run(&["journal", "verify", saved.dir()]).await;
    assert!(code == 0 && stdout.contains("records    5: 4 received, 1 completed\nsound"), "{stdout}");
}

#[tokio::test]
async fn salvage_continues_from_a_snapshot_and_saves_a_sound_journal() {
    let home = ProgramJournal::with_events(9);
    assert_eq!(run(&["journal", "compact", home.dir()]).await.0, 0);
    let mut log = home.open();
    (20..24).for_each(|n| log.append(&[accepted(n)]).expect("room"));
    drop(log);
    let saved = ProgramJournal(tempfile::tempdir().expect("a directory"));

    let (code, stdout, stderr) = run(&["journal", "salvage", home.dir(), saved.dir()]).await;

    assert_eq!((code, stderr.as_str()), (0, ""));
    assert!(stdout.contains("saved      the snapshot before frame 11, and 4 frames, up to 14\n"), "{stdout}");
    assert!(stdout.contains("records    13: 12 received, 1 completed\n"), "{stdout}");
    let state = |home: &ProgramJournal| recover(&mut home.store(), &owner(), &Config::default(), u64::MAX, &mut |_| {});
    let [was, is] = [&home, &saved].map(|home| state(home).expect("a sound journal").replay.state());
    assert!(was.records == is.records && was.counters == is.counters && was.paused == is.paused);
    assert!(is.epoch > was.epoch, "what is salvaged is another opening");
}

#[tokio::test]
async fn salvage_names_a_damaged_newest_frame_and_ends_with_1() {
    let home = ProgramJournal::with_events(9);
    home.damage("payload 8");
    let saved = ProgramJournal(tempfile::tempdir().expect("a directory"));

    let (code, stdout, stderr) = run(&["journal", "salvage", home.dir(), saved.dir()]).await;

    assert!(code == 1 && stdout.contains("saved      9 frames, up to 9\n"), "{stdout}");
    assert_eq!(stderr, "lost:      frame 10, or more: no whole copy of it is left\n");
}

#[tokio::test]
async fn salvage_of_a_file_without_journal_ends_with_1() {
    let home = ProgramJournal::with_events(9);
    fs::write(home.file(), [0; 40]).expect("a file");
    let to = home.0.path().join("saved");

    let (code, stdout, stderr) = run(&["journal", "salvage", home.dir(), to.to_str().expect("text")]).await;

    let words = format!("error: {}: it holds no journal that can be read\n", home.dir());
    assert_eq!((code, stdout.as_str(), stderr), (1, "", words));
    assert!(!to.exists(), "nothing was saved");
}

#[tokio::test]
async fn compact_makes_a_journal_small_and_keeps_what_it_holds() {
    let home = ProgramJournal::with_events(300);

    let (code, stdout, _) = run(&["journal", "compact", home.dir()]).await;

    assert!(code == 0 && stdout.contains("everything before frame 302"), "{stdout}");
    let (code, stdout, _) = run(&["journal", "verify", home.dir()]).await;
    assert!(code == 0 && stdout.contains("frames     none"), "{stdout}");
    assert!(stdout.contains("snapshot   before frame 302: 300 records"), "{stdout}");
    assert!(stdout.contains("records    300: 299 received, 1 completed\nsound"), "{stdout}");
}

#[tokio::test]
async fn journal_of_a_newer_program_ends_with_2_and_is_left_alone() {
    let home = ProgramJournal::with_events(9);
    fs::write(home.0.path().join("FORMAT"), "eventful journal, format 9\n").expect("a file");
    let (before, to) = (home.files(), home.0.path().join("saved").display().to_string());
    for args in [
        &["journal", "verify", home.dir()][..],
        &["journal", "dump", home.dir()],
        &["journal", "compact", home.dir()],
        &["journal", "salvage", home.dir(), &to],
        &["serve", "--listen", "127.0.0.1:0", "--data", home.dir()],
    ] {
        let (code, _, stderr) = run(args).await;
        assert_eq!(code, 2, "{args:?}: {stderr}");
        assert!(stderr.contains("newer version") && stderr.contains("use a newer program"), "{args:?}: {stderr}");
        assert!(!stderr.contains("salvage it") && !stderr.contains("damage"), "{args:?}: {stderr}");
    }
    assert!(home.files() == before && !Path::new(&to).exists());
}

#[tokio::test]
async fn start_reports_a_new_journal_or_its_number_of_records() {
    let home = ProgramJournal(tempfile::tempdir().expect("a directory"));
    let mut server = ServerChild::start(&["--data", home.dir()]).await;
    assert!(server.says("persistence").await.ends_with(&format!("{}, a new journal", home.dir())));
    server.submit("order-1", "/v1/events", "1200").await;
    server.submit("order-2", "/v1/events", "1200").await;
    server.kill().await;

    let mut server = ServerChild::start(&["--data", home.dir()]).await;

    assert!(server.says("persistence").await.contains(&format!("{}, opened with 2 records: ", home.dir())));
}

#[tokio::test]
async fn journal_whose_segments_are_gone_is_not_sound_and_not_served() {
    let home = ProgramJournal::with_events(9);
    fs::remove_file(home.file()).expect("a file");
    for args in [
        &["journal", "verify", home.dir()][..],
        &["journal", "dump", home.dir()],
        &["serve", "--listen", "127.0.0.1:0", "--data", home.dir()],
    ] {
        let (code, stdout, stderr) = run(args).await;
        assert_eq!(code, 1, "{args:?}: {stderr}");
        assert!(stderr.contains("a journal was here, and its segments are missing: restore it"), "{args:?}: {stderr}");
        assert!(!stdout.contains("sound"), "{args:?}: {stdout}");
    }
}

#[tokio::test]
async fn journal_of_the_former_format_is_refused_by_a_sentence() {
    let home = ProgramJournal(tempfile::tempdir().expect("a directory"));
    fs::write(home.0.path().join("journal.redb"), "a database").expect("a file");
    for args in [
        &["journal", "verify", home.dir()][..],
        &["journal", "compact", home.dir()],
        &["serve", "--listen", "127.0.0.1:0", "--data", home.dir()],
    ] {
        let (code, _, stderr) = run(args).await;
        assert_eq!(code, 1, "{args:?}: {stderr}");
        assert!(stderr.contains("the journal there has a former format, which no released version"), "{stderr}");
    }
    assert_eq!(fs::read_dir(home.0.path()).expect("a directory").filter(is_no_lock).count(), 1, "nothing else is made");
}

#[tokio::test]
async fn journal_in_use_can_be_read_and_copied_but_not_mended() {
    let home = ProgramJournal::with_events(9);
    let mut log = home.open_as("process 4242 on host blue");
    log.append(&[accepted(20)]).expect("room");
    let [new, copy] = ["new", "copy"].map(|name| home.0.path().join(name).display().to_string());

    for args in [&["compact", home.dir()][..], &["salvage", home.dir(), &new]] {
        let (code, _, stderr) = run(&[&["journal"], args].concat()).await;
        assert_eq!(code, 1, "{args:?}");
        assert!(stderr.contains("in use by process 4242 on host blue"), "{args:?}: {stderr}");
    }
    let (code, stdout, _) = run(&["journal", "verify", home.dir()]).await;
    assert!(code == 0 && stdout.contains("records    10: 9 received, 1 completed\nsound"), "{stdout}");
    let (code, stdout, _) = run(&["journal", "dump", home.dir()]).await;
    assert_eq!((code, stdout.lines().count()), (0, 13));
    let (code, stdout, stderr) = run(&["journal", "backup", home.dir(), &copy]).await;
    assert!(code == 0 && stdout.contains("frames     1 to 11: 11\nsnapshots  0\n"), "{stdout} {stderr}");

    log.append(&[accepted(21)]).expect("the owner continues");
    let (code, stdout, _) = run(&["journal", "verify", &copy]).await;
    assert!(code == 0 && stdout.contains("records    10: 9 received, 1 completed\nsound"), "{stdout}");
    let mut server = ServerChild::start(&["--data", &copy]).await;
    assert!(server.says("persistence").await.contains("opened with 10 records"), "the copy is served");
}

#[tokio::test]
async fn backup_replaces_no_journal_and_copies_no_damaged_one() {
    let home = ProgramJournal::with_events(9);
    let copy = home.0.path().join("copy").display().to_string();
    let (code, _, stderr) = run(&["journal", "backup", home.dir(), home.dir()]).await;
    assert!(code == 1 && stderr.contains("name a new one"), "{stderr}");
    home.damage("payload 5");

    let (code, _, stderr) = run(&["journal", "backup", home.dir(), &copy]).await;

    assert!(code == 1 && stderr.contains("is damaged"), "{stderr}");
    assert!(!Path::new(&copy).exists());
}

#[tokio::test]
async fn missing_journal_is_not_created() {
    let home = ProgramJournal::with_events(1);
    let new = home.0.path().join("new").display().to_string();
    for args in [
        &["verify", new.as_str()][..],
        &["dump", &new],
        &["compact", &new],
        &["salvage", &new, "to"],
        &["backup", &new, "to"],
    ] {
        let (code, _, stderr) = run(&[&["journal"], args].concat()).await;
        assert_eq!((code, stderr), (1, format!("error: {new}: there is no journal in it\n")), "{args:?}");
    }
    assert!(!Path::new(&new).exists());
    let (code, _, stderr) = run(&["journal", "salvage", home.dir(), home.dir()]).await;
    assert!(code == 1 && stderr.contains("name a new one"), "{stderr}");
}

#[tokio::test]
async fn journal_without_read_permission_is_not_reported_as_absent() {
    let home = ProgramJournal::with_events(0);
    let to = home.0.path().join("to").display().to_string();
    fs::remove_file(home.file()).expect("a file");
    symlink(home.file(), home.file()).expect("a link to itself");
    let words = fs::File::open(home.file()).expect_err("no file").to_string();
    for args in
        [&["verify", home.dir()][..], &["dump", home.dir()], &["compact", home.dir()], &["backup", home.dir(), &to]]
    {
        let (code, _, stderr) = run(&[&["journal"], args].concat()).await;
        assert_eq!((code, stderr), (1, format!("error: {}: {words}\n", home.file().display())), "{args:?}");
    }
    // A user who runs this as root may read everything.
    let directory = home.0.path();
    fs::set_permissions(directory, Permissions::from_mode(0o000)).expect("a directory");
    if fs::read_dir(directory).is_err() {
        let (code, _, stderr) = run(&["journal", "verify", home.dir()]).await;
        assert_eq!((code, stderr), (1, format!("error: {}: Permission denied (os error 13)\n", home.dir())));
    }
    fs::set_permissions(directory, Permissions::from_mode(0o700)).expect("a directory");
}

fn is_no_lock(file: &std::io::Result<fs::DirEntry>) -> bool {
    file.as_ref().is_ok_and(|file| file.file_name() != "LOCK")
}

/// A directory with a journal.
struct ProgramJournal(TempDir);

impl ProgramJournal {
    /// Creates a journal with this many events in a frame each, of which the first is done.
    fn with_events(events: u64) -> Self {
        let home = Self(tempfile::tempdir().expect("a directory"));
        let mut log = home.open();
        log.append(&[Fact { at: NOW, change: Change::Epoch(EPOCH) }]).expect("room");
        for n in 0..events {
            let run = (n == 0).then(|| run_of(n)).into_iter().flatten();
            log.append(&[accepted(n)].into_iter().chain(run).collect::<Vec<_>>()).expect("room");
        }
        home
    }

    fn dir(&self) -> &str {
        self.0.path().to_str().expect("text")
    }

    fn file(&self) -> PathBuf {
        self.0.path().join("log-00000000000000000001")
    }

    /// Returns the bytes of all files, by name.
    fn files(&self) -> BTreeMap<OsString, Vec<u8>> {
        let files = fs::read_dir(self.0.path()).expect("a directory").map(|file| file.expect("a file"));
        files
            .filter(|file| file.path().is_file())
            .map(|file| (file.file_name(), fs::read(file.path()).expect("a file")))
            .collect()
    }

    fn store(&self) -> DiskStore {
        DiskStore::new(self.0.path())
    }

    fn open(&self) -> JournalLog {
        self.open_as("a test")
    }

    fn open_as(&self, owner: &str) -> JournalLog {
        let opened = recover(&mut self.store(), &Owner::new(owner), &Config::default(), u64::MAX, &mut |_| {});
        opened.expect("a sound journal").log
    }

    /// Changes a bit of this text wherever it is in the first segment.
    fn damage(&self, text: &str) {
        let mut bytes = fs::read(self.file()).expect("a file");
        let places: Vec<_> = (0..bytes.len()).filter(|at| bytes[*at..].starts_with(text.as_bytes())).collect();
        assert!(!places.is_empty(), "it is there");
        places.iter().for_each(|at| bytes[*at] ^= 1);
        fs::write(self.file(), bytes).expect("a file");
    }
}

fn owner() -> Owner {
    Owner::new("a test")
}

fn key(n: u64) -> Key {
    Key::new("shop", &format!("order {n}")).expect("a key")
}

fn accepted(n: u64) -> Fact {
    Fact { at: NOW, change: Change::Accepted(Event::new(key(n), format!("payload {n}"))) }
}

fn run_of(n: u64) -> [Fact; 2] {
    let run = RunId::new(EPOCH, n + 1);
    let charge = Charge { charged: 1, snoozes: 0, refunds: 0 };
    let (end, next) = (AttemptEnd::Done, AfterRun::Completed);
    let started = Change::Started { key: key(n), run };
    let finished = Change::Finished { key: key(n), run, end, error: None, next, charge };
    [started, finished].map(|change| Fact { at: NOW, change })
}
