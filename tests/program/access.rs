//! Access to the server, and the proof to targets that a delivery is its own.

use std::fs;
use std::path::Path;
use std::process::Stdio;

use crate::process::{ServerChild, program, run};
use crate::sink::Sink;

#[tokio::test]
async fn address_of_others_without_a_token_is_refused_with_what_to_do() {
    let (code, _, stderr) = run(&["serve", "--listen", "0.0.0.0:0"]).await;
    assert_eq!(code, 2, "{stderr}");
    for word in ["0.0.0.0:0", "--operate-token-file", "127.0.0.1", "--allow-anyone"] {
        assert!(stderr.contains(word), "{word}: {stderr}");
    }
    let home = tempfile::tempdir().expect("a directory");
    let token = file(home.path(), "token", "o-token\n");
    for let_in in [&["--operate-token-file", &*token][..], &["--allow-anyone"]] {
        let args = [&["serve", "--listen", "0.0.0.0:0"][..], let_in].concat();
        let child = program(&args).stdout(Stdio::piped()).spawn().expect("it starts");
        ServerChild::of(child).await.kill().await;
    }
}

#[tokio::test]
async fn call_without_the_right_token_is_refused() {
    let home = tempfile::tempdir().expect("a directory");
    let [submit, operate] =
        [("submit", "s-token"), ("operate", "o-token\r\n")].map(|(name, text)| file(home.path(), name, text));
    let server = ServerChild::start(&["--submit-token-file", &submit, "--operate-token-file", &operate]).await;
    let status = async |method: &str, target: &str, token: &str| {
        let headers = format!("authorization: Bearer {token}\r\nidempotency-key: a\r\n");
        let answer = server.send(method, target, &headers, "x").await;
        answer.split(' ').nth(1).and_then(|status| status.parse::<u16>().ok()).expect("a status")
    };
    assert_eq!(status("POST", "/v1/events", "s-token").await, 202);
    assert_eq!(status("GET", "/v1/events/a", "s-token").await, 403);
    assert_eq!(status("GET", "/v1/events/a", "o-token").await, 200);
    assert_eq!(status("GET", "/v1/events/a", "wrong").await, 401);
    assert_eq!(status("GET", "/readyz", "wrong").await, 200);
}

#[tokio::test]
async fn worker_without_a_token_to_submit_settles_and_submits_nothing() {
    let home = tempfile::tempdir().expect("a directory");
    let [submit, work] =
        [("submit", "s-token\n"), ("work", "w-token\n")].map(|(name, text)| file(home.path(), name, text));
    let server = ServerChild::start(&["--pull", "--submit-token-file", &submit, "--work-token-file", &work]).await;
    let post = async |target: &str, token: &str, body: &str| {
        server
            .send("POST", target, &format!("content-type: application/json\r\nauthorization: Bearer {token}\r\n"), body)
            .await
    };
    assert!(post("/v1/events", "s-token", r#"{"id":"a"}"#).await.starts_with("HTTP/1.1 202"));
    let leased = post("/v1/lease", "w-token", r#"{"wait":"50s"}"#).await;
    let run = leased.split("\"run\":\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a run");
    let settle = format!("/v1/runs/{run}/settle");
    let refused = post(&settle, "w-token", r#"{"outcome":"done","then":[{"id":"b"}]}"#).await;
    assert!(refused.starts_with("HTTP/1.1 403") && refused.contains("submit"), "{refused}");
    let settled = post(&settle, "w-token", r#"{"outcome":"done"}"#).await;
    assert!(settled.starts_with("HTTP/1.1 200") && settled.contains("completed"), "{settled}");
}

#[tokio::test]
async fn lines_are_sent_with_the_token_in_a_file() {
    let home = tempfile::tempdir().expect("a directory");
    let [token, lines] =
        [("token", "s-token"), ("lines", "{\"id\":\"a\"}\n")].map(|(name, text)| file(home.path(), name, text));
    let server = ServerChild::start(&["--submit-token-file", &token]).await;
    let send = ["send", &*lines, "--to", &server.url(), "--retries", "0"];
    let (code, stdout, stderr) = run(&[&send[..], &["--token-file", &token]].concat()).await;
    assert!(code == 0 && stdout.contains("1 accepted"), "{stdout} {stderr}");
    let (code, _, stderr) = run(&send).await;
    assert!(code == 1 && stderr.contains("token"), "{stderr}");
}

#[tokio::test]
async fn token_that_cannot_be_read_is_refused() {
    let home = tempfile::tempdir().expect("a directory");
    let empty = file(home.path(), "empty", "\n");
    for path in [empty.as_str(), "/nonexistent/token"] {
        let (code, _, stderr) = run(&["serve", "--listen", "127.0.0.1:0", "--read-token-file", path]).await;
        assert!(code == 2 && stderr.contains(path), "{code}: {stderr}");
    }
}

#[tokio::test]
async fn delivery_is_signed_under_each_secret() {
    let home = tempfile::tempdir().expect("a directory");
    let secret = file(home.path(), "secret", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n");
    let old = file(home.path(), "old", "YWJj");
    let sink = Sink::start(&[]).await;
    let args = ["--deliver", &*sink.url, "--deliver-secret-file", &*old, "--deliver-secret-file", &*secret];
    let server = ServerChild::start(&args).await;
    server.submit("a", "/v1/events", "three apples").await;
    server.until("/v1/events/a", "completed").await;
    let request = &sink.requests()[0];
    let header = |name: &str| request.lines().find_map(|line| line.strip_prefix(&format!("{name}: "))).expect(name);
    let (id, time) = (header("webhook-id"), header("webhook-timestamp").parse().expect("a time"));
    let secrets = ["YWJj", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"].map(eventful::http::sources::Secret::new);
    let due = eventful::http::Signer::new(&secrets).expect("they are base64").header(id, time, b"three apples");
    assert_eq!(header("webhook-signature"), due);
    assert_eq!(due.split(' ').count(), 2);
}

#[tokio::test]
async fn secret_for_deliveries_must_be_one() {
    let home = tempfile::tempdir().expect("a directory");
    let secret = file(home.path(), "secret", "no base64!");
    let args =
        ["serve", "--listen", "127.0.0.1:0", "--deliver", "http://127.0.0.1:9/", "--deliver-secret-file", &*secret];
    let (code, _, stderr) = run(&args).await;
    assert!(code == 2 && stderr.contains("whsec_") && !stderr.contains("no base64!"), "{code}: {stderr}");
}

fn file(directory: &Path, name: &str, text: &str) -> String {
    let path = directory.join(name);
    fs::write(&path, text).expect("a file");
    path.to_str().expect("text").to_owned()
}
