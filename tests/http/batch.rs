//! Batches of events.

use crate::server::TestServer;
use eventful::Config;
use eventful::http::Limits;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

#[tokio::test]
async fn every_line_is_answered_in_its_place() {
    let mut config = Config::default();
    config.max_event_bytes = 40_000;
    let server = TestServer::start(config).await;
    let long = "x".repeat(60_000);
    let lines = [
        r#"{"id":"a","payload":1}"#,
        "nonsense",
        "",
        &format!(r#"{{"id":"l","payload":"{long}"}}"#),
        r#"{"id":"a","payload":1}"#,
        r#"{"id":"a","payload":2}"#,
        r#"{"id":"b","source":"s"}"#,
    ];
    let answer = server.call("POST", "/v1/events/batch", &[], &lines.join("\n")).await;
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/x-ndjson")));
    let results = answer.lines();
    let outcomes: Vec<_> = results.iter().map(|line| line["outcome"].as_str().expect("an outcome")).collect();
    assert_eq!(outcomes, ["accepted", "invalid", "too_large", "duplicate", "conflict", "accepted"]);
    let numbers: Vec<_> = results.iter().map(|line| line["line"].as_u64().expect("a number")).collect();
    assert_eq!(numbers, [1, 2, 4, 5, 6, 7]);
    assert_eq!(results[4]["problem"]["type"], "urn:eventful:problem:conflict");
    assert_eq!((&results[5]["id"], &results[5]["source"]), (&"b".into(), &"s".into()));
    let rejected = &server.get("/v1/stats").await.json()["events_rejected_total"];
    assert_eq!((&rejected["too_large"], &rejected["invalid"]), (&1.into(), &1.into()));
}

#[tokio::test]
async fn blank_lines_count_as_lines_and_have_no_result() {
    let server = TestServer::default().await;
    let body = "\u{feff}\r\n\n \t \n\u{feff}{\"id\":\"a\"}\r\n\n{\"id\":\"b\"}\n\n   ";
    let results = server.call("POST", "/v1/events/batch", &[], body).await.lines();
    let seen: Vec<_> = results.iter().map(|line| (line["line"].as_u64(), line["id"].as_str())).collect();
    assert_eq!(seen, [(Some(4), Some("a")), (Some(6), Some("b"))]);
    let blank = server.call("POST", "/v1/events/batch", &[], &"\n".repeat(10_000)).await;
    assert_eq!((blank.status, blank.body.as_str()), (200, ""));
}

#[tokio::test]
async fn a_thousand_lines_are_answered_in_order() {
    let server = TestServer::default().await;
    let body: String = (0..1000).map(|n| format!("{{\"id\":\"{n}\",\"payload\":{n}}}\n")).collect();
    let results = server.call("POST", "/v1/events/batch", &[], &body).await.lines();
    let ids: Vec<_> = results.iter().map(|line| line["id"].as_str().expect("an id").to_owned()).collect();
    assert_eq!(ids, (0..1000).map(|n| n.to_string()).collect::<Vec<_>>());
}

#[tokio::test]
async fn lines_past_a_bound_are_refused_with_retry_after() {
    let mut config = Config::default();
    config.max_pending = 2;
    let server = TestServer::start(config).await;
    let body = "{\"id\":\"hung-1\"}\n{\"id\":\"hung-2\"}\n{\"id\":\"hung-3\"}\n{\"id\":\"hung-1\"}\n";
    let results = server.call("POST", "/v1/events/batch", &[], body).await.lines();
    let outcomes: Vec<_> = results.iter().map(|line| line["outcome"].as_str().expect("an outcome")).collect();
    assert_eq!(outcomes, ["accepted", "accepted", "overloaded", "duplicate"]);
    assert_eq!(results[2]["problem"]["retry_after_ms"], 1000);
}

#[tokio::test]
async fn empty_batch_has_an_empty_response() {
    let server = TestServer::default().await;
    let answer = server.call("POST", "/v1/events/batch", &[], "").await;
    assert_eq!((answer.status, answer.body.as_str()), (200, ""));
}

/// Most HTTP libraries do this. Lines and results are some 18 MB each: more than the buffers on their way.
#[tokio::test(flavor = "multi_thread")]
async fn client_that_sends_all_before_it_reads_gets_a_response() {
    let mut config = Config::default();
    config.max_pending = 1_000_000;
    let mut limits = Limits::default();
    limits.max_unread_bytes = 100_000;
    limits.unread_patience = std::time::Duration::from_millis(100);
    let server = TestServer::within(limits, config).await;
    let padding = " ".repeat(60);
    let lines: Vec<_> = (0..200_000).map(|n| format!("{{\"id\":\"{n}\",\"payload\":{n}}}{padding}\n")).collect();
    let results = send_then_read(&server, &lines.concat()).await;
    let taken = results.iter().filter(|line| line["outcome"] == "accepted").count();
    assert!((1..lines.len()).contains(&taken), "some were taken: {taken}");
    let numbers = results.iter().map(|line| line["line"].as_u64());
    assert!(numbers.eq((1..=taken as u64 + 1).map(Some)), "every line that was taken has its answer");
    let last = results.last().expect("an answer");
    assert_eq!(last["outcome"], "unread", "{last}");
    let detail = last["problem"]["detail"].as_str().expect("a detail");
    assert!(detail.ends_with(&format!("send again from line {} on", taken + 1)), "{detail}");
    let accepted = server.eventful.stats().expect("stats").engine.facts.accepted;
    assert_eq!(accepted as usize, taken, "what has no result was not accepted");
    let rest = send_then_read(&server, &lines[taken..][..100].concat()).await;
    assert!(rest.len() == 100 && rest.iter().all(|line| line["outcome"] == "accepted"));
}

#[tokio::test(start_paused = true)]
async fn batch_waits_for_a_client_that_reads_slowly() {
    let mut limits = Limits::default();
    limits.max_unread_bytes = 1;
    let server = TestServer::within(limits.clone(), Config::default()).await;
    let body: String = (0..1000).map(|n| format!("{{\"id\":\"{n}\"}}\n")).collect();
    let results = server.call("POST", "/v1/events/batch", &[], &body).await.lines();
    assert!(results.len() == 1000 && results.iter().all(|line| line["outcome"] == "accepted"));
}

#[tokio::test]
async fn line_without_room_among_open_requests_ends_the_batch() {
    let mut config = Config::default();
    config.max_event_bytes = 100;
    let mut limits = Limits::default();
    limits.max_inflight_bytes = 0;
    let server = TestServer::within(limits, config).await;
    // The budget is that of one event: each of two lines has room alone.
    let part = format!("{{\"id\":\"a\",\"payload\":\"{}", " ".repeat(36_000));
    let head =
        "POST /v1/events/batch HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: 36100\r\n\r\n";
    let mut stalled = TcpStream::connect(server.address).await.expect("a connection");
    stalled.write_all(format!("{head}{part}").as_bytes()).await.expect("it is taken");
    loop {
        let mut other = TcpStream::connect(server.address).await.expect("a connection");
        other.write_all(format!("{head}{{\"id\":\"b\"}}\n{part}").as_bytes()).await.expect("it is taken");
        other.shutdown().await.expect("it is closed");
        let mut answer = String::new();
        other.read_to_string(&mut answer).await.expect("an answer");
        assert!(answer.contains(r#"{"line":1,"outcome":"#), "{answer}");
        // Until the server has read what the first one sent, there is room for both.
        if answer.contains(r#"{"line":2,"outcome":"overloaded""#) {
            assert!(answer.contains("try again in 1s"), "{answer}");
            return;
        }
        assert!(answer.contains(r#"{"line":2,"outcome":"invalid""#), "{answer}");
    }
}

/// Sends a batch, and only then reads the lines of the response.
async fn send_then_read(server: &TestServer, body: &str) -> Vec<Value> {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_recv_buffer_size(64 << 10).expect("a small buffer");
    let mut stream = socket.connect(server.address).await.expect("a connection");
    let head = format!(
        "POST /v1/events/batch HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.expect("it is taken");
    stream.write_all(body.as_bytes()).await.expect("it is taken");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("an answer");
    crate::server::TestResponse::parse(&answer).lines()
}
