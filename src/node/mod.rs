//! The node: decides everything that the engine does not, without clock, I/O, threads or tasks.
//!
//! | file | topic |
//! |---|---|
//! | `decide` | executes a command, and performs what must not wait |
//! | `admission`, `operate` | calls of submitters, operators and waiting callers |
//! | `dispatch`, `asked_runs` | the start and the settlement of runs; runs that start only when they are asked for |
//! | `keeping` | the jobs of the journal's writer, and their results |
//! | `ending`, `ticking`, `supervision` | shutdown; deadlines; tasks that are started again when they die |
//! | `schedule`, `schedules` | events at the instants of calendars |
//! | `reads`, `health`, `total` | records with their durability; numbers and readiness, of one node and of several |
//! | `groups`, `commits`, `horizon` | group commit: facts that wait, the journal's condition, the progress of durability |
//! | `pace`, `batch` | the number of runs that a task gets at once, and these runs |
//! | `channel`, `workers` | tickets; permits and their holders |
//! | `writer`, `shutdown`, `supervised` | the states of the writer, of a shutdown, of a supervised task |
//! | `capacity_queue`, `watches`, `readers` | waiters: for capacity, for the end of an event, for facts |
//! | `journal_state`, `unavailable`, `failures` | the state of the journal; why nothing is decided; news of failed events |
//! | `actions`, `hooks`, `sim` | the work of the driver; points of disturbance, and access, for a simulator |

mod actions;
mod admission;
mod asked_runs;
mod batch;
mod capacity_queue;
mod channel;
mod commits;
mod decide;
mod dispatch;
mod ending;
mod failures;
mod groups;
mod health;
mod hooks;
mod horizon;
mod journal_state;
mod keeping;
mod operate;
mod pace;
mod readers;
mod reads;
mod schedule;
mod schedules;
mod shutdown;
#[cfg(feature = "sim")]
mod sim;
mod supervised;
mod supervision;
mod ticking;
mod total;
mod unavailable;
mod watches;
mod workers;
mod writer;

pub use actions::{Actions, Settled, Waiter};
pub use admission::{Admission, Decided, SubmitError, Submitted};
pub use batch::{Launch, RunBatch};
pub use commits::{CommitLimits, OpenedEngine};
pub use dispatch::Start;
pub use failures::{Failures, FullOfFailures};
pub use groups::{Groups, Lsn};
pub use health::{NotReady, Readiness, Stats};
#[cfg(feature = "sim")]
#[doc(hidden)]
pub use hooks::Hooks;
pub use hooks::{Action, HookSet, Point};
pub use horizon::{Horizon, Unsynced};
pub use journal_state::JournalState;
pub use keeping::{AppendRefused, FramesLost};
pub use operate::{DiscardError, PauseError, RedriveError};
pub use pace::Lead;
pub use readers::{Notice, Reading};
pub use reads::{Observed, ShownWhen};
pub use schedule::{Calendar, InvalidSchedules, Missed, Schedule};
pub use shutdown::ShutdownReport;
pub use supervised::SupervisedTask;
pub use ticking::Tick;
pub use unavailable::Unavailable;
pub use watches::{WaitError, WatchedEvent};
pub use workers::WorkerId;
pub use writer::{Job, JournalSpace};

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use crate::engine::{Config, Engine, Output, Ticket, Timestamp};
use actions::Pending;
use capacity_queue::CapacityQueue;
use channel::TicketChannel;
use commits::PendingCommits;
use pace::Pace;
use readers::Readers;
use schedule::Schedules;
use shutdown::Shutdown;
use supervised::Supervised;
use watches::Watches;
use workers::Workers;
use writer::WriterState;

/// An engine with everything around it that decides: channel, permits, runs in flight, group commit,
/// admission, waiters, subscriptions, supervision and shutdown.
///
/// A driver keeps it behind a lock, reads the clock inside the lock, and calls methods of six kinds:
///
/// 1. **Callers ask.** [`submit`](Self::submit), [`enter`](Self::enter) and, by one who waits for room,
///    [`enter_again`](Self::enter_again) and [`leave`](Self::leave); [`reject`](Self::reject),
///    [`redrive`](Self::redrive), [`discard`](Self::discard), [`pause`](Self::pause), [`resume`](Self::resume);
///    [`watch`](Self::watch) and [`unwatch`](Self::unwatch), [`await_idle`](Self::await_idle);
///    [`subscribe`](Self::subscribe), [`read`](Self::read) and [`unsubscribe`](Self::unsubscribe);
///    [`shut_down`](Self::shut_down). A [`Decided`] value leaves when its [`Lsn`] is durable: the
///    [`horizon`](Self::horizon) says whether it is.
/// 2. **Tasks work.** The dispatcher calls [`start`](Self::start), each worker
///    [`settle_and_start`](Self::settle_and_start), [`settle_and_wait`](Self::settle_and_wait) when a handler does not
///    end at once, or [`settle`](Self::settle) when it takes no other run. A handler calls [`heartbeat`](Self::heartbeat);
///    one whose runs start only when they are asked for [`want_runs`](Self::want_runs), [`arrive`](Self::arrive),
///    [`await_runs`](Self::await_runs) and [`stop_asking`](Self::stop_asking).
/// 3. **The journal is written.** Its writer asks for the [`next_job`](Self::next_job), does it, and says
///    what came of it: [`appended`](Self::appended), and with readers [`publish`](Self::publish),
///    [`refused`](Self::refused), [`journal_failed`](Self::journal_failed), [`maintained`](Self::maintained),
///    [`measured`](Self::measured), [`journal_opened`](Self::journal_opened),
///    [`journal_not_opened`](Self::journal_not_opened), [`journal_closed`](Self::journal_closed).
/// 4. **Time passes.** [`set_schedules`](Self::set_schedules), if there are any; [`tick`](Self::tick) and, once a shutdown was asked for, [`see_to_end`](Self::see_to_end)
///    say when to call them again. With no task left to wait for, [`end_at_once`](Self::end_at_once).
/// 5. **Something dies.** [`part_died`](Self::part_died), then [`part_restarted`](Self::part_restarted) or
///    [`part_ended`](Self::part_ended); [`break_down`](Self::break_down).
/// 6. **Output.** After one or more calls of the kinds before, and before the lock is free,
///    [`actions`](Self::actions) gives what is to be done outside the lock, in any order.
///
/// All other methods only read. Nothing here waits, and nothing panics unless the hooks of a simulator ask for it.
///
/// ```
/// use eventful::node::{Node, RunBatch, Start};
/// use eventful::{engine::{Engine, Outcome, Output}, Config, Event, Timestamp};
///
/// let now = Timestamp::from_micros(1_700_000_000_000_000);
/// let mut out = Output::new();
/// let engine = Engine::new(Config::default(), now, &mut out)?;
/// let mut node = Node::in_memory(now, engine, out);
///
/// let decided = node.submit(now, Event::with_id("order-17", "three apples")?)?;
/// assert!(decided.value.is_ok() && decided.lsn.is_none());
/// let mut batch = RunBatch::default();
/// assert_eq!(node.start(now, &mut batch), Start::Runs);
/// let launch = batch.launches().next().expect("a run");
/// node.settle(now, launch.worker, launch.run.id, Some(Outcome::Done));
/// assert_eq!(node.engine().gauges().pending(), 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Node {
    engine: Engine,
    out: Output,
    probe: HookSet,
    commits: PendingCommits,
    writer: WriterState,
    channel: TicketChannel,
    /// Tickets to be sent, of the command at hand.
    outbox: Vec<Ticket>,
    workers: Workers,
    /// Those who wait for runs that they have asked for.
    askers: BTreeSet<Waiter>,
    pace: Pace,
    /// Submitters that wait for room.
    queue: CapacityQueue,
    watches: Watches,
    readers: Readers,
    /// Absent until they are set: then what is known of them stays.
    schedules: Option<Schedules>,
    /// True if a caller waits until no event is pending.
    idle_awaited: bool,
    dispatcher: Supervised,
    sweeper: Supervised,
    shutdown: Option<Shutdown>,
    /// True if the dispatcher found nothing to start, and waits to be woken.
    dispatcher_waits: bool,
    /// The time at which the sweeper wakes: the next deadline, or an earlier time.
    armed: Timestamp,
    /// True if a command may have moved a deadline that was set before.
    has_moved_deadlines: bool,
    /// True if a thread panicked inside the node: no result of it can be trusted.
    is_broken: bool,
    /// True if it was last reported that failed events keep new ones out.
    reported_full: bool,
    /// Work for the driver that no inspection of the state would find.
    pending: Pending,
}

impl Node {
    /// Creates a node without a journal around an engine that was opened just now with this output.
    pub fn in_memory(now: Timestamp, engine: Engine, out: Output) -> Self {
        Self::new(now, engine, out, PendingCommits::default(), WriterState::closed())
    }

    /// Creates a node around an engine that was opened just now from a journal. The facts of the opening are its first
    /// group.
    pub fn with_journal(now: Timestamp, opened: OpenedEngine, limits: CommitLimits) -> Self {
        let OpenedEngine { engine, out, room_bytes, frames } = opened;
        Self::new(now, engine, out, PendingCommits::new(limits, room_bytes), WriterState::new(frames))
    }

    fn new(now: Timestamp, engine: Engine, out: Output, commits: PendingCommits, writer: WriterState) -> Self {
        let channel = TicketChannel::new(engine.config());
        let workers = Workers::new(engine.config().concurrency);
        let mut node = Self {
            engine,
            out,
            probe: HookSet::default(),
            commits,
            writer,
            channel,
            outbox: Vec::new(),
            workers,
            askers: BTreeSet::new(),
            pace: Pace::new(),
            queue: CapacityQueue::default(),
            watches: Watches::default(),
            readers: Readers::default(),
            schedules: None,
            idle_awaited: false,
            dispatcher: Supervised::default(),
            sweeper: Supervised::default(),
            shutdown: None,
            dispatcher_waits: false,
            // Nothing is armed: the first `actions` compare this with the deadlines of the opened engine.
            armed: Timestamp::MAX,
            has_moved_deadlines: true,
            is_broken: false,
            reported_full: false,
            pending: Pending::default(),
        };
        // The opening has decided facts and sent tickets already: they are taken in before the first call.
        node.take_output(now);
        node.perform(now);
        node
    }

    /// Passes each of the node's points to this probe.
    #[doc(hidden)]
    #[must_use]
    pub fn probed(mut self, probe: HookSet) -> Self {
        // Oracles need facts of a node in memory as well, which keeps none by itself.
        self.out.keep_facts(self.commits.keeps_facts() || probe.wants_facts());
        self.probe = probe;
        self
    }

    /// Returns the engine, for reading.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Returns the configuration, with the seed that is in use.
    pub fn config(&self) -> &Config {
        self.engine.config()
    }

    /// Returns the reason why nothing is decided now, if nothing is.
    pub fn unavailable(&self) -> Option<Unavailable> {
        if self.is_broken { Some(Unavailable::Broken) } else { self.commits.unavailable() }
    }

    /// Fails while nothing can be decided.
    fn ready(&self) -> Result<(), Unavailable> {
        self.unavailable().map_or(Ok(()), Err)
    }

    /// Records that a thread panicked while it held the node: all that wait learn of it.
    pub fn break_down(&mut self) {
        self.is_broken = true;
        // Callers that wait for an LSN read the horizon and not the node: once it is closed, they return.
        self.commits.close_horizon();
        self.readers.close(&mut self.pending.edit().wake);
        self.pending.edit().wake_everyone();
    }
}
