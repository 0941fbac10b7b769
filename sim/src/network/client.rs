//! A client host: sends its requests, waits for responses with a timeout, and tries again.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::error::Elapsed;
use tokio::time::timeout;
use turmoil::net::TcpStream;

use super::calm::Lull;
use super::oracle::answered;
use super::responses::{self, Heard};
use super::run_context::RunContext;
use super::scenario::{ClientCall, ClientManner, Request};
use super::step::NetworkStep;
use super::window::FlowWindow;
use super::wire::{self, HttpResponse};
use crate::spelling::variant;

/// The server's address.
pub(super) const SERVER: (&str, u16) = ("server", 80);

/// The timeout of a client that sends everything before it reads. Far longer than the `unread_patience` and
/// `write_timeout` of the server, so the server is the one that gives up.
const PATIENT: Duration = Duration::from_secs(5);

/// The bytes in flight of a connection with small buffers, in each direction: less than a batch and its results.
const WINDOW_BYTES: usize = 500;

/// The pause before a request is sent again, for each try so far. Longer than two ticks, so that the next try can meet
/// another state.
const PAUSE: Duration = Duration::from_millis(12);

/// Sends the client's requests in their order.
pub(super) async fn live(stage: Arc<RunContext>, client: u8) -> turmoil::Result {
    let mut line = ClientLine::new(&stage, client);
    let requests = stage.scenario.operations.iter().enumerate();
    for (index, request) in requests.filter(|(_, request)| request.client == client) {
        let rest = Duration::from_millis(request.at_ms.into()).saturating_sub(stage.clock.elapsed());
        if !rest.is_zero() {
            tokio::time::sleep(rest).await;
        }
        line.see_through(index, request).await;
    }
    Ok(())
}

/// A client with the connection that it keeps.
pub(super) struct ClientLine {
    pub(super) stage: Arc<RunContext>,
    client: u8,
    stream: Option<TcpStream>,
}

impl ClientLine {
    pub(super) fn new(stage: &Arc<RunContext>, client: u8) -> Self {
        Self { stage: Arc::clone(stage), client, stream: None }
    }

    /// Sends the request until a response settles it, or the number of tries is used up.
    async fn see_through(&mut self, index: usize, request: &Request) {
        let call = request.call_sent();
        let bytes = wire::request(&call);
        for again in 0..request.tries.max(1) {
            if again > 0 {
                tokio::time::sleep(PAUSE * again.into()).await;
                self.stage.with(|notes, _| notes.coverage.reach("sent again"));
            }
            self.stage.note(&NetworkStep::Sent { client: self.client, request: index, again });
            // A client that hangs up does so on the first try only; afterwards it waits for its response.
            let manner = if again == 0 { request.manner } else { ClientManner::OneConnection };
            if self.send(index, request, &call, manner, &bytes).await {
                return;
            }
        }
    }

    /// Sends the request once. Returns whether it is settled.
    async fn send(
        &mut self,
        index: usize,
        request: &Request,
        call: &ClientCall,
        manner: ClientManner,
        bytes: &[u8],
    ) -> bool {
        if manner != ClientManner::KeepsConnection {
            self.stream = None;
        }
        let memory = self.stage.with(|notes, _| notes.oracles.memory(notes.ledger.generation, call));
        let owed = OwedAnswer::new(self, manner);
        let patience = Duration::from_millis(request.timeout_ms.into());
        let (server, response) = match self.behave(manner, patience, bytes).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => return self.fail(index, owed.cut, "connection refused or cut"),
            Err(_) => return self.fail(index, owed.silent, "no answer in time"),
        };
        if !response.reusable || manner != ClientManner::KeepsConnection {
            self.stream = None;
        }
        let heard = Heard { client: self.client, index, server, response, memory };
        responses::hear(&self.stage, call, &heard)
    }

    async fn behave(&mut self, manner: ClientManner, patience: Duration, bytes: &[u8]) -> Waited {
        self.stage.with(|notes, _| notes.coverage.reach(&format!("client: {}", variant(&manner, ' '))));
        let after = |after_ms: u32| Duration::from_millis(after_ms.into());
        match manner {
            ClientManner::KeepsConnection | ClientManner::OneConnection => {
                timeout(patience, self.exchange(bytes)).await
            }
            ClientManner::HangsUp { after_ms } => timeout(after(after_ms), self.exchange(bytes)).await,
            ClientManner::SendsHalf { after_ms } => {
                timeout(after(after_ms), self.exchange(&bytes[..bytes.len() / 2])).await
            }
            ClientManner::ClosesSending => timeout(patience, self.close_and_hear(bytes)).await,
            ClientManner::SendsAllFirst { .. } => timeout(PATIENT, self.send_all_first(bytes)).await,
        }
    }

    /// Notes a missing response, which is a failure if it was owed all the time.
    fn fail(&mut self, index: usize, owed: Option<Lull>, why: &'static str) -> bool {
        self.stream = None;
        self.stage.with(|notes, _| {
            // A panic that breaks the engine also ends the connection whose request caused it.
            if owed.is_some() && owed == notes.calm.lull(self.client) && !notes.armed.has_broken() {
                let is_cut = why == "connection refused or cut";
                notes.judge(Err(if is_cut { answered::cut(index) } else { answered::silent(index) }));
            }
        });
        self.stage.with(|notes, now| {
            notes.coverage.reach(why);
            notes.trace.note(now, &NetworkStep::Unanswered { client: self.client, request: index, why });
        });
        false
    }

    /// Sends the bytes. Returns the response and the server process that sent it.
    pub(super) async fn exchange(&mut self, bytes: &[u8]) -> io::Result<(u32, HttpResponse)> {
        self.stream().await?.write_all(bytes).await?;
        self.hear(None).await
    }

    /// Does the same, and closes the sending side behind the bytes.
    async fn close_and_hear(&mut self, bytes: &[u8]) -> io::Result<(u32, HttpResponse)> {
        let stream = self.stream().await?;
        stream.write_all(bytes).await?;
        stream.shutdown().await?;
        self.hear(None).await
    }

    /// Does the same over small buffers, so that a server that does not read blocks the client, and the other way
    /// round.
    async fn send_all_first(&mut self, mut bytes: &[u8]) -> io::Result<(u32, HttpResponse)> {
        let local = self.stream().await?.local_addr()?;
        let window = Narrowed::new(self.stage.windows.of(local));
        while !bytes.is_empty() {
            let room = window.0.to_server.room().await.min(bytes.len());
            self.stream().await?.write_all(&bytes[..room]).await?;
            window.0.to_server.wrote(room);
            bytes = &bytes[room..];
        }
        self.hear(Some(&window.0)).await
    }

    /// Closes the connection; the next request opens another one.
    pub(super) fn hang_up(&mut self) {
        self.stream = None;
    }

    async fn stream(&mut self) -> io::Result<&mut TcpStream> {
        if self.stream.is_none() {
            self.stream = Some(TcpStream::connect(SERVER).await?);
        }
        self.stream.as_mut().ok_or_else(|| io::ErrorKind::NotConnected.into())
    }

    async fn hear(&mut self, window: Option<&FlowWindow>) -> io::Result<(u32, HttpResponse)> {
        let Some(stream) = &mut self.stream else { return Err(io::ErrorKind::NotConnected.into()) };
        let mut read = Vec::with_capacity(1024);
        loop {
            if let Some(response) = wire::response(&read) {
                let local = stream.local_addr()?;
                return Ok((self.stage.with(|notes, _| notes.ledger.server_of(local)), response));
            }
            let more = stream.read_buf(&mut read).await?;
            if more == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            window.into_iter().for_each(|window| window.to_client.read(more));
        }
    }
}

/// The result of waiting for a response.
type Waited = Result<io::Result<(u32, HttpResponse)>, Elapsed>;

/// The undisturbed conditions in which a request was sent, if they forbid that its connection is cut, or that no
/// response comes.
struct OwedAnswer {
    cut: Option<Lull>,
    silent: Option<Lull>,
}

impl OwedAnswer {
    /// A connection that was kept may be closed by the server before the request arrives; a client with a short
    /// timeout may miss the response.
    fn new(line: &ClientLine, manner: ClientManner) -> Self {
        let lull = line.stage.with(|notes, _| notes.calm.lull(line.client));
        let sends_all = !matches!(manner, ClientManner::SendsHalf { .. });
        let is_patient = matches!(manner, ClientManner::SendsAllFirst { .. });
        Self { cut: lull.filter(|_| line.stream.is_none() && sends_all), silent: lull.filter(|_| is_patient) }
    }
}

/// A flow-control window that is small while its client uses it.
struct Narrowed(Arc<FlowWindow>);

impl Narrowed {
    fn new(window: Arc<FlowWindow>) -> Self {
        window.to_server.limit(Some(WINDOW_BYTES));
        window.to_client.limit(Some(WINDOW_BYTES));
        Self(window)
    }
}

impl Drop for Narrowed {
    fn drop(&mut self) {
        self.0.to_server.limit(None);
        self.0.to_client.limit(None);
    }
}
