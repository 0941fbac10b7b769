//! Targets and their circuits, at the front.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use eventful::clock::{ManualClock, Timestamp};
use eventful::http::FrontConfig;
use eventful::http::targets::{TargetLimits, Targets};
use eventful::{Config, Eventful};

use crate::server::{TestServer, handle};

#[tokio::test]
async fn target_is_shown_and_its_circuit_closed_by_hand() {
    let clock = Arc::new(ManualClock::new(Timestamp::from_micros(1_700_000_000_000_000)));
    let mut limits = TargetLimits::default();
    limits.concurrency = NonZeroUsize::new(2);
    let targets = Targets::new(Arc::clone(&clock) as _, [("a".to_owned(), limits)]).expect("a name");
    let mut front = FrontConfig::default();
    front.targets = Some(targets.clone());
    let eventful = Eventful::builder().config(Config::default()).start(handle).expect("it starts");
    let server = TestServer::of(eventful, front).await;

    let closed = r#"{"targets":[{"name":"a","circuit":"closed","running":0,"concurrency":2,"failures":0,"opened":0,"waits":0}]}"#;
    assert_eq!(server.get("/v1/targets").await.body, closed);
    for _ in 0..5 {
        targets.enter("a").expect("it is let through").failed("refused");
        clock.advance(Duration::from_secs(15));
    }
    let _running = targets.enter("a").expect_err("it is open");
    let open = "{\"targets\":[{\"name\":\"a\",\"circuit\":\"open\",\"running\":0,\"concurrency\":2,\"failures\":5,\"opened\":1,\"waits\":1,\
                \"open_since\":\"2023-11-14T22:14:20.000000Z\",\"next_probe\":\"2023-11-14T22:14:50.000000Z\",\"last_error\":\"refused\"}]}";
    assert_eq!(server.get("/v1/targets").await.body, open);
    let stats = server.get("/v1/stats").await.json();
    for (family, number) in [("circuit_open", 1), ("circuit_opened_total", 1), ("waits_total", 1), ("running", 0)] {
        assert_eq!(stats[format!("target_{family}")]["a"], number, "{family}");
    }

    for (method, target, status) in [
        ("POST", "/v1/targets/a/close?now=1", 400),
        ("POST", "/v1/targets/b/close", 404),
        ("POST", "/v1/targets/%ff/close", 404),
        ("GET", "/v1/targets/a/close", 405),
        ("GET", "/v1/targets?name=a", 400),
        ("POST", "/v1/targets/a/close", 204),
        ("POST", "/v1/targets/a/close", 204),
    ] {
        assert_eq!(server.call(method, target, &[], "").await.status, status, "{method} {target}");
    }
    assert_eq!(
        server.get("/v1/targets").await.body,
        closed.replace("\"opened\":0,\"waits\":0", "\"opened\":1,\"waits\":1")
    );
}

#[tokio::test]
async fn front_without_targets_has_none() {
    let server = TestServer::default().await;
    assert_eq!(server.get("/v1/targets").await.body, r#"{"targets":[]}"#);
    assert_eq!(server.call("POST", "/v1/targets/a/close", &[], "").await.status, 404);
    assert!(!server.get("/metrics").await.body.contains("eventful_target"));
}
