//! Output that is not read, and output that is not written.

use std::fs::File;
use std::io::{BufRead as _, BufReader, PipeReader, PipeWriter, Write as _, pipe};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::process::Stdio;
use std::time::Duration;

use rustix::fs::OFlags;
use tempfile::TempDir;

use crate::process::{Api, ServerChild, program, signal, spawn_with};
use crate::sink::Sink;

/// A last resort against hanging.
const LIMIT: Duration = Duration::from_secs(60);

#[tokio::test]
async fn log_that_is_not_read_holds_up_no_call() {
    let log = Clogged::new();
    let server = ServerChild::of(spawn_with(&["--log", "trace"], Stdio::piped(), log.writer())).await;
    log.fill();

    for n in 0..200 {
        let id = format!("{n}");
        limited(server.submit(&id, "/v1/events", "x")).await;
        limited(server.until(&format!("/v1/events/{id}"), "completed")).await;
    }

    assert_eq!(limited(server.get("/v1/stats")).await["events_accepted_total"], 200);
    server.signal("TERM");
    assert_eq!(limited(server.exit_code()).await, 0);
}

#[tokio::test]
async fn output_that_is_not_read_holds_up_no_drain() {
    let output = Clogged::new();
    let args = ["--log", "trace", "--exec", "exec sleep 1000", "--drain-timeout", "10ms"];
    let mut child = spawn_with(&args, output.writer(), output.writer());
    let server = output.api();
    output.fill();
    limited(server.submit("a", "/v1/events", "x")).await;
    limited(server.until("/v1/events/a", "processing")).await;

    signal(child.id().expect("it runs"), "TERM");

    assert_eq!(limited(child.wait()).await.expect("it ends").code(), Some(0));
}

#[tokio::test]
async fn second_signal_ends_a_server_whose_output_is_not_read() {
    for (first, second) in [("TERM", "TERM"), ("INT", "INT"), ("HUP", "QUIT")] {
        let output = Clogged::new();
        let args = ["--log", "trace", "--exec", "exec sleep 1000", "--drain-timeout", "1000s"];
        let mut child = spawn_with(&args, output.writer(), output.writer());
        let server = output.api();
        output.fill();
        limited(server.submit("a", "/v1/events", "x")).await;
        limited(server.until("/v1/events/a", "processing")).await;

        signal(child.id().expect("it runs"), first);
        while limited(server.get("/v1/stats")).await["phase"]["draining"] != 1 {}
        signal(child.id().expect("it runs"), second);

        assert_eq!(limited(child.wait()).await.expect("it ends").code(), Some(130));
    }
}

#[tokio::test]
async fn command_whose_output_is_not_read_holds_up_no_call() {
    let output = Clogged::new();
    let args = ["--exec", "echo x", "--run-timeout", "100ms", "--max-attempts", "2", "--concurrency", "1"];
    let mut child = spawn_with(&args, output.writer(), Stdio::null());
    let server = output.api();
    output.fill();

    limited(server.submit("a", "/v1/events", "x")).await;

    let record = limited(server.until("/v1/events/a", "failed")).await;
    assert_eq!(record["attempt"], 2);
    signal(child.id().expect("it runs"), "TERM");
    assert_eq!(limited(child.wait()).await.expect("it ends").code(), Some(0));
}

#[tokio::test]
async fn output_that_is_not_written_is_an_error() {
    let journal = journal().await;
    let directory = journal.path().to_str().expect("text");
    let salvaged = journal.path().join("salvaged");
    let events = journal.path().join("events");
    std::fs::write(&events, "{\"id\":\"a\"}\n").expect("a file");
    let server = ServerChild::start(&[]).await;
    let url = server.url();
    for args in [
        &["journal", "dump", directory][..],
        &["journal", "verify", directory],
        &["journal", "salvage", directory, salvaged.to_str().expect("text")],
        &["journal", "compact", directory],
        &["journal", "dump", directory],
        &["send", events.to_str().expect("text"), "--to", &url],
    ] {
        let full = File::options().write(true).open("/dev/full").expect("a device");
        let (code, stderr) = run_into(args, full).await;
        assert_eq!(code, Some(1), "{args:?}: {stderr}");
        assert!(stderr.contains("standard output was not written: no storage space"), "{args:?}: {stderr}");
    }
}

#[tokio::test]
async fn output_whose_reader_is_gone_is_no_error() {
    let journal = journal().await;
    let directory = journal.path().to_str().expect("text");
    for args in [&["journal", "dump", directory][..], &["journal", "verify", directory]] {
        let (reader, writer) = pipe().expect("a pipe");
        drop(reader);
        assert_eq!(run_into(args, writer).await, (Some(0), String::new()), "{args:?}");
    }
}

#[tokio::test]
async fn server_whose_output_is_not_written_serves_and_ends_with_1() {
    let sink = Sink::start(&[]).await;
    // Its address is not in its output: what it delivers shows that it serves.
    let journal = pending().await;
    let full = File::options().write(true).open("/dev/full").expect("a device");
    let directory = journal.path().to_str().expect("text");
    let mut child = spawn_with(&["--data", directory, "--deliver", &sink.url], full, Stdio::piped());

    limited(sink.until(1)).await;

    signal(child.id().expect("it runs"), "TERM");
    assert_eq!(limited(child.wait()).await.expect("it ends").code(), Some(1));
    let log = limited(child.wait_with_output()).await.expect("its log").stderr;
    assert!(String::from_utf8_lossy(&log).contains("standard output was not written"), "{log:?}");
}

/// A pipe that takes nothing, as soon as it is filled.
struct Clogged {
    reader: PipeReader,
    writer: PipeWriter,
}

impl Clogged {
    fn new() -> Self {
        let (reader, writer) = pipe().expect("a pipe");
        Self { reader, writer }
    }

    fn writer(&self) -> PipeWriter {
        self.writer.try_clone().expect("a descriptor")
    }

    /// The API of the server that writes into the pipe. Nothing is read after the line with its address, which the log
    /// may precede.
    fn api(&self) -> Api {
        let mut reader = BufReader::with_capacity(1, &self.reader);
        let lines = std::iter::from_fn(|| {
            let mut line = String::new();
            (reader.read_line(&mut line).expect("text") > 0).then_some(line)
        });
        let mut introductions = lines.filter(|line| line.contains("http://"));
        Api::introduced(&introductions.next().expect("an address"))
    }

    /// Takes another opening of the pipe, because only this one must not wait.
    fn fill(&self) {
        let name = format!("/proc/self/fd/{}", self.writer.as_raw_fd());
        let flags = i32::try_from(OFlags::NONBLOCK.bits()).expect("flags");
        let mut writer = File::options().write(true).custom_flags(flags).open(name).expect("the pipe");
        for size in [4096, 1] {
            while writer.write(&[b'\n'; 4096][..size]).is_ok() {}
        }
    }
}

async fn limited<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(LIMIT, future).await.expect("it ends")
}

/// Runs the program to its end, with its output going there.
async fn run_into(args: &[&str], output: impl Into<Stdio>) -> (Option<i32>, String) {
    let child = program(args).stdout(output).stderr(Stdio::piped()).spawn().expect("it starts");
    let output = child.wait_with_output().await.expect("it ends");
    (output.status.code(), String::from_utf8(output.stderr).expect("text"))
}

/// A journal that a server has left.
async fn journal() -> TempDir {
    let directory = tempfile::tempdir().expect("a directory");
    let mut server = ServerChild::start(&["--data", directory.path().to_str().expect("text")]).await;
    server.submit("a", "/v1/events", "x").await;
    server.until("/v1/events/a", "completed").await;
    server.signal("TERM");
    server.says("stopped").await;
    assert_eq!(server.exit_code().await, 0);
    directory
}

/// A journal with an event that is pending.
async fn pending() -> TempDir {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().to_str().expect("text");
    let args = ["--data", path, "--deliver", "http://127.0.0.1:1/", "--max-attempts", "1000000000"];
    let server = ServerChild::start(&args).await;
    server.submit("a", "/v1/events", "x").await;
    server.kill().await;
    directory
}
