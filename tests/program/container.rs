//! `serve` as process 1, as in a container.

use std::process::Stdio;

use tokio::process::{Child, Command};

use crate::process::{ServerChild, signal};

#[tokio::test]
async fn process_1_reaps_what_commands_leave_behind() {
    let server = Contained::start(&["--exec", "sleep 0 & exit 0", "--concurrency", "8"]).await;

    for n in 0..50 {
        server.api.submit(&format!("{n}"), "/v1/events", "x").await;
    }
    for n in 0..50 {
        server.api.until(&format!("/v1/events/{n}"), "completed").await;
    }

    server.until_only_the_server_is_left();
    server.end("TERM", 0).await;
}

#[tokio::test]
async fn exit_codes_of_commands_count_beneath_process_1() {
    let server = Contained::start(&["--exec", "sleep 0 & exit 75", "--max-attempts", "3"]).await;
    server.api.submit("a", "/v1/events", "x").await;
    let record = server.api.until("/v1/events/a", "failed").await;
    assert_eq!(record["attempt"], 3);
    assert!(record["last_error"].as_str().expect("an error").contains("75"), "{record}");
}

#[tokio::test]
async fn process_1_hands_signals_on() {
    let mut server = Contained::start(&["--exec", "exec sleep 1000"]).await;
    server.api.submit("a", "/v1/events", "x").await;
    server.api.until("/v1/events/a", "processing").await;
    signal(server.init, "TERM");
    server.api.says("draining: 1 in flight").await;
    server.end("INT", 130).await;
}

#[tokio::test]
async fn process_1_that_cannot_start_a_child_serves_alone() {
    let shell = r#"mount -t tmpfs none /proc && exec "$0" "$@""#;
    let server = ServerChild::of(contained(&["--mount"], &["sh", "-c", shell], &["--exec", "exit 0"])).await;
    server.submit("a", "/v1/events", "x").await;
    server.until("/v1/events/a", "completed").await;
    let processes = children(server.id());
    assert!(processes.len() == 1 && children(processes[0]).is_empty(), "{processes:?}");
    signal(processes[0], "TERM");
    let (_, log) = server.rest().await;
    assert!(log.contains("what commands leave behind is not reaped"), "{log}");
}

/// A server whose first process is process 1 of a namespace of its own.
struct Contained {
    api: ServerChild,
    init: u32,
}

impl Contained {
    async fn start(args: &[&str]) -> Self {
        let child = contained(&[], &[], args);
        let unshare = child.id().expect("it runs");
        let api = ServerChild::of(child).await;
        let init = children(unshare);
        assert_eq!(init.len(), 1, "its first process");
        Self { api, init: init[0] }
    }

    /// Polls until only the server is left; gives up after many tries.
    fn until_only_the_server_is_left(&self) {
        let mut left = Vec::new();
        for _ in 0..10_000 {
            left = children(self.init);
            if left.len() == 1 {
                return;
            }
        }
        panic!("not reaped: {left:?}");
    }

    async fn end(self, name: &str, code: i32) {
        signal(self.init, name);
        assert_eq!(self.api.exit_code().await, code);
    }
}

/// Begins to start `eventful serve` on a free port as process 1 of a namespace, by way of a shell.
fn contained(namespaces: &[&str], shell: &[&str], args: &[&str]) -> Child {
    // Without being root that is possible in a user namespace.
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--pid", "--fork", "--kill-child"]).args(namespaces).args(shell);
    command
        .args([
            env!("CARGO_BIN_EXE_eventful"),
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--backoff",
            "1ms",
            "--backoff-cap",
            "2ms",
        ])
        .args(args);
    command.env("EVENTFUL_LOG", "off").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.kill_on_drop(true).spawn().expect("unshare runs")
}

/// Returns the processes whose parent this is, also those that have ended.
fn children(parent: u32) -> Vec<u32> {
    let processes = std::fs::read_dir("/proc").expect("/proc").filter_map(|entry| {
        let process = entry.ok()?.file_name().to_str()?.parse::<u32>().ok()?;
        let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
        // Behind the name, which is in parentheses: the state, and the parent.
        let (_, rest) = stat.rsplit_once(") ")?;
        let parent = rest.split(' ').nth(1)?.parse::<u32>().ok()?;
        Some((process, parent))
    });
    processes.filter(|(_, of)| *of == parent).map(|(process, _)| process).collect()
}
