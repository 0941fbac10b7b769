//! The sans-IO core: a state machine without a clock, without I/O and without threads.
//!
//! | file | topic |
//! |---|---|
//! | `command`, `answer`, `effect` | commands, their results, and the work of the driver that follows |
//! | `submit`, `run`, `operator`, `channel`, `sweep` | the decisions, by topic |
//! | `schedule`, `schedules` | schedules and how far they are, and what becomes of their instants |
//! | `follow_ups` | events that are accepted together with the completion of another one |
//! | `failed` | for how long failed events are kept, and how many bytes of them |
//! | [`facts`]: `fact`, `state`, `replay`, `restore` | facts, the one place where they change records, and recovery |
//! | `types`, `group_policies`, `patterns`, `run_limits` | policies by type and by group, and what they bound |
//! | `group`, `groups`, `gates`, `gating` | the gates before the line, those of groups and those of types |
//! | `downtime` | time that does not count toward retention |
//! | `tickets`, `delayed`, `runs` | tickets in the channel, records that wait for their time, runs in flight |
//! | `store` | the records |
//! | `reads`, `filter`, `view`, `explain` | reads of records |
//! | `metrics`, `summed` | numbers of one engine, and of several together |
//! | `check`, `fingerprint` | the check of invariants, the hash of the state |
//! | `shard`, `share` | the division of keys, and of a configuration, among several engines |
//! | `event`, `attributes`, `invalid_event`, `payload`, `key`, `digest` | events and their parts |
//! | `status`, `ids`, `time`, `rfc3339`, `config`, `thresholds`, `backoff` | other values, and the configuration |

mod answer;
mod attributes;
mod backoff;
mod channel;
mod check;
mod command;
mod config;
mod delayed;
mod digest;
mod downtime;
mod effect;
mod event;
mod explain;
mod fact;
pub mod facts;
mod failed;
mod filter;
mod fingerprint;
mod follow_ups;
mod gates;
mod gating;
mod group;
mod group_policies;
mod groups;
mod ids;
mod invalid_event;
mod key;
mod metrics;
mod operator;
mod patterns;
mod payload;
mod reads;
mod replay;
mod restore;
mod rfc3339;
mod run;
mod run_limits;
mod runs;
mod schedule;
mod schedules;
mod shard;
mod share;
mod state;
mod status;
mod store;
mod submit;
mod summed;
mod sweep;
mod thresholds;
mod tickets;
mod time;
mod types;
mod view;

pub use answer::{Answer, Bound, Conflict, Duplicate, Refusal, Run, Swept};
pub use attributes::Attributes;
pub use backoff::Backoff;
pub use check::Violation;
pub use command::{Command, EnqueueFailure, ErrorText, Outcome, Rejection};
pub use config::{Config, FailedOverflow, InvalidConfig};
pub use digest::{Algorithm, Digest};
pub use effect::{DropReason, DroppedFailure, Effect, Output};
pub use event::{Event, GroupName, NotBefore};
pub use filter::Filter;
pub use group_policies::{GroupOrder, GroupPolicies, GroupPolicy, OnFailure};
pub use ids::{Epoch, RunId, Seq, Ticket};
pub use invalid_event::InvalidEvent;
pub use key::{Id, InvalidKey, Key};
pub use metrics::{
    FactCounters, Gauges, Histogram, Histograms, Metrics, RejectReason, SweptReason, Tallies, TypeStats,
};
pub use patterns::{InvalidPolicy, PolicyId};
pub use rfc3339::{Rfc3339, parse as parse_rfc3339};
pub use schedule::{InvalidScheduleName, Overlap, ScheduleCursor, ScheduleName, ScheduleTick};
pub use shard::{InvalidShardCount, Shard, ShardCount};
pub use status::Status;
#[doc(hidden)]
pub use thresholds::Thresholds;
pub use time::Timestamp;
pub use types::{TypePolicies, TypePolicy, Unmatched};
pub use view::{Cursor, Gate, Page, PastAttempt, Place, RecordView, RunView};

use delayed::Delayed;
#[cfg(doc)]
use facts::Fact;
use gates::Gates;
use groups::EventGroups;
use runs::Runs;
use state::EngineState;
use store::{List, Location};
use tickets::Tickets;

/// The engine: a pure function of its configuration, its seed, and the commands with their times.
///
/// Its methods are of three kinds, and a driver calls them in this order, over and over:
///
/// 1. **Input.** [`execute`](Self::execute) takes one [`Command`] and the time, decides, changes
///    the state, and gives the caller's [`Answer`].
/// 2. **Output.** The [`Effect`]s in the [`Output`] are to be performed, in order, before the next
///    command; the [`Fact`]s in it are to be made durable, when there is a journal.
/// 3. **Time.** [`next_deadline`](Self::next_deadline) says when the driver must come back with
///    [`Command::Sweep`] if nothing happens before.
///
/// All other methods only read. Nothing panics, whatever the commands say.
///
/// ```
/// use eventful::{engine::{Answer, Command, Effect, Engine, Outcome, Output}, Config, Event, Timestamp};
///
/// let now = Timestamp::from_micros(1_700_000_000_000_000);
/// let mut out = Output::new();
/// let mut engine = Engine::new(Config::default(), now, &mut out)?;
///
/// let event = Event::with_id("order-17", "three apples")?;
/// assert_eq!(engine.execute(now, Command::Submit(event), &mut out), Answer::Accepted);
///
/// let Some(Effect::Enqueue(ticket)) = out.drain_effects().next() else { panic!("it is fed") };
/// let Answer::Running(run) = engine.execute(now, Command::Start(ticket), &mut out) else { panic!("it starts") };
/// let outcome = Outcome::Done; // the handler's
/// engine.execute(now, Command::Settle { run: run.id, outcome }, &mut out);
/// assert_eq!(engine.gauges().pending(), 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Engine {
    config: Config,
    /// The latest time that a command came with.
    now: Timestamp,
    phase: Phase,
    state: EngineState,
    /// The number of the last run of this epoch.
    run_number: u64,
    line: List,
    delayed: Delayed,
    groups: EventGroups,
    gates: Gates,
    tickets: Tickets,
    /// The time at which a ticket did not get into the channel; nothing is fed meanwhile.
    blocked_since: Option<Timestamp>,
    /// Sweeps forget nothing.
    holds_expiry: bool,
    runs: Runs,
    tallies: Tallies,
    histograms: Histograms,
}

/// The phase in the life of an engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Phase {
    /// Accepts events, and feeds them unless it is paused.
    Running,
    /// Accepts nothing new and feeds nothing; runs in flight continue.
    Draining,
    /// Changes no more.
    Stopped,
}

/// The next time at which the engine wants a sweep, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Deadline {
    /// The time.
    pub at: Timestamp,
    /// The reason.
    pub why: Wake,
}

/// The reason why the engine wants a sweep.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Wake {
    /// A run passes its deadline.
    RunDeadline,
    /// A retry becomes due.
    RetryDue,
    /// A terminal record reaches the end of its retention, or failed ones have too many bytes.
    Expiry,
    /// The oldest ticket reaches `stuck_after`: a marker is to be sent.
    StuckTicket,
    /// The marker reaches `stuck_after`: the channel may be broken.
    MarkerOverdue,
    /// Feeding is to be tried again after a ticket did not get into the channel.
    FeedBlocked,
}

impl Engine {
    /// Takes in what happened outside, and returns the result.
    ///
    /// Total: every command is allowed in every state. A `now` before that of an earlier command
    /// counts as that one.
    #[inline(always)]
    pub fn execute(&mut self, now: Timestamp, command: Command, out: &mut Output) -> Answer {
        self.now = self.now.max(now);
        let answer = self.decide(command, out);
        // After every command, as nearly each may free a place in the channel or add to the line.
        self.feed(out);
        debug_assert!(self.equations_hold(), "sums of records, places and counters agree");
        answer
    }

    #[inline(always)]
    fn decide(&mut self, command: Command, out: &mut Output) -> Answer {
        match command {
            Command::Submit(event) => self.submit(event, out),
            Command::Reject(rejection) => self.reject(rejection),
            Command::Start(ticket) => self.start(ticket, out),
            Command::Settle { run, outcome } => self.settle(run, outcome, out),
            Command::Heartbeat(run) => self.heartbeat(run),
            Command::EnqueueFailed { ticket, cause } => self.enqueue_failed(ticket, cause),
            Command::ChannelLost => self.channel_lost(),
            Command::Sweep => self.sweep(out),
            Command::Redrive(key) => self.redrive(key, out),
            Command::Discard(key) => self.discard(key, out),
            Command::Pause => self.set_paused(true, out),
            Command::Resume => self.set_paused(false, out),
            Command::PauseGroup { group, paused } => self.set_group_paused(group, paused, out),
            Command::SetSchedules(names) => self.set_schedules(&names, out),
            Command::Tick(tick) => self.decide_tick(*tick, out),
            Command::HoldExpiry => self.hold_expiry(true),
            Command::ReleaseExpiry => self.hold_expiry(false),
            Command::Shutdown => self.shutdown(),
            Command::AbortInflight => self.abort_inflight(out),
        }
    }

    /// The configuration.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Returns the phase in the life of the engine.
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// Returns whether an operator has stopped the start of new runs.
    pub fn is_paused(&self) -> bool {
        self.state.paused
    }

    /// The groups of which an operator has stopped the start of new runs, in the order of their names. Those without events
    /// are among them.
    pub fn paused_groups(&self) -> impl Iterator<Item = &GroupName> {
        self.state.paused_groups.iter()
    }

    /// Returns whether sweeps forget nothing, because the journal has enough to write.
    pub fn holds_expiry(&self) -> bool {
        self.holds_expiry
    }

    /// Returns the epoch: the number of this opening of the engine.
    pub fn epoch(&self) -> Epoch {
        self.state.epoch
    }

    /// Everything that is counted and measured.
    pub fn metrics(&self) -> Metrics {
        Metrics {
            facts: self.state.counters,
            tallies: self.tallies,
            gauges: self.gauges(),
            histograms: self.histograms.clone(),
        }
    }

    /// The counters of facts alone, without a copy.
    pub fn fact_counters(&self) -> &FactCounters {
        &self.state.counters
    }

    /// The counters of what changed no record alone, without a copy.
    pub fn tallies(&self) -> &Tallies {
        &self.tallies
    }

    /// The durations alone, without a copy.
    pub fn histograms(&self) -> &Histograms {
        &self.histograms
    }

    /// The state, measured.
    pub fn gauges(&self) -> Gauges {
        Gauges {
            queued: self.tickets.live() as u64,
            line: self.line.len() as u64,
            delayed: self.delayed.len() as u64,
            gated: (self.groups.waiting() + self.gates.waiting()) as u64,
            inflight: self.runs.len() as u64,
            bytes: self.state.store.bytes() as u64,
            failed_bytes: self.state.store.failed_bytes() as u64,
            oldest_pending: self.state.store.oldest_pending(),
            oldest_failed: self.state.store.oldest_failed().and_then(|failed| self.state.store.terminal_at(failed)),
            records: self.state.store.counts(),
        }
    }

    /// The record of a key, unless there is none or its retention has ended.
    fn locate(&self, now: Timestamp, key: &Key) -> Option<Location> {
        let location = self.state.store.find(self.state.store.hash(key), key)?;
        (!self.is_expired_at(now.max(self.now), location)).then_some(location)
    }

    fn is_expired(&self, location: Location) -> bool {
        self.is_expired_at(self.now, location)
    }

    /// A terminal record is absent from the end of its retention on, swept or not.
    fn is_expired_at(&self, now: Timestamp, location: Location) -> bool {
        self.ends_at(location).is_some_and(|end| end <= now)
    }

    /// Returns the time at which a terminal record is forgotten; `None` when never. Only time counts in which the
    /// engine was open.
    fn ends_at(&self, location: Location) -> Option<Timestamp> {
        let at = self.state.store.terminal_at(location)?;
        let retention = match location {
            Location::Live(_) => self.config.failed_retention?,
            Location::Tombstone(_) => self.config.retention,
        };
        Some(at + retention + self.state.downtimes.since(at))
    }
}
