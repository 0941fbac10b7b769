//! A run as data: requests of clients, behaviour of handlers, and faults with their times.

use eventful::Config;
use serde::{Deserialize, Serialize};

use super::inside::Inside;
use super::journal::JournalSetup;
pub use super::manner::ClientManner;
pub use super::outage::Outage;
use crate::disk::Ailment;
use crate::scenario::Settings;

/// The engine's configuration and its environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkSetup {
    /// The number of client hosts.
    pub clients: u8,
    /// The longest delay of a message.
    pub latency_ms: u32,
    /// The number of passes of the adapter's open hook points, of a thousand, that yield.
    pub yields_per_mille: u32,
    /// The engine's configuration.
    pub settings: Settings,
    /// The journal; none if the engine is only in memory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub journal: Option<JournalSetup>,
    /// The behaviour of the handler for certain events. Any other event completes at once.
    pub scripts: Vec<HandlerScript>,
}

impl NetworkSetup {
    /// Returns the engine's configuration.
    pub fn config(&self) -> Config {
        let mut config = self.settings.config();
        if let Some(journal) = &self.journal {
            config.sync_grace = journal.sync_grace();
        }
        config
    }
}

/// The number of an event's key: `3` means the id `e3`.
pub type KeyNumber = u8;

/// The number of one of the payloads of a key.
pub type PayloadNumber = u8;

/// One request of a client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// The client.
    pub client: u8,
    /// The time before which it is not sent.
    pub at_ms: u32,
    /// The call.
    pub call: ClientCall,
    /// The greatest number of tries.
    pub tries: u8,
    /// The timeout of each try.
    pub timeout_ms: u32,
    /// The behaviour of the client.
    pub manner: ClientManner,
}

impl Request {
    /// Returns the call as it is sent, with copies of a batch's items.
    pub fn call_sent(&self) -> ClientCall {
        match (&self.call, self.manner) {
            (ClientCall::Batch(items), ClientManner::SendsAllFirst { copies }) => {
                ClientCall::Batch(items.repeat(usize::from(copies.max(1))))
            }
            (call, _) => call.clone(),
        }
    }
}

/// A call of a client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum ClientCall {
    /// Submits an event.
    Submit(SubmittedItem),
    /// Submits an event, with the id in a header.
    SubmitByHeader(SubmittedItem),
    /// Submits several events.
    Batch(Vec<SubmittedItem>),
    /// Reads a record.
    Look(KeyNumber),
    /// Lists a page of records.
    List,
    /// Redrives a failed event.
    Redrive(KeyNumber),
    /// Redrives all failed events.
    RedriveAll,
    /// Discards an event.
    Discard(KeyNumber),
    /// Pauses starts.
    Pause,
    /// Resumes starts.
    Resume,
    /// Reads the numbers as JSON.
    Stats,
    /// Reads the numbers as text.
    Metrics,
    /// Reads the readiness.
    Ready,
}

impl ClientCall {
    /// Returns the event that the call is about, if it is about one.
    pub(super) const fn key(&self) -> Option<KeyNumber> {
        match self {
            Self::Submit(item) | Self::SubmitByHeader(item) => Some(item.key),
            Self::Look(key) | Self::Redrive(key) | Self::Discard(key) => Some(*key),
            Self::Batch(_) | Self::List | Self::RedriveAll | Self::Pause | Self::Resume => None,
            Self::Stats | Self::Metrics | Self::Ready => None,
        }
    }
}

/// An event to submit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SubmittedItem {
    /// Its key.
    pub key: KeyNumber,
    /// Its payload.
    pub payload: PayloadNumber,
}

/// The behaviour of the handler for one event: the first turn is for its first run, and so on; the last turn is
/// repeated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HandlerScript {
    /// The event's key.
    pub key: KeyNumber,
    /// The behaviour, run by run.
    pub turns: Vec<ScriptTurn>,
}

/// The behaviour of the handler in one run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScriptTurn {
    /// The time until the end.
    pub takes_ms: u32,
    /// The end.
    pub ending: HandlerEnding,
}

/// The end of a run of the handler.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[allow(missing_docs, reason = "the docs of the variants name the fields")]
pub enum HandlerEnding {
    /// Returns success.
    Done,
    /// Returns an error, to be retried.
    Retry,
    /// Returns an error, to be retried this long after.
    RetryAfter { after_ms: u32 },
    /// Returns a permanent error.
    Permanent,
    /// Snoozes: too early by this time.
    Snooze { delay_ms: u32 },
    /// Snoozes for lack of a resource, such as a descriptor, to be tried again this long after.
    Shortage { delay_ms: u32 },
    /// Panics in its future.
    Panic,
    /// Panics before it returns a future.
    PanicAtCall,
    /// Never ends.
    Hang,
    /// Never ends, with a heartbeat at this interval.
    BeatForEver { every_ms: u32 },
    /// Returns success, with a follow-up.
    Follow,
    /// Adds a follow-up, and returns an error, to be retried.
    FollowAndRetry,
    /// Returns success, while a task of it continues this long, whatever happens to the run.
    LeaveTask { for_ms: u32 },
}

/// A fault at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkFault {
    /// The time at which the fault begins.
    pub at_ms: u32,
    /// The fault.
    pub kind: NetworkFaultKind,
}

/// The kind of a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[allow(missing_docs, reason = "the docs of the variants name the fields")]
pub enum NetworkFaultKind {
    /// A link between a client and the server misbehaves.
    Link { client: u8, trouble: LinkFault, for_ms: u32 },
    /// The server's process ends, and another one starts this long after.
    Outage { outage: Outage, down_ms: u32 },
    /// The adapter is disturbed in this many passes, one after the other.
    Disturb { disturbance: AdapterFault, passes: u8 },
    /// An operator pauses the engine.
    Pause { for_ms: u32 },
    /// The next operations of the disk that this can strike, this many.
    Disk { trouble: Ailment, times: u8 },
    /// The disk under the journal has no free space but the reserve for outcomes.
    DiskFull { for_ms: u32 },
    /// The server's own program acts.
    Inside(Inside),
    /// The disk under the journal does not respond: the writer's next operation takes until the end of the fault.
    DiskBlocks { for_ms: u32 },
    /// The directory of the journal cannot be found, or its disk cannot be queried.
    DiskGone { for_ms: u32 },
}

/// The way in which a link misbehaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[allow(missing_docs, reason = "the docs of the variants name the fields")]
pub enum LinkFault {
    /// No message arrives.
    Partition,
    /// No message to the server arrives.
    PartitionToServer,
    /// No message to the client arrives.
    PartitionToClient,
    /// Every message waits until the end of the fault.
    Hold,
    /// Messages take this long.
    Slow { latency_ms: u32 },
    /// Of a thousand messages this many are lost.
    Loss { per_mille: u32 },
}

/// The way in which the adapter is disturbed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum AdapterFault {
    /// The channel has no room.
    ChannelFull,
    /// The channel's receiver is dropped while a ticket is sent.
    ReceiverDroppedAtSend,
    /// A ticket is lost.
    TicketLost,
    /// The channel's receiver is dropped while a ticket is taken.
    ReceiverDroppedAtTake,
    /// The dispatcher panics while it holds a permit.
    DispatcherPanics,
    /// The sweeper panics.
    SweeperPanics,
    /// A worker panics before it calls the handler.
    WorkerPanicsAtStart,
    /// A worker panics before it reports the outcome.
    WorkerPanicsBeforeSettle,
    /// A worker panics after it reported the outcome.
    WorkerPanicsAfterSettle,
    /// The shutdown panics.
    ShutdownPanics,
    /// A panic under the lock while a ticket is sent, which breaks the engine.
    EngineBreaksAtSend,
    /// A panic under the lock while a ticket is taken, which breaks the engine.
    EngineBreaksAtTake,
    /// The next operation of the journal's writer takes 25 ms.
    JournalStalls,
    /// The journal's writer panics.
    WriterPanics,
}
