//! The reference model: what the engine must do, in the plainest words that a program has.
//!
//! Every list is a list and every search looks at everything. What a caller can see of an engine
//! (answers, effects, records, counts, the next deadline) can be asked of the model too.

mod admission;
mod channel;
mod counts;
mod failed;
mod operator;
mod record;
mod run;
mod sweep;
mod tickets;

use std::collections::BTreeMap;

use eventful::{Answer, Command, Config, DropReason, Effect, Epoch, Key, Phase, Status, Timestamp};

pub use counts::{Counts, Label};
pub use record::{Record, State};
pub use tickets::{Channel, Entry, Holds};

/// An engine without cleverness.
#[derive(Debug, Clone)]
pub struct Model {
    /// What it was opened with.
    pub config: Config,
    /// The latest time that it was told.
    pub now: Timestamp,
    /// The time of its opening, in microseconds.
    pub epoch: Epoch,
    /// Where it stands in its own life.
    pub phase: Phase,
    /// Whether the start of new runs is stopped.
    pub paused: bool,
    /// Whether sweeps forget nothing.
    pub holds_expiry: bool,
    /// All that it remembers.
    pub records: BTreeMap<Key, Record>,
    /// Waiting records whose time has not come or was not yet noticed, in order of that time.
    pub delayed: Vec<(Timestamp, Key)>,
    /// Eligible records without a ticket, first in first out.
    pub line: Vec<Key>,
    /// The tickets sent and not presented.
    pub channel: Channel,
    /// Runs started since the opening.
    pub runs: u64,
    /// Times that an event came to an end since the opening.
    pub ends: u64,
    /// Everything that is counted.
    pub counts: Counts,
    /// Failed events that were forgotten, and why.
    pub dropped: Vec<(Key, DropReason)>,
    effects: Vec<Effect>,
}

impl Model {
    /// An empty engine, opened at `now`.
    pub fn new(config: Config, now: Timestamp) -> Self {
        Self {
            config,
            now,
            epoch: Epoch::new(now.as_micros()),
            phase: Phase::Running,
            paused: false,
            holds_expiry: false,
            records: BTreeMap::new(),
            delayed: Vec::new(),
            line: Vec::new(),
            channel: Channel::default(),
            runs: 0,
            ends: 0,
            counts: Counts::default(),
            dropped: Vec::new(),
            effects: Vec::new(),
        }
    }

    /// What the engine must answer and do. A `now` before the last one counts as the last one.
    pub fn execute(&mut self, now: Timestamp, command: &Command) -> (Answer, Vec<Effect>) {
        self.now = self.now.max(now);
        let answer = self.dispatch(command);
        self.feed();
        (answer, std::mem::take(&mut self.effects))
    }

    fn dispatch(&mut self, command: &Command) -> Answer {
        match command {
            Command::Submit(event) => self.submit(event),
            Command::Reject(rejection) => self.reject(*rejection),
            Command::Start(ticket) => self.start(*ticket),
            Command::Settle { run, outcome } => self.settle(*run, outcome),
            Command::Heartbeat(run) => self.heartbeat(*run),
            Command::EnqueueFailed { ticket, cause } => self.enqueue_failed(*ticket, *cause),
            Command::ChannelLost => self.channel_lost(),
            Command::Sweep => self.sweep(),
            Command::Redrive(key) => self.redrive(key),
            Command::Discard(key) => self.discard(key),
            Command::Pause => self.pause(true),
            Command::Resume => self.pause(false),
            Command::HoldExpiry => self.hold_expiry(true),
            Command::ReleaseExpiry => self.hold_expiry(false),
            Command::Shutdown => self.shutdown(),
            Command::AbortInflight => self.abort_inflight(),
        }
    }

    /// The record of `key`, unless its retention is over: swept or not, it is absent then.
    pub fn record(&self, key: &Key) -> Option<&Record> {
        self.records.get(key).filter(|record| !self.is_expired(record))
    }

    /// Keys of the records of this status, those past their retention included until they are
    /// forgotten.
    pub fn records_with(&self, status: Status) -> impl Iterator<Item = &Key> {
        self.records.iter().filter(move |(_, record)| record.status() == status).map(|(key, _)| key)
    }

    /// Records that are not terminal.
    pub fn pending(&self) -> usize {
        self.records.values().filter(|record| !record.status().is_terminal()).count()
    }

    /// Bytes of the events that are not terminal.
    pub fn bytes(&self) -> usize {
        self.records.values().filter(|record| !record.status().is_terminal()).map(Record::kept_bytes).sum()
    }

    /// When the next record reaches the end of its retention.
    pub fn next_expiry(&self) -> Option<Timestamp> {
        self.records.values().filter_map(|record| self.expiry(record)).min()
    }

    fn is_expired(&self, record: &Record) -> bool {
        self.expiry(record).is_some_and(|expiry| expiry <= self.now)
    }

    fn expiry(&self, record: &Record) -> Option<Timestamp> {
        let is_failed = record.status() == Status::Failed;
        let retention = if is_failed { self.config.failed_retention? } else { self.config.retention };
        record.terminal_at().map(|at| at + retention)
    }

    fn record_mut(&mut self, key: &Key) -> &mut Record {
        self.records.get_mut(key).expect("only keys of records are in the model's lists")
    }
}
