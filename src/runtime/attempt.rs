//! The view of a handler on its run, and the state of that run.

use core::fmt;
use core::sync::atomic::Ordering;
use core::time::Duration;
use std::sync::Arc;

use super::follow_ups::{FollowUpBounds, FollowUpError, FollowUps};
use super::latch::{Cancel, Latch};
use super::notifications::guarded;
use super::shared::{LockedNode, Shared};
use crate::engine::{Event, Key, Outcome, PolicyId, RunId, Status, Timestamp};
use crate::node::{Launch, Lsn, Unavailable, WorkerId};
use crate::sync::AtomicU64;

/// One run of a handler. Clones refer to the same run.
#[derive(Clone)]
pub struct Attempt(pub(super) Arc<RunState>);

/// The state of a run in flight that more than one task uses.
pub(super) struct RunState {
    pub(super) run: RunId,
    pub(super) worker: WorkerId,
    pub(super) key: Key,
    pub(super) number: u32,
    charged: u32,
    max_attempts: u32,
    pub(super) policy: Option<PolicyId>,
    /// The LSN that must be durable before the handler is called.
    pub(super) started: Option<Lsn>,
    deadline_micros: AtomicU64,
    pub(super) cancel: Latch,
    pub(super) follow_ups: FollowUps,
    pub(super) shared: Arc<Shared>,
}

/// The run has ended for the engine: what its handler still does no longer counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this run no longer counts: it timed out, was stopped or has ended; return from the handler")]
#[non_exhaustive]
pub struct Stale;

/// A run was not settled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotSettled {
    /// The run does not count, or no worker has it.
    #[error("this run does not count: it timed out, was stopped or has ended; take another event")]
    Stale,
    /// See [`FollowUpError`].
    #[error(transparent)]
    FollowUp(#[from] FollowUpError),
    /// See [`Unavailable`].
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

impl RunState {
    /// Creates the state of the run of this launch. Returns it with the event.
    fn new(launch: Launch, shared: &Arc<Shared>) -> (Arc<Self>, Event) {
        let Launch { worker, run, lsn } = launch;
        let state = Arc::new(Self {
            run: run.id,
            worker,
            key: run.event.key().clone(),
            number: run.attempt,
            charged: run.charged,
            max_attempts: run.max_attempts,
            policy: run.policy,
            // Without durable starts the handler need not wait for any LSN.
            started: lsn.filter(|_| shared.journal.syncs_starts),
            deadline_micros: AtomicU64::new(run.deadline.as_micros()),
            cancel: Latch::default(),
            follow_ups: FollowUps::new(),
            shared: Arc::clone(shared),
        });
        (state, run.event)
    }
}

/// Keeps the run of a launch, so that it can be cancelled. Returns it with its event.
pub(super) fn launched(locked: &mut LockedNode, launch: Launch, shared: &Arc<Shared>) -> (Arc<RunState>, Event) {
    let (state, event) = RunState::new(launch, shared);
    locked.keep(state.worker, &state);
    (state, event)
}

impl RunState {
    /// Adds events as follow-ups of the run: all of them, or none.
    pub(super) fn add_follow_ups(&self, events: impl IntoIterator<Item = Event>) -> Result<(), FollowUpError> {
        let Shared { config, shards, .. } = &*self.shared;
        let bounds = FollowUpBounds { config, shards: *shards, shard: shards.shard_of(&self.key) };
        self.follow_ups.add(&bounds, events)
    }
}

impl Cancel for RunState {
    fn cancel(&self) {
        self.cancel.open();
    }
}

impl Attempt {
    /// Returns the event's identity.
    pub fn key(&self) -> &Key {
        &self.0.key
    }

    /// Returns the number of runs of this event that were ever started, this one included: a name for logs. Do not
    /// count attempts with it: it rises over redrives, snoozes and interruptions too, which the limit does not count.
    /// See [`Attempt::charged`] and [`Attempt::is_last`].
    pub fn number(&self) -> u32 {
        self.0.number
    }

    /// Returns the number of starts that count against the `max_attempts` of its type policy or of the configuration, this
    /// one included. Begins again at 1 when the event is redriven; a snooze and an interruption give their start back.
    pub fn charged(&self) -> u32 {
        self.0.charged
    }

    /// Returns whether a failure of this attempt fails the event: no other attempt follows unless an
    /// operator redrives it. Within their own limits, a snooze and an interruption by shutdown still
    /// lead to another.
    pub fn is_last(&self) -> bool {
        self.charged() >= self.0.max_attempts
    }

    /// Returns the id of this run, which is never used twice.
    pub fn run(&self) -> RunId {
        self.0.run
    }

    /// Returns the time at which the run is stopped unless it has ended or sent a heartbeat before.
    pub fn deadline(&self) -> Timestamp {
        // Relaxed is enough: nothing else is read by the order of this number.
        Timestamp::from_micros(self.0.deadline_micros.load(Ordering::Relaxed))
    }

    /// Returns the time until [`Attempt::deadline`].
    pub fn remaining(&self) -> Duration {
        self.deadline().since(self.0.shared.now())
    }

    /// Reports that the run is alive: moves its deadline to `run_timeout` from now, but never past its lifetime.
    /// Returns the new deadline.
    ///
    /// # Errors
    ///
    /// [`Stale`] when the run no longer counts.
    pub fn heartbeat(&self) -> Result<Timestamp, Stale> {
        let deadline = self.0.shared.write(|node, now| node.heartbeat(now, self.run())).ok_or(Stale)?;
        // Of two concurrent heartbeats the later deadline stays, in whichever order they arrive here.
        self.0.deadline_micros.fetch_max(deadline.as_micros(), Ordering::Relaxed);
        Ok(deadline)
    }

    /// Adds an event that follows from this one: it is accepted together with the completion of this one, when the handler
    /// returns `Ok`. With a journal a crash leaves both or none of them, so that a chain of events loses no link. When the
    /// handler fails, panics or is stopped, nothing is accepted.
    ///
    /// A follow-up whose key is known with the same payload is a duplicate, and nothing more: so derive its key from that
    /// of this event. One whose key has another payload fails this event, with the key in its error. Follow-ups may pass the
    /// bounds for new events, as far as [`Config::max_follow_ups`](crate::Config::max_follow_ups) says; past that this event
    /// runs again later, without charge up to `max_snoozes`. During a shutdown they are accepted, and do not run.
    ///
    /// ```
    /// use eventful::{Attempt, Event, Failure, Key};
    ///
    /// async fn take_order(order: Event, attempt: Attempt) -> Result<(), Failure> {
    ///     for step in ["charge", "ship"] {
    ///         let key = Key::new(step, &attempt.key().id().to_string())?;
    ///         attempt.follow_up(Event::new(key, order.payload().clone()).with_type(step)?)?;
    ///     }
    ///     Ok(())
    /// }
    /// # fn check<H: eventful::Handler>(_: H) {}
    /// # check(take_order);
    /// ```
    ///
    /// # Errors
    ///
    /// [`FollowUpError`]
    pub fn follow_up(&self, event: Event) -> Result<(), FollowUpError> {
        self.0.add_follow_ups([event])
    }

    /// Ends the run with this outcome, and stops its handler. Returns the status that it leads to, with a journal
    /// durably so.
    pub(super) async fn settle(&self, outcome: Outcome) -> Result<Status, NotSettled> {
        let RunState { worker, run, shared, cancel, .. } = &*self.0;
        let outcome = self.0.follow_ups.end(outcome);
        let decided = shared.write(|node, now| node.settle_shown(now, (*worker, *run), outcome))?;
        // Before the wait: the outcome is decided, so the handler need not continue until it is durable.
        cancel.open();
        shared.settled(decided.lsn, false).await.map_err(Unavailable::from)?;
        decided.value.ok_or(NotSettled::Stale)
    }

    /// Returns a view on whether the run is to stop, for work that continues in another task or thread.
    pub fn cancellation(&self) -> Cancellation {
        Cancellation(Arc::clone(&self.0))
    }

    /// Returns whether the run is to stop.
    pub fn is_cancelled(&self) -> bool {
        self.0.cancel.is_open()
    }

    /// Waits until the run is to stop. The handler itself is dropped then; this is for tasks
    /// that it has started.
    pub async fn cancelled(&self) {
        guarded(self.0.cancel.wait()).await;
    }
}

impl fmt::Debug for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Attempt");
        shown.field("key", self.key()).field("number", &self.number()).field("charged", &self.charged());
        shown.field("run", &self.run()).field("cancelled", &self.is_cancelled()).finish_non_exhaustive()
    }
}

/// A view on whether a run is to stop. Clones refer to the same run.
#[derive(Clone)]
pub struct Cancellation(Arc<RunState>);

impl Cancellation {
    /// Returns whether the run is to stop.
    pub fn is_cancelled(&self) -> bool {
        self.0.cancel.is_open()
    }

    /// Waits until the run is to stop.
    pub async fn cancelled(&self) {
        guarded(self.0.cancel.wait()).await;
    }
}

impl fmt::Debug for Cancellation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cancellation").field("cancelled", &self.is_cancelled()).finish_non_exhaustive()
    }
}
