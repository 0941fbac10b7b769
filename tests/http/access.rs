//! Access: which caller may make which call.

use crate::server::TestServer;
use eventful::Config;
use eventful::http::sources::{Secret, SecretRef};
use eventful::http::{Access, AccessConfig, FrontConfig};

const CALLS: [(&str, &str, &str); 24] = [
    ("POST", "/v1/events", "submit"),
    ("POST", "/v1/events/batch", "submit"),
    ("GET", "/v1/events", "read"),
    ("GET", "/v1/events/a", "read"),
    ("GET", "/v1/events/batch", "read"),
    ("GET", "/v1/event?id=a", "read"),
    ("GET", "/v1/stats", "read"),
    ("GET", "/metrics", "read"),
    ("GET", "/v1/facts?after=no", "read"),
    ("GET", "/v1/failures", "read"),
    ("POST", "/v1/lease", "work"),
    ("POST", "/v1/runs/1-1/extend", "work"),
    ("POST", "/v1/runs/1-1/settle", "work"),
    ("DELETE", "/v1/events/a", "operate"),
    ("DELETE", "/v1/events/batch", "operate"),
    ("DELETE", "/v1/event?id=a", "operate"),
    ("POST", "/v1/events/a/redrive", "operate"),
    ("POST", "/v1/event/redrive?id=a", "operate"),
    ("POST", "/v1/redrive?status=failed", "operate"),
    ("POST", "/v1/discard?status=failed", "operate"),
    ("POST", "/v1/pause", "operate"),
    ("POST", "/v1/resume", "operate"),
    ("PATCH", "/v1/events", "operate"),
    ("POST", "/nothing", "operate"),
];

#[tokio::test]
async fn each_call_needs_a_token_that_allows_it() {
    let server = server().await;
    for (method, target, role) in CALLS {
        for (token, allows) in
            [("s-token", "submit"), ("r-token", "read"), ("w-token", "work"), ("o-token", "all"), ("o-token-2", "all")]
        {
            let answer = call(&server, method, target, &format!("Bearer {token}")).await;
            let is_allowed = allows == role || allows == "all";
            assert_eq!((answer.0 != 403, answer.0 != 401), (is_allowed, true), "{method} {target} with {token}");
            assert_eq!(answer.1 == "forbidden", !is_allowed);
        }
        for wrong in ["", "Bearer", "Bearer ", "Bearer s-toke", "Bearer o-token x", "Basic o-token", "o-token"] {
            let answer = call(&server, method, target, wrong).await;
            assert_eq!((answer.0, answer.1.as_str()), (401, "unauthorized"), "{method} {target} with {wrong:?}");
        }
    }
}

#[tokio::test]
async fn health_and_description_need_no_token() {
    let server = server().await;
    for target in ["/livez", "/readyz", "/openapi.json"] {
        assert_eq!(server.get(target).await.status, 200, "{target}");
    }
    assert_eq!(server.get("/in/none").await.status, 404);
}

#[tokio::test]
async fn refusal_names_the_scheme_and_not_the_token() {
    let server = server().await;
    let answer = server.call("GET", "/v1/stats", &[("authorization", "Bearer s-token")], "").await;
    assert!(!answer.body.contains("token-") && !answer.body.contains("s-token"), "{}", answer.body);
    let answer = server.get("/v1/stats").await;
    assert_eq!((answer.status, answer.header("www-authenticate")), (401, Some("Bearer")));
    // Of two headers none counts.
    let two = [("authorization", "Bearer o-token"), ("authorization", "Bearer o-token")];
    assert_eq!(server.call("GET", "/v1/stats", &two, "").await.status, 401);
}

#[tokio::test]
async fn refused_event_is_not_taken() {
    let server = server().await;
    let headers = [("idempotency-key", "a"), ("authorization", "Bearer r-token")];
    assert_eq!(server.call("POST", "/v1/events", &headers, "x").await.status, 403);
    assert_eq!(server.eventful.stats().expect("not broken").engine.facts.accepted, 0);
}

#[test]
fn token_that_cannot_be_read_is_named() {
    let mut config = AccessConfig::default();
    config.read.push(SecretRef::Env("EVENTFUL_TEST_UNSET".into()));
    let refused = Access::new(&config).expect_err("there is none").to_string();
    assert!(refused.contains("EVENTFUL_TEST_UNSET"), "{refused}");
    assert!(serde_json::from_str::<AccessConfig>(r#"{"write": []}"#).is_err());
    assert!(Access::default().is_open());
}

async fn server() -> TestServer {
    let tokens = |texts: &[&str]| texts.iter().map(|text| SecretRef::Given(Secret::new(text))).collect();
    let mut config = AccessConfig::default();
    (config.submit, config.read) = (tokens(&["s-token"]), tokens(&["other", "r-token"]));
    config.work = tokens(&["w-token"]);
    config.operate = tokens(&["o-token", "o-token-2"]);
    let mut front = FrontConfig::default();
    front.access = Access::new(&config).expect("tokens");
    TestServer::of(TestServer::engine(Config::default()), front).await
}

/// Returns the status, and the problem if it is one.
async fn call(server: &TestServer, method: &str, target: &str, authorization: &str) -> (u16, String) {
    let headers = [("authorization", authorization), ("idempotency-key", "a")];
    let answer = server.call(method, target, &headers, "").await;
    let is_problem = answer.header("content-type") == Some("application/problem+json");
    (answer.status, if is_problem { answer.problem() } else { String::new() })
}
