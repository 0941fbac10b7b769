//! The end of `serve`.

use std::io::Write as _;
use std::path::PathBuf;

use crate::process::{ServerChild, spawn_under};

#[tokio::test]
async fn a_signal_drains_what_is_in_flight_and_ends_well() {
    for signal in ["TERM", "INT", "HUP", "QUIT"] {
        let pipe = pipe(signal);
        // Ends when a test writes into the pipe.
        let command = format!("cat '{}'", pipe.display());
        let mut server = ServerChild::start(&["--exec", &command]).await;
        server.submit("a", "/v1/events", "x").await;
        server.until("/v1/events/a", "processing").await;
        server.signal(signal);
        server.says("draining: 1 in flight").await;
        std::fs::write(&pipe, "").expect("the command reads");
        server.says("1 drained, 0 interrupted, 0 abandoned, 0 left").await;
        assert_eq!(server.exit_code().await, 0);
        std::fs::remove_file(pipe).expect("it is removed");
    }
}

#[tokio::test]
async fn hangup_that_was_ignored_before_stays_ignored() {
    let mut server = ServerChild::of(spawn_under("trap '' HUP", &[])).await;
    server.signal("HUP");
    server.submit("a", "/v1/events", "x").await;
    server.signal("TERM");
    server.says("SIGTERM: taking no more events").await;
    server.says("0 drained, 0 interrupted, 0 abandoned, 0 left").await;
    assert_eq!(server.exit_code().await, 0);
}

#[tokio::test]
async fn limit_of_file_sizes_is_an_error_and_no_death() {
    let directory = tempfile::tempdir().expect("a directory");
    let data = directory.path().to_str().expect("text");
    // In blocks of 512 bytes, for a shell that follows POSIX.
    let mut server = ServerChild::of(spawn_under("ulimit -f 16384", &["--data", data])).await;

    for _ in 0..2 {
        let refused = server.fill(&"x".repeat(1 << 19)).await;
        assert!(refused.starts_with("HTTP/1.1 503"), "{refused}");
    }

    server.signal("TERM");
    server.says("stopped").await;
    assert!([0, 1].contains(&server.exit_code().await), "no signal ended it");
}

#[tokio::test]
async fn an_idle_server_ends_at_once() {
    let mut server = ServerChild::start(&[]).await;
    server.signal("TERM");
    server.says("0 drained, 0 interrupted, 0 abandoned, 0 left").await;
    assert_eq!(server.exit_code().await, 0);
}

#[tokio::test]
async fn the_drain_timeout_interrupts_what_hangs() {
    let mut server = ServerChild::start(&["--exec", "exec sleep 1000", "--drain-timeout", "10ms"]).await;
    server.submit("a", "/v1/events", "x").await;
    server.until("/v1/events/a", "processing").await;
    server.signal("TERM");
    server.says("0 drained, 1 interrupted, 0 abandoned, 1 left").await;
    server.says("send it again").await;
    assert_eq!(server.exit_code().await, 0);
}

#[tokio::test]
async fn a_second_signal_ends_it_at_once() {
    let mut server = ServerChild::start(&["--exec", "exec sleep 1000"]).await;
    server.submit("a", "/v1/events", "x").await;
    server.until("/v1/events/a", "processing").await;
    server.signal("INT");
    server.says("draining: 1 in flight").await;
    server.signal("INT");
    assert_eq!(server.exit_code().await, 130);
}

#[tokio::test]
async fn command_and_its_children_do_not_outlive_the_server() {
    let pipe = pipe("orphan");
    // The shell waits for `cat`, which reads until the pipe is closed.
    let command = format!("cat '{}' > /dev/null; true", pipe.display());
    let mut server = ServerChild::start(&["--exec", &command]).await;
    server.submit("a", "/v1/events", "x").await;
    let mut written = std::fs::File::options().write(true).open(&pipe).expect("the command reads");
    server.signal("INT");
    server.says("draining: 1 in flight").await;
    server.signal("INT");
    assert_eq!(server.exit_code().await, 130);
    assert!((0..10_000_000).any(|_| written.write_all(b"x").is_err()), "a process still reads");
    std::fs::remove_file(pipe).expect("it is removed");
}

#[tokio::test]
async fn a_draining_server_is_not_ready() {
    let mut server = ServerChild::start(&["--exec", "exec sleep 1000"]).await;
    server.submit("a", "/v1/events", "x").await;
    server.until("/v1/events/a", "processing").await;
    server.signal("TERM");
    server.says("draining").await;
    assert_eq!(server.get("/readyz").await["type"], "urn:eventful:problem:not_ready");
    server.signal("TERM");
    assert_eq!(server.exit_code().await, 130);
}

/// Creates a pipe with a name.
fn pipe(name: &str) -> PathBuf {
    let pipe = std::env::temp_dir().join(format!("eventful-{name}-{}", std::process::id()));
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.expect("mkfifo runs").success());
    pipe
}
