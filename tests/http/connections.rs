//! Connections that fail, and clients that read nothing.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use eventful::http::{Limits, Listener, serve};
use eventful::{Attempt, Durability, Event, Eventful, Failure};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

use crate::disk::TroubledDisk;
use crate::server::TestServer;

const REQUEST: &[u8] = b"GET /metrics HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";

#[tokio::test(start_paused = true)]
async fn next_connection_is_served_after_one_was_not_accepted() {
    let (mut client, io) = duplex(1 << 20);
    serve_all([Err(io::ErrorKind::ConnectionAborted.into()), Ok(io)]);
    client.write_all(REQUEST).await.expect("it is taken");
    assert!(rest(&mut client).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test(start_paused = true)]
async fn client_that_does_not_read_its_response_is_disconnected() {
    let (mut client, io) = duplex(100);
    serve_all([Ok(io)]);
    client.write_all(REQUEST).await.expect("it is taken");
    tokio::time::sleep(Limits::default().write_timeout + Duration::from_secs(1)).await;
    assert_eq!(rest(&mut client).await.len(), 100);
}

#[tokio::test(start_paused = true)]
async fn client_that_reads_slowly_gets_its_whole_response() {
    let (mut client, io) = duplex(100);
    serve_all([Ok(io)]);
    client.write_all(REQUEST).await.expect("it is taken");
    let mut answer = Vec::new();
    while client.read_buf(&mut answer).await.expect("more of the answer") > 0 {
        tokio::time::sleep(Limits::default().write_timeout / 2).await;
    }
    assert!(answer.ends_with(b"\n") && answer.len() > 1000);
}

#[tokio::test(start_paused = true)]
async fn a_head_that_does_not_fit_is_refused() {
    let (mut client, io) = duplex(1 << 20);
    serve_all([Ok(io)]);
    let request = format!("GET /livez HTTP/1.1\r\nhost: localhost\r\nx: {}\r\n\r\n", "x".repeat(200_000));
    client.write_all(request.as_bytes()).await.expect("it is taken");
    assert!(rest(&mut client).await.starts_with("HTTP/1.1 431"));
}

#[tokio::test(start_paused = true)]
async fn client_that_sends_is_not_cut_though_it_reads_nothing() {
    let (mut client, io) = duplex(100);
    serve_all([Ok(io)]);
    let head = "POST /v1/events/batch HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 110\r\n\r\n";
    client.write_all(head.as_bytes()).await.expect("it is taken");
    for n in 0..10 {
        tokio::time::sleep(Limits::default().write_timeout / 2).await;
        client.write_all(format!("{{\"id\":\"{n}\"}}\n").as_bytes()).await.expect("it is taken");
    }
    assert_eq!(rest(&mut client).await.matches(r#""outcome":"accepted""#).count(), 10);
}

#[tokio::test(start_paused = true)]
async fn past_the_limit_only_probes_are_served() {
    let (clients, connections) = connections(4);
    let [mut first, mut probe, mut other, mut after] = <[_; 4]>::try_from(clients).expect("four");
    let (more, listener) = Given::growing(connections);
    serve_from(one_connection(), listener);
    take_only_slot(&mut first, &more).await;
    more.add(2);
    for (client, path, status) in [(&mut probe, "/readyz", "HTTP/1.1 200"), (&mut other, "/v1/stats", "HTTP/1.1 503")] {
        client.write_all(format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n").as_bytes()).await.expect("it is taken");
        let answer = rest(client).await;
        assert!(answer.starts_with(status) && answer.contains("connection: close"), "{answer}");
        assert_eq!(
            answer.contains("retry-after: 1") && answer.contains("1 connections are open"),
            status.ends_with("503")
        );
    }
    first.shutdown().await.expect("it ends");
    assert!(rest(&mut first).await.ends_with("alive\n"));
    more.add(1);
    after.write_all(REQUEST).await.expect("it is taken");
    assert!(rest(&mut after).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test(start_paused = true)]
async fn probe_over_http2_leaves_the_reserve_with_its_response() {
    let (clients, connections) = connections(2);
    let [mut first, probe] = <[_; 2]>::try_from(clients).expect("two");
    let (more, listener) = Given::growing(connections);
    serve_from(one_connection(), listener);
    take_only_slot(&mut first, &more).await;
    more.add(1);
    let (mut client, connection) = h2::client::handshake(probe).await.expect("a handshake");
    let connection = tokio::spawn(connection);
    let request = http::Request::builder().uri("http://x/readyz").body(()).expect("a request");
    let (response, _) = client.send_request(request, true).expect("it is sent");
    assert_eq!(response.await.expect("a response").status(), 200);
    connection.await.expect("no panic").expect("it ends without an error, although the client is still there");
}

#[tokio::test(start_paused = true)]
async fn connection_that_comes_when_others_have_left_is_served_whole() {
    let (clients, connections) = connections(2);
    let [mut first, mut next] = <[_; 2]>::try_from(clients).expect("two");
    let (more, listener) = Given::growing(connections);
    serve_from(one_connection(), listener);
    more.add(1);
    first.write_all(b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n").await.expect("it is taken");
    // Meanwhile the server waits for the next one with a slot of the reserve.
    first.shutdown().await.expect("it ends");
    assert!(rest(&mut first).await.ends_with("alive\n"));
    more.add(1);
    next.write_all(b"GET /v1/stats HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.expect("it is taken");
    let answer = rest(&mut next).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[tokio::test(start_paused = true)]
async fn idle_connections_leave_room_for_probes_in_time() {
    let (mut clients, connections) = connections(2 + Limits::RESERVED_CONNECTIONS);
    let mut probe = clients.pop().expect("the last one");
    serve_within(one_connection(), connections.into_iter().map(Ok));
    probe.write_all(b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n").await.expect("it is taken");
    let answer = tokio::time::timeout(Duration::from_secs(5), rest(&mut probe)).await.expect("an answer in time");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[tokio::test(start_paused = true)]
async fn half_closed_client_gets_all_its_responses() {
    for (requests, responses) in [
        (REQUEST.to_vec(), 1),
        (b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n".repeat(3), 3),
        (b"POST /v1/events HTTP/1.1\r\nhost: x\r\nidempotency-key: a\r\ncontent-length: 1\r\n\r\n1".to_vec(), 1),
        (b"POST /v1/events/batch HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n{\"id\":\"a\"}".to_vec(), 1),
        (b"POST /v1/pause HTTP/1.0\r\ncontent-length: 0\r\n\r\n".to_vec(), 1),
        // The client of half a request gets the error that it was only half.
        (b"POST /v1/events HTTP/1.1\r\nhost: x\r\nidempotency-key: a\r\ncontent-length: 9\r\n\r\n1".to_vec(), 1),
    ] {
        let (mut client, io) = duplex(1 << 20);
        serve_all([Ok(io)]);
        client.write_all(&requests).await.expect("it is taken");
        client.shutdown().await.expect("it is closed");
        let read = rest(&mut client).await;
        assert_eq!(read.matches("HTTP/1.").count(), responses, "{read}");
    }
}

#[tokio::test]
async fn half_closed_client_gets_its_response_once_it_is_durable() {
    let server = TestServer::durable(TroubledDisk::with_thread().store(), Durability::default()).await;
    for n in 0..60 {
        let mut stream = TcpStream::connect(server.address).await.expect("a connection");
        let head =
            format!("POST /v1/events HTTP/1.1\r\nhost: localhost\r\nidempotency-key: {n}\r\ncontent-length: 1\r\n\r\n");
        stream.write_all(format!("{head}1").as_bytes()).await.expect("it is taken");
        stream.shutdown().await.expect("it is closed");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("an answer");
        assert!(answer.starts_with("HTTP/1.1 202"), "{n}: {answer}");
    }
}

#[tokio::test(start_paused = true)]
async fn vanished_client_frees_its_slot_with_its_response() {
    let (clients, connections) = connections(2);
    let [mut gone, mut next] = <[_; 2]>::try_from(clients).expect("two");
    let (more, listener) = Given::growing(connections);
    serve_from(one_connection(), listener);
    more.add(1);
    gone.write_all(REQUEST).await.expect("it is taken");
    drop(gone);
    tokio::time::sleep(Duration::from_secs(3)).await;
    more.add(1);
    next.write_all(REQUEST).await.expect("it is taken");
    assert!(rest(&mut next).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test(start_paused = true)]
async fn slow_upload_is_cut_only_when_nothing_arrives() {
    let head =
        "POST /v1/events HTTP/1.1\r\nhost: x\r\nconnection: close\r\nidempotency-key: a\r\ncontent-length: 100\r\n\r\n";
    for (bytes, status) in [(100, "HTTP/1.1 202"), (99, "HTTP/1.1 408")] {
        let (mut client, io) = duplex(1 << 20);
        serve_all([Ok(io)]);
        client.write_all(head.as_bytes()).await.expect("it is taken");
        for _ in 0..bytes {
            tokio::time::sleep(Limits::default().body_timeout * 9 / 10).await;
            client.write_all(b"x").await.expect("it is taken");
        }
        let answer = rest(&mut client).await;
        assert!(answer.starts_with(status), "{answer}");
    }
}

#[tokio::test(start_paused = true)]
async fn stalled_uploads_hold_what_arrived_and_no_more_than_all_may() {
    const BODY: usize = 100_000;
    let mut limits = Limits::default();
    limits.max_inflight_bytes = 5 << 20;
    let (mut clients, connections) = connections(100);
    serve_within(limits, connections.into_iter().map(Ok));
    let head = |id: usize| {
        format!(
            "POST /v1/events HTTP/1.1\r\nhost: x\r\nconnection: close\r\nidempotency-key: {id}\r\ncontent-length: {BODY}\r\n\r\n"
        )
    };
    // Heads alone, and one byte each, take next to no memory.
    for (id, client) in clients.iter_mut().enumerate() {
        client.write_all((head(id) + "x").as_bytes()).await.expect("it is taken");
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    let mut refused = 0;
    for client in &mut clients {
        client.write_all(&[b'x'; BODY - 2]).await.expect("it is taken");
        tokio::time::sleep(Duration::from_millis(10)).await;
        let mut answer = [0; 12];
        let read = tokio::time::timeout(Duration::from_millis(1), client.read_exact(&mut answer)).await;
        refused += usize::from(read.is_ok() && &answer == b"HTTP/1.1 503");
    }
    assert_eq!(refused, 100 - (5 << 20) / BODY, "as many are held as there is room for");
    // The others end, and release their room.
    let mut taken = 0;
    for client in &mut clients {
        if client.write_all(b"x").await.is_ok() {
            taken += usize::from(rest(client).await.contains("HTTP/1.1 202"));
        }
    }
    assert_eq!(taken, (5 << 20) / BODY);
}

/// Connects a client that takes the only slot, and keeps it.
async fn take_only_slot(client: &mut DuplexStream, more: &More) {
    more.add(1);
    client.write_all(b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n").await.expect("it is taken");
    let mut read = [0; 12];
    client.read_exact(&mut read).await.expect("an answer");
}

fn one_connection() -> Limits {
    let mut limits = Limits::default();
    limits.max_connections = 1;
    limits
}

fn connections(count: usize) -> (Vec<DuplexStream>, Vec<DuplexStream>) {
    (0..count).map(|_| duplex(1 << 20)).unzip()
}

fn serve_all<const N: usize>(connections: [io::Result<DuplexStream>; N]) {
    serve_within(Limits::default(), connections);
}

fn serve_within(limits: Limits, connections: impl IntoIterator<Item = io::Result<DuplexStream>>) {
    let connections: VecDeque<_> = connections.into_iter().collect();
    let count = connections.len();
    serve_from(limits, Given { connections, there: Arc::new(Semaphore::new(count)) });
}

fn serve_from(limits: Limits, listener: Given) {
    let eventful = Eventful::builder().start(succeed).expect("it starts");
    tokio::spawn(serve(listener, eventful, limits, std::future::pending()));
}

async fn succeed(_: Event, _: Attempt) -> Result<(), Failure> {
    Ok(())
}

async fn rest(client: &mut DuplexStream) -> String {
    let mut answer = String::new();
    client.read_to_string(&mut answer).await.expect("an answer");
    answer
}

/// A listener that returns these connections, one after the other, and then none.
struct Given {
    connections: VecDeque<io::Result<DuplexStream>>,
    /// The number of them that can be accepted.
    there: Arc<Semaphore>,
}

/// Lets further connections be accepted.
struct More(Arc<Semaphore>);

impl More {
    fn add(&self, count: usize) {
        self.0.add_permits(count);
    }
}

impl Given {
    fn growing(connections: Vec<DuplexStream>) -> (More, Self) {
        let there = Arc::new(Semaphore::new(0));
        (More(Arc::clone(&there)), Self { connections: connections.into_iter().map(Ok).collect(), there })
    }
}

impl Listener for Given {
    type Io = DuplexStream;

    async fn accept(&mut self) -> io::Result<DuplexStream> {
        let Some(given) = self.there.acquire().await.ok().and_then(|permit| {
            permit.forget();
            self.connections.pop_front()
        }) else {
            return std::future::pending().await;
        };
        given
    }
}
