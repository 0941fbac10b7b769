//! Calls while the journal does not respond, or is not there.

use std::time::Duration;

use eventful::Durability;
use serde_json::Value;

use crate::disk::TroubledDisk;
use crate::server::{TestResponse, TestServer};

/// Returns a server whose journal responds no more, with the event `hung` durable before that, and `new` accepted.
async fn stuck() -> (TroubledDisk, TestServer) {
    let disk = TroubledDisk::with_thread();
    let mut durability = Durability::default();
    durability.answer_timeout = Duration::from_millis(50);
    let server = TestServer::durable(disk.store(), durability).await;
    assert_eq!(server.envelope(r#"{"id":"hung"}"#).await.status, 202);
    server.until("hung", "processing").await;
    server.eventful.sync().await.expect("open");
    disk.block();
    let unknown = server.envelope(r#"{"id":"new"}"#).await;
    assert_eq!((unknown.status, unknown.problem().as_str()), (503, "unknown"), "{unknown:?}");
    assert!(unknown.header("retry-after").is_some());
    (disk, server)
}

#[tokio::test]
async fn calls_get_responses_while_the_journal_is_stuck() {
    let (disk, server) = stuck().await;

    let refused = server.envelope(r#"{"id":"late"}"#).await;
    assert_eq!((refused.status, refused.problem().as_str()), (503, "overloaded"));
    assert!(refused.header("retry-after").is_some() && refused.body.contains("the journal is slow or stuck"));
    let again = server.envelope(r#"{"id":"new"}"#).await;
    assert_eq!((again.status, again.problem().as_str()), (503, "unknown"));
    let line = server.call("POST", "/v1/events/batch", &[], r#"{"id":"later"}"#).await.lines();
    assert_eq!(line[0]["outcome"], "overloaded");
    for (method, target) in [("POST", "/v1/pause"), ("POST", "/v1/resume"), ("DELETE", "/v1/events/new")] {
        let answer = server.call(method, target, &[], "").await;
        assert_eq!((answer.status, answer.problem().as_str()), (503, "unknown"), "{method} {target}");
    }
    assert_eq!(server.get("/livez").await.status, 200);

    disk.unblock();
    until(&server, "/v1/stats", |answer| answer.json()["journal_unsynced_facts"] == 0).await;
    assert_eq!(server.envelope(r#"{"id":"new"}"#).await.status, 200);
    assert_eq!(server.envelope(r#"{"id":"late"}"#).await.status, 202);
}

#[tokio::test]
async fn reads_say_what_is_not_durable_while_the_journal_is_stuck() {
    let (disk, server) = stuck().await;
    let hung = server.get("/v1/events/hung").await.json();
    assert_eq!((&hung["status"], &hung["durable"]), (&"processing".into(), &Value::Null));
    let new = server.get("/v1/events/new").await.json();
    assert_eq!((&new["status"], &new["durable"]), (&"received".into(), &false.into()));
    assert!(new["explanation"].as_str().is_some_and(|text| text.contains("not durable yet")), "{new}");
    let absent = server.get("/v1/events/absent").await;
    assert_eq!((absent.status, absent.problem().as_str()), (503, "unknown"));
    let page = server.get("/v1/events").await.json();
    let marks: Vec<_> = page["records"].as_array().expect("records").iter().map(|record| &record["durable"]).collect();
    assert_eq!(marks, [&Value::Null, &Value::Bool(false)]);
    disk.unblock();
}

#[tokio::test]
async fn numbers_and_readiness_say_that_the_journal_is_stuck() {
    let (disk, server) = stuck().await;
    let ready = until(&server, "/readyz", |answer| answer.status == 503).await;
    assert_eq!(ready.problem(), "not_ready");
    assert!(ready.body.contains("the journal has not responded since "), "{ready:?}");
    let stats = server.get("/v1/stats").await.json();
    let states = &stats["journal_state"];
    assert_eq!((&states["stalled"], &states["working"]), (&1.into(), &0.into()), "{stats}");
    assert_eq!((&stats["events_accepted_total"], &stats["journal_unsynced_facts"]), (&2.into(), &1.into()));
    let metrics = server.get("/metrics").await.body;
    for line in [
        "eventful_journal_unsynced_facts 1",
        "eventful_journal_state{state=\"stalled\"} 1",
        "eventful_events_rejected_total{reason=\"journal_slow\"} 0",
        "eventful_events_rejected_total{reason=\"journal_unreachable\"} 0",
    ] {
        assert!(metrics.lines().any(|found| found == line), "{line} in {metrics}");
    }
    disk.unblock();
    until(&server, "/readyz", |answer| answer.status == 200).await;
}

#[tokio::test]
async fn journal_that_is_gone_or_full_is_named_as_such() {
    let disk = TroubledDisk::with_thread();
    let server = TestServer::durable(disk.store(), Durability::default()).await;
    for (is_gone, room, ready_text, refusal_text) in [
        (true, 1 << 40, "cannot be reached: bring it back", "directory or disk cannot be reached"),
        (false, 100, "the disk of the journal is full", "whose disk is nearly full"),
    ] {
        disk.with(|trouble| (trouble.is_gone, trouble.room) = (is_gone, room));
        let ready = until(&server, "/readyz", |answer| answer.status == 503).await;
        assert!(ready.body.contains(ready_text), "{ready:?}");
        let refused = server.envelope(r#"{"id":"a"}"#).await;
        assert_eq!((refused.status, refused.problem().as_str()), (503, "overloaded"));
        assert!(refused.body.contains(refusal_text), "{refused:?}");
        disk.with(|trouble| (trouble.is_gone, trouble.room) = (false, 1 << 40));
        until(&server, "/readyz", |answer| answer.status == 200).await;
    }
    assert_eq!(server.envelope(r#"{"id":"a"}"#).await.status, 202);
}

/// Repeats a call until this holds of the response; gives up after many times.
async fn until(server: &TestServer, target: &str, holds: impl Fn(&TestResponse) -> bool) -> TestResponse {
    for _ in 0..10_000 {
        let answer = server.get(target).await;
        if holds(&answer) {
            return answer;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("{target} never comes to that");
}
