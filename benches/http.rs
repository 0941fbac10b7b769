//! Requests over loopback against a bare axum route that reads the body and responds with 202.
//!
//! Sixteen connections are kept busy by a client that does as little as it can, on the same runtime as the server: what it
//! costs is in both figures, and pulls the ratio towards one.

mod ids;
mod report;
mod stopwatch;
mod turns;

use std::net::SocketAddr;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::post;
use bytes::Bytes;
use eventful::http::{Limits, serve};
use eventful::{Attempt, Config, Event, Eventful, Failure};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

const CONNECTIONS: usize = 16;
const LINES: u64 = 1000;

fn main() {
    let (singles, batches, rounds) = if report::quick() { (8_000, 16, 3) } else { (64_000, 128, 7) };
    let singles: Vec<_> = (0..singles).map(single).collect();
    let batches: Vec<_> = (0..batches).map(batch).collect();
    let rows = [row("single", &singles, 1, rounds), row("batch of 1,000", &batches, LINES, rounds)];
    let heads = ["requests", "eventful/s", "bare axum/s", "× bare"];
    report::print_table(&format!("HTTP, events a second, {rounds} rounds, medians"), heads, &rows);
}

fn row(name: &str, requests: &[Bytes], events_each: u64, rounds: usize) -> [String; 4] {
    let [ours, bare] = turns::take_turns(
        rounds,
        [&mut || rate(requests, events_each, start_eventful), &mut || rate(requests, events_each, start_bare)],
    );
    [name.into(), format!("{ours:.0}"), format!("{bare:.0}"), format!("{:.2}", ours / bare)]
}

/// Returns a request with an id in its header, and 256 bytes of payload.
fn single(n: u64) -> Bytes {
    request("/v1/events", &format!("idempotency-key: {}\r\n", ids::uuid(n)), &"x".repeat(256))
}

/// Returns a request whose lines have payloads of 256 bytes.
fn batch(n: u64) -> Bytes {
    let payload = "x".repeat(254);
    let line = |n| format!("{{\"id\":\"{}\",\"payload\":\"{payload}\"}}\n", ids::uuid(n));
    let lines: String = (n * LINES..(n + 1) * LINES).map(line).collect();
    request("/v1/events/batch", "content-type: application/x-ndjson\r\n", &lines)
}

fn request(path: &str, headers: &str, body: &str) -> Bytes {
    format!("POST {path} HTTP/1.1\r\nhost: localhost\r\n{headers}content-length: {}\r\n\r\n{body}", body.len()).into()
}

/// Returns the events per second, with a fresh server.
fn rate(requests: &[Bytes], events_each: u64, start: fn(TcpListener)) -> f64 {
    let runtime = Runtime::new().expect("a runtime");
    let clients = runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        start(listener);
        connect(address).await
    });
    let parts: Vec<_> = requests.chunks(requests.len().div_ceil(CONNECTIONS)).map(<[_]>::to_vec).collect();
    let took = stopwatch::time(|| runtime.block_on(send_all(clients, parts)));
    (requests.len() as u64 * events_each) as f64 / took.as_secs_f64()
}

fn start_eventful(listener: TcpListener) {
    let handler = |_: Event, _: Attempt| std::future::ready(Ok::<_, Failure>(()));
    let mut config = Config::default();
    config.max_pending = 1_000_000;
    let eventful = Eventful::builder().config(config).start(handler).expect("it starts");
    tokio::spawn(serve(listener, eventful, Limits::default(), std::future::pending()));
}

fn start_bare(listener: TcpListener) {
    let answer = |_: Bytes| async { StatusCode::ACCEPTED };
    let router = Router::new().route("/v1/events", post(answer)).route("/v1/events/batch", post(answer));
    tokio::spawn(async move { axum::serve(listener, router).await });
}

async fn connect(address: SocketAddr) -> Vec<TcpStream> {
    let mut clients = Vec::new();
    for _ in 0..CONNECTIONS {
        let client = TcpStream::connect(address).await.expect("the server listens");
        client.set_nodelay(true).expect("a TCP option");
        clients.push(client);
    }
    clients
}

async fn send_all(clients: Vec<TcpStream>, parts: Vec<Vec<Bytes>>) {
    let senders: JoinSet<()> = clients.into_iter().zip(parts).map(|(client, part)| send(client, part)).collect();
    senders.join_all().await;
}

async fn send(mut client: TcpStream, requests: Vec<Bytes>) {
    let mut answer = Vec::new();
    for request in requests {
        client.write_all(&request).await.expect("the server reads");
        answer.clear();
        while !is_whole(&answer) {
            assert_ne!(client.read_buf(&mut answer).await.expect("an answer"), 0, "the server hung up");
        }
        let head = String::from_utf8_lossy(&answer[..answer.len().min(200)]);
        assert!(head.starts_with("HTTP/1.1 202") || head.starts_with("HTTP/1.1 200"), "{head}");
    }
}

/// Returns whether a response is complete: by its length, or by its last chunk.
fn is_whole(answer: &[u8]) -> bool {
    let Some(end) = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n") else { return false };
    let (head, body) = (String::from_utf8_lossy(&answer[..end]).to_ascii_lowercase(), &answer[end + 4..]);
    match head.split_once("content-length: ") {
        Some((_, rest)) => rest.lines().next().and_then(|length| length.parse().ok()) == Some(body.len()),
        None => body.ends_with(b"0\r\n\r\n"),
    }
}
