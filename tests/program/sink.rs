//! A target for deliveries, with responses that a test sets.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

/// At the end of a response: its connection ends there. Alone, there is no response.
pub(crate) const HANGS_UP: &str = "<hangs up>";

/// Responds to each request with the next of its responses, then with 204.
#[derive(Clone)]
pub(crate) struct Sink {
    pub(crate) url: String,
    state: Arc<Mutex<SinkState>>,
    arrived: Arc<Notify>,
}

#[derive(Default)]
struct SinkState {
    responses: VecDeque<&'static str>,
    requests: Vec<String>,
    connections: usize,
}

impl Sink {
    pub(crate) async fn start(responses: &[&'static str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}/hook", listener.local_addr().expect("its address"));
        let state = SinkState { responses: responses.iter().copied().collect(), ..SinkState::default() };
        let sink = Self { url, state: Arc::new(Mutex::new(state)), arrived: Arc::default() };
        tokio::spawn(sink.clone().listen(listener));
        sink
    }

    /// Returns the requests so far, head and body each.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.state.lock().expect("the state").requests.clone()
    }

    pub(crate) fn count(&self) -> usize {
        self.state.lock().expect("the state").requests.len()
    }

    /// Waits for this many requests.
    pub(crate) async fn until(&self, requests: usize) {
        loop {
            let arrived = self.arrived.notified();
            if self.count() >= requests {
                return;
            }
            arrived.await;
        }
    }

    pub(crate) fn connections(&self) -> usize {
        self.state.lock().expect("the state").connections
    }

    async fn listen(self, listener: TcpListener) {
        while let Ok((stream, _)) = listener.accept().await {
            self.state.lock().expect("the state").connections += 1;
            tokio::spawn(self.clone().serve(stream));
        }
    }

    async fn serve(self, mut stream: TcpStream) {
        let mut text = String::new();
        while let Some(request) = next(&mut stream, &mut text).await {
            let answer = self.answer(request);
            let answer = answer.strip_suffix(HANGS_UP).map_or((&*answer, false), |begun| (begun, true));
            let (answer, hangs_up) = answer;
            if stream.write_all(answer.as_bytes()).await.is_err() || hangs_up {
                return;
            }
        }
    }

    fn answer(&self, request: String) -> String {
        let mut state = self.state.lock().expect("the state");
        state.requests.push(request);
        self.arrived.notify_waiters();
        let answer = state.responses.pop_front().unwrap_or("204 No Content");
        if answer.ends_with(HANGS_UP) {
            return answer.to_owned();
        }
        if answer.contains("\r\n\r\n") {
            return format!("HTTP/1.1 {answer}");
        }
        let length =
            if answer.starts_with("204") || answer.contains("content-length") { "" } else { "content-length: 0\r\n" };
        format!("HTTP/1.1 {answer}\r\n{length}\r\n")
    }
}

/// Reads one request.
async fn next(stream: &mut TcpStream, text: &mut String) -> Option<String> {
    loop {
        if let Some((head, _)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
            let end = head.len() + 4 + length.unwrap_or(0);
            if text.len() >= end {
                let rest = text.split_off(end);
                return Some(std::mem::replace(text, rest));
            }
        }
        let mut part = [0; 4096];
        match stream.read(&mut part).await {
            Ok(read) if read > 0 => text.push_str(str::from_utf8(&part[..read]).expect("text")),
            _ => return None,
        }
    }
}
