//! Pages of other sites, and proxies.

use eventful::Config;
use eventful::http::FrontConfig;
use eventful::http::sources::{Secret, SecretRef};
use eventful::http::{Access, AccessConfig, Limits};

use crate::server::TestServer;

const APP: &str = "https://app.example";

#[tokio::test]
async fn pages_may_call_only_when_their_site_is_configured() {
    let server = TestServer::default().await;
    let refused = server.call("GET", "/v1/stats", &[("origin", APP)], "").await;
    assert_eq!((refused.status, refused.header("access-control-allow-origin")), (403, None));

    let server = cors().await;
    let shown = server.call("GET", "/v1/stats", &[("origin", APP), ("authorization", "Bearer t")], "").await;
    assert_eq!((shown.status, shown.header("access-control-allow-origin")), (200, Some(APP)));
    assert!(shown.has("vary", "origin") && shown.has("vary", "accept"), "both decide what is shown");
    let taken = [("origin", APP), ("authorization", "Bearer t"), ("idempotency-key", "a")];
    let taken = server.call("POST", "/v1/events", &taken, "x").await;
    assert_eq!((taken.status, taken.header("access-control-expose-headers")), (202, Some("location, retry-after")));
    for other in ["https://app.example.evil", "http://app.example", "null", "https://app.example:444"] {
        let refused = server.call("GET", "/v1/stats", &[("origin", other), ("authorization", "Bearer t")], "").await;
        assert_eq!((refused.status, refused.header("access-control-allow-origin")), (403, None), "{other}");
    }
}

#[tokio::test]
async fn preflight_of_a_browser_needs_no_token() {
    let server = cors().await;
    let names = "authorization,ce-id,eventful-group";
    let asked = [("origin", APP), ("access-control-request-method", "POST"), ("access-control-request-headers", names)];
    let answer = server.call("OPTIONS", "/v1/events", &asked, "").await;
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (204, Some(APP)));
    assert_eq!(answer.header("access-control-allow-headers"), Some(names));
    let refused = server.call("GET", "/v1/stats", &[("origin", APP)], "").await;
    // A page must be able to read why.
    assert_eq!((refused.status, refused.header("access-control-allow-origin")), (401, Some(APP)));
    let asked = server.call("OPTIONS", "/v1/events", &[("origin", APP)], "").await;
    assert_eq!(asked.status, 401, "it is no question");
}

#[tokio::test]
async fn forwarded_host_counts_only_when_its_proxy_is_trusted() {
    let forwarded = [("x-forwarded-host", "events.example"), ("origin", "https://events.example")];
    for (trusted, status) in [("127.0.0.0/8", 200), ("10.0.0.0/8", 403)] {
        let mut limits = Limits::default();
        limits.allowed_hosts = vec!["events.example".parse().expect("a host")];
        let mut config = FrontConfig::from(limits);
        config.trusted_proxies = vec![trusted.parse().expect("a network")];
        let server = TestServer::of(TestServer::engine(Config::default()), config).await;
        assert_eq!(server.call("GET", "/v1/stats", &forwarded, "").await.status, status, "{trusted}");
        let other = [("x-forwarded-host", "evil.example")];
        assert_eq!(server.call("GET", "/v1/stats", &other, "").await.status, if status == 200 { 421 } else { 200 });
    }
}

async fn cors() -> TestServer {
    let mut access = AccessConfig::default();
    access.operate = vec![SecretRef::Given(Secret::new("t"))];
    let mut config = FrontConfig::from(Limits::default());
    config.access = Access::new(&access).expect("tokens");
    config.cors_origins = vec![APP.parse().expect("an origin")];
    TestServer::of(TestServer::engine(Config::default()), config).await
}
