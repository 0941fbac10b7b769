//! Events whose ids a client's URL code, or a router in front, would change.

use crate::server::{TestServer, handle};
use axum::Router;
use eventful::http::{Limits, router};
use eventful::{Config, Event, Eventful};
use tokio::net::TcpListener;

const ODD_IDS: [&str; 18] = [
    ".",
    "..",
    "...",
    "%2e",
    "%2E%2e",
    ".%2e",
    "a/b",
    "/",
    "../x",
    "../../redrive",
    "a\\b",
    "..\\..",
    "%",
    "%25",
    "?a=b",
    "a#b",
    "a+b c",
    "ä&source=x",
];

#[tokio::test]
async fn location_of_an_odd_id_survives_what_clients_do_to_urls() {
    for source in ["", "..", "a/../b"] {
        let server = TestServer::default().await;
        for id in ODD_IDS {
            let body = serde_json::json!({ "id": id, "source": source }).to_string();
            let location = server.envelope(&body).await.header("location").expect("a location").to_owned();
            let resolved = resolved(&location);
            let record = server.get(&resolved).await;
            assert_eq!(record.status, 200, "{id} at {source}: {location}, {resolved}");
            assert_eq!((&record.json()["id"], &record.json()["source"]), (&id.into(), &source.into()), "{location}");
        }
    }
}

#[tokio::test]
async fn event_of_two_dots_can_be_redriven_and_discarded_alone() {
    let server = TestServer::default().await;
    server.eventful.pause().await.expect("it pauses");
    for id in [".", ".."] {
        server.eventful.submit(Event::with_id(id, "1").expect("an event")).await.expect("room");
        assert_eq!(server.call("POST", &format!("/v1/event/redrive?id={id}"), &[], "").await.problem(), "not_failed");
        assert_eq!(server.call("DELETE", &format!("/v1/event?id={id}"), &[], "").await.status, 204);
        assert_eq!(server.get(&format!("/v1/event?id={id}&source=")).await.json()["status"], "discarded");
    }
    for (method, target) in [("GET", "/v1/event"), ("DELETE", "/v1/event?source=a"), ("POST", "/v1/event/redrive")] {
        let answer = server.call(method, target, &[], "").await;
        assert_eq!((answer.status, answer.problem().as_str()), (400, "invalid"), "{target}");
    }
}

#[tokio::test]
async fn call_for_one_event_never_becomes_one_for_all() {
    let server = TestServer::default().await;
    server.envelope(r#"{"id":"bad"}"#).await;
    server.until("bad", "failed").await;
    server.eventful.pause().await.expect("it pauses");
    for id in ["..", "%2e%2E", ".", "x/../..", "../pause?x=", "../resume?x="] {
        for target in [format!("/v1/events/{id}/redrive"), format!("/v1/events/{id}/redrive?source=s")] {
            let resolved = resolved(&target);
            let status = server.call("POST", &resolved, &[], "").await.status;
            assert!((400..500).contains(&status), "{target} is {resolved}: {status}");
        }
        let resolved = resolved(&format!("/v1/events/{id}"));
        let status = server.call("DELETE", &resolved, &[], "").await.status;
        assert!((400..500).contains(&status), "{resolved}: {status}");
    }
    assert_eq!(server.get("/v1/events/bad").await.json()["status"], "failed");
    assert!(server.eventful.stats().expect("numbers").paused);
}

#[tokio::test]
async fn location_keeps_the_prefix_that_the_router_is_nested_under() {
    let eventful = Eventful::builder().config(Config::default()).start(handle).expect("it starts");
    let inbox = router(eventful.clone(), Limits::default());
    let nested = Router::new().nest("/tenants/{tenant}", Router::new().nest("/inbox", inbox));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("its address");
    tokio::spawn(async move { axum::serve(listener, nested).await });
    let server = TestServer { eventful, address };
    for (id, location) in
        [("a b", "/tenants/blue/inbox/v1/events/a%20b?source=s"), ("..", "/tenants/blue/inbox/v1/event?id=..&source=s")]
    {
        let body = serde_json::json!({ "id": id, "source": "s" }).to_string();
        let headers = [("content-type", "application/json")];
        let answer = server.call("POST", "/tenants/blue/inbox/v1/events", &headers, &body).await;
        assert_eq!(answer.header("location"), Some(location), "{answer:?}");
        assert_eq!(server.get(location).await.json()["id"], id);
    }
}

/// Returns the target that a client asks for: `\` is `/`, and segments of dots are removed, percent-encoded or not, as
/// the URL standard of WHATWG has it. A stricter one of RFC 3986 removes fewer.
fn resolved(target: &str) -> String {
    let (path, query) = target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
    let path = path.split('#').next().unwrap_or_default().replace('\\', "/");
    let mut kept = Vec::new();
    let segments: Vec<_> = path.split('/').skip(1).collect();
    for (at, segment) in segments.iter().enumerate() {
        let dots = segment.to_ascii_lowercase().replace("%2e", ".");
        let last = at + 1 == segments.len();
        match dots.as_str() {
            "." | ".." => {
                if dots == ".." {
                    kept.pop();
                }
                if last {
                    kept.push("");
                }
            }
            _ => kept.push(segment),
        }
    }
    let path = format!("/{}", kept.join("/"));
    query.map_or_else(|| path.clone(), |query| format!("{path}?{query}"))
}
