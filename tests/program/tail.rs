//! `eventful tail`, against a server, and against one whose responses are written here.

use std::process::Stdio;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;

use crate::process::{ServerChild, program, run};

const UNAVAILABLE: &str = "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";

#[tokio::test]
async fn facts_of_a_server_are_shown_as_they_happen() {
    let server = ServerChild::start(&[]).await;
    // A cursor of another start of the server: first it says that facts are missing, so it is heard from here on.
    let url = server.url();
    let args = ["tail", "--to", &url, "--after", "1.0", "--count", "4"];
    let mut tail = program(&args).stdout(Stdio::piped()).spawn().expect("it starts");
    let mut lines = BufReader::new(tail.stdout.take().expect("a pipe")).lines();
    let mut next = async || lines.next_line().await.expect("text").expect("a line");
    assert!(next().await.ends_with("missed"));
    server.submit("order-17", "/v1/events?source=shop&type=t", "three apples").await;
    for wanted in
        ["accepted   shop/order-17  t", "started    shop/order-17", "finished   shop/order-17  done  completed"]
    {
        let line = next().await;
        assert!(line.ends_with(wanted), "{wanted}: {line}");
    }
    assert_eq!(tail.wait().await.expect("it ends").code(), Some(0));
}

#[tokio::test]
async fn connection_that_breaks_continues_after_the_last_fact() {
    let (listener, url) = listen().await;
    let args = ["tail", "--to", &url, "--json", "--count", "2", "--source", "s"];
    let server = async {
        // The last fact is not whole.
        let facts = [fact("7.1", "a", "s"), fact("7.2", "b", "t"), "id: 7.3\nevent: acc".to_owned()].concat();
        let first = respond(&listener, &stream(&facts)).await;
        let second = respond(&listener, UNAVAILABLE).await;
        [first, second, respond(&listener, &stream(&fact("7.3", "c", "s"))).await]
    };
    let (requests, (code, output, stderr)) = tokio::join!(server, run(&args));
    assert_eq!(
        requests,
        ["GET /v1/facts HTTP/1.1", "GET /v1/facts?after=7%2E2 HTTP/1.1", "GET /v1/facts?after=7%2E2 HTTP/1.1"]
    );
    let shown: Vec<serde_json::Value> = output.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let wanted = [("a", "7.1"), ("c", "7.3")];
    let wanted =
        wanted.map(|(id, cursor)| serde_json::json!({"id": id, "source": "s", "fact": "accepted", "cursor": cursor}));
    assert_eq!((code, shown), (0, wanted.to_vec()), "{stderr}");
    assert!(stderr.contains("the connection has ended: it is made again"), "{stderr}");
}

#[tokio::test]
async fn server_that_is_not_there_or_refuses_ends_it_at_once() {
    let (code, _, stderr) = run(&["tail", "--to", "http://127.0.0.1:1"]).await;
    assert!(code == 1 && stderr.contains("is the server at"), "{stderr}");
    for (status, wanted, exit) in
        [("401 Unauthorized", "--token-file", 1), ("400 Bad Request", "400", 2), ("503 No", "503", 1)]
    {
        let (listener, url) = listen().await;
        let response = format!("HTTP/1.1 {status}\r\ncontent-length: 2\r\n\r\nno");
        let args = ["tail", "--after", "x", "--to", &url];
        let (request, (code, _, stderr)) = tokio::join!(respond(&listener, &response), run(&args));
        assert!(code == exit && stderr.contains(wanted), "{status}: {code} {stderr}");
        assert_eq!(request, "GET /v1/facts?after=x HTTP/1.1");
    }
    let (code, _, stderr) = run(&["tail", "--count", "0"]).await;
    assert!(code == 2 && stderr.contains("is not in 1.."), "{stderr}");
}

/// Accepts a connection, responds to its request with this, and closes it. Returns the first line of the request.
async fn respond(listener: &TcpListener, response: &str) -> String {
    let (mut stream, _) = listener.accept().await.expect("a connection");
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        request.push(stream.read_u8().await.expect("a whole head"));
    }
    stream.write_all(response.as_bytes()).await.expect("it is taken");
    String::from_utf8(request).expect("text").lines().next().unwrap_or_default().to_owned()
}

fn stream(facts: &str) -> String {
    format!("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n{facts}")
}

fn fact(cursor: &str, id: &str, source: &str) -> String {
    format!("id: {cursor}\nevent: accepted\ndata: {{\"id\":\"{id}\",\"source\":\"{source}\"}}\n\n")
}

async fn listen() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    (listener, url)
}
