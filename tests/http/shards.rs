//! The front over several engines behind one handle: clients see one.

use std::collections::HashSet;

use eventful::cluster::ClusterConfig;
use eventful::{Eventful, http};

use crate::server::{TestServer, handle};

#[tokio::test]
async fn events_of_all_shards_are_listed_once_page_by_page() {
    let server = sharded().await;
    let body: String = (0..50).map(|n| format!("{{\"id\":\"order-{n}\"}}\n")).collect();
    let results = server.call("POST", "/v1/events/batch", &[], &body).await.lines();
    for (n, result) in results.iter().enumerate() {
        assert_eq!((&result["outcome"], &result["id"]), (&"accepted".into(), &format!("order-{n}").into()));
    }
    let (mut seen, mut target) = (HashSet::new(), "/v1/events?limit=7".to_owned());
    loop {
        let page = server.get(&target).await.json();
        for record in page["records"].as_array().expect("a list") {
            assert!(seen.insert(record["id"].to_string()), "each once: {record}");
        }
        let Some(next) = page["next"].as_str() else { break };
        target = format!("/v1/events?limit=7&after={next}");
    }
    assert_eq!(seen.len(), 50);
    assert_eq!(server.envelope(r#"{"id":"order-7"}"#).await.status, 200, "a duplicate");
    assert_eq!(server.envelope(r#"{"id":"order-7","payload":1}"#).await.status, 409, "a conflict");
}

#[tokio::test]
async fn operator_reaches_all_shards_with_one_call() {
    let server = sharded().await;
    let body: String = (0..40).map(|n| format!("{{\"id\":\"bad-{n}\"}}\n")).collect();
    server.call("POST", "/v1/events/batch", &[], &body).await;
    for n in 0..40 {
        server.until(&format!("bad-{n}"), "failed").await;
    }
    assert_eq!(server.call("POST", "/v1/pause", &[], "").await.status, 204);
    let redriven = server.call("POST", "/v1/redrive?status=failed", &[], "").await.json();
    assert_eq!((&redriven["redriven"], &redriven["left"]), (&40.into(), &0.into()), "{redriven}");
    let stats = server.get("/v1/stats").await.json();
    assert_eq!((&stats["events_accepted_total"], &stats["events_redriven_total"]), (&40.into(), &40.into()), "{stats}");
    let discarded = server.call("POST", "/v1/discard?status=received", &[], "").await.json();
    assert_eq!((&discarded["discarded"], &discarded["left"]), (&40.into(), &0.into()), "{discarded}");
    assert_eq!(server.call("POST", "/v1/resume", &[], "").await.status, 204);
    assert_eq!(server.get("/readyz").await.status, 200);
    let metrics = server.get("/metrics").await.body;
    assert!(metrics.contains("eventful_events_accepted_total 40\n"), "{metrics}");
}

async fn sharded() -> TestServer {
    let eventful = Eventful::cluster(ClusterConfig::new(4)).start(handle).expect("it starts");
    TestServer::of(eventful, http::Limits::default()).await
}
