//! `eventful send`

use std::process::Stdio;

use crate::process::{ServerChild, program, run};
use crate::sink::Sink;
use tokio::io::AsyncWriteExt as _;

#[tokio::test]
async fn lines_are_sent_counted_and_sent_again_without_harm() {
    let server = ServerChild::start(&[]).await;
    let lines: String = (0..1200).map(|n| format!("{{\"id\":\"{n}\",\"payload\":{n}}}\n")).collect();
    for summary in ["1200 accepted, 0 duplicate, 0 conflict", "0 accepted, 1200 duplicate, 0 conflict"] {
        let (code, stdout, stderr) = send(&server, &lines).await;
        assert_eq!((code, complaints(&stderr)), (0, Vec::new()));
        assert!(stdout.contains(summary), "{stdout}");
    }
    assert_eq!(server.get("/v1/stats").await["events_accepted_total"], 1200);
}

#[tokio::test]
async fn bad_lines_are_named_and_the_others_are_sent() {
    let server = ServerChild::start(&[]).await;
    let lines = "{\"id\":\"a\",\"payload\":1}\n\nnonsense\n{\"id\":\"a\",\"payload\":2}\n{\"id\":\"b\"}";
    let (code, stdout, stderr) = send(&server, lines).await;
    assert_eq!(code, 1);
    assert!(stdout.contains("2 accepted, 0 duplicate, 1 conflict, 1 invalid, 0 failed"), "{stdout}");
    assert!(stderr.contains("line 3: invalid") && stderr.contains("line 4: conflict"), "{stderr}");
}

#[tokio::test]
async fn byte_order_mark_is_skipped_and_utf16_refused() {
    let server = ServerChild::start(&[]).await;
    let (code, stdout, stderr) = send(&server, b"\xef\xbb\xbf{\"id\":\"a\"}\r\n\xef\xbb\xbf\n{\"id\":\"b\"}").await;
    assert_eq!((code, complaints(&stderr)), (0, Vec::new()));
    assert!(stdout.contains("2 lines") && stdout.contains("2 accepted"), "{stdout}");
    let utf16: Vec<u8> = "\u{feff}{\"id\":\"c\"}\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let (code, _, stderr) = send(&server, &utf16).await;
    assert_eq!(code, 1);
    assert!(stderr.contains("the input is UTF-16"), "{stderr}");
}

#[tokio::test]
async fn lines_that_find_no_room_are_sent_again() {
    let server = ServerChild::start(&["--max-pending", "100", "--overload-retry-after", "1ms"]).await;
    let lines: String = (0..1000).map(|n| format!("{{\"id\":\"{n}\"}}\n")).collect();
    let (code, stdout, _) = send_to(&server.url(), &["--retries", "10000"], &lines).await;
    assert_eq!(code, 0, "{stdout}");
    assert!(stdout.contains("1000 accepted, 0 duplicate, 0 conflict, 0 invalid, 0 failed"), "{stdout}");
}

#[tokio::test]
async fn a_try_that_gets_anywhere_gives_the_retries_back() {
    let server = ServerChild::start(&["--max-pending", "1", "--overload-retry-after", "1ms"]).await;
    let lines: String = (0..200).map(|n| format!("{{\"id\":\"{n}\"}}\n")).collect();
    let (code, stdout, _) = send_to(&server.url(), &["--retries", "100"], &lines).await;
    assert_eq!(code, 0, "{stdout}");
}

#[tokio::test]
async fn client_without_a_server_says_so() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    let (code, stdout, stderr) = run(&["send", file, "--to", "http://127.0.0.1:1", "--retries", "0"]).await;
    assert_eq!(code, 1);
    assert!(stderr.contains("is the server running?") && stdout.contains("0 accepted"), "{stderr}");
    assert!(stderr.contains("gave up at line 1: ") && stderr.contains("send all again"), "{stderr}");
}

#[tokio::test]
async fn lines_after_the_end_of_a_response_are_sent_again() {
    let sink = Sink::start(&[
        "200 OK\r\ncontent-length: 90\r\n\r\n{\"line\":1,\"outcome\":\"accepted\"}\n{\"line\":2,\"outcome\":\"unread\",\"problem\":{\"detail\":\"read\"}}\n",
        "200 OK\r\ncontent-length: 65\r\n\r\n{\"line\":1,\"outcome\":\"accepted\"}\n{\"line\":2,\"outcome\":\"duplicate\"}\n",
    ])
    .await;
    let lines = "{\"id\":\"a\"}\n{\"id\":\"b\"}\n{\"id\":\"c\"}\n";
    let (code, stdout, stderr) = send_to(&sink.url, &["--retries", "1"], lines).await;
    assert_eq!(code, 0, "{stderr}");
    assert!(stdout.contains("2 accepted, 1 duplicate, 0 conflict, 0 invalid, 0 failed"), "{stdout}");
    let second = sink.requests().pop().expect("a second request");
    assert!(second.ends_with("\r\n\r\n{\"id\":\"b\"}\n{\"id\":\"c\"}\n"), "{second}");
}

#[tokio::test]
async fn client_gives_up_at_once_where_no_retry_can_help() {
    let sink = Sink::start(&["404 Not Found"]).await;
    let lines: String = (0..1200).map(|n| format!("{{\"id\":\"{n}\"}}\n")).collect();
    let (code, stdout, stderr) = send_to(&sink.url, &[], &lines).await;
    assert_eq!((code, sink.requests().len()), (1, 1));
    assert!(stderr.contains("gave up at line 1: the server answered 404"), "{stderr}");
    assert!(stdout.contains("0 invalid, 500 failed"), "{stdout}");
}

#[tokio::test]
async fn a_file_that_is_not_there_is_an_error() {
    let (code, _, stderr) = run(&["send", "/nowhere"]).await;
    assert_eq!(code, 1);
    assert!(stderr.contains("cannot read /nowhere"), "{stderr}");
}

async fn send(server: &ServerChild, lines: impl AsRef<[u8]>) -> (i32, String, String) {
    send_to(&server.url(), &[], lines).await
}

async fn send_to(url: &str, args: &[&str], lines: impl AsRef<[u8]>) -> (i32, String, String) {
    let mut child = program(&["send", "-", "--to", url])
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut stdin = child.stdin.take().expect("its input");
    // It may give up before it has read all.
    let _written = stdin.write_all(lines.as_ref()).await;
    drop(stdin);
    let output = child.wait_with_output().await.expect("it ends");
    let text = |bytes| String::from_utf8(bytes).expect("text");
    (output.status.code().expect("a code"), text(output.stdout), text(output.stderr))
}

/// Returns the lines of standard error without those of the progress, which a slow machine shows.
fn complaints(stderr: &str) -> Vec<&str> {
    stderr.lines().filter(|line| !line.ends_with("/s")).collect()
}
