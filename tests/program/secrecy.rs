//! Payloads, tokens and secrets are in no log and in no error.

use std::fs::{self, File};
use std::process::Stdio;

use crate::process::{ServerChild, spawn_with};
use crate::sink::Sink;

const PAYLOAD: &str = "payload-4f0c";
const TOKEN: &str = "token-91aa";
const WRONG: &str = "wrong-77d2";
const SECRET: &str = "c2VjcmV0LWRlbGl2ZXJ5LTQ0ZmY=";

#[tokio::test]
async fn no_payload_token_or_secret_is_logged_or_shown_in_an_error() {
    let home = tempfile::tempdir().expect("a directory");
    let path = |name: &str| home.path().join(name).to_str().expect("text").to_owned();
    let (token, secret, log) = (path("token"), path("secret"), path("log"));
    fs::write(&token, TOKEN).expect("a file");
    fs::write(&secret, format!("whsec_{SECRET}")).expect("a file");
    let sink = Sink::start(&[
        "HTTP/1.1 500 Busy\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 410 Gone\r\ncontent-length: 0\r\n\r\n",
    ])
    .await;
    let args =
        ["--log", "trace", "--operate-token-file", &token, "--deliver", &sink.url, "--deliver-secret-file", &secret];
    let server = ServerChild::of(spawn_with(&args, Stdio::piped(), File::create(&log).expect("a file"))).await;

    let mut errors = String::new();
    for (target, headers, body) in [
        ("/v1/events", format!("authorization: Bearer {TOKEN}\r\nidempotency-key: a\r\n"), PAYLOAD.to_owned()),
        (
            "/v1/events",
            format!("authorization: Bearer {TOKEN}\r\nidempotency-key: a\r\n"),
            format!("{PAYLOAD}, another"),
        ),
        ("/v1/events", format!("authorization: Bearer {WRONG}\r\nidempotency-key: b\r\n"), PAYLOAD.to_owned()),
        ("/v1/events", format!("authorization: Basic {WRONG}\r\nidempotency-key: b\r\n"), PAYLOAD.to_owned()),
        (
            "/v1/events",
            format!("authorization: Bearer {TOKEN}\r\ncontent-type: application/json\r\n"),
            format!("{{\"id\":\"c\",\"payload\":\"{PAYLOAD}\"),"),
        ),
        ("/in/none", format!("authorization: Bearer {WRONG}\r\n"), PAYLOAD.to_owned()),
    ] {
        errors += &server.send("POST", target, &headers, &body).await;
    }
    sink.until(2).await;
    errors += &over_http2(&server.address).await;
    let shown = format!("authorization: Bearer {TOKEN}\r\n");
    for target in ["/v1/events/a", "/v1/stats", "/metrics"] {
        errors += &server.send("GET", target, &shown, "").await;
    }
    server.kill().await;

    let log = fs::read_to_string(log).expect("a log");
    assert!(log.contains("TRACE") && log.contains("DEBUG"), "all of it is logged");
    for (name, text) in [("the log", &log), ("a response", &errors)] {
        for secret in [PAYLOAD, TOKEN, WRONG, SECRET] {
            let line = text.lines().find(|line| line.contains(secret));
            assert!(line.is_none(), "{secret} is in {name}: {line:?}");
        }
    }
}

/// The same in HTTP/2, whose library has logs of its own. Returns the bodies of its responses.
async fn over_http2(address: &str) -> String {
    let stream = tokio::net::TcpStream::connect(address).await.expect("a connection");
    let (client, connection) = h2::client::handshake(stream).await.expect("a handshake");
    tokio::spawn(connection);
    let mut shown = String::new();
    for token in [TOKEN, WRONG] {
        let request = http::Request::post("http://localhost/v1/events").header("idempotency-key", "a");
        let request = request.header("authorization", format!("Bearer {token}")).body(()).expect("a request");
        let mut client = client.clone().ready().await.expect("it takes more");
        let (response, mut body) = client.send_request(request, false).expect("it is sent");
        body.send_data(format!("{PAYLOAD}, in another version").into(), true).expect("it is sent");
        let mut body = response.await.expect("an answer").into_body();
        while let Some(part) = body.data().await {
            shown += &String::from_utf8_lossy(&part.expect("a part"));
        }
    }
    shown
}
