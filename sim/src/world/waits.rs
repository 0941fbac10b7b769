//! The clients of the node, and their waits.

use std::collections::VecDeque;
use std::hash::{Hash, Hasher};

use eventful::node::{Horizon, Lsn, Waiter, WorkerId as Holder};
use eventful::{
    Cursor, Digest, Event, Timestamp,
    engine::{Answer, Bound, Epoch},
};

use super::event_queue::{EventQueue, Task};
use super::worker::Serial;
use crate::oracle::Era;
use crate::oracle::lists::Listing;
use crate::scenario::EventNumber;

/// The clients of the node.
#[derive(Debug, Default)]
pub(super) struct Clients {
    /// Clients that wait, in the order in which they began.
    pub(super) waits: Vec<WaitingClient>,
    /// The clients that wait for room, the first one first.
    pub(super) queue: VecDeque<Waiter>,
    /// The clients for which the node watches for the end of an event.
    pub(super) watching: Vec<Waiter>,
    pub(super) readers: Vec<FactReader>,
    pub(super) listers: Vec<Lister>,
    /// The progress of durability, as the clients last saw it.
    pub(super) horizon: Horizon,
    pub(super) stalled_until: u64,
    /// The clients that were woken by the last call of the node.
    pub(super) rung: Rung,
    /// A worker whose name is used when a run is settled twice.
    pub(super) holder: Option<Holder>,
    last_name: u64,
}

/// The clients that were woken by a call of the node.
#[derive(Debug, Default)]
pub(super) struct Rung {
    pub(super) everyone: bool,
    pub(super) idle: bool,
    pub(super) waiters: Vec<Waiter>,
}

impl Clients {
    /// Returns a name for a client that may have to wait.
    pub(super) const fn name(&mut self) -> Waiter {
        self.last_name += 1;
        Waiter::new(self.last_name)
    }

    /// Removes a client from those that watch for the end of an event.
    pub(super) fn unregister(&mut self, waiter: Waiter) {
        self.watching.retain(|other| *other != waiter);
    }

    /// Drops everything that a process has in memory.
    pub(super) fn forget_process(&mut self) {
        self.waits.clear();
        self.queue.clear();
        self.watching.clear();
        self.readers.clear();
        self.listers.clear();
        self.horizon = Horizon::default();
        self.holder = None;
    }
}

impl Hash for Clients {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        for wait in &self.waits {
            (wait.waiter, wait.lsn(), wait.is_asleep()).hash(hasher);
            if let Awaited::Durable(_, ShownValue { submission: Some(answered), decided, .. }) = &wait.awaited {
                (answered.event, answered.digest, std::mem::discriminant(&answered.answer), answered.era, decided)
                    .hash(hasher);
            }
        }
        (&self.queue, &self.watching, self.readers.len(), self.listers.len()).hash(hasher);
    }
}

/// A client that waits.
#[derive(Debug)]
pub(super) struct WaitingClient {
    pub(super) waiter: Waiter,
    pub(super) client: u8,
    pub(super) awaited: Awaited,
    /// The time at which it began, by the simulation's clock.
    pub(super) since: u64,
    /// True if it was woken, and has not repeated its call.
    pub(super) is_woken: bool,
}

/// The thing that is waited for.
#[derive(Debug)]
pub(super) enum Awaited {
    /// Room for an event. A client that waits to the end of its patience tries once more then.
    Room { event: Event, hangs_up: bool },
    /// Durability, after which the value is shown.
    Durable(DurableBefore, ShownValue),
    /// The end of an event.
    End(EventNumber),
    /// The state without pending events.
    Idle,
    /// The durability of the start of a worker's run.
    Start(Serial, Lsn),
}

/// The facts that must be durable before something is shown.
#[derive(Debug, Clone, Copy)]
pub(super) struct DurableBefore {
    pub(super) lsn: Lsn,
    /// The number of facts that were decided by then.
    pub(super) decided: usize,
}

/// A value for a client.
#[derive(Debug)]
pub(super) struct ShownValue {
    pub(super) what: &'static str,
    /// The number of facts from which it follows.
    pub(super) decided: usize,
    /// The result of a submission.
    pub(super) submission: Option<SubmitAnswer>,
}

/// The result of a submission, as its client receives it.
#[derive(Debug)]
pub(super) struct SubmitAnswer {
    pub(super) event: EventNumber,
    pub(super) digest: Digest,
    pub(super) answer: Answer,
    pub(super) era: Era,
}

impl WaitingClient {
    /// The LSN that is waited for.
    pub(super) const fn lsn(&self) -> Option<Lsn> {
        match self.awaited {
            Awaited::Durable(DurableBefore { lsn, .. }, _) | Awaited::Start(_, lsn) => Some(lsn),
            Awaited::Room { .. } | Awaited::End(_) | Awaited::Idle => None,
        }
    }

    pub(super) const fn is_for_idle(&self) -> bool {
        matches!(self.awaited, Awaited::Idle)
    }

    pub(super) fn is_of_worker(&self, worker: Serial) -> bool {
        matches!(self.awaited, Awaited::Start(serial, _) if serial == worker)
    }

    pub(super) const fn is_asleep(&self) -> bool {
        !self.is_woken
    }

    /// Schedules its next call.
    pub(super) fn wake(&mut self, event_queue: &mut EventQueue) {
        if !std::mem::replace(&mut self.is_woken, true) {
            event_queue.now(Task::Wake(self.waiter));
        }
    }
}

/// A reader of facts.
#[derive(Debug)]
pub(super) struct FactReader {
    pub(super) waiter: Waiter,
    /// The interval of its reads.
    pub(super) every: u64,
    /// True if it has found nothing, and waits.
    pub(super) sleeps: bool,
}

/// The expected result of a submission, computed before it.
#[derive(Debug)]
pub(super) struct Outlook {
    pub(super) event: EventNumber,
    pub(super) digest: Digest,
    /// The reason why the journal takes no new event of its size.
    pub(super) refusal: Option<Bound>,
    /// True if the event is new, of an allowed size, and the engine takes new events.
    pub(super) is_taken_if_room: bool,
    /// True if the engine runs, and does not know the event.
    pub(super) is_new: bool,
    /// True if its group has as many events as its policy allows.
    pub(super) is_group_full: bool,
    /// True if no bound that all events share refuses it.
    pub(super) has_room: bool,
}

/// A reader of a list.
#[derive(Debug)]
pub(super) struct Lister {
    pub(super) waiter: Waiter,
    pub(super) client: u8,
    pub(super) every: u64,
    /// The epoch of the engine that made the cursor, which is invalid for another one.
    pub(super) epoch: Epoch,
    pub(super) cursor: Cursor,
    /// The time at which the last page was read, and the number of facts decided by then.
    pub(super) read_at: (Timestamp, usize),
    pub(super) listing: Listing,
}
