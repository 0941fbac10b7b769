//! Actions: the work of the driver once the lock is free.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::failures::Failures;
use super::groups::Lsn;
use super::workers::WorkerId;

/// The driver's name of someone who waits: for room, for the end of an event, or for facts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Waiter(u64);

impl Waiter {
    /// The waiter with this number. Each wait has its own.
    pub const fn new(number: u64) -> Self {
        Self(number)
    }
}

/// The LSNs of which it was decided whether an answer may leave: those after the first, up to the second.
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
    /// Wake who sleeps towards the next deadline: there is an earlier one, or none will come.
    pub timer: bool,
    /// Wake the writer of the journal.
    pub write: bool,
    /// Wake who sees to the end: the shutdown has come further.
    pub end: bool,
    /// Wake all who wait until no event is pending.
    pub idle: bool,
    /// Wake everyone who waits for anything.
    pub everyone: bool,
    /// Start the dispatcher again: it has a permit, and presents nothing.
    pub replace_dispatcher: bool,
    /// Wake who waits for one of these LSNs.
    pub settled: Option<Settled>,
    /// Wake these.
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

    /// Adds LSNs that were settled, later ones than those before.
    pub(super) fn settle(&mut self, after: Lsn, up_to: Lsn) {
        let after = self.settled.map_or(after, |settled| settled.after.min(after));
        let up_to = self.settled.map_or(up_to, |settled| settled.up_to.max(up_to));
        self.settled = Some(Settled { after, up_to });
    }
}

/// The actions of inputs whose actions were not asked for yet, beside those that the state shows.
///
/// Absent as a rule, and on the heap: what each input writes in the node travels from core to core with the
/// lock, and the actions are three cache lines.
#[derive(Debug, Default)]
pub(super) struct Pending(Option<Box<Actions>>);

impl Pending {
    /// To add to them.
    pub(super) fn edit(&mut self) -> &mut Actions {
        self.0.get_or_insert_default()
    }

    /// The run of this worker has ended: there is nothing to cancel, and its worker may have another.
    pub(super) fn spare(&mut self, worker: WorkerId) {
        if let Some(actions) = &mut self.0 {
            actions.cancel.retain(|cancelled| *cancelled != worker);
        }
    }

    /// Takes them out.
    pub(super) fn take(&mut self) -> Actions {
        self.0.take().map_or_else(Actions::default, |actions| *actions)
    }
}
