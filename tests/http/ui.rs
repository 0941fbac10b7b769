//! The page for operators: its files, and what it asks of the API.

use eventful::Config;
use eventful::http::sources::{Secret, SecretRef};
use eventful::http::{Access, AccessConfig, FrontConfig};

use crate::server::{TestResponse, TestServer};

#[tokio::test]
async fn page_is_served_with_its_type_and_its_policy() {
    let server = with_page().await;
    let index = server.get("/ui/").await;
    assert_eq!((index.status, index.header("content-type")), (200, Some("text/html; charset=utf-8")));
    let policy = index.header("content-security-policy").expect("a policy");
    for part in ["default-src 'none'", "script-src 'self'", "style-src 'self'", "frame-ancestors 'none'"] {
        assert!(policy.split("; ").any(|directive| directive == part), "{policy}");
    }
    assert!(!policy.contains("unsafe") && !policy.contains('*'), "{policy}");
    for (file, kind) in [
        ("page.css", "text/css; charset=utf-8"),
        ("main.js", "text/javascript; charset=utf-8"),
        ("uPlot.iife.min.js", "text/javascript; charset=utf-8"),
        ("uPlot.LICENSE", "text/plain; charset=utf-8"),
        ("icon.svg", "image/svg+xml"),
    ] {
        let served = server.get(&format!("/ui/{file}")).await;
        assert_eq!((served.status, served.header("content-type")), (200, Some(kind)), "{file}");
        assert_eq!(served.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(served.header("cache-control"), Some("no-cache"));
    }
}

#[tokio::test]
async fn every_file_that_the_page_names_is_served() {
    let server = with_page().await;
    let index = server.get("/ui/").await.body;
    let mut names: Vec<String> = quoted_after(&index, &["href=\"", "src=\""]);
    names.retain(|name| !name.starts_with('#'));
    for script in names.clone().iter().filter(|name| name.ends_with("main.js")) {
        names.extend(quoted_after(&server.get(&format!("/ui/{script}")).await.body, &["from './"]));
    }
    assert!(names.len() > 8, "{names:?}");
    for name in names {
        let file = server.get(&format!("/ui/{name}")).await;
        assert_eq!(file.status, 200, "{name}");
        for imported in quoted_after(&file.body, &["from './"]) {
            assert_eq!(server.get(&format!("/ui/{imported}")).await.status, 200, "{name} imports {imported}");
        }
    }
}

#[tokio::test]
async fn page_without_a_slash_leads_to_the_one_with_it() {
    let server = with_page().await;
    let leads = server.get("/ui").await;
    // Relative, so that the prefix of a proxy stays.
    assert_eq!((leads.status, leads.header("location")), (308, Some("ui/")));
}

#[tokio::test]
async fn known_file_is_not_sent_again() {
    let server = with_page().await;
    let tag = server.get("/ui/main.js").await.header("etag").expect("a tag").to_owned();
    let weak = format!("W/{tag}");
    for known in [tag.as_str(), &weak, "*"] {
        let again = server.call("GET", "/ui/main.js", &[("if-none-match", known)], "").await;
        assert_eq!((again.status, again.header("etag"), again.body.as_str()), (304, Some(&*tag), ""), "{known}");
    }
    let other = server.call("GET", "/ui/api.js", &[("if-none-match", &tag)], "").await;
    assert!(other.status == 200 && other.header("etag") != Some(&tag));
}

#[tokio::test]
async fn unknown_file_is_a_problem() {
    let server = with_page().await;
    for target in ["/ui/none.js", "/ui/mod.rs", "/ui/page/main.js", "/ui/..%2Fmod.rs", "/ui/%FF", "/ui//"] {
        assert_eq!(problem(&server.get(target).await), (404, "not_found".into()), "{target}");
    }
    let posted = server.call("POST", "/ui/", &[], "").await;
    assert_eq!(problem(&posted), (405, "method_not_allowed".into()));
}

#[tokio::test]
async fn front_without_a_page_has_no_files() {
    let server = TestServer::default().await;
    for target in ["/ui", "/ui/", "/ui/main.js"] {
        assert_eq!(problem(&server.get(target).await), (404, "not_found".into()), "{target}");
    }
}

#[tokio::test]
async fn page_needs_no_token_and_shows_no_data() {
    let server = with_tokens().await;
    for target in ["/ui", "/ui/", "/ui/main.js"] {
        assert!(server.get(target).await.status < 400, "{target}");
    }
    for (method, target) in [("GET", "/v1/stats"), ("GET", "/v1/failures"), ("GET", "/uix"), ("POST", "/ui/")] {
        assert_eq!(problem(&server.call(method, target, &[], "").await).0, 401, "{method} {target}");
    }
}

#[tokio::test]
async fn access_names_the_roles_of_a_token() {
    let server = with_tokens().await;
    for (token, roles) in [("r", r#"["read"]"#), ("s", r#"["submit"]"#), ("o", r#"["submit","read","work","operate"]"#)]
    {
        let access = server.call("GET", "/v1/access", &[("authorization", &format!("Bearer {token}"))], "").await;
        assert_eq!(access.body, format!(r#"{{"token_needed":true,"roles":{roles}}}"#));
        assert_eq!(access.header("cache-control"), Some("no-store"));
    }
    for headers in [&[][..], &[("authorization", "Bearer x")]] {
        assert_eq!(problem(&server.call("GET", "/v1/access", headers, "").await), (401, "unauthorized".into()));
    }
    let open = TestServer::default().await.get("/v1/access").await;
    assert_eq!(open.body, r#"{"token_needed":false,"roles":["submit","read","work","operate"]}"#);
    assert_eq!(TestServer::default().await.get("/v1/access?x=1").await.problem(), "invalid");
}

#[tokio::test]
async fn failures_are_counted_by_the_first_line_of_their_error() {
    let server = TestServer::of(engine_of_errors(), FrontConfig::default()).await;
    for (id, error) in [("a", "refused\nby x"), ("b", "gone"), ("c", "refused\nby y"), ("d", "refused again")] {
        server.call("POST", "/v1/events?source=s", &[("idempotency-key", id)], error).await;
        server.until(&format!("{id}?source=s"), "failed").await;
    }
    let body = server.get("/v1/failures").await.json();
    let counts: Vec<_> =
        body["causes"].as_array().expect("causes").iter().map(|one| (&one["cause"], &one["count"])).collect();
    assert_eq!(
        counts,
        [(&"refused".into(), &2.into()), (&"gone".into(), &1.into()), (&"refused again".into(), &1.into())]
    );
    assert!(
        body.get("next").is_none()
            && body["causes"][0]["first_failed_at"].as_str() <= body["causes"][0]["last_failed_at"].as_str()
    );
    // The cause chooses just these: the text in it would choose another one, too.
    for (filter, count) in
        [("cause=refused", 2), ("error=refused", 3), ("id=b", 1), ("source=", 0), ("cause=refused%0Aby+x", 0)]
    {
        let counted = server.call("POST", &format!("/v1/redrive?status=failed&dry_run=true&{filter}"), &[], "").await;
        assert_eq!(counted.json()["matching"], count, "{filter}");
    }
    assert_eq!(server.get("/v1/failures?source=other").await.body, r#"{"causes":[]}"#);
    for wrong in ["status=completed", "after=x", "limit=1", "accepted_from=now"] {
        assert_eq!(server.get(&format!("/v1/failures?{wrong}")).await.problem(), "invalid", "{wrong}");
    }
}

#[tokio::test]
async fn events_are_found_by_id_and_by_the_time_of_acceptance() {
    let server = TestServer::default().await;
    for (id, source) in [("a", "s"), ("a", "t"), ("b", "s")] {
        server.call("POST", &format!("/v1/events?source={source}"), &[("idempotency-key", id)], "").await;
    }
    let accepted = server.get("/v1/events/b?source=s").await.json()["accepted_at"].as_str().expect("a time").to_owned();
    for (filter, found) in [
        ("id=a".to_owned(), 2),
        ("id=a&source=t".to_owned(), 1),
        ("id=c".to_owned(), 0),
        (format!("accepted_from={accepted}&id=b"), 1),
        (format!("accepted_until={accepted}&id=b"), 0),
        ("accepted_until=1999-01-01T00:00:00Z".to_owned(), 0),
    ] {
        let page = server.get(&format!("/v1/events?{filter}")).await.json();
        assert_eq!(page["records"].as_array().map(Vec::len), Some(found), "{filter}");
    }
}

#[tokio::test]
async fn numbers_are_a_stream_until_the_engine_has_stopped() {
    let server = TestServer::default().await;
    let accept = [("accept", "text/event-stream")];
    let (stream, _) = tokio::join!(server.call("GET", "/v1/stats", &accept, ""), server.eventful.shutdown(None));
    assert_eq!((stream.status, stream.header("content-type")), (200, Some("text/event-stream")));
    let data = stream.body.split_terminator("\n\n").map(|part| part.strip_prefix("event: stats\ndata: "));
    let data: Vec<serde_json::Value> =
        data.map(|text| serde_json::from_str(text.expect("numbers")).expect("JSON")).collect();
    let (last, before) = data.split_last().expect("numbers");
    assert!(last["phase"]["stopped"] == 1 && before.iter().all(|stats| stats["phase"]["stopped"] == 0));
    assert_eq!(server.get("/v1/stats").await.header("content-type"), Some("application/json"));
}

async fn with_page() -> TestServer {
    let mut front = FrontConfig::default();
    front.ui = true;
    TestServer::of(TestServer::engine(Config::default()), front).await
}

async fn with_tokens() -> TestServer {
    let tokens = |text| vec![SecretRef::Given(Secret::new(text))];
    let mut access = AccessConfig::default();
    (access.submit, access.read, access.operate) = (tokens("s"), tokens("r"), tokens("o"));
    let mut front = FrontConfig::default();
    (front.ui, front.access) = (true, Access::new(&access).expect("tokens"));
    TestServer::of(TestServer::engine(Config::default()), front).await
}

/// An engine whose handler fails permanently, with the payload as the error.
fn engine_of_errors() -> eventful::Eventful {
    let fail = async |event: eventful::Event, _: eventful::Attempt| {
        Err(eventful::Failure::permanent(String::from_utf8_lossy(event.payload())))
    };
    eventful::Eventful::builder().start(fail).expect("it starts")
}

fn problem(response: &TestResponse) -> (u16, String) {
    (response.status, response.problem())
}

/// Returns the texts that follow one of these beginnings, up to the quote.
fn quoted_after(text: &str, beginnings: &[&str]) -> Vec<String> {
    let after = |beginning: &&str| text.split(*beginning).skip(1).map(String::from).collect::<Vec<_>>();
    let rests = beginnings.iter().flat_map(after);
    rests.filter_map(|rest| rest.split(['"', '\'']).next().map(String::from)).collect()
}
