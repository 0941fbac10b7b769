//! Connections that fail, and clients that take nothing.

use std::collections::VecDeque;
use std::io;
use std::time::Duration;

use eventful::http::{Limits, Listener, serve};
use eventful::{Attempt, Event, Eventful, Failure};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};

const REQUEST: &[u8] = b"GET /metrics HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";

#[tokio::test(start_paused = true)]
async fn after_a_connection_that_was_not_accepted_the_next_one_is_served() {
    let (mut client, io) = duplex(1 << 20);
    serve_all([Err(io::ErrorKind::ConnectionAborted.into()), Ok(io)]);
    client.write_all(REQUEST).await.expect("it is taken");
    assert!(rest(&mut client).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_read_its_answer_is_cut() {
    let (mut client, io) = duplex(100);
    serve_all([Ok(io)]);
    client.write_all(REQUEST).await.expect("it is taken");
    tokio::time::sleep(Limits::default().write_timeout + Duration::from_secs(1)).await;
    assert_eq!(rest(&mut client).await.len(), 100);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_reads_slowly_gets_its_whole_answer() {
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
    let request = format!("GET /livez HTTP/1.1\r\nhost: x\r\nx: {}\r\n\r\n", "x".repeat(200_000));
    client.write_all(request.as_bytes()).await.expect("it is taken");
    assert!(rest(&mut client).await.starts_with("HTTP/1.1 431"));
}

#[tokio::test(start_paused = true)]
async fn past_the_limit_a_connection_waits_for_another_to_end() {
    let ((mut first, one), (mut second, other)) = (duplex(1 << 20), duplex(1 << 20));
    let mut limits = Limits::default();
    limits.max_connections = 1;
    serve_within(limits, [Ok(one), Ok(other)]);
    second.write_all(REQUEST).await.expect("it is taken");
    let early = tokio::time::timeout(Duration::from_secs(1), second.read_u8()).await;
    assert!(early.is_err(), "it was served next to the first one");
    first.shutdown().await.expect("it ends");
    assert!(rest(&mut second).await.starts_with("HTTP/1.1 200"));
}

fn serve_all<const N: usize>(connections: [io::Result<DuplexStream>; N]) {
    serve_within(Limits::default(), connections);
}

fn serve_within<const N: usize>(limits: Limits, connections: [io::Result<DuplexStream>; N]) {
    let eventful = Eventful::builder().start(succeed).expect("it starts");
    tokio::spawn(serve(Given(connections.into()), eventful, limits, std::future::pending()));
}

async fn succeed(_: Event, _: Attempt) -> Result<(), Failure> {
    Ok(())
}

async fn rest(client: &mut DuplexStream) -> String {
    let mut answer = String::new();
    client.read_to_string(&mut answer).await.expect("an answer");
    answer
}

/// Gives these, one after the other, and then none.
struct Given(VecDeque<io::Result<DuplexStream>>);

impl Listener for Given {
    type Io = DuplexStream;

    async fn accept(&mut self) -> io::Result<DuplexStream> {
        match self.0.pop_front() {
            Some(given) => given,
            None => std::future::pending().await,
        }
    }
}
