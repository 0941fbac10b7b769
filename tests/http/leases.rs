//! Workers that take events over HTTP.

use std::time::Duration;

use eventful::http::sources::{Secret, SecretRef};
use eventful::http::{Access, AccessConfig, FrontConfig, Limits};
use eventful::{Config, Eventful, handler::LeaseDesk};
use serde_json::{Value, json};

use crate::server::{TestResponse, TestServer};

#[tokio::test]
async fn events_are_taken_and_settled_by_what_became_of_them() {
    let server = server(Config::default()).await;
    for id in ["done", "retry", "permanent", "snooze"] {
        server.envelope(&json!({"id": id, "source": "s", "type": "t", "payload": {"n": 1}}).to_string()).await;
    }
    let events = lease(&server, json!({"max": 10, "wait": "50s"})).await;
    assert_eq!(events.len(), 4, "as many as there are, in one call: {events:?}");
    let first = &events[0];
    assert_eq!((&first["payload"], &first["payload_encoding"]), (&json!("{\"n\":1}"), &json!("utf-8")));
    assert_eq!((&first["source"], &first["type"], &first["attempt"]), (&json!("s"), &json!("t"), &json!(1)));
    for (event, body, status, stands) in [
        (&events[0], json!({"outcome": "done"}), "completed", "completed"),
        (&events[1], json!({"outcome": "retry", "error": "busy", "after": "1h"}), "failed_retry", "failed_retry"),
        (&events[2], json!({"outcome": "permanent", "error": "broken"}), "failed", "failed"),
        (&events[3], json!({"outcome": "snooze", "after": "1h"}), "failed_retry", "failed_retry"),
    ] {
        let settled = settle(&server, event, &body).await;
        assert_eq!((settled.status, &settled.json()["status"]), (200, &json!(status)), "{settled:?}");
        let shown = server.get(&format!("/v1/events/{}?source=s", event["id"].as_str().expect("an id"))).await.json();
        assert_eq!(shown["status"], stands);
        let again = settle(&server, event, &body).await;
        assert_eq!((again.status, again.problem().as_str()), (409, "stale"));
    }
    assert_eq!(server.get("/v1/events/permanent?source=s").await.json()["last_error"], "broken");
    let stats = server.get("/v1/stats").await.json();
    assert_eq!((&stats["outcomes_stale_total"], &stats["workers_running"]), (&json!(0), &json!(0)));
}

#[tokio::test]
async fn events_of_then_are_accepted_with_the_completion() {
    let mut config = Config::default();
    (config.max_follow_ups, config.max_event_bytes) = (2, 100);
    let server = server(config).await;
    server.envelope(r#"{"id":"known","payload":1}"#).await;
    server.envelope(r#"{"id":"a"}"#).await;
    let events = lease(&server, json!({"max": 2})).await;
    let then = |ids: &[&str]| {
        let events: Vec<_> = ids.iter().map(|id| json!({"id": id, "type": "t", "payload": id})).collect();
        json!({"outcome": "done", "then": events})
    };
    let (many, large) =
        (then(&["b", "c", "d"]), json!({"outcome": "done", "then": [{"id": "b", "payload": "x".repeat(98)}]}));
    for (body, status, problem, words) in
        [(many, 400, "invalid", "max_follow_ups"), (large, 413, "too_large", "max_event_bytes")]
    {
        let refused = settle(&server, &events[1], &body).await;
        assert_eq!((refused.status, refused.problem().as_str()), (status, problem), "{refused:?}");
        assert!(refused.body.contains(words), "{refused:?}");
    }
    let settled = settle(&server, &events[1], &then(&["b", "c"])).await;
    assert_eq!((settled.status, &settled.json()["status"]), (200, &json!("completed")), "{settled:?}");
    let shown = server.get("/v1/events/c").await.json();
    assert_eq!((&shown["status"], &shown["type"]), (&json!("received"), &json!("t")));

    let conflicting = settle(&server, &events[0], &then(&["d", "a"])).await;
    assert_eq!((conflicting.status, &conflicting.json()["status"]), (200, &json!("failed")), "{conflicting:?}");
    let error = server.get("/v1/events/known").await.json()["last_error"].to_string();
    assert!(error.contains("under the key of its follow-up a"), "{error}");
    assert_eq!(server.get("/v1/events/d").await.status, 404);
    let late = settle(&server, &events[0], &then(&["d"])).await;
    assert_eq!((late.status, late.problem().as_str()), (409, "stale"));
}

#[tokio::test]
async fn event_waits_without_charge_until_a_worker_asks() {
    let server = server(Config::default()).await;
    server.envelope(r#"{"id":"a"}"#).await;
    let record = server.get("/v1/events/a").await.json();
    assert_eq!((&record["status"], &record["attempt"]), (&json!("received"), &json!(0)));
    assert!(record["explanation"].as_str().is_some_and(|why| why.contains("No worker asks for an event")), "{record}");
    assert_eq!(lease(&server, json!({})).await.len(), 1, "what is there is given without a wait");
    assert_eq!(lease(&server, json!({})).await.len(), 0);
}

#[tokio::test]
async fn worker_that_waits_is_given_the_event_that_comes() {
    let server = server(Config::default()).await;
    let (leased, _) =
        tokio::join!(lease(&server, json!({"wait": "50s"})), async { server.envelope(r#"{"id":"a"}"#).await });
    assert_eq!(leased[0]["id"], "a");
    let extended = call(&server, &format!("/v1/runs/{}/extend", run(&leased[0])), "").await;
    assert!(extended.json()["deadline"].as_str() >= leased[0]["deadline"].as_str(), "{extended:?}");
    assert_eq!(call(&server, "/v1/runs/1-1/extend", "").await.problem(), "stale");
}

#[tokio::test]
async fn run_of_a_worker_that_is_too_slow_counts_no_more() {
    let mut config = Config::default();
    config.run_timeout = Duration::from_millis(20);
    config.backoff.base = Duration::from_millis(1);
    let server = server(config).await;
    server.envelope(r#"{"id":"a"}"#).await;
    let first = lease(&server, json!({"wait": "50s"})).await;
    let second = lease(&server, json!({"wait": "50s"})).await;
    assert_eq!((&first[0]["attempt"], &second[0]["attempt"]), (&json!(1), &json!(2)));
    let late = settle(&server, &first[0], &json!({"outcome": "done"})).await;
    assert_eq!((late.status, late.problem().as_str()), (409, "stale"));
    assert_ne!(server.get("/v1/events/a").await.json()["status"], "completed");
}

#[tokio::test]
async fn run_of_a_worker_that_left_goes_to_another_one() {
    let server = server(Config::default()).await;
    // It leaves before anything is there.
    let gone = tokio::time::timeout(Duration::from_millis(20), lease(&server, json!({"wait": "50s"}))).await;
    assert!(gone.is_err());
    server.envelope(r#"{"id":"a"}"#).await;
    let leased = lease(&server, json!({"wait": "50s"})).await;
    assert_eq!((&leased[0]["id"], &leased[0]["attempt"]), (&json!("a"), &json!(1)), "it went to no one before");
    assert_eq!(settle(&server, &leased[0], &json!({"outcome": "done"})).await.status, 200);
}

#[tokio::test]
async fn payload_that_is_no_text_is_given_in_base64() {
    let server = server(Config::default()).await;
    let request = [&b"POST /v1/events HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\nidempotency-key: a\r\ncontent-length: 2\r\n\r\n"[..], &[0xff, 0xfe]].concat();
    server.raw(&request).await;
    let leased = lease(&server, json!({"wait": "50s"})).await;
    assert_eq!((&leased[0]["payload"], &leased[0]["payload_encoding"]), (&json!("//4="), &json!("base64")));
}

#[tokio::test]
async fn calls_that_cannot_be_are_refused() {
    let server = server(Config::default()).await;
    for (target, body) in [
        ("/v1/lease", "[]"),
        ("/v1/lease", "{"),
        ("/v1/lease", r#"{"max":0}"#),
        ("/v1/lease", r#"{"max":101}"#),
        ("/v1/lease", r#"{"max":"1"}"#),
        ("/v1/lease", r#"{"wait":"56s"}"#),
        ("/v1/lease", r#"{"wait":"soon"}"#),
        ("/v1/lease", r#"{"most":1}"#),
        ("/v1/lease?max=1", ""),
        ("/v1/runs/1/settle", r#"{"outcome":"done"}"#),
        ("/v1/runs/1-1/settle", ""),
        ("/v1/runs/1-1/settle", r#"{"outcome":"finished"}"#),
        ("/v1/runs/1-1/settle", r#"{"outcome":"done","error":"none"}"#),
        ("/v1/runs/1-1/settle", r#"{"outcome":"permanent","after":"1s"}"#),
        ("/v1/runs/1-1/settle", r#"{"outcome":"snooze"}"#),
        ("/v1/runs/1-1/settle", r#"{"outcome":"retry","after":"later"}"#),
        ("/v1/runs/1-1/settle", r#"{"outcome":"retry","then":[]}"#),
        ("/v1/runs/1-1/settle", r#"{"outcome":"done","then":{}}"#),
        ("/v1/runs/1-1/settle", r#"{"outcome":"done","then":[{"id":"b"},{"id":""}]}"#),
        ("/v1/runs/1-1/settle", r#"{"outcome":"done","then":[{"key":"b"}]}"#),
        ("/v1/runs/x/extend", ""),
    ] {
        let refused = call(&server, target, body).await;
        assert_eq!((refused.status, refused.problem().as_str()), (400, "invalid"), "{target} {body}");
    }
    let own = TestServer::default().await;
    let refused = call(&own, "/v1/lease", "{}").await;
    assert!(refused.problem() == "not_found" && refused.body.contains("--pull"), "{refused:?}");
}

#[tokio::test]
async fn body_that_is_too_large_is_refused() {
    let mut config = Config::default();
    config.max_event_bytes = 100;
    let server = server(config).await;
    let large = format!(r#"{{"error":"{}"}}"#, "x".repeat(5 << 20));
    for target in ["/v1/lease", "/v1/runs/1-1/extend", "/v1/runs/1-1/settle"] {
        let refused = call(&server, target, &large).await;
        assert_eq!((refused.status, refused.problem().as_str()), (413, "too_large"), "{target}: {refused:?}");
        assert_eq!(refused.header("connection"), Some("close"), "{target}");
    }
}

#[tokio::test]
async fn worker_submits_follow_ups_only_with_a_token_that_may_submit() {
    let tokens = |texts: &[&str]| texts.iter().map(|text| SecretRef::Given(Secret::new(text))).collect();
    let mut access = AccessConfig::default();
    (access.submit, access.operate) = (tokens(&["s", "both"]), tokens(&["o"]));
    access.work = tokens(&["w", "both"]);
    let server = server_with(Config::default(), Access::new(&access).expect("tokens")).await;
    let post = async |target: &str, token: &str, body: Value| {
        let authorization = format!("Bearer {token}");
        let headers = [("content-type", "application/json"), ("authorization", &authorization)];
        server.call("POST", target, &headers, &body.to_string()).await
    };
    for id in ["a", "b", "c"] {
        assert_eq!(post("/v1/events", "s", json!({"id": id})).await.status, 202);
    }
    let leased = post("/v1/lease", "w", json!({"max": 3, "wait": "50s"})).await.json();
    let settle = |index: usize| format!("/v1/runs/{}/settle", run(&leased["events"][index]));
    let then = |id: &str| json!({"outcome": "done", "then": [{"id": id}]});
    let refused = post(&settle(0), "w", then("then-a")).await;
    assert_eq!((refused.status, refused.problem().as_str()), (403, "forbidden"), "{refused:?}");
    assert!(refused.body.contains("then") && refused.body.contains("submit"), "{refused:?}");
    // Nothing has changed: the run is there to be settled.
    let settled = post(&settle(0), "w", json!({"outcome": "done", "then": []})).await;
    assert_eq!((settled.status, &settled.json()["status"]), (200, &json!("completed")), "{settled:?}");
    for (index, token) in [(1, "both"), (2, "o")] {
        let settled = post(&settle(index), token, then(token)).await;
        assert_eq!((settled.status, &settled.json()["status"]), (200, &json!("completed")), "{settled:?}");
    }
    let accepted = server.eventful.stats().expect("numbers").engine.facts.accepted;
    assert_eq!(accepted, 5, "three, and two that follow");
}

#[tokio::test]
async fn record_is_shown_when_it_is_terminal_or_the_wait_ends() {
    let server = server(Config::default()).await;
    server.envelope(r#"{"id":"a"}"#).await;
    assert_eq!(server.get("/v1/events/a?wait=1ms").await.json()["status"], "received");
    let (shown, by_query, _) =
        tokio::join!(server.get("/v1/events/a?wait=50s"), server.get("/v1/event?id=a&wait=50s"), async {
            let leased = lease(&server, json!({"wait": "50s"})).await;
            settle(&server, &leased[0], &json!({"outcome": "done"})).await
        });
    assert_eq!((&shown.json()["status"], &by_query.json()["status"]), (&json!("completed"), &json!("completed")));
    assert_eq!(server.get("/v1/events/none?wait=50s").await.status, 404);
    for wait in ["56s", "soon", ""] {
        assert_eq!(server.get(&format!("/v1/events/a?wait={wait}")).await.problem(), "invalid", "{wait}");
    }
}

#[tokio::test]
async fn shutdown_ends_the_wait_and_drains_what_workers_have() {
    let server = server(Config::default()).await;
    server.envelope(r#"{"id":"a"}"#).await;
    let leased = lease(&server, json!({"wait": "50s"})).await;
    let (waited, report, settled) = tokio::join!(
        lease(&server, json!({"wait": "50s"})),
        server.eventful.shutdown(Some(Duration::from_secs(50))),
        async { settle(&server, &leased[0], &json!({"outcome": "done"})).await }
    );
    assert_eq!((waited.len(), report.drained, settled.status), (0, 1, 200));
}

async fn server(config: Config) -> TestServer {
    server_with(config, Access::default()).await
}

async fn server_with(config: Config, access: Access) -> TestServer {
    let desk = LeaseDesk::new();
    let eventful = Eventful::builder().config(config).start(desk.clone()).expect("it starts");
    let mut front = FrontConfig::from(Limits::default());
    (front.leases, front.access) = (Some(desk), access);
    TestServer::of(eventful, front).await
}

async fn call(server: &TestServer, target: &str, body: &str) -> TestResponse {
    server.call("POST", target, &[("content-type", "application/json")], body).await
}

async fn lease(server: &TestServer, body: Value) -> Vec<Value> {
    let leased = call(server, "/v1/lease", &body.to_string()).await;
    assert_eq!(leased.status, 200, "{leased:?}");
    leased.json()["events"].as_array().expect("events").clone()
}

async fn settle(server: &TestServer, event: &Value, body: &Value) -> TestResponse {
    call(server, &format!("/v1/runs/{}/settle", run(event)), &body.to_string()).await
}

fn run(event: &Value) -> &str {
    event["run"].as_str().expect("a run")
}
