//! Facts as they happen, the trace of an event, and numbers in another form.

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::net::TcpStream;

use crate::server::TestServer;

const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

#[tokio::test]
async fn facts_come_as_they_happen_and_continue_at_a_cursor() {
    let server = TestServer::default().await;
    let mut first = Facts::follow(&server, "").await;
    server.envelope(r#"{"id":"a","source":"s","type":"t","payload":"secret"}"#).await;
    let (id, name, data) = first.next().await;
    assert_eq!(
        (name.as_str(), &data["id"], &data["source"], &data["type"]),
        ("accepted", &"a".into(), &"s".into(), &"t".into())
    );
    assert!(!data.to_string().contains("secret"), "{data}");
    let (_, name, started) = first.next().await;
    let (_, ended, finished) = first.next().await;
    assert_eq!((name.as_str(), ended.as_str()), ("started", "finished"));
    assert_eq!(
        (&started["run"], &finished["end"], &finished["status"]),
        (&finished["run"], &"done".into(), &"completed".into())
    );

    drop(first);
    server.envelope(r#"{"id":"bad"}"#).await;
    server.until("bad", "failed").await;
    let mut again = Facts::follow(&server, &format!("last-event-id: {id}\r\n")).await;
    let names: Vec<_> = [again.next().await.1, again.next().await.1, again.next().await.1].into();
    assert_eq!(names, ["started", "finished", "accepted"]);
}

#[tokio::test]
async fn cursor_of_another_life_is_answered_with_missed() {
    let server = TestServer::default().await;
    let mut facts = Facts::follow(&server, "last-event-id: 1.5\r\n").await;
    let (_, name, data) = facts.next().await;
    assert_eq!((name.as_str(), &data["missed"]), ("missed", &serde_json::Value::Null));
    for target in ["/v1/facts?after=x", "/v1/facts?after=1", "/v1/facts?before=1.1"] {
        assert_eq!(server.get(target).await.problem(), "invalid", "{target}");
    }
}

#[tokio::test]
async fn facts_end_when_the_engine_has_stopped() {
    let server = TestServer::default().await;
    let mut facts = Facts::follow(&server, "").await;
    server.eventful.shutdown(None).await;
    let mut rest = Vec::new();
    // A follower that saw no fact has a cursor; then comes the last chunk, whose size is 0.
    while rest.last().is_none_or(|line| line != "0") {
        rest.push(facts.0.next_line().await.expect("the rest").expect("the last chunk"));
    }
    let cursors = rest.iter().filter(|line| line.starts_with("id: ")).count();
    assert!(cursors == 1 && !rest.iter().any(|line| line.starts_with("data: ")), "{rest:?}");
}

#[tokio::test]
async fn trace_of_a_request_is_kept_with_its_event() {
    let server = TestServer::default().await;
    let headers = [("traceparent", TRACE), ("tracestate", "a=1"), ("idempotency-key", "hung-1")];
    assert_eq!(server.call("POST", "/v1/events", &headers, "x").await.status, 202);
    let json = [("traceparent", TRACE), ("content-type", "application/json")];
    assert_eq!(server.call("POST", "/v1/events", &json, r#"{"id":"hung"}"#).await.status, 202);
    let malformed = [("traceparent", "00-1"), ("content-type", "application/json")];
    assert_eq!(server.call("POST", "/v1/events", &malformed, r#"{"id":"hung-2"}"#).await.status, 202);
    let lines = "{\"id\": \"hung-3\"}\n{\"id\": \"hung-4\", \"attributes\": {\"traceparent\": \"mine\"}}\n";
    let batch = [("traceparent", TRACE), ("tracestate", "a=1"), ("content-type", "application/x-ndjson")];
    assert_eq!(server.call("POST", "/v1/events/batch", &batch, lines).await.status, 200);
    for (id, parent, state) in
        [("hung-1", TRACE, "a=1"), ("hung", TRACE, ""), ("hung-3", TRACE, "a=1"), ("hung-4", "mine", "")]
    {
        let attributes = server.get(&format!("/v1/events/{id}")).await.json()["attributes"].clone();
        let found = ["traceparent", "tracestate"].map(|name| attributes[name].as_str().unwrap_or_default().to_owned());
        assert_eq!(found, [parent, state], "{id}");
    }
    assert_eq!(server.get("/v1/events/hung-2").await.json()["attributes"], serde_json::Value::Null);
}

#[tokio::test]
async fn numbers_are_openmetrics_where_that_is_accepted() {
    let server = TestServer::default().await;
    let accepts = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5";
    let open = server.call("GET", "/metrics", &[("accept", accepts)], "").await;
    assert_eq!(open.header("content-type"), Some("application/openmetrics-text; version=1.0.0; charset=utf-8"));
    assert!(open.body.ends_with("# EOF\n"), "{}", open.body);
    for line in [
        "# TYPE eventful_events_accepted counter",
        "eventful_events_accepted_total 0",
        "eventful_queue_time_seconds_bucket{le=\"5.0\"} 0",
    ] {
        assert!(open.body.lines().any(|shown| shown == line), "{line}\n{}", open.body);
    }
    for other in ["*/*", "text/plain", "application/openmetrics-text;q=0", "application/openmetrics-text;version=0.0.1"]
    {
        let plain = server.call("GET", "/metrics", &[("accept", other)], "").await;
        assert_eq!(plain.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"), "{other}");
        assert!(plain.body.contains("# TYPE eventful_events_accepted_total counter\n"));
    }
}

/// The facts that one connection is sent.
struct Facts(Lines<BufReader<TcpStream>>);

impl Facts {
    async fn follow(server: &TestServer, headers: &str) -> Self {
        let mut stream = TcpStream::connect(server.address).await.expect("a connection");
        let request = format!("GET /v1/facts HTTP/1.1\r\nhost: localhost\r\n{headers}\r\n");
        stream.write_all(request.as_bytes()).await.expect("it is taken");
        let mut lines = BufReader::new(stream).lines();
        let mut head = String::new();
        while let Some(line) = lines.next_line().await.expect("a head").filter(|line| !line.is_empty()) {
            head += &line;
        }
        assert!(head.starts_with("HTTP/1.1 200") && head.contains("text/event-stream"), "{head}");
        Self(lines)
    }

    /// The next fact: its id, its name, its data.
    async fn next(&mut self) -> (String, String, serde_json::Value) {
        let (mut id, mut name) = (String::new(), String::new());
        loop {
            let line = self.0.next_line().await.expect("a line").expect("more facts");
            match line.split_once(": ") {
                Some(("id", value)) => value.clone_into(&mut id),
                Some(("event", value)) => value.clone_into(&mut name),
                Some(("data", value)) => return (id, name, serde_json::from_str(value).expect("JSON")),
                // Sizes of chunks, and what ends a fact.
                _ => {}
            }
        }
    }
}
