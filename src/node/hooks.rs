//! Named points at which a simulator disturbs and observes a node and its driver (feature `sim`).

#[cfg(feature = "sim")]
use alloc::sync::Arc;
use core::time::Duration;

use crate::engine::{Answer, Command, Engine, EnqueueFailure, Output, Ticket, Timestamp};

/// A place in the node or in its driver that can be disturbed.
///
/// *Locked* points are inside the node: they honour [`Action::Panic`], which breaks it down, and cannot
/// yield. *Open* points are between the awaits of the driver: they honour [`Action::Yield`],
/// [`Action::Stall`] and [`Action::Panic`]. What a point does not honour counts as [`Action::Continue`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Point {
    /// Locked: a ticket is about to be sent. `Fail`: the channel counts as full. `DropReceiver`:
    /// its receiver is gone.
    Enqueue,
    /// Locked: a ticket was taken and is about to be presented. `Fail`: the ticket is lost.
    /// `DropReceiver`: so is the channel.
    Present,
    /// Open: the dispatcher is about to start a run.
    Dispatch,
    /// Open: a worker has a run, and has not called the handler.
    WorkerStart,
    /// Open: the handler has ended, and its outcome is not settled yet.
    BeforeSettle,
    /// Open: the outcome is settled, and the worker may have its next run.
    AfterSettle,
    /// Open: the sweeper is awake.
    Sweep,
    /// Open: shutdown is about to wait for the runs in flight.
    Drain,
    /// Open: a group may be about to be written to a journal that does not block.
    Write,
}

/// The disturbance at a [`Point`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// No disturbance.
    Continue,
    /// Other tasks run first.
    Yield,
    /// The step takes this long.
    Stall(Duration),
    /// The step fails, as the point describes.
    Fail,
    /// The task panics.
    Panic,
    /// The channel's receiver is dropped.
    DropReceiver,
}

/// The hooks of a simulator: called at each point that is passed, and shown what happens there.
#[cfg(feature = "sim")]
pub trait Hooks: Send + Sync + 'static {
    /// Called at each pass of `point`. Must not call the node or its driver: some points are locked.
    fn at(&self, point: Point) -> Action;

    /// Called before the node gives this command to its engine.
    fn before(&self, now: Timestamp, command: &Command, engine: &Engine) {
        let _ = (now, command, engine);
    }

    /// Called after the engine's answer, with its output.
    fn after(&self, now: Timestamp, answer: &Answer, out: &Output, engine: &Engine) {
        let _ = (now, answer, out, engine);
    }

    /// Returns whether these hooks need facts. Without a journal and readers they are not kept otherwise.
    fn wants_facts(&self) -> bool {
        false
    }

    /// Called when a ticket was sent, or did not get into the channel.
    fn sent(&self, ticket: Ticket, sent: Result<(), EnqueueFailure>) {
        let _ = (ticket, sent);
    }

    /// Called when a ticket was taken from the channel, before it is presented.
    fn taken(&self, ticket: Ticket) {
        let _ = ticket;
    }
}

/// The hooks of one node and its driver. Empty without feature `sim`.
#[derive(Clone, Default)]
pub struct HookSet {
    #[cfg(feature = "sim")]
    hooks: Option<Arc<dyn Hooks>>,
}

#[cfg(feature = "sim")]
impl HookSet {
    /// Creates the set with these hooks.
    pub fn new(hooks: Arc<dyn Hooks>) -> Self {
        Self { hooks: Some(hooks) }
    }

    /// Returns the action at this point.
    pub fn at(&self, point: Point) -> Action {
        self.hooks.as_ref().map_or(Action::Continue, |hooks| hooks.at(point))
    }

    pub(super) fn before(&self, now: Timestamp, command: &Command, engine: &Engine) {
        self.hooks.iter().for_each(|hooks| hooks.before(now, command, engine));
    }

    pub(super) fn after(&self, now: Timestamp, answer: &Answer, out: &Output, engine: &Engine) {
        self.hooks.iter().for_each(|hooks| hooks.after(now, answer, out, engine));
    }

    pub(super) fn wants_facts(&self) -> bool {
        self.hooks.as_ref().is_some_and(|hooks| hooks.wants_facts())
    }

    pub(super) fn sent(&self, ticket: Ticket, sent: Result<(), EnqueueFailure>) {
        self.hooks.iter().for_each(|hooks| hooks.sent(ticket, sent));
    }

    pub(super) fn taken(&self, ticket: Ticket) {
        self.hooks.iter().for_each(|hooks| hooks.taken(ticket));
    }
}

#[cfg(not(feature = "sim"))]
impl HookSet {
    /// Returns the action at this point.
    #[inline(always)]
    pub const fn at(&self, _: Point) -> Action {
        Action::Continue
    }

    #[inline(always)]
    pub(super) const fn before(&self, _: Timestamp, _: &Command, _: &Engine) {}

    #[inline(always)]
    pub(super) const fn after(&self, _: Timestamp, _: &Answer, _: &Output, _: &Engine) {}

    #[inline(always)]
    pub(super) const fn wants_facts(&self) -> bool {
        false
    }

    #[inline(always)]
    pub(super) const fn sent(&self, _: Ticket, _: Result<(), EnqueueFailure>) {}

    #[inline(always)]
    pub(super) const fn taken(&self, _: Ticket) {}
}

impl HookSet {
    /// Passes a locked point.
    #[inline(always)]
    pub(super) fn locked(&self, point: Point) -> Action {
        let action = self.at(point);
        assert!(action != Action::Panic, "panic at {point:?}, as the hooks asked");
        action
    }
}

impl core::fmt::Debug for HookSet {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Probe")
    }
}
