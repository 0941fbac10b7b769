//! Failed events: list, filter, redrive, discard, and their bound.

use eventful::journal::MemoryStore;
use eventful::{Config, Durability, Eventful, http};

use crate::server::{TestServer, handle};

#[tokio::test]
async fn payload_and_errors_are_shown_on_request() {
    let server = failed(&["bad"]).await;
    let record = server.get("/v1/events/bad").await.json();
    assert!(record.get("payload").is_none(), "not unless it is asked for: {record}");
    assert_eq!(record["history"][0]["error"], "it is bad");

    let record = server.get("/v1/events/bad?payload=true").await.json();
    assert_eq!((&record["payload"], &record["payload_encoding"]), (&"payload of bad".into(), &"utf-8".into()));
    let page = server.get("/v1/events?status=failed&payload=true").await.json();
    assert_eq!(page["records"][0]["payload"], "payload of bad");
    assert_eq!(server.get("/v1/events/bad?payload=yes").await.status, 400);
}

#[tokio::test]
async fn payload_that_is_no_text_is_shown_in_base64() {
    let server = TestServer::default().await;
    let event = eventful::Event::with_id("bad", vec![0xff, 0xfe, 0xfb]).expect("an event");
    server.eventful.submit(event).await.expect("it is accepted");
    let record = server.get("/v1/events/bad?payload=true").await.json();
    assert_eq!((&record["payload"], &record["payload_encoding"]), (&"//77".into(), &"base64".into()));
}

#[tokio::test]
async fn list_holds_what_fits_every_part_of_its_filter() {
    let server = failed(&["bad-1", "bad-2"]).await;
    let typed = "/v1/events?source=shop&type=order.created";
    server.call("POST", typed, &[("idempotency-key", "bad-3")], "").await;
    server.call("POST", "/v1/events", &[("idempotency-key", "good")], "").await;
    server.until("bad-3?source=shop", "failed").await;
    for (filter, ids) in [
        ("status=failed", &["bad-1", "bad-2", "bad-3"][..]),
        ("status=failed&source=shop", &["bad-3"]),
        ("source=shop", &["bad-3"]),
        ("type=order.created", &["bad-3"]),
        ("type=order.paid", &[]),
        ("error=is+bad", &["bad-1", "bad-2", "bad-3"]),
        ("error=is+good", &[]),
        ("failed_from=1970-01-01T00:00:00Z", &["bad-1", "bad-2", "bad-3"]),
        ("failed_until=1970-01-01T00:00:00Z", &[]),
        ("status=received&failed_from=1970-01-01T00:00:00Z", &[]),
    ] {
        let page = server.get(&format!("/v1/events?{filter}")).await.json();
        let found: Vec<_> = page["records"].as_array().expect("records").iter().map(|record| &record["id"]).collect();
        assert_eq!(found, ids, "{filter}");
    }
    for wrong in ["failed_from=yesterday", "sauce=shop", "status=failed&status=failed"] {
        assert_eq!(server.get(&format!("/v1/events?{wrong}")).await.status, 400, "{wrong}");
    }
}

#[tokio::test]
async fn list_of_failed_events_continues_where_it_stopped() {
    let server = failed(&["bad-1", "bad-2", "bad-3"]).await;
    let page = server.get("/v1/events?status=failed&limit=2").await.json();
    assert_eq!((&page["records"][0]["id"], &page["records"][1]["id"]), (&"bad-1".into(), &"bad-2".into()));
    server.call("DELETE", "/v1/events/bad-2", &[], "").await;

    let next = page["next"].as_str().expect("there is more");
    let page = server.get(&format!("/v1/events?status=failed&after={next}")).await.json();
    assert_eq!(page["records"][0]["id"], "bad-3", "{page}");
}

#[tokio::test]
async fn dry_run_counts_and_changes_nothing() {
    let server = failed(&["bad-1", "bad-2"]).await;
    for call in ["redrive", "discard"] {
        let answer = server.call("POST", &format!("/v1/{call}?status=failed&error=bad&dry_run=true"), &[], "").await;
        assert_eq!((answer.status, &answer.json()["matching"]), (200, &2.into()), "{answer:?}");
    }
    assert_eq!(server.get("/v1/events/bad-1").await.json()["attempt"], 1);
}

#[tokio::test]
async fn discard_of_many_takes_pages_and_says_how_many_are_left() {
    let ids: Vec<_> = (0..130).map(|n| format!("bad-{n}")).collect();
    let server = failed(&ids.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let answer = server.call("POST", "/v1/discard?status=failed&error=bad", &[], "").await.json();
    assert_eq!((&answer["discarded"], &answer["left"]), (&100.into(), &30.into()));

    let next = answer["next"].as_str().expect("there is more");
    let answer = server.call("POST", &format!("/v1/discard?status=failed&error=bad&after={next}"), &[], "").await;
    let answer = answer.json();
    assert_eq!((&answer["discarded"], &answer["left"]), (&30.into(), &0.into()));
    assert_eq!(server.get("/v1/stats").await.json()["records"]["discarded"], 130);
}

#[tokio::test]
async fn redrive_of_many_takes_those_that_fit() {
    let server = failed(&["bad-1"]).await;
    server.call("POST", "/v1/events?type=order.created", &[("idempotency-key", "bad-2")], "").await;
    server.until("bad-2", "failed").await;
    server.call("POST", "/v1/pause", &[], "").await;
    let answer = server.call("POST", "/v1/redrive?status=failed&type=order.created", &[], "").await.json();
    assert_eq!((&answer["redriven"], &answer["left"]), (&1.into(), &0.into()));
    assert_eq!(server.get("/v1/events/bad-1").await.json()["status"], "failed");
}

#[tokio::test]
async fn discard_of_many_must_name_a_status_that_can_be_discarded() {
    let server = failed(&["bad"]).await;
    for query in ["", "?source=", "?error=bad", "?status=completed", "?status=discarded", "?all=true"] {
        let answer = server.call("POST", &format!("/v1/discard{query}"), &[], "").await;
        assert_eq!((answer.status, answer.problem().as_str()), (400, "invalid"), "{query}");
    }
    let answer = server.call("POST", "/v1/discard?status=failed", &[], r#"{"id":"a"}"#).await;
    assert_eq!(answer.status, 400, "a body means one event");
    assert_eq!(server.get("/v1/events/bad").await.json()["status"], "failed");
}

#[tokio::test]
async fn failed_events_that_keep_others_out_are_the_reason_everywhere() {
    let mut config = Config::default();
    (config.max_event_bytes, config.max_failed_bytes) = (20, 30);
    let server = failed_with(config, &["bad-1", "bad-2"]).await;

    let refused = server.call("POST", "/v1/events", &[("idempotency-key", "new")], "").await;
    assert_eq!((refused.status, refused.problem().as_str()), (503, "overloaded"));
    assert!(refused.body.contains("max_failed_bytes"), "{refused:?}");
    assert_eq!(refused.header("retry-after"), Some("60"));
    let ready = server.get("/readyz").await;
    assert_eq!((ready.status, ready.body.contains("failed events")), (503, true), "{ready:?}");
    let stats = server.get("/v1/stats").await.json();
    assert_eq!((&stats["failed_full"], &stats["events_rejected_total"]["failed"]), (&1.into(), &1.into()));

    server.call("POST", "/v1/discard?status=failed", &[], "").await;
    assert_eq!(server.get("/readyz").await.status, 200);
    assert_eq!(server.call("POST", "/v1/events", &[("idempotency-key", "new")], "").await.status, 202);
}

#[tokio::test]
async fn known_event_over_a_lowered_limit_is_a_duplicate() {
    let (store, payload) = (MemoryStore::new(), "x".repeat(1000));
    let before = start(store.clone(), 2000);
    before.submit(eventful::Event::with_id("a", payload.clone()).expect("an id")).await.expect("it is accepted");
    let envelope = format!(r#"{{"id":"e","payload":"{payload}"}}"#);
    let json = eventful::Event::with_id("e", format!("\"{payload}\"")).expect("an id");
    before.submit(json).await.expect("it is accepted");
    before.shutdown(None).await;

    let server = TestServer::of(start(store, 100), http::Limits::default()).await;
    let by_header = async |id, body: &str| server.call("POST", "/v1/events", &[("idempotency-key", id)], body).await;
    assert_eq!(by_header("a", &payload).await.status, 200);
    assert_eq!(by_header("a", &payload[1..]).await.problem(), "conflict");
    assert_eq!(by_header("new", &payload).await.problem(), "too_large");
    assert_eq!(server.envelope(&envelope).await.status, 200);
    let lines = server.call("POST", "/v1/events/batch", &[], &envelope).await.lines();
    assert_eq!(lines[0]["outcome"], "duplicate");
    let huge = "x".repeat((4 << 20) + 1);
    assert_eq!(by_header("a", &huge).await.problem(), "too_large", "no more than 4 MiB are read for this");
}

fn start(store: MemoryStore, max_event_bytes: usize) -> Eventful {
    let mut config = Config::durable();
    config.max_event_bytes = max_event_bytes;
    let builder = Eventful::builder().config(config).journal(store, Durability::default());
    builder.start(handle).expect("it starts")
}

async fn failed(ids: &[&str]) -> TestServer {
    failed_with(Config::default(), ids).await
}

/// Returns a server in which these events have failed, one after the other.
async fn failed_with(config: Config, ids: &[&str]) -> TestServer {
    let server = TestServer::start(config).await;
    for id in ids {
        let payload = format!("payload of {id}");
        let payload = if server.eventful.config().max_event_bytes < 100 { "" } else { &payload };
        server.call("POST", "/v1/events", &[("idempotency-key", id)], payload).await;
        server.until(id, "failed").await;
    }
    server
}
