//! Actions: the work of the driver once the lock is free.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::failures::Failures;
use super::groups::Lsn;
use super::workers::WorkerId;

/// The driver's name of a waiting caller or reader: for room, for the end of an event, or for facts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Waiter(u64);

impl Waiter {
    /// The waiter with this number. Each wait has its own.
    pub const fn new(number: u64) -> Self {
        Self(number)
    }
}

/// The LSNs whose fate was decided, so that results may leave: those after the first, up to the second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settled {
    /// The last one before them.
    pub after: Lsn,
    /// The last one of them.
    pub up_to: Lsn,
}

/// The work of the driver once the lock is free, in any order.
///
/// Exhaustive on purpose: a driver must do all of it. A wake-up that comes too often does no harm; one
/// that is left out may be waited for without end.
#[derive(Debug, Default)]
#[must_use = "what is not done may be waited for without end"]
pub struct Actions {
    /// Wake the dispatcher: a run can start, or none ever will.
    pub dispatch: bool,
    /// Wake the sweeper: there is an earlier deadline than the one that it waits for, or none will come.
    pub timer: bool,
    /// Wake the writer of the journal.
    pub write: bool,
    /// Wake the task that drives the end: the shutdown has made progress.
    pub end: bool,
    /// Wake all callers that wait until no event is pending.
    pub idle: bool,
    /// Wake all that wait for anything.
    pub everyone: bool,
    /// Start the dispatcher again: it has a permit, and presents nothing.
    pub replace_dispatcher: bool,
    /// Wake the callers that wait for one of these LSNs.
    pub settled: Option<Settled>,
    /// Wake these waiters.
    pub wake: Vec<Waiter>,
    /// Cancel the runs of these workers.
    pub cancel: Vec<WorkerId>,
    /// News of failed events, to be logged.
    pub failures: Failures,
}

impl Actions {
    pub(super) const fn wake_everyone(&mut self) {
        (self.dispatch, self.timer, self.write, self.end) = (true, true, true, true);
        (self.idle, self.everyone) = (true, true);
    }

    /// Adds LSNs whose fate was decided, later ones than those before.
    pub(super) fn settle(&mut self, after: Lsn, up_to: Lsn) {
        // One call may settle several ranges: the driver gets one that holds all of them.
        let after = self.settled.map_or(after, |settled| settled.after.min(after));
        let up_to = self.settled.map_or(up_to, |settled| settled.up_to.max(up_to));
        self.settled = Some(Settled { after, up_to });
    }
}

/// The actions of inputs whose actions were not asked for yet, besides those that the state shows.
///
/// Usually absent, and on the heap: what each input writes in the node travels from core to core with the lock, and
/// the actions are three cache lines.
#[derive(Debug, Default)]
pub(super) struct Pending(Option<Box<Actions>>);

impl Pending {
    /// Returns the actions, to add to them.
    pub(super) fn edit(&mut self) -> &mut Actions {
        self.0.get_or_insert_default()
    }

    /// Removes the cancellation of this worker's run: that has ended, and the worker may have another.
    pub(super) fn spare(&mut self, worker: WorkerId) {
        if let Some(actions) = &mut self.0 {
            actions.cancel.retain(|cancelled| *cancelled != worker);
        }
    }

    /// Takes out the actions.
    pub(super) fn take(&mut self) -> Actions {
        self.0.take().map_or_else(Actions::default, |actions| *actions)
    }
}
