//! The reference model: the engine as a program that is as simple as possible.
//!
//! Every list is a list and every search visits everything. Decisions are applied to a [`ReferenceState`], as facts.
//! Everything that a caller can see of an engine (result, effects, facts, records, counts, the next deadline) the
//! model has too.

mod admission;
mod channel;
mod counts;
mod failed;
mod follow_ups;
mod gates;
mod operator;
mod run;
mod schedules;
mod sweep;
mod tickets;

use eventful::{
    Config, Key, Status, Timestamp,
    engine::{
        Answer, Command, DropReason, DroppedFailure, Effect, Epoch, ErrorText, Phase, RunId,
        facts::{Change, Fact},
    },
};

pub use counts::{Label, ModelCounts};
pub use tickets::{ModelChannel, ModelTicket, TicketContent};

use super::{Numbering as _, ReferenceRecord, ReferenceState, Register};
use crate::scenario::EventNumber;

/// An engine without optimization.
#[derive(Debug, Clone)]
pub struct Model {
    /// The latest time that it was given.
    pub now: Timestamp,
    /// The phase of the engine.
    pub phase: Phase,
    /// True if expiry is held.
    pub holds_expiry: bool,
    /// The state of the facts: the records, and their sums.
    pub expected: ReferenceState,
    /// The numbers of the keys that it has seen.
    pub keys: Register,
    /// The times at which the runs in flight must end, in the order of their starts.
    pub deadlines: Vec<(RunId, Timestamp)>,
    /// Waiting records whose time has not come or was not yet noticed, by that time.
    pub delayed: Vec<(Timestamp, EventNumber)>,
    /// Eligible records that wait at gates of groups, in the order of their arrival.
    pub grouped: Vec<EventNumber>,
    /// Records that have the turn in their groups.
    pub turns: Vec<EventNumber>,
    /// Eligible records that wait at gates of types, in the order of their arrival.
    pub gated: Vec<EventNumber>,
    /// Eligible records without a ticket that may start, first in first out.
    pub line: Vec<EventNumber>,
    /// The tickets sent and not presented.
    pub channel: ModelChannel,
    /// Terminal records, in the order in which they ended.
    pub ended: Vec<EventNumber>,
    /// The number of runs started since the opening.
    pub runs: u64,
    /// The counters of everything but facts.
    pub tallies: ModelCounts,
    /// Failed events that were forgotten.
    pub dropped: Vec<Dropped>,
    effects: Vec<Effect>,
    facts: Vec<Fact>,
}

/// A failed event that was forgotten.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dropped {
    /// Its key.
    pub key: Key,
    /// The time at which it failed.
    pub failed_at: Timestamp,
    /// The number of runs that were started.
    pub attempt: u32,
    /// Its last error.
    pub error: Option<ErrorText>,
    /// The reason why it was forgotten.
    pub why: DropReason,
}

impl From<&DroppedFailure> for Dropped {
    fn from(dropped: &DroppedFailure) -> Self {
        let DroppedFailure { key, failed_at, attempt, error, why, .. } = dropped.clone();
        Self { key, failed_at, attempt, error, why }
    }
}

/// The response to a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelResponse {
    /// The result for its caller.
    pub answer: Answer,
    /// The effects that are to be performed, in order.
    pub effects: Vec<Effect>,
    /// The facts that were decided, in order.
    pub facts: Vec<Fact>,
}

impl Model {
    /// Creates an empty engine, opened at `now`.
    pub fn new(config: Config, now: Timestamp) -> Self {
        let mut model = Self {
            now,
            phase: Phase::Running,
            holds_expiry: false,
            expected: ReferenceState::new(config),
            keys: Register::default(),
            deadlines: Vec::new(),
            delayed: Vec::new(),
            grouped: Vec::new(),
            turns: Vec::new(),
            gated: Vec::new(),
            line: Vec::new(),
            channel: ModelChannel::default(),
            ended: Vec::new(),
            runs: 0,
            tallies: ModelCounts::default(),
            dropped: Vec::new(),
            effects: Vec::new(),
            facts: Vec::new(),
        };
        model.decide(Change::Epoch(Epoch::new(now.as_micros())));
        model.facts.clear();
        model
    }

    /// Executes a command. Returns the result, the effects and the facts that the engine must have. A `now` before the
    /// last one counts as the last one.
    pub fn execute(&mut self, now: Timestamp, command: &Command) -> ModelResponse {
        self.now = self.now.max(now);
        let answer = self.dispatch(command);
        self.feed();
        ModelResponse { answer, effects: std::mem::take(&mut self.effects), facts: std::mem::take(&mut self.facts) }
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
            Command::PauseGroup { group, paused } => self.pause_group(group, *paused),
            Command::SetSchedules(names) => self.set_schedules(names),
            Command::Tick(tick) => self.tick(tick),
            Command::HoldExpiry => self.hold_expiry(true),
            Command::ReleaseExpiry => self.hold_expiry(false),
            Command::Shutdown => self.shutdown(),
            Command::AbortInflight => self.abort_inflight(),
        }
    }

    /// Applies a fact. The caller changes the lists.
    fn decide(&mut self, change: Change) {
        let fact = Fact { at: self.now, change };
        self.apply(&fact);
        self.facts.push(fact);
    }

    fn apply(&mut self, fact: &Fact) {
        self.expected.apply(fact, &self.keys).expect("the model's facts follow from each other");
    }

    /// Returns the configuration.
    pub fn config(&self) -> &Config {
        &self.expected.config
    }

    /// Returns the epoch.
    pub fn epoch(&self) -> Epoch {
        self.expected.epoch.unwrap_or_default()
    }

    /// Returns the record of `key`, unless its retention has ended: swept or not, it is absent then.
    pub fn record(&self, key: &Key) -> Option<&ReferenceRecord> {
        self.find(key).map(|event| self.known(event))
    }

    /// Returns the event of `key`, unless its retention has ended.
    fn find(&self, key: &Key) -> Option<EventNumber> {
        self.keys.number(key).filter(|event| self.expected.present(*event, self.now).is_some())
    }

    /// Returns every record with its key, in the order of keys, those past their retention included until they are
    /// forgotten.
    pub fn records(&self) -> impl Iterator<Item = (&Key, &ReferenceRecord)> {
        self.keys.all().filter_map(|(key, event)| Some((key, self.expected.record(event)?)))
    }

    /// Returns the keys of the records of this status, as [`Self::records`] has them.
    pub fn records_with(&self, status: Status) -> impl Iterator<Item = &Key> {
        self.records().filter(move |(_, record)| record.status() == status).map(|(key, _)| key)
    }

    /// Returns the time at which the next record reaches the end of its retention.
    pub fn next_expiry(&self) -> Option<Timestamp> {
        self.expected.all().filter_map(|(_, record)| self.expected.forgets_at(record.stage)).min()
    }

    /// Returns all counters.
    pub fn counts(&self) -> ModelCounts {
        self.tallies.clone().with_facts(&self.expected.counts)
    }

    /// Returns the time at which a run in flight must end.
    pub fn deadline(&self, run: RunId) -> Option<Timestamp> {
        self.deadlines.iter().find(|(other, _)| *other == run).map(|(_, at)| *at)
    }

    fn known(&self, event: EventNumber) -> &ReferenceRecord {
        self.expected.record(event).expect("only numbers of records are in the model's lists")
    }

    fn key(&self, event: EventNumber) -> Key {
        self.known(event).event.key().clone()
    }
}
