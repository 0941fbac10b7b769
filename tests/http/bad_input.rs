//! Bad input: each gets its status and its problem, and the server continues as before.

use crate::server::{TestResponse, TestServer};
use eventful::http::sources::{Secret, SecretRef, Source, SourceConfig};
use eventful::http::{FrontConfig, Limits};
use eventful::{Config, Event};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// The bytes that are sent, the status of the response, and the end of the problem's type; neither when the connection
/// ends without a response, and no type when the HTTP parser responds.
type Row = (Vec<u8>, u16, &'static str);

const JSON: &str = "content-type: application/json\r\n";

/// Texts that are no envelopes.
const ENVELOPES: &[&str] = &[
    "",
    " ",
    "{",
    "}",
    "{}",
    "[]",
    "null",
    "1",
    "\"a\"",
    "true",
    "nul",
    "{\"id\"",
    "{\"id\":",
    "{\"id\":\"a",
    "{\"id\":\"a\"",
    "{\"id\":\"a\",}",
    "{\"id\":\"a\",,}",
    "{\"id\":\"a\"} x",
    "{\"id\":\"a\"}{\"id\":\"b\"}",
    "[{\"id\":\"a\"}]",
    "{id:\"a\"}",
    "{'id':'a'}",
    "{\"ID\":\"a\"}",
    "{\"id\":null}",
    "{\"id\":1}",
    "{\"id\":true}",
    "{\"id\":[]}",
    "{\"id\":{}}",
    "{\"id\":\"\"}",
    "{\"id\":\"a\",\"id\":\"a\"}",
    "{\"id\":\"a\",\"source\":1}",
    "{\"id\":\"a\",\"source\":\"s\",\"source\":\"s\"}",
    "{\"id\":\"a\",\"type\":1}",
    "{\"id\":\"a\",\"type\":\"\\n\"}",
    "{\"id\":\"a\",\"payload\":NaN}",
    "{\"id\":\"a\",\"payload\":Infinity}",
    "{\"id\":\"a\",\"payload\":-}",
    "{\"id\":\"a\",\"payload\":01}",
    "{\"id\":\"a\",\"payload\":1.}",
    "{\"id\":\"a\",\"payload\":.5}",
    "{\"id\":\"a\",\"payload\":1e}",
    "{\"id\":\"a\",\"payload\":0x1}",
    "{\"id\":\"a\",\"payload\":+1}",
    "{\"id\":\"a\",\"payload\":\"\u{1}\"}",
    "{\"id\":\"a\",\"payload\":\"\\x\"}",
    "{\"id\":\"a\",\"payload\":undefined}",
    "{\"id\":\"a\",\"payload\":1,\"payload\":2}",
    "{\"id\":\"a\",\"payload\":[1,]}",
    "{\"id\":\"a\",\"payload\":// c\n1}",
    "{\"id\":\"\\u0000\"}",
    "{\"id\":\"a\\u0000b\"}",
    "{\"id\":\"\\ud800\"}",
    "{\"id\":\"\\udc00\\ud800\"}",
    "{\"id\":\"\\u12\"}",
    "{\"id\":\"a\\n\"}",
    "{\"id\":\"a\",\"soruce\":\"b\"}",
    "{\"id\":\"a\",\"__proto__\":{}}",
    "{\"id\":\"a\",\"attributes\":[]}",
    "{\"id\":\"a\",\"attributes\":{\"b\":1}}",
    "{\"id\":\"a\",\"attributes\":{\"\":\"b\"}}",
    "{\"id\":\"a\",\"delay\":\"soon\"}",
    "{\"id\":\"a\",\"delay\":-1}",
    "{\"id\":\"a\",\"not_before\":\"yesterday\"}",
    "{\"id\":\"a\",\"delay\":\"1s\",\"not_before\":\"2030-01-01T00:00:00Z\"}",
    "\u{feff}",
    "\u{feff}\u{feff}{\"id\":\"a\"}",
    "<event id=\"a\"/>",
    "id=a&payload=1",
];

/// Targets that do not exist or cannot be valid.
const TARGETS: &[(&str, u16, &str)] = &[
    ("/", 404, "not_found"),
    ("/v1", 404, "not_found"),
    ("/v1/", 404, "not_found"),
    ("/v1/events/", 404, "not_found"),
    ("/v1/events/a/b", 404, "not_found"),
    ("/v1/events//", 404, "not_found"),
    ("//v1/events", 404, "not_found"),
    ("/V1/events", 404, "not_found"),
    ("/v1/../v1/events", 404, "not_found"),
    ("/v1/events/../stats", 404, "not_found"),
    ("/../../etc/passwd", 404, "not_found"),
    ("/%2e%2e/%2e%2e/etc/passwd", 404, "not_found"),
    ("/v1%2Fevents", 404, "not_found"),
    ("/v1/events/%FF", 400, "invalid"),
    ("/v1/events/%00", 400, "invalid"),
    ("/v1/events/%", 404, "not_found"),
    ("/v1/events/%zz", 404, "not_found"),
    ("/v1/events/a?source=%FF", 400, "invalid"),
    ("/v1/events/a?x=1", 400, "invalid"),
    ("/v1/events/a?payload=yes", 400, "invalid"),
    ("/v1/events/a?payload", 400, "invalid"),
    ("/v1/event", 400, "invalid"),
    ("/v1/event?id=", 400, "invalid"),
    ("/v1/event?id=a&id=b", 400, "invalid"),
    ("/v1/events?limit=0", 200, ""),
    ("/v1/events?limit=-1", 400, "invalid"),
    ("/v1/events?limit=1e3", 400, "invalid"),
    ("/v1/events?limit=", 400, "invalid"),
    ("/v1/events?limit=99999999999999999999", 400, "invalid"),
    ("/v1/events?after=x", 400, "invalid"),
    ("/v1/events?after=", 400, "invalid"),
    ("/v1/events?after=18446744073709551616", 400, "invalid"),
    ("/v1/events?status=none", 400, "invalid"),
    ("/v1/events?status=", 400, "invalid"),
    ("/v1/events?status=failed&status=failed", 400, "invalid"),
    ("/v1/events?failed_from=2023-02-30T00:00:00Z", 400, "invalid"),
    ("/v1/events?failed_from=0000-00-00T00:00:00Z", 400, "invalid"),
    ("/v1/events?failed_until=9999999999", 400, "invalid"),
    ("/v1/events?%00=1", 400, "invalid"),
    ("/v1/stats?x=%FF", 200, ""),
    ("/metrics/", 404, "not_found"),
    ("/in/none", 404, "not_found"),
    ("/in/", 404, "not_found"),
    ("/in/open?hub.challenge=1", 401, "unverified"),
];

/// Calls with a wrong form.
const CALLS: &[(&str, &str, u16, &str)] = &[
    ("PUT", "/v1/events", 405, "method_not_allowed"),
    ("PATCH", "/v1/events/a", 405, "method_not_allowed"),
    ("OPTIONS", "/v1/events", 405, "method_not_allowed"),
    ("TRACE", "/v1/events", 405, "method_not_allowed"),
    ("BREW", "/v1/events", 405, "method_not_allowed"),
    ("post", "/v1/events", 405, "method_not_allowed"),
    ("DELETE", "/v1/stats", 405, "method_not_allowed"),
    ("POST", "/v1/events/a", 405, "method_not_allowed"),
    ("GET", "/v1/pause", 405, "method_not_allowed"),
    ("POST", "/metrics", 405, "method_not_allowed"),
    ("POST", "/v1/pause?x=1", 400, "invalid"),
    ("POST", "/v1/redrive", 400, "invalid"),
    ("POST", "/v1/redrive?status=received", 400, "invalid"),
    ("POST", "/v1/redrive?status=failed&after=x", 400, "invalid"),
    ("POST", "/v1/discard", 400, "invalid"),
    ("POST", "/v1/discard?status=completed", 400, "invalid"),
    ("POST", "/v1/discard?status=failed&dry_run=1", 400, "invalid"),
    ("POST", "/v1/events/none/redrive", 404, "not_found"),
    ("DELETE", "/v1/events/none", 404, "not_found"),
];

/// Heads that are malformed, incomplete, or of a request that is refused.
const HEADS: &[(&str, u16, &str)] = &[
    ("", 0, ""),
    ("\r\n", 0, ""),
    ("GET", 0, ""),
    ("GET /livez", 0, ""),
    ("GET /livez HTTP/1.1", 0, ""),
    ("GET /livez HTTP/1.1\r\nhost: localhost\r\n", 0, ""),
    ("GET /livez\r\n\r\n", 400, ""),
    ("GET  /livez HTTP/1.1\r\nhost: localhost\r\n\r\n", 400, ""),
    ("GET /li vez HTTP/1.1\r\nhost: localhost\r\n\r\n", 400, ""),
    ("GET /livez HTTP/9.9\r\nhost: localhost\r\n\r\n", 400, ""),
    ("GET /livez HTTPS/1.1\r\nhost: localhost\r\n\r\n", 400, ""),
    ("G\u{0}ET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n", 400, ""),
    ("GET /livez\u{0} HTTP/1.1\r\nhost: localhost\r\n\r\n", 400, ""),
    ("GET /livez HTTP/1.1\r\nhost: localhost\r\nx: a\u{0}b\r\n\r\n", 400, ""),
    ("GET /livez HTTP/1.1\r\nhost: localhost\r\nx : a\r\n\r\n", 400, ""),
    ("GET /livez HTTP/1.1\r\nhost: localhost\r\n x: folded\r\n\r\n", 400, ""),
    ("GET /livez HTTP/1.1\r\nhost: localhost\r\nno colon\r\n\r\n", 400, ""),
    ("GET /livez HTTP/1.1\r\nhost: localhost\r\n: no name\r\n\r\n", 400, ""),
    ("GET /livez HTTP/1.1\r\n\r\n", 400, "invalid"),
    ("GET /livez HTTP/1.1\r\nhost: localhost\r\nhost: localhost\r\n\r\n", 400, "invalid"),
    ("GET /livez HTTP/1.1\r\nhost: evil.example\r\n\r\n", 421, "misdirected"),
    ("GET /livez HTTP/1.1\r\nhost: localhost@evil.example\r\n\r\n", 421, "misdirected"),
    ("GET /livez HTTP/1.1\r\nhost:\r\n\r\n", 421, "misdirected"),
    ("GET http://evil.example/livez HTTP/1.1\r\nhost: localhost\r\n\r\n", 421, "misdirected"),
    ("GET /livez HTTP/1.1\r\nhost: localhost\r\norigin: http://evil.example\r\n\r\n", 403, "cross_site"),
    ("GET /livez HTTP/1.1\r\nhost: localhost\r\norigin: null\r\n\r\n", 403, "cross_site"),
    ("CONNECT evil.example:80 HTTP/1.1\r\nhost: evil.example\r\n\r\n", 421, "misdirected"),
    ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\r", 400, ""),
    ("\u{16}\u{3}\u{1}\u{2}\u{0}", 400, ""),
    ("POST /v1/events HTTP/1.1\r\nhost: localhost\r\nwebhook-id: a\r\ncontent-length: -1\r\n\r\n", 400, ""),
    ("POST /v1/events HTTP/1.1\r\nhost: localhost\r\nwebhook-id: a\r\ncontent-length: 1x\r\n\r\nx", 400, ""),
    (
        "POST /v1/events HTTP/1.1\r\nhost: localhost\r\nwebhook-id: a\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nxy",
        400,
        "",
    ),
    (
        "POST /v1/events HTTP/1.1\r\nhost: localhost\r\nwebhook-id: a\r\ncontent-length: 99999999999999999999\r\n\r\nx",
        400,
        "",
    ),
    (
        "POST /v1/events HTTP/1.1\r\nhost: localhost\r\nwebhook-id: a\r\ncontent-length: 18446744073709551615\r\n\r\nx",
        431,
        "",
    ),
    (
        "POST /v1/events HTTP/1.1\r\nhost: localhost\r\nwebhook-id: a\r\ncontent-length: 9000000000000000000\r\n\r\nx",
        413,
        "too_large",
    ),
    ("POST /v1/events HTTP/1.1\r\nhost: localhost\r\nwebhook-id: a\r\ncontent-length: 9\r\n\r\nx", 400, "invalid"),
    ("POST /v1/events HTTP/1.0\r\nwebhook-id: a\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n", 400, ""),
    ("GET garbage\r\n\r\nGET /livez HTTP/1.1\r\n\r\n", 400, ""),
];

#[tokio::test]
async fn envelope_that_is_none_is_refused() {
    let deep = format!("{}1{}", "[".repeat(200), "]".repeat(200));
    let long = "x".repeat(5000);
    let refused = |body: &str| (post("/v1/events", JSON, body.as_bytes()), 400, "invalid");
    let mut rows: Vec<Row> = ENVELOPES.iter().map(|body| refused(body)).collect();
    rows.extend([
        refused(&format!("{{\"id\":\"{long}\"}}")),
        refused(&format!("{{\"id\":\"a\",\"source\":\"{long}\"}}")),
        refused(&format!("{{\"id\":\"a\",\"type\":\"{long}\"}}")),
        refused(&format!("{{\"id\":{deep}}}")),
        (post("/v1/events", JSON, b"{\"id\":\"\xff\"}"), 400, "invalid"),
        (post("/v1/events", JSON, b"{\"id\":\"a\",\"payload\":\"\xc0\xaf\"}"), 400, "invalid"),
        (post("/v1/events", JSON, b"\xff\xfe{\0"), 400, "invalid"),
        (post("/v1/events", JSON, b"\0"), 400, "invalid"),
        (post("/v1/events", JSON, &[b'{'; 100_000]), 400, "invalid"),
        (post("/v1/events", "", b"{\"id\":\"a\"}"), 415, "unsupported_media_type"),
        (post("/v1/events", "content-type: text/json\r\n", b"{\"id\":\"a\"}"), 415, "unsupported_media_type"),
        (post("/v1/events", "content-type: application/jsonp\r\n", b"{\"id\":\"a\"}"), 415, "unsupported_media_type"),
        (post_bytes("/v1/events", b"content-type: \xff\r\n", b"{\"id\":\"a\"}"), 415, "unsupported_media_type"),
        (post("/v1/events", &format!("{JSON}content-encoding: gzip\r\n"), b"\x1f\x8b"), 415, "unsupported_encoding"),
        (post("/v1/events", &format!("{JSON}content-encoding: g zip\r\n"), b"x"), 400, "invalid"),
        (post("/v1/events?source=a", JSON, b"{\"id\":\"a\"}"), 400, "invalid"),
        (post("/v1/events?x=1", JSON, b"{\"id\":\"a\"}"), 400, "invalid"),
        (
            post("/v1/events", JSON, format!("{{\"id\":\"a\",\"payload\":\"{}\"}}", "x".repeat(3_000_000)).as_bytes()),
            413,
            "too_large",
        ),
    ]);
    refuse(rows).await;
}

#[tokio::test]
async fn header_that_makes_no_event_is_refused() {
    let long = "x".repeat(5000);
    let with = |headers: &str| (post("/v1/events", headers, b"x"), 400, "invalid");
    let mut rows = vec![
        with("idempotency-key:\r\n"),
        with("idempotency-key: \"\"\r\n"),
        with("webhook-id: \r\n"),
        with("idempotency-key: a\r\nidempotency-key: b\r\n"),
        with("idempotency-key: a\r\nwebhook-id: b\r\n"),
        with("webhook-id: a\r\nwebhook-id: b\r\n"),
        with(&format!("idempotency-key: {long}\r\n")),
        with("webhook-id: eventful:nonsense\r\neventful-source: s\r\n"),
        with("webhook-id: eventful:s/a\r\neventful-source: t\r\n"),
        with("webhook-id: a\r\neventful-source: %FF\r\n"),
        with("webhook-id: a\r\neventful-source: s\r\neventful-source: s\r\n"),
        with("webhook-id: a\r\neventful-type: %0A\r\n"),
        with("webhook-id: a\r\neventful-type: %FF\r\n"),
        with("webhook-id: a\r\neventful-attributes: a\r\n"),
        with("webhook-id: a\r\neventful-attributes: a=1,a=2\r\n"),
        with("webhook-id: a\r\neventful-attributes: =1\r\n"),
        with("webhook-id: a\r\neventful-attributes: a=%FF\r\n"),
        with("webhook-id: a\r\neventful-attributes: content-encoding=gzip\r\n"),
        with("webhook-id: a\r\ncontent-encoding: g zip\r\n"),
        with("webhook-id: a\r\ncontent-encoding: \"gzip\"\r\n"),
        with(&format!("webhook-id: a\r\ncontent-type: {long}\r\n")),
        with(&format!("webhook-id: a\r\neventful-attributes: a={long}\r\n")),
    ];
    for header in
        [&b"idempotency-key: \xff\r\n"[..], b"webhook-id: a\r\ncontent-type: \xff\r\n", b"webhook-id: \xc3\x28\r\n"]
    {
        rows.push((post_bytes("/v1/events", header, b"x"), 400, "invalid"));
    }
    for query in [
        "source=a&source=b",
        "type=%FF",
        "type=%0A",
        "x=1",
        "source=%00",
        "attributes=a",
        "delay=soon",
        "not_before=now",
    ] {
        rows.push((post(&format!("/v1/events?{query}"), "webhook-id: a\r\n", b"x"), 400, "invalid"));
    }
    let large = "x".repeat(5 << 20);
    rows.push((post("/v1/events", "webhook-id: a\r\n", large.as_bytes()), 413, "too_large"));
    refuse(rows).await;
}

#[tokio::test]
async fn target_that_is_none_is_refused() {
    let mut rows = Vec::new();
    for (target, status, problem) in TARGETS {
        rows.push((request("GET", target, "", b""), *status, *problem));
    }
    for (method, target, status, problem) in CALLS {
        rows.push((request(method, target, "", b""), *status, *problem));
    }
    rows.push((post("/v1/redrive?status=failed", "", b"x"), 400, "invalid"));
    rows.push((post("/v1/discard?status=failed", "", b"x"), 400, "invalid"));
    refuse(rows).await;
}

#[tokio::test]
async fn head_that_is_none_is_refused() {
    let mut rows: Vec<Row> =
        HEADS.iter().map(|(text, status, problem)| (text.as_bytes().to_vec(), *status, *problem)).collect();
    let many: String = (0..200).map(|number| format!("x-{number}: a\r\n")).collect();
    rows.push((request("GET", "/livez", &many, b""), 431, ""));
    rows.push((request("GET", "/livez", &format!("x: {}\r\n", "a".repeat(300_000)), b""), 431, ""));
    rows.push((request("GET", &format!("/{}", "a".repeat(300_000)), "", b""), 431, ""));
    refuse(rows).await;
}

#[tokio::test]
async fn chunks_that_are_none_are_refused() {
    let chunked = |body: &str, status, problem| {
        let head = "POST /v1/events HTTP/1.1\r\nhost: localhost\r\nwebhook-id: a\r\ntransfer-encoding: chunked\r\n\r\n";
        (format!("{head}{body}").into_bytes(), status, problem)
    };
    let coded = |headers: &str, status, problem| {
        let head = format!("POST /v1/events HTTP/1.1\r\nhost: localhost\r\nwebhook-id: a\r\n{headers}\r\n");
        (format!("{head}1\r\nx\r\n0\r\n\r\n").into_bytes(), status, problem)
    };
    let extension = "x".repeat(40_000);
    refuse(vec![
        chunked("", 400, "invalid"),
        chunked("1", 400, "invalid"),
        chunked("1\r\n", 400, "invalid"),
        chunked("1\r\nx", 400, "invalid"),
        chunked("1\r\nx\r\n", 400, "invalid"),
        chunked("1\r\nxy\r\n0\r\n\r\n", 400, "invalid"),
        chunked("g\r\nx\r\n0\r\n\r\n", 400, "invalid"),
        chunked("-1\r\nx\r\n0\r\n\r\n", 400, "invalid"),
        chunked("0x1\r\nx\r\n0\r\n\r\n", 400, "invalid"),
        chunked("fffffffffffffffff\r\nx\r\n0\r\n\r\n", 400, "invalid"),
        chunked("7fffffffffffffff\r\nx", 400, "invalid"),
        chunked("\r\n\r\n", 400, "invalid"),
        chunked("1\nx\n0\n\n", 400, "invalid"),
        chunked(&format!("1;{extension}\r\nx\r\n0\r\n\r\n"), 400, "invalid"),
        chunked(&format!("{}0\r\n\r\n", "500000\r\n".to_owned() + &"x".repeat(0x50_0000) + "\r\n"), 413, "too_large"),
        coded("transfer-encoding: gzip\r\n", 400, ""),
        coded("transfer-encoding: gzip, chunked\r\n", 501, "not_implemented"),
        coded("transfer-encoding: chunked, chunked\r\n", 501, "not_implemented"),
        coded("transfer-encoding: identity\r\n", 400, ""),
        coded("transfer-encoding: chunked, identity\r\n", 400, ""),
        coded("transfer-encoding:\r\n", 400, ""),
    ])
    .await;
}

#[tokio::test]
async fn request_of_a_sender_that_is_none_is_refused() {
    let open = |body: &str| (post("/in/open", "", body.as_bytes()), 400, "invalid");
    let github = |headers: &str| (post("/in/github", headers, b"{}"), 401, "unverified");
    refuse(vec![
        open(""),
        open("{"),
        open("{}"),
        open("[]"),
        open("{\"id\":null}"),
        open("{\"id\":[]}"),
        open("{\"id\":\"\"}"),
        open("{\"id\":\"a\",\"id\":\"b\"}"),
        open("{\"id\":\"\\u0000\"}"),
        open("{\"id\":NaN}"),
        open(&format!("{{\"id\":\"a\",\"b\":{}1{}}}", "[".repeat(200), "]".repeat(200))),
        (post("/in/open", "", b"{\"id\":\"\xff\"}"), 400, "invalid"),
        (post("/in/open", "content-encoding: br\r\n", b"x"), 415, "unsupported_encoding"),
        (post("/in/open", "", "x".repeat(2000).as_bytes()), 413, "too_large"),
        github(""),
        github("x-hub-signature-256: \r\n"),
        github("x-hub-signature-256: sha256=\r\n"),
        github("x-hub-signature-256: sha256=zz\r\n"),
        github("x-hub-signature-256: sha256=00\r\n"),
        github("x-hub-signature-256: sha256=00\r\nx-hub-signature-256: sha256=00\r\n"),
        (post_bytes("/in/github", b"x-hub-signature-256: \xff\r\n", b"{}"), 401, "unverified"),
        (post("/in/..%2Fgithub", "", b"{}"), 404, "not_found"),
        (post("/in/GITHUB", "", b"{}"), 404, "not_found"),
        (request("DELETE", "/in/github", "", b""), 405, "method_not_allowed"),
    ])
    .await;
}

#[tokio::test]
async fn line_that_is_no_event_is_refused_in_its_place() {
    let server = server().await;
    let lines: &[(&[u8], &str)] = &[
        (b"{", "invalid"),
        (b"[]", "invalid"),
        (b"{\"id\":\"\"}", "invalid"),
        (b"{\"id\":\"a\",\"id\":\"a\"}", "invalid"),
        (b"\xff", "invalid"),
        (b"\0", "invalid"),
        (b"{\"id\":\"good\"}", "accepted"),
        (b"{\"id\":\"a\"} {\"id\":\"b\"}", "invalid"),
        (b"{\"id\":\"a\rb\"}", "invalid"),
    ];
    let body = lines.iter().map(|(line, _)| *line).collect::<Vec<_>>().join(&b'\n');
    let answer = send(&server, &post("/v1/events/batch", "", &body)).await.expect("an answer");
    let outcomes: Vec<_> = answer.lines().iter().map(|line| line["outcome"].as_str().map(str::to_owned)).collect();
    let due: Vec<_> = lines.iter().map(|(_, outcome)| Some((*outcome).to_owned())).collect();
    assert_eq!((answer.status, outcomes), (200, due));
    for (headers, status, problem) in
        [("content-encoding: gzip\r\n", 415, "unsupported_encoding"), ("content-encoding: a b\r\n", 400, "invalid")]
    {
        let answer = send(&server, &post("/v1/events/batch", headers, b"x")).await.expect("an answer");
        assert_eq!((answer.status, answer.problem().as_str()), (status, problem));
    }
}

#[tokio::test]
async fn garbage_behind_requests_is_refused_after_their_responses() {
    let server = server().await;
    let right = "GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n";
    for (garbage, refused) in [
        ("", 0),
        ("\0\0\0\0\r\n\r\n", 1),
        ("GET\r\n\r\n", 1),
        ("GET /livez HTTP/1.1\r\nhost : localhost\r\n\r\n", 1),
        // The version is that of the first bytes.
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 0),
        // With what follows, one head that names two hosts.
        ("GET /livez HTTP/1.1\r\nhost:", 1),
    ] {
        let sent = format!("{}{garbage}{right}", right.repeat(1000));
        let text = server.raw(sent.as_bytes()).await;
        let count = |status: &str| text.matches(&format!("HTTP/1.1 {status}")).count();
        let served = 1000 + usize::from(garbage.is_empty());
        assert_eq!((count("200"), count("4")), (served, refused), "{garbage:?}");
    }
}

/// Sends each, and then checks that the server is as before.
async fn refuse(rows: Vec<Row>) {
    let server = server().await;
    let mut wrong = Vec::new();
    let before = server.eventful.stats().expect("not broken").engine.facts.accepted;
    for (bytes, status, problem) in &rows {
        let shown = match send(&server, bytes).await {
            Some(answer) if answer.body.is_empty() || answer.status < 400 => (answer.status, String::new()),
            Some(answer) => (answer.status, answer.problem()),
            None => (0, String::new()),
        };
        if shown != (*status, (*problem).to_owned()) {
            let text = String::from_utf8_lossy(&bytes[..bytes.len().min(300)]).into_owned();
            wrong.push(format!("{shown:?}, not {status} {problem}: {text:?}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), rows.len(), wrong.join("\n"));
    let stats = server.eventful.stats().expect("not broken");
    assert_eq!((stats.engine.facts.accepted, stats.unsynced), (before, 0), "nothing was taken");
    let (facts, gauges) = (&stats.engine.facts, &stats.engine.gauges);
    assert_eq!(facts.accepted, gauges.records_total(), "the numbers agree");
    server.eventful.check().expect("every invariant holds");
    let event = Event::with_id("after", "x").expect("an event");
    server.eventful.submit(event).await.expect("it is taken");
    assert_eq!(server.get("/v1/events/after").await.status, 200);
}

async fn server() -> TestServer {
    let mut front = FrontConfig::from(Limits::default());
    for (name, config) in [
        ("open", r#"{"verify": {"scheme": "none"}, "id": "json:/id", "max_body_bytes": 1000}"#),
        ("github", r#"{"preset": "github"}"#),
    ] {
        let mut config: SourceConfig = serde_json::from_str(config).expect("a configuration");
        config.secrets.push(SecretRef::Given(Secret::new("secret")));
        front.sources.push(Source::new(name, &config).expect("a source"));
    }
    TestServer::of(TestServer::engine(Config::default()), front).await
}

/// Sends all bytes, ends the sending side, and reads the response, if there is one.
async fn send(server: &TestServer, bytes: &[u8]) -> Option<TestResponse> {
    let mut stream = TcpStream::connect(server.address).await.expect("a connection");
    // A request that is refused early is not read to its end.
    let _sent = stream.write_all(bytes).await;
    let _ended = stream.shutdown().await;
    let mut answer = Vec::new();
    let _read = stream.read_to_end(&mut answer).await;
    let text = String::from_utf8(answer).expect("text");
    (!text.is_empty()).then(|| TestResponse::parse(&text))
}

fn post(target: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    request("POST", target, headers, body)
}

fn request(method: &str, target: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    request_bytes(method, target, headers.as_bytes(), body)
}

fn post_bytes(target: &str, headers: &[u8], body: &[u8]) -> Vec<u8> {
    request_bytes("POST", target, headers, body)
}

fn request_bytes(method: &str, target: &str, headers: &[u8], body: &[u8]) -> Vec<u8> {
    let head = format!("{method} {target} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n");
    let length = format!("content-length: {}\r\n\r\n", body.len());
    [head.as_bytes(), headers, length.as_bytes(), body].concat()
}
