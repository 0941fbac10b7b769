//! A run as data: what clients ask, what handlers do, what goes wrong, and when.

use eventful::Config;
use serde::{Deserialize, Serialize};

use super::inside::Inside;
use super::journal::JournalSetup;
pub use super::manner::ClientManner;
pub use super::outage::Outage;
use crate::disk::Ailment;
use crate::scenario::Settings;

/// The engine's configuration, and what is around it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkSetup {
    /// Client hosts.
    pub clients: u8,
    /// The longest delay of a message.
    pub latency_ms: u32,
    /// How many passes of the adapter's open points yield, of a thousand.
    pub yields_per_mille: u32,
    /// The engine's configuration.
    pub settings: Settings,
    /// The journal; none in memory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub journal: Option<JournalSetup>,
    /// What the handler does with certain events. It completes any other at once.
    pub scripts: Vec<HandlerScript>,
}

impl NetworkSetup {
    /// The engine's configuration.
    pub fn config(&self) -> Config {
        let mut config = self.settings.config();
        if let Some(journal) = &self.journal {
            config.sync_grace = journal.sync_grace();
        }
        config
    }
}

/// The number of an event's key: `3` stands for the id `e3`.
pub type KeyNumber = u8;

/// One of the payloads that submissions of a key may have.
pub type PayloadNumber = u8;

/// One thing that a client asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// By this client.
    pub client: u8,
    /// Not before this time.
    pub at_ms: u32,
    /// For this.
    pub call: ClientCall,
    /// How often it is sent, at most.
    pub tries: u8,
    /// How long the client waits for each answer.
    pub timeout_ms: u32,
    /// How the client behaves.
    pub manner: ClientManner,
}

impl Request {
    /// What is asked for, as it is sent.
    pub fn call_sent(&self) -> ClientCall {
        match (&self.call, self.manner) {
            (ClientCall::Batch(items), ClientManner::SendsAllFirst { copies }) => {
                ClientCall::Batch(items.repeat(usize::from(copies.max(1))))
            }
            (call, _) => call.clone(),
        }
    }
}

/// What a client asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum ClientCall {
    /// Takes an event in.
    Submit(SubmittedItem),
    /// The same, with the id in a header.
    SubmitByHeader(SubmittedItem),
    /// Takes several in.
    Batch(Vec<SubmittedItem>),
    /// A record.
    Look(KeyNumber),
    /// A page of records.
    List,
    /// Another life for a failed event.
    Redrive(KeyNumber),
    /// Another life for all that have failed.
    RedriveAll,
    /// The end of an event.
    Discard(KeyNumber),
    /// No more starts.
    Pause,
    /// Starts again.
    Resume,
    /// The numbers as JSON.
    Stats,
    /// The numbers as text.
    Metrics,
    /// Whether it is ready.
    Ready,
}

impl ClientCall {
    /// The event that it is about, if it is about one.
    pub(super) const fn key(&self) -> Option<KeyNumber> {
        match self {
            Self::Submit(item) | Self::SubmitByHeader(item) => Some(item.key),
            Self::Look(key) | Self::Redrive(key) | Self::Discard(key) => Some(*key),
            Self::Batch(_) | Self::List | Self::RedriveAll | Self::Pause | Self::Resume => None,
            Self::Stats | Self::Metrics | Self::Ready => None,
        }
    }
}

/// An event that is submitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SubmittedItem {
    /// Its key.
    pub key: KeyNumber,
    /// Its payload.
    pub payload: PayloadNumber,
}

/// What the handler does with an event: at its first run the first turn, and so on; the last turn
/// is repeated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HandlerScript {
    /// The event's key.
    pub key: KeyNumber,
    /// What is done, run by run.
    pub turns: Vec<ScriptTurn>,
}

/// What the handler does in one run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScriptTurn {
    /// How long it takes.
    pub takes_ms: u32,
    /// How it ends.
    pub ending: HandlerEnding,
}

/// How a run of the handler ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[allow(missing_docs, reason = "the docs of the variants name the fields")]
pub enum HandlerEnding {
    /// With success.
    Done,
    /// With an error.
    Retry,
    /// With an error, and a wish to come back that long after.
    RetryAfter { after_ms: u32 },
    /// With an error for good.
    Permanent,
    /// Too early by so much.
    Snooze { delay_ms: u32 },
    /// Without what it needs, such as a descriptor, and a wish to come back that long after.
    Shortage { delay_ms: u32 },
    /// With a panic.
    Panic,
    /// With a panic before there is a future.
    PanicAtCall,
    /// Not at all.
    Hang,
    /// Not at all, with heartbeats so far apart.
    BeatForEver { every_ms: u32 },
    /// With success, while another task of the handler goes on for so long, whatever happens to the run.
    LeaveTask { for_ms: u32 },
}

/// Something that goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkFault {
    /// When.
    pub at_ms: u32,
    /// What.
    pub kind: NetworkFaultKind,
}

/// What can go wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[allow(missing_docs, reason = "the docs of the variants name the fields")]
pub enum NetworkFaultKind {
    /// Between a client and the server.
    Link { client: u8, trouble: LinkFault, for_ms: u32 },
    /// The server's process ends, and there is another one after so long.
    Outage { outage: Outage, down_ms: u32 },
    /// Inside the adapter, in so many passes, one after the other.
    Disturb { disturbance: AdapterFault, passes: u8 },
    /// An operator pauses the engine.
    Pause { for_ms: u32 },
    /// Under the journal: so many of the next operations that it can strike.
    Disk { trouble: Ailment, times: u8 },
    /// The disk under the journal has no more room than what is kept for outcomes.
    DiskFull { for_ms: u32 },
    /// In the server's own program.
    Inside(Inside),
    /// The disk under the journal does not respond: what its writer does next takes until the end of this.
    DiskBlocks { for_ms: u32 },
    /// The directory of the journal cannot be found, or its disk cannot be asked.
    DiskGone { for_ms: u32 },
}

/// How a link misbehaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[allow(missing_docs, reason = "the docs of the variants name the fields")]
pub enum LinkFault {
    /// Nothing gets through.
    Partition,
    /// Nothing gets to the server.
    PartitionToServer,
    /// Nothing gets to the client.
    PartitionToClient,
    /// Everything waits.
    Hold,
    /// Messages take so long.
    Slow { latency_ms: u32 },
    /// So many messages of a thousand are lost.
    Loss { per_mille: u32 },
}

/// How the adapter is disturbed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum AdapterFault {
    /// The channel has no room.
    ChannelFull,
    /// The channel's receiver goes while a ticket is sent.
    ReceiverDroppedAtSend,
    /// A ticket is lost.
    TicketLost,
    /// The channel's receiver goes while a ticket is taken.
    ReceiverDroppedAtTake,
    /// The dispatcher panics with a permit in its hand.
    DispatcherPanics,
    /// The sweeper panics.
    SweeperPanics,
    /// A worker panics before it calls the handler.
    WorkerPanicsAtStart,
    /// A worker panics before it tells the outcome.
    WorkerPanicsBeforeSettle,
    /// A worker panics when it has told the outcome.
    WorkerPanicsAfterSettle,
    /// The shutdown panics.
    ShutdownPanics,
    /// A panic under the lock while a ticket is sent.
    EngineBreaksAtSend,
    /// A panic under the lock while a ticket is taken.
    EngineBreaksAtTake,
    /// The disk takes 25 ms for what the journal's writer does next.
    JournalStalls,
    /// The journal's writer panics.
    WriterPanics,
}
