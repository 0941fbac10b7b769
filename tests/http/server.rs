//! A server on a free port, and a client that speaks the protocol by hand.

use std::net::SocketAddr;

use eventful::journal::JournalStore;
use eventful::{Attempt, Config, Durability, Event, Eventful, Failure, http};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

pub(crate) struct TestServer {
    pub(crate) eventful: Eventful,
    pub(crate) address: SocketAddr,
}

/// A response, by its parts.
#[derive(Debug)]
pub(crate) struct TestResponse {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl TestServer {
    /// Events whose id begins with `bad` fail permanently; `hung` ones never end; all others succeed.
    pub(crate) async fn start(config: Config) -> Self {
        Self::within(http::Limits::default(), config).await
    }

    pub(crate) async fn within(limits: http::Limits, config: Config) -> Self {
        Self::of(Self::engine(config), limits).await
    }

    pub(crate) fn engine(config: Config) -> Eventful {
        Eventful::builder().config(config).start(handle).expect("it starts")
    }

    /// Starts the same server, with a journal.
    pub(crate) async fn durable(store: impl JournalStore, durability: Durability) -> Self {
        let eventful = Eventful::builder().journal(store, durability).start(handle).expect("it starts");
        Self::of(eventful, http::Limits::default()).await
    }

    pub(crate) async fn of(eventful: Eventful, config: impl Into<http::FrontConfig>) -> Self {
        let listener = listen();
        let address = listener.local_addr().expect("its address");
        tokio::spawn(http::serve(listener, eventful.clone(), config.into(), std::future::pending()));
        Self { eventful, address }
    }

    pub(crate) async fn default() -> Self {
        Self::start(Config::default()).await
    }

    /// Sends these bytes, and reads until the server closes.
    pub(crate) async fn raw(&self, request: &[u8]) -> String {
        let mut stream = TcpStream::connect(self.address).await.expect("a connection");
        stream.write_all(request).await.expect("it is taken");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.expect("an answer");
        String::from_utf8(answer).expect("text")
    }

    pub(crate) async fn call(&self, method: &str, target: &str, headers: &[(&str, &str)], body: &str) -> TestResponse {
        let mut request = format!("{method} {target} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n");
        for (name, value) in headers {
            request += &format!("{name}: {value}\r\n");
        }
        request += &format!("content-length: {}\r\n\r\n{body}", body.len());
        TestResponse::parse(&self.raw(request.as_bytes()).await)
    }

    pub(crate) async fn get(&self, target: &str) -> TestResponse {
        self.call("GET", target, &[], "").await
    }

    pub(crate) async fn envelope(&self, body: &str) -> TestResponse {
        self.call("POST", "/v1/events", &[("content-type", "application/json")], body).await
    }

    /// Polls until the event has this status; gives up after many tries.
    pub(crate) async fn until(&self, id: &str, status: &str) {
        for _ in 0..10_000 {
            if self.get(&format!("/v1/events/{id}")).await.json()["status"] == status {
                return;
            }
        }
        panic!("{id} does not become {status}");
    }
}

/// Listens on a free port, with buffers that are the same on every machine.
fn listen() -> TcpListener {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_send_buffer_size(256 << 10).expect("a small buffer");
    socket.set_recv_buffer_size(256 << 10).expect("a small buffer");
    socket.bind(([127, 0, 0, 1], 0).into()).expect("a free port");
    socket.listen(1024).expect("it listens")
}

impl TestResponse {
    pub(crate) fn parse(text: &str) -> Self {
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("a head: {text:?}"));
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
        let lower =
            |line: &str| line.split_once(": ").map(|(name, value)| format!("{}: {value}\n", name.to_ascii_lowercase()));
        let head: String = head.lines().filter_map(lower).collect();
        let body = if head.contains("transfer-encoding: chunked") { unchunk(body) } else { body.to_owned() };
        Self { status, head, body }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }

    /// Returns whether one of the headers of this name has this value.
    pub(crate) fn has(&self, name: &str, value: &str) -> bool {
        self.head.lines().any(|line| line.strip_prefix(name).and_then(|rest| rest.strip_prefix(": ")) == Some(value))
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {:?}", self.body))
    }

    pub(crate) fn lines(&self) -> Vec<Value> {
        self.body.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
    }

    /// Returns the end of the problem's type.
    pub(crate) fn problem(&self) -> String {
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{self:?}");
        let problem = self.json();
        assert_eq!(problem["status"], self.status);
        let kind = problem["type"].as_str().and_then(|kind| kind.strip_prefix("urn:eventful:problem:"));
        let kind = kind.expect("a type");
        let described = include_str!("../../src/http/openapi.json");
        assert!(described.contains(&format!("\"urn:eventful:problem:{kind}\"")), "{kind} is not described");
        kind.to_owned()
    }
}

pub(crate) async fn handle(event: Event, _attempt: Attempt) -> Result<(), Failure> {
    match &*event.key().id() {
        id if id.starts_with("bad") => Err(Failure::permanent("it is bad")),
        id if id.starts_with("hung") => std::future::pending().await,
        _ => Ok(()),
    }
}

fn unchunk(mut body: &str) -> String {
    let mut out = String::new();
    while let Some((size, rest)) = body.split_once("\r\n") {
        let size = usize::from_str_radix(size, 16).expect("a chunk's size");
        if size == 0 {
            break;
        }
        out += &rest[..size];
        body = &rest[size + 2..];
    }
    out
}
