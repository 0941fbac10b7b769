//! A client host: sends its requests, waits for answers with a timeout, and tries again.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;
use turmoil::net::TcpStream;

use super::answers::{self, Heard};
use super::scenario::{Manner, Request};
use super::stage::Stage;
use super::trace::Step;
use super::wire::{self, Response};

/// The server's address.
pub(super) const SERVER: (&str, u16) = ("server", 80);

/// The wait before a request is sent again, times the number of tries so far.
const PAUSE: Duration = Duration::from_millis(12);

/// Goes through the client's requests.
pub(super) async fn live(stage: Arc<Stage>, client: u8) -> turmoil::Result {
    let mut line = Line::new(&stage, client);
    let requests = stage.scenario.requests.iter().enumerate();
    for (index, request) in requests.filter(|(_, request)| request.client == client) {
        let rest = Duration::from_millis(request.at_ms.into()).saturating_sub(stage.clock.elapsed());
        if !rest.is_zero() {
            tokio::time::sleep(rest).await;
        }
        line.see_through(index, request).await;
    }
    Ok(())
}

/// A client and the connection that it keeps.
pub(super) struct Line {
    pub(super) stage: Arc<Stage>,
    client: u8,
    stream: Option<TcpStream>,
}

impl Line {
    pub(super) fn new(stage: &Arc<Stage>, client: u8) -> Self {
        Self { stage: Arc::clone(stage), client, stream: None }
    }

    /// Sends the request until there is an answer that settles it, or it was sent often enough.
    async fn see_through(&mut self, index: usize, request: &Request) {
        let bytes = wire::request(&request.call);
        for again in 0..request.tries.max(1) {
            if again > 0 {
                tokio::time::sleep(PAUSE * again.into()).await;
                self.stage.with(|notes, _| notes.coverage.reach("sent again"));
            }
            self.stage.note(&Step::Sent { client: self.client, request: index, again });
            // A client that goes away does so once; then it is one that wants an answer.
            let manner = if again == 0 { request.manner } else { Manner::OneConnection };
            if self.send(index, request, manner, &bytes).await {
                return;
            }
        }
    }

    /// Answers whether the request is settled.
    async fn send(&mut self, index: usize, request: &Request, manner: Manner, bytes: &[u8]) -> bool {
        if manner != Manner::KeepsConnection {
            self.stream = None;
        }
        let memory = self.stage.with(|notes, _| notes.oracles.memory(notes.ledger.generation, &request.call));
        let answer = match manner {
            Manner::KeepsConnection | Manner::OneConnection => {
                timeout(Duration::from_millis(request.timeout_ms.into()), self.exchange(bytes)).await
            }
            Manner::HangsUp { after_ms } => {
                self.stage.with(|notes, _| notes.coverage.reach("client hangs up"));
                timeout(Duration::from_millis(after_ms.into()), self.exchange(bytes)).await
            }
            Manner::SendsHalf { after_ms } => {
                self.stage.with(|notes, _| notes.coverage.reach("client sends half"));
                timeout(Duration::from_millis(after_ms.into()), self.exchange(&bytes[..bytes.len() / 2])).await
            }
        };
        let (server, response) = match answer {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => return self.fail(index, "connection refused or cut"),
            Err(_) => return self.fail(index, "no answer in time"),
        };
        if !response.reusable || manner != Manner::KeepsConnection {
            self.stream = None;
        }
        let heard = Heard { client: self.client, index, server, response, memory };
        answers::hear(&self.stage, &request.call, &heard)
    }

    fn fail(&mut self, index: usize, why: &'static str) -> bool {
        self.stream = None;
        self.stage.with(|notes, now| {
            notes.coverage.reach(why);
            notes.trace.note(now, &Step::Unanswered { client: self.client, request: index, why });
        });
        false
    }

    /// Sends the bytes, and waits for an answer and for who gave it.
    pub(super) async fn exchange(&mut self, bytes: &[u8]) -> io::Result<(u32, Response)> {
        if self.stream.is_none() {
            self.stream = Some(TcpStream::connect(SERVER).await?);
        }
        let Some(stream) = &mut self.stream else { return Err(io::ErrorKind::NotConnected.into()) };
        stream.write_all(bytes).await?;
        let mut read = Vec::with_capacity(1024);
        loop {
            if let Some(response) = wire::response(&read) {
                let local = stream.local_addr()?;
                return Ok((self.stage.with(|notes, _| notes.ledger.server_of(local)), response));
            }
            if stream.read_buf(&mut read).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }
}
