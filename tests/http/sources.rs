//! Webhooks as their senders send them.

use crate::server::{TestResponse, TestServer};
use eventful::http::FrontConfig;
use eventful::http::sources::{Preset, Secret, SecretRef, Source, SourceConfig};
use eventful::{Config, Durability, Key, journal::MemoryStore, metrics::RejectReason};

/// Signed with `It's a Secret to Everybody`, by another implementation of HMAC.
const ISSUE: &str = r#"{"action":"opened","issue":{"number":1347},"repository":{"full_name":"octo-org/octo-repo"}}"#;
const ISSUE_SIGNATURE: &str = "sha256=c37006681c2142fa1bf832d1637f60401a8699e9a05596e4c35e3403af676bee";
const GREETING: &str = "Hello, World!";
const GREETING_SIGNATURE: &str = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";

#[tokio::test]
async fn signed_event_is_taken_once_and_shown_with_its_headers() {
    let server = server(r#"{"github": {"preset": "github"}}"#).await;
    server.eventful.pause().await.expect("it pauses");
    let answer = github(&server, "d-1", ISSUE, ISSUE_SIGNATURE).await;
    assert_eq!((answer.status, answer.json()["outcome"].as_str()), (202, Some("accepted")));
    assert_eq!(answer.header("location"), Some("/v1/events/d-1?source=github"));
    let record = server.get("/v1/events/d-1?source=github").await.json();
    assert_eq!((record["type"].as_str(), record["content_type"].as_str()), (Some("issues"), Some("application/json")));
    assert_eq!(record["attributes"]["header:x-github-event"], "issues");
    let again = github(&server, "d-1", ISSUE, ISSUE_SIGNATURE).await;
    assert_eq!((again.status, again.json()["outcome"].as_str()), (202, Some("duplicate")));
}

#[tokio::test]
async fn wrong_signature_is_refused_before_the_store_is_asked() {
    let server = server(r#"{"github": {"preset": "github"}}"#).await;
    github(&server, "d-1", ISSUE, ISSUE_SIGNATURE).await;
    let rejected = || server.eventful.stats().expect("not broken").engine.tallies.rejected(RejectReason::Invalid);
    for (body, signature) in [
        (GREETING, ISSUE_SIGNATURE),
        (ISSUE, "sha256=00"),
        (ISSUE, "sha1=757107ea0eb2509fc211221cce984b8a37570b6d"),
        (ISSUE, ""),
    ] {
        let before = rejected();
        // A known id without a valid signature returns no information.
        let answer = github(&server, "d-1", body, signature).await;
        assert_eq!((answer.status, answer.problem().as_str()), (401, "unverified"), "{signature}");
        assert_eq!(answer.header("www-authenticate"), Some("Signature"));
        assert!(!answer.body.contains("Everybody") && !answer.body.contains("octo"), "{}", answer.body);
        assert_eq!(rejected(), before + 1);
    }
    assert_eq!(server.eventful.stats().expect("not broken").engine.tallies.conflicted, 0);
}

#[tokio::test]
async fn conflict_is_refused_or_quarantined_as_configured() {
    let server = server(
        r#"{"github": {"preset": "github"}, "calm": {"preset": "github", "conflict": "quarantine", "success": 200}}"#,
    )
    .await;
    server.eventful.pause().await.expect("it pauses");
    github(&server, "d-1", ISSUE, ISSUE_SIGNATURE).await;
    let refused = github(&server, "d-1", GREETING, GREETING_SIGNATURE).await;
    assert_eq!((refused.status, refused.problem().as_str()), (409, "conflict"));
    send(&server, "/in/calm", "d-1", ISSUE, ISSUE_SIGNATURE).await;
    for outcome in ["accepted", "duplicate"] {
        let kept = send(&server, "/in/calm", "d-1", GREETING, GREETING_SIGNATURE).await;
        assert_eq!((kept.status, kept.json()["outcome"].as_str()), (200, Some(outcome)));
        assert_eq!(kept.json()["id"], "d-1~dffd6021bb2bd5b0");
    }
    let record = server.get("/v1/events/d-1~dffd6021bb2bd5b0?source=calm&payload=true").await.json();
    assert_eq!((&record["attributes"]["quarantined"], &record["payload"]), (&"d-1".into(), &GREETING.into()));
}

#[tokio::test]
async fn excluded_part_does_not_count_before_and_after_a_restart() {
    let store = MemoryStore::new();
    let sources = r#"{"shop": {"verify": {"scheme": "none"}, "id": "json:/id", "exclude": ["/pending"]}}"#;
    for (at, (body, status)) in [
        (r#"{"id": "e", "pending": 2, "n": 1}"#, 202),
        (r#"{"n":1,"id":"e","pending":1}"#, 202),
        (r#"{"n":2,"id":"e","pending":1}"#, 409),
    ]
    .into_iter()
    .enumerate()
    {
        let eventful = eventful::Eventful::builder()
            .journal(store.clone(), Durability::default())
            .start(|_: eventful::Event, _: eventful::Attempt| std::future::pending::<Result<(), eventful::Failure>>())
            .expect("it starts");
        let server = TestServer::of(eventful, front(sources)).await;
        let answer = server.call("POST", "/in/shop", &[], body).await;
        assert_eq!(answer.status, status, "{at}: {}", answer.body);
        let record = server.eventful.get(&Key::new("shop", "e").expect("a key")).await.expect("not broken");
        assert_eq!(record.expect("it is there").payload.as_deref(), Some(&br#"{"id": "e", "pending": 2, "n": 1}"#[..]));
        server.eventful.shutdown(Some(std::time::Duration::ZERO)).await;
    }
}

#[tokio::test]
async fn challenge_of_slack_is_answered_when_it_is_signed() {
    let sources = r#"{"slack": {"preset": "slack", "verify": {"scheme": "hmac", "header": "x-slack-signature", "prefix": "v0=",
        "signed": "v0:{timestamp}:{body}", "timestamp": "header:x-slack-request-timestamp", "tolerance_seconds": 4000000000}}}"#;
    let server =
        TestServer::of(TestServer::engine(Config::default()), with_secret(sources, "8f742231b10e8888abcd99yyyzzz85a5"))
            .await;
    let body = r#"{"token":"XXYYZZ","challenge":"3eZbrw1aB","type":"url_verification"}"#;
    let signature = ("x-slack-signature", "v0=07cf0b1654d94f24dbe1c6b111f41daf08b755864c9f0f8de78743f4ec4317cd");
    let time = ("x-slack-request-timestamp", "1531420618");
    let answer = server.call("POST", "/in/slack", &[signature, time], body).await;
    assert_eq!((answer.status, answer.body.as_str()), (200, "3eZbrw1aB"));
    assert_eq!(server.call("POST", "/in/slack", &[time], body).await.status, 401);
    assert_eq!(server.eventful.stats().expect("not broken").engine.facts.accepted, 0);
}

#[tokio::test]
async fn challenge_of_meta_is_answered_to_the_right_token() {
    let mut config: SourceConfig = serde_json::from_str(r#"{"preset": "meta"}"#).expect("a configuration");
    config.secrets.push(SecretRef::Given(Secret::new("app secret")));
    config.verify_token = Some(SecretRef::Given(Secret::new("tok en")));
    let mut front = FrontConfig::default();
    front.sources.push(Source::new("meta", &config).expect("a source"));
    let server = TestServer::of(TestServer::engine(Config::default()), front).await;
    let ask = async |token| {
        let target = format!("/in/meta?hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token={token}");
        server.get(&target).await
    };
    let answer = ask("tok%20en").await;
    assert_eq!((answer.status, answer.body.as_str()), (200, "1158201444"));
    for wrong in ["token", ""] {
        let refused = ask(wrong).await;
        assert_eq!((refused.status, refused.problem().as_str()), (401, "unverified"));
    }
    assert_eq!(server.get("/in/meta").await.status, 401);
}

#[tokio::test]
async fn user_with_password_and_token_are_compared() {
    let sources = r#"{"basic": {"verify": {"scheme": "basic"}, "id": "header:x-id"},
        "bearer": {"verify": {"scheme": "bearer"}, "id": "query:id", "success": 204}}"#;
    let server = TestServer::of(TestServer::engine(Config::default()), with_secret(sources, "user:pass word")).await;
    for (target, credentials, status) in [
        ("/in/basic", "Basic dXNlcjpwYXNzIHdvcmQ=", 202),
        ("/in/basic", "basic dXNlcjpwYXNzIHdvcmQ=", 202),
        ("/in/basic", "Basic dXNlcjpwYXNz", 401),
        ("/in/basic", "Basic user:pass word", 401),
        ("/in/basic", "", 401),
        ("/in/bearer?id=1", "Bearer user:pass word", 204),
        ("/in/bearer?id=1", "Bearer user:pass", 401),
        ("/in/bearer?id=1", "Basic dXNlcjpwYXNzIHdvcmQ=", 401),
    ] {
        let answer = server.call("POST", target, &[("authorization", credentials), ("x-id", "1")], "x").await;
        assert_eq!(answer.status, status, "{target} {credentials}");
        assert_eq!(answer.header("www-authenticate").is_some(), status == 401);
        assert_eq!(answer.body.is_empty(), status == 204);
    }
}

#[tokio::test]
async fn request_that_makes_no_event_says_why() {
    let sources = r#"{"open": {"verify": {"scheme": "none"}, "id": "json:/id", "max_body_bytes": 100}}"#;
    let server = TestServer::of(TestServer::engine(Config::default()), front(sources)).await;
    let long = format!(r#"{{"id":"a","b":"{}"}}"#, "x".repeat(100));
    for (target, headers, body, status, problem) in [
        ("/in/unknown", vec![], "{}", 404, "not_found"),
        ("/in/%FF", vec![], "{}", 404, "not_found"),
        ("/in/open", vec![], "{}", 400, "invalid"),
        ("/in/open", vec![], r#"{"id":""}"#, 400, "invalid"),
        ("/in/open", vec![], r#"{"id":{}}"#, 400, "invalid"),
        ("/in/open", vec![], r#"{"id":"a""#, 400, "invalid"),
        ("/in/open", vec![], r#"{"id":"a\u0000"}"#, 400, "invalid"),
        ("/in/open", vec![("content-encoding", "gzip")], r#"{"id":"a"}"#, 415, "unsupported_encoding"),
        ("/in/open", vec![], &long, 413, "too_large"),
    ] {
        let answer = server.call("POST", target, &headers, body).await;
        assert_eq!((answer.status, answer.problem().as_str()), (status, problem), "{target} {body}");
    }
    let answer = server.call("PUT", "/in/open", &[], "{}").await;
    assert_eq!((answer.status, answer.problem().as_str()), (405, "method_not_allowed"));
}

#[test]
fn source_that_cannot_work_is_refused_with_what_is_wrong() {
    for (config, reason) in [
        (r"{}", "verify is missing"),
        (r#"{"verify": {"scheme": "none"}}"#, "id is missing"),
        (r#"{"preset": "github"}"#, "no secret"),
        (r#"{"preset": "github", "secrets": [{"env": "EVENTFUL_TEST_UNSET"}]}"#, "EVENTFUL_TEST_UNSET is not set"),
        (r#"{"preset": "github", "secrets": [{"file": "/nonexistent/secret"}]}"#, "/nonexistent/secret cannot be read"),
        (r#"{"verify": {"scheme": "none"}, "id": "json:/id", "headers": ["authorization"]}"#, "leave it out"),
        (r#"{"verify": {"scheme": "none"}, "id": "json:/id", "headers": ["a b"]}"#, "no name of a header"),
    ] {
        let config: SourceConfig = serde_json::from_str(config).expect("a configuration");
        let refused = Source::new("a", &config).expect_err("it is refused").to_string();
        assert!(refused.starts_with("source a: ") && refused.contains(reason), "{refused}");
    }
    for (config, reason) in [
        (r#"{"preset": "twilio"}"#, "add url"),
        (r#"{"verify": {"scheme": "hmac", "signed": "{timestamp}{body}"}, "id": "json:/id"}"#, "verify.timestamp"),
        (r#"{"preset": "standard-webhooks"}"#, "not base64"),
        (r#"{"verify": {"scheme": "basic"}, "id": "json:/id"}"#, "user:password"),
        (r#"{"verify": {"scheme": "hmac", "header": "a b"}, "id": "json:/id"}"#, "verify.header"),
    ] {
        let refused = Source::new("a", &secret_in(config, "hush hush")).expect_err("it is refused").to_string();
        assert!(refused.contains(reason) && !refused.contains("hush hush"), "{refused}");
    }
    for name in ["", "a/b", ".", "..", "a b", "ä"] {
        let config = secret_in(r#"{"preset": "github"}"#, "hush hush");
        assert!(Source::new(name, &config).is_err(), "{name}");
    }
}

#[test]
fn configuration_refuses_what_it_does_not_know() {
    for config in [
        r#"{"presett": "github"}"#,
        r#"{"preset": "gitlab"}"#,
        r#"{"id": "cookie:a"}"#,
        r#"{"success": 500}"#,
        r#"{"secrets": ["inline"]}"#,
        r#"{"secrets": [{"given": "inline"}]}"#,
        r#"{"exclude": ["id"]}"#,
        r#"{"verify": {"scheme": "hmac", "algorithm": "md5"}}"#,
        r#"{"verify": {"scheme": "hmac", "headr": "a"}}"#,
        r#"{"verify": {"scheme": "basic", "user": "a"}}"#,
    ] {
        assert!(serde_json::from_str::<SourceConfig>(config).is_err(), "{config}");
    }
    for preset in Preset::ALL {
        let config = preset.config();
        let text = serde_json::to_string(&config).expect("it is written");
        assert_eq!(serde_json::from_str::<SourceConfig>(&text).expect("it is read"), config);
    }
}

async fn server(sources: &str) -> TestServer {
    TestServer::of(TestServer::engine(Config::default()), with_secret(sources, "It's a Secret to Everybody")).await
}

fn with_secret(sources: &str, secret: &str) -> FrontConfig {
    let mut front = FrontConfig::default();
    let tables: serde_json::Map<String, serde_json::Value> = serde_json::from_str(sources).expect("an object");
    for (name, table) in tables {
        front.sources.push(Source::new(&name, &secret_in(&table.to_string(), secret)).expect("a source"));
    }
    front
}

fn front(sources: &str) -> FrontConfig {
    with_secret(sources, "unused")
}

fn secret_in(config: &str, secret: &str) -> SourceConfig {
    let mut config: SourceConfig = serde_json::from_str(config).expect("a configuration");
    config.secrets.push(SecretRef::Given(Secret::new(secret)));
    config
}

async fn github(server: &TestServer, id: &str, body: &str, signature: &str) -> TestResponse {
    send(server, "/in/github", id, body, signature).await
}

async fn send(server: &TestServer, target: &str, id: &str, body: &str, signature: &str) -> TestResponse {
    let headers = [
        ("x-github-delivery", id),
        ("x-github-event", "issues"),
        ("content-type", "application/json"),
        ("x-hub-signature-256", signature),
    ];
    server.call("POST", target, &headers, body).await
}
