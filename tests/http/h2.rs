//! HTTP/2 with prior knowledge.

use std::time::Duration;

use eventful::Config;
use eventful::http::Limits;
use h2::client::SendRequest;
use h2::{Reason, RecvStream};
use tokio::io::AsyncReadExt as _;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::server::TestServer;

type Client = SendRequest<bytes::Bytes>;

/// A client, and the task that drives its connection.
async fn connect(server: &TestServer) -> (Client, tokio::task::JoinHandle<Result<(), h2::Error>>) {
    let stream = TcpStream::connect(server.address).await.expect("a connection");
    let (client, connection) = h2::client::handshake(stream).await.expect("a handshake");
    (client, tokio::spawn(connection))
}

fn request(method: &str, path: &str) -> http::request::Builder {
    http::Request::builder().method(method).uri(format!("http://localhost{path}"))
}

async fn call(client: &Client, request: http::Request<()>, body: &'static str) -> (u16, http::HeaderMap, String) {
    let mut client = client.clone().ready().await.expect("it takes more");
    let (response, mut stream) = client.send_request(request, body.is_empty()).expect("it is sent");
    if !body.is_empty() {
        stream.send_data(body.into(), true).expect("it is sent");
    }
    let (head, body) = response.await.expect("a response").into_parts();
    (head.status.as_u16(), head.headers, read(body).await)
}

async fn read(mut body: RecvStream) -> String {
    let mut text = Vec::new();
    while let Some(part) = body.data().await {
        let part = part.expect("a part");
        body.flow_control().release_capacity(part.len()).expect("it is there");
        text.extend_from_slice(&part);
    }
    String::from_utf8(text).expect("text")
}

#[tokio::test]
async fn requests_share_one_connection() {
    let server = TestServer::default().await;
    let (client, _connection) = connect(&server).await;
    for (number, status, outcome) in [(1, 202, "accepted"), (1, 200, "duplicate"), (2, 202, "accepted")] {
        let submit = request("POST", "/v1/events").header("idempotency-key", format!("e-{number}")).body(());
        let (got, headers, body) = call(&client, submit.expect("a request"), "payload").await;
        assert_eq!((got, headers.contains_key("connection")), (status, false));
        assert!(body.contains(outcome), "{body}");
    }
    let many = (0..200).map(|_| call(&client, request("GET", "/v1/stats").body(()).expect("a request"), ""));
    for call in many.collect::<Vec<_>>() {
        assert_eq!(call.await.0, 200);
    }
}

#[tokio::test]
async fn refusals_are_the_same_as_in_the_older_version() {
    let server = TestServer::default().await;
    let (client, _connection) = connect(&server).await;
    let other = http::Request::builder().uri("http://evil.example/v1/stats").body(()).expect("a request");
    let origin = request("GET", "/v1/stats").header("origin", "https://evil.example").body(()).expect("a request");
    let bad = request("POST", "/v1/events").header("content-type", "application/json").body(()).expect("a request");
    for (request, body, status, kind) in [
        (other, "", 421, "misdirected"),
        (origin, "", 403, "cross_site"),
        (bad, "{", 400, "invalid"),
        (request("GET", "/none").body(()).expect("a request"), "", 404, "not_found"),
    ] {
        let (got, _, problem) = call(&client, request, body).await;
        assert!(got == status && problem.contains(kind), "{got} {problem}");
    }
}

#[tokio::test]
async fn client_that_resets_each_request_is_given_up() {
    let server = TestServer::default().await;
    let (client, connection) = connect(&server).await;
    let mut client = client;
    for _ in 0..100_000 {
        let Ok(ready) = client.ready().await else { break };
        client = ready;
        let Ok((_, mut stream)) = client.send_request(request("GET", "/v1/stats").body(()).expect("a request"), false)
        else {
            break;
        };
        stream.send_reset(Reason::CANCEL);
        if connection.is_finished() {
            break;
        }
    }
    let ended = connection.await.expect("no panic").expect_err("it is given up");
    // The reason is lost when the connection ends while the client still sends.
    assert!(ended.is_io() || ended.reason() == Some(Reason::ENHANCE_YOUR_CALM), "{ended}");
    assert_eq!(server.get("/livez").await.status, 200);
}

#[tokio::test]
async fn floods_end_their_connection_or_are_taken() {
    const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    let server = TestServer::default().await;
    let head = |kind: u8, flags: u8, stream: u8, len: u8| [0, 0, len, kind, flags, 0, 0, 0, stream];
    // HEADERS without END_HEADERS, which CONTINUATION without an end follows.
    let open = [&head(1, 0, 1, 3)[..], &[0x82, 0x86, 0x84]].concat();
    for (name, begin, frame, is_taken) in [
        ("ping", &[][..], [&head(6, 0, 0, 8)[..], &[0; 8]].concat(), true),
        ("settings", &[], [&head(4, 0, 0, 6)[..], &[0, 4, 0, 1, 0, 0]].concat(), true),
        ("unknown", &[], [&head(0x42, 0, 0, 8)[..], &[0; 8]].concat(), true),
        ("empty data", &[], head(0, 0, 1, 0).to_vec(), false),
        ("continuation", &open, [&head(9, 0, 1, 8)[..], &[0; 8]].concat(), false),
        ("window", &[], [&head(8, 0, 0, 4)[..], &[0x7f, 0xff, 0xff, 0xff]].concat(), false),
    ] {
        let stream = TcpStream::connect(server.address).await.expect("a connection");
        let (mut responses, mut requests) = stream.into_split();
        let flood = [PREFACE, begin, &frame.repeat(20_000)].concat();
        let mut received = Vec::new();
        // A flood that is refused ends the connection, at any byte of it; one that is taken ends when the client does.
        let exchange = async {
            tokio::join!(responses.read_to_end(&mut received), async {
                let sent = requests.write_all(&flood).await;
                if is_taken {
                    sent.expect("it is taken");
                    requests.shutdown().await.expect("it ends");
                }
            })
        };
        let ended = tokio::time::timeout(Duration::from_secs(100), exchange).await;
        assert!(ended.is_ok(), "{name} does not end");
        assert_eq!(server.get("/livez").await.status, 200, "after {name}");
    }
}

#[tokio::test]
async fn idle_connection_and_half_a_head_are_cut_in_time() {
    let mut limits = Limits::default();
    limits.header_timeout = Duration::from_millis(50);
    limits.close_grace = Duration::from_millis(50);
    let server = TestServer::within(limits, Config::default()).await;
    let half = [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0".as_slice(), &[0, 0, 1, 1, 0, 0, 0, 0, 1, 0x82]]
        .concat();
    for sent in [&half[..33], &half, &half[..10], b""] {
        let mut stream = TcpStream::connect(server.address).await.expect("a connection");
        stream.write_all(sent).await.expect("it is taken");
        let mut rest = Vec::new();
        // Whether it is reset or closed: it ends.
        let _read = stream.read_to_end(&mut rest).await;
    }
}

#[tokio::test]
async fn client_that_takes_no_response_is_cut_in_time() {
    let mut limits = Limits::default();
    limits.write_timeout = Duration::from_millis(50);
    let server = TestServer::within(limits, Config::default()).await;
    // With room for one byte the connection has the whole response, which the client does not take.
    for window in [0, 1] {
        let stream = TcpStream::connect(server.address).await.expect("a connection");
        let (client, connection) = h2::client::Builder::new()
            .initial_window_size(window)
            .handshake::<_, bytes::Bytes>(stream)
            .await
            .expect("a handshake");
        let connection = tokio::spawn(connection);
        let mut client = client.ready().await.expect("it takes one");
        let (response, _) =
            client.send_request(request("GET", "/metrics").body(()).expect("a request"), true).expect("sent");
        let response = response.await.expect("a head");
        assert_eq!(response.status(), 200);
        // Reset or closed: it ends.
        let ended = tokio::time::timeout(Duration::from_secs(100), connection).await;
        assert!(ended.is_ok(), "with a window of {window} it does not end");
    }
}

#[tokio::test]
async fn large_responses_that_are_not_taken_are_bounded_together() {
    let mut limits = Limits::default();
    // One event of the largest size fits at least, so this is the least that there can be.
    (limits.max_inflight_bytes, limits.write_timeout) = (1 << 20, Duration::from_secs(1000));
    let server = TestServer::within(limits, Config::default()).await;
    // What has failed keeps its payload.
    for id in ["bad-a", "bad-b"] {
        let submit = server.call("POST", "/v1/events", &[("idempotency-key", id)], &"x".repeat(120 << 10)).await;
        assert_eq!(submit.status, 202);
        server.until(id, "failed").await;
    }
    let stream = TcpStream::connect(server.address).await.expect("a connection");
    let (client, connection) = h2::client::Builder::new()
        .initial_window_size(1)
        .handshake::<_, bytes::Bytes>(stream)
        .await
        .expect("a handshake");
    let _connection = tokio::spawn(connection);
    let mut statuses = Vec::new();
    let mut open = Vec::new();
    for _ in 0..8 {
        let mut client = client.clone().ready().await.expect("it takes more");
        let list = request("GET", "/v1/events?payload=true").body(()).expect("a request");
        let (response, _) = client.send_request(list, true).expect("it is sent");
        let response = response.await.expect("a head");
        statuses.push(response.status().as_u16());
        open.push(response);
    }
    // Each list is more than 240 KiB.
    assert_eq!(statuses, [200, 200, 200, 200, 503, 503, 503, 503]);
}
