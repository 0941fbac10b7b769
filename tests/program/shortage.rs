//! A server that runs out of file descriptors: the shortage is its own, and no event's fault.

use tokio::net::TcpStream;

use crate::process::{KeptClient, ServerChild, spawn_under};
use crate::sink::Sink;

#[tokio::test]
async fn delivery_has_descriptors_however_many_clients_there_are() {
    let sink = Sink::start(&[]).await;
    let args = ["--deliver", &sink.url, "--max-attempts", "1", "--concurrency", "8"];
    let server = ServerChild::of(spawn_under("ulimit -n 256", &args)).await;
    let mut client = KeptClient::connect(&server).await;
    let _idle = crowd(&server, 200).await;
    client.submit("a", "x").await;
    let record = client.until("/v1/events/a", "completed").await;
    assert_eq!((&record["attempt"], sink.count()), (&1.into(), 1));
}

#[tokio::test]
async fn events_wait_uncharged_while_there_is_no_descriptor() {
    let sink = Sink::start(&[]).await;
    for handler in [["--deliver", &*sink.url], ["--exec", "cat > /dev/null"]] {
        let args = [&handler[..], &["--max-attempts", "1", "--log", "warn"]].concat();
        let own = ServerChild::start(&args).await.open_files();
        // So few more that the clients, which there is always some room for, leave none to handlers.
        let mut server = ServerChild::of(spawn_under(&format!("ulimit -n {}", own + 8), &args)).await;
        let mut client = KeptClient::connect(&server).await;
        let idle = crowd(&server, 60).await;
        server.logs("a connection was not accepted").await;
        client.submit("a", "x").await;
        let line = server.logs("no file descriptor is left").await;
        assert!(line.contains("ulimit -n"), "{line}");
        let record = client.until("/v1/events/a", "failed_retry").await;
        assert_eq!(record["charged"], 0, "{record}");
        assert!(record["last_error"].as_str().is_some_and(|error| error.contains("no file descriptor")), "{record}");
        drop(idle);
        client.until("/v1/events/a", "completed").await;
    }
    assert_eq!(sink.count(), 1);
}

#[tokio::test]
async fn soft_limit_is_raised_as_far_as_is_needed() {
    let server = ServerChild::of(spawn_under("ulimit -Sn 64", &[])).await;
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", server.id())).expect("its limits");
    let line = limits.lines().find(|line| line.starts_with("Max open files")).expect("a line");
    let soft: u64 = line.split_whitespace().nth(3).and_then(|soft| soft.parse().ok()).expect("a number");
    assert_eq!(soft, 1024 + 64 + 16, "{line}");
}

#[tokio::test]
async fn limit_that_is_too_low_is_said_at_start() {
    let mut server = ServerChild::of(spawn_under("ulimit -n 256", &["--log", "warn", "--exec", "true"])).await;
    let line = server.logs("files may be open").await;
    assert!(line.contains("256 files") && line.contains("16 connections") && line.contains("LimitNOFILE"), "{line}");
}

/// Clients that connect and send nothing.
async fn crowd(server: &ServerChild, count: usize) -> Vec<TcpStream> {
    let mut crowd = Vec::new();
    for _ in 0..count {
        crowd.push(TcpStream::connect(&server.address).await.expect("a connection"));
    }
    crowd
}
