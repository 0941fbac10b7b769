//! Many events in.

use crate::server::Server;
use eventful::Config;

#[tokio::test]
async fn every_line_is_answered_in_its_place() {
    let mut config = Config::default();
    config.max_event_bytes = 40_000;
    let server = Server::start(config).await;
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
    let answers = answer.lines();
    let outcomes: Vec<_> = answers.iter().map(|line| line["outcome"].as_str().expect("an outcome")).collect();
    assert_eq!(outcomes, ["accepted", "invalid", "too_large", "duplicate", "conflict", "accepted"]);
    let numbers: Vec<_> = answers.iter().map(|line| line["line"].as_u64().expect("a number")).collect();
    assert_eq!(numbers, [1, 2, 4, 5, 6, 7]);
    assert_eq!(answers[4]["problem"]["type"], "urn:eventful:problem:conflict");
    assert_eq!((&answers[5]["id"], &answers[5]["source"]), (&"b".into(), &"s".into()));
}

#[tokio::test]
async fn blank_lines_count_as_lines_and_have_no_answer() {
    let server = Server::default().await;
    let body = "\u{feff}\r\n\n \t \n\u{feff}{\"id\":\"a\"}\r\n\n{\"id\":\"b\"}\n\n   ";
    let answers = server.call("POST", "/v1/events/batch", &[], body).await.lines();
    let seen: Vec<_> = answers.iter().map(|line| (line["line"].as_u64(), line["id"].as_str())).collect();
    assert_eq!(seen, [(Some(4), Some("a")), (Some(6), Some("b"))]);
    let blank = server.call("POST", "/v1/events/batch", &[], &"\n".repeat(10_000)).await;
    assert_eq!((blank.status, blank.body.as_str()), (200, ""));
}

#[tokio::test]
async fn a_thousand_lines_are_answered_in_order() {
    let server = Server::default().await;
    let body: String = (0..1000).map(|n| format!("{{\"id\":\"{n}\",\"payload\":{n}}}\n")).collect();
    let answers = server.call("POST", "/v1/events/batch", &[], &body).await.lines();
    let ids: Vec<_> = answers.iter().map(|line| line["id"].as_str().expect("an id").to_owned()).collect();
    assert_eq!(ids, (0..1000).map(|n| n.to_string()).collect::<Vec<_>>());
}

#[tokio::test]
async fn past_a_bound_the_other_lines_are_told_to_come_back() {
    let mut config = Config::default();
    config.max_pending = 2;
    let server = Server::start(config).await;
    let body = "{\"id\":\"hung-1\"}\n{\"id\":\"hung-2\"}\n{\"id\":\"hung-3\"}\n{\"id\":\"hung-1\"}\n";
    let answers = server.call("POST", "/v1/events/batch", &[], body).await.lines();
    let outcomes: Vec<_> = answers.iter().map(|line| line["outcome"].as_str().expect("an outcome")).collect();
    assert_eq!(outcomes, ["accepted", "accepted", "overloaded", "duplicate"]);
    assert_eq!(answers[2]["problem"]["retry_after_ms"], 1000);
}

#[tokio::test]
async fn an_empty_batch_has_an_empty_answer() {
    let server = Server::default().await;
    let answer = server.call("POST", "/v1/events/batch", &[], "").await;
    assert_eq!((answer.status, answer.body.as_str()), (200, ""));
}
