//! Clients that submit until the server has responded, however often it dies meanwhile.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::{Request, Response};
use hyper_util::client::legacy::Client as Pool;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use tokio::sync::Notify;

use crate::ledger::{ClientLedger, SubmitResponse};

/// The address of the server in each of its lives.
#[derive(Default)]
pub(crate) struct ServerAddress {
    now: Mutex<ServerLife>,
    moved: Notify,
}

#[derive(Debug, Clone, Default)]
struct ServerLife {
    number: u32,
    address: String,
    /// True if it will not be killed.
    last: bool,
}

impl ServerAddress {
    /// Opens the address of the server's next life.
    pub(crate) fn open(&self, address: &str, last: bool) {
        let mut now = self.now.lock().expect("the place");
        *now = ServerLife { number: now.number + 1, address: address.to_owned(), last };
        self.moved.notify_waiters();
    }

    fn now(&self) -> ServerLife {
        self.now.lock().expect("the place").clone()
    }

    /// Waits for the life after the one with this number.
    async fn after(&self, number: u32) -> ServerLife {
        loop {
            let moved = self.moved.notified();
            let now = self.now();
            if now.number > number {
                return now;
            }
            moved.await;
        }
    }
}

/// Numbers that follow from a seed (splitmix64).
pub(crate) struct SplitMix(u64);

impl SplitMix {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Returns a number below the bound.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }
}

/// A client: one request at a time.
pub(crate) struct OneRequestClient {
    name: u64,
    chance: SplitMix,
    ledger: Arc<ClientLedger>,
    place: Arc<ServerAddress>,
    pool: Pool<HttpConnector, Full<Bytes>>,
    /// The submissions that it has sent.
    sent: Vec<Submission>,
}

#[derive(Debug, Clone)]
struct Submission {
    id: String,
    payload: String,
}

/// The server hung up, or cannot respond now.
struct NoAnswer;

impl OneRequestClient {
    pub(crate) fn new(name: u64, ledger: &Arc<ClientLedger>, place: &Arc<ServerAddress>) -> Self {
        let pool = Pool::builder(TokioExecutor::new()).build_http();
        let (ledger, place) = (Arc::clone(ledger), Arc::clone(place));
        Self { name, chance: SplitMix::new(name), ledger, place, pool, sent: Vec::new() }
    }

    /// Submits until the server is in its last life, and has responded to everything.
    pub(crate) async fn run(mut self) {
        let mut life = self.place.after(0).await;
        while !life.last {
            let mut rest = self.compose();
            while !rest.is_empty() {
                if self.send(&life.address, &mut rest).await.is_err() {
                    assert!(!life.last, "the server hangs up, and no one has killed it");
                    life = self.place.after(life.number).await;
                }
            }
            life = self.place.now();
        }
    }

    /// Returns one event, or a batch of more than the server takes at once.
    fn compose(&mut self) -> Vec<Submission> {
        let count = if self.chance.below(8) == 0 { 65 + self.chance.below(30) } else { 1 };
        (0..count).map(|_| self.submission()).collect()
    }

    /// Returns mostly a new event; now and then an old one, one with another payload, or one that other clients send,
    /// too.
    fn submission(&mut self) -> Submission {
        let (name, number) = (self.name, self.sent.len());
        let old = usize::try_from(self.chance.below(number as u64 + 1)).expect("an index");
        let old = self.sent.get(old).cloned();
        let padding = "x".repeat(usize::try_from(self.chance.below(600)).expect("a length"));
        match (self.chance.below(10), old) {
            (0, Some(old)) => old,
            (1, Some(old)) => Submission { payload: format!("\"other than {number}\""), ..old },
            (2, _) => self.remember(Submission { id: format!("all-{number}"), payload: format!("{}", name % 2) }),
            _ => {
                let payload = format!("{{\"from\":{name},\"padding\":\"{padding}\"}}");
                self.remember(Submission { id: format!("{name}-{number}"), payload })
            }
        }
    }

    fn remember(&mut self, submission: Submission) -> Submission {
        self.sent.push(submission.clone());
        submission
    }

    /// Sends what is left, and removes what has a result.
    async fn send(&self, address: &str, rest: &mut Vec<Submission>) -> Result<(), NoAnswer> {
        match &rest[..] {
            [one] => {
                let known = self.ledger.known(&one.id);
                let answer = self.send_one(address, one).await?;
                if let Some(answer) = answer {
                    self.ledger.note(&one.id, &one.payload, &known, answer);
                    rest.clear();
                }
                Ok(())
            }
            _ => self.send_batch(address, rest).await,
        }
    }

    async fn send_one(&self, address: &str, one: &Submission) -> Result<Option<SubmitResponse>, NoAnswer> {
        let request = Request::post(format!("http://{address}/v1/events")).header("idempotency-key", &one.id);
        let request = request.body(Full::from(one.payload.clone())).expect("a request");
        let response = self.pool.request(request).await.map_err(|_| NoAnswer)?;
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.map_err(|_| NoAnswer)?.to_bytes();
        let body: Value = serde_json::from_slice(&body).expect("JSON");
        let outcome = match status {
            202 => "accepted",
            200 => "duplicate",
            409 => "conflict",
            503 => "later",
            _ => panic!("an unexpected answer: {body}"),
        };
        Ok(answer(outcome, &body, &body))
    }

    /// Counts every result that arrives, also when the rest does not.
    async fn send_batch(&self, address: &str, rest: &mut Vec<Submission>) -> Result<(), NoAnswer> {
        let known: Vec<_> = rest.iter().map(|one| self.ledger.known(&one.id)).collect();
        let lines: Vec<_> = rest
            .iter()
            .map(|Submission { id, payload }| format!("{{\"id\":\"{id}\",\"payload\":{payload}}}\n"))
            .collect();
        let request = Request::post(format!("http://{address}/v1/events/batch"));
        let request = request.body(Full::from(lines.concat())).expect("a request");
        let response = self.pool.request(request).await.map_err(|_| NoAnswer)?;
        assert_eq!(response.status(), 200);
        let (results, whole) = read_lines(response).await;
        let mut left = Vec::new();
        for (at, submission) in rest.drain(..).enumerate() {
            let Some(line) = results.get(at) else {
                left.push(submission);
                continue;
            };
            assert_eq!(line["line"], at + 1);
            match answer(line["outcome"].as_str().expect("an outcome"), line, &line["problem"]) {
                Some(answer) => self.ledger.note(&submission.id, &submission.payload, &known[at], answer),
                None => left.push(submission),
            }
        }
        *rest = left;
        if whole { Ok(()) } else { Err(NoAnswer) }
    }
}

/// Returns the lines that have arrived whole, and whether these were all.
async fn read_lines(response: Response<Incoming>) -> (Vec<Value>, bool) {
    let (mut body, mut text, mut whole) = (response.into_body(), Vec::new(), true);
    while let Some(frame) = body.frame().await {
        match frame {
            Ok(frame) => text.extend_from_slice(frame.data_ref().map_or(&[][..], |data| data)),
            Err(_) => whole = false,
        }
        if !whole {
            break;
        }
    }
    let lines = text.split_inclusive(|byte| *byte == b'\n').filter(|line| line.ends_with(b"\n"));
    (lines.map(|line| serde_json::from_slice(line).expect("JSON")).collect(), whole)
}

/// Returns the result of a submission; none when it is to be sent again.
fn answer(outcome: &str, body: &Value, problem: &Value) -> Option<SubmitResponse> {
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    match outcome {
        "accepted" => Some(SubmitResponse::Accepted),
        "duplicate" => Some(SubmitResponse::Duplicate { status: text(&body["status"]) }),
        "conflict" => Some(SubmitResponse::Conflict { stored_digest: text(&problem["stored_digest"]) }),
        _ => None,
    }
}
