//! Clients of the node, and what they wait for.

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
    /// In the order in which they began.
    pub(super) waits: Vec<WaitingClient>,
    /// The clients that wait for room, the first one first.
    pub(super) queue: VecDeque<Waiter>,
    /// The clients that have the node watch for the end of an event.
    pub(super) watching: Vec<Waiter>,
    pub(super) readers: Vec<FactReader>,
    pub(super) listers: Vec<Lister>,
    /// The progress of durability, as they last heard.
    pub(super) horizon: Horizon,
    pub(super) stalled_until: u64,
    /// The clients that were woken by the last call of the node.
    pub(super) rung: Rung,
    /// A worker whose name is used when another settles a run.
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
    /// A name for one who may have to wait.
    pub(super) const fn name(&mut self) -> Waiter {
        self.last_name += 1;
        Waiter::new(self.last_name)
    }

    /// The node does not watch for the end of an event any more for this one.
    pub(super) fn unregister(&mut self, waiter: Waiter) {
        self.watching.retain(|other| *other != waiter);
    }

    /// All that a process has in its memory is gone.
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

/// One who waits.
#[derive(Debug)]
pub(super) struct WaitingClient {
    pub(super) waiter: Waiter,
    pub(super) client: u8,
    pub(super) awaited: Awaited,
    /// The time at which it began, by the world's clock.
    pub(super) since: u64,
    /// True if it was woken, and has not asked again.
    pub(super) is_woken: bool,
}

/// The thing that is waited for.
#[derive(Debug)]
pub(super) enum Awaited {
    /// Room for an event. A client that is patient to the end tries once more then.
    Room { event: Event, hangs_up: bool },
    /// Durability, after which the value is shown.
    Durable(DurableBefore, ShownValue),
    /// The end of an event.
    End(EventNumber),
    /// No event is pending.
    Idle,
    /// The start of a worker's run is durable.
    Start(Serial, Lsn),
}

/// The facts that must be durable before something is shown.
#[derive(Debug, Clone, Copy)]
pub(super) struct DurableBefore {
    pub(super) lsn: Lsn,
    /// So many facts were decided by then.
    pub(super) decided: usize,
}

/// A value for a client.
#[derive(Debug)]
pub(super) struct ShownValue {
    pub(super) what: &'static str,
    /// The number of first facts from which it follows.
    pub(super) decided: usize,
    /// The result of a submission.
    pub(super) submission: Option<SubmitAnswer>,
}

/// The result of a submission, as its client gets it.
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

    /// Has it ask again.
    pub(super) fn wake(&mut self, event_queue: &mut EventQueue) {
        if !std::mem::replace(&mut self.is_woken, true) {
            event_queue.now(Task::Wake(self.waiter));
        }
    }
}

/// One who reads facts as they happen.
#[derive(Debug)]
pub(super) struct FactReader {
    pub(super) waiter: Waiter,
    /// The time from one look to the next.
    pub(super) every: u64,
    /// True if it has found nothing, and waits.
    pub(super) sleeps: bool,
}

/// The knowledge before a submission of what must become of it.
#[derive(Debug)]
pub(super) struct Outlook {
    pub(super) event: EventNumber,
    pub(super) digest: Digest,
    /// The reason why the journal takes no new event of its size.
    pub(super) refusal: Option<Bound>,
    /// True if it is new, and of a size that is allowed, and the engine takes new events.
    pub(super) is_taken_if_room: bool,
    /// There is an engine that runs, and it does not know the event.
    pub(super) is_new: bool,
    /// No bound stands against it, be it the engine's or the journal's.
    pub(super) has_room: bool,
}

/// One who reads a list.
#[derive(Debug)]
pub(super) struct Lister {
    pub(super) waiter: Waiter,
    pub(super) client: u8,
    pub(super) every: u64,
    /// The engine of which it is: a cursor is of no use for another one.
    pub(super) epoch: Epoch,
    pub(super) cursor: Cursor,
    /// The time at which the last page was read, and how many facts were decided by then.
    pub(super) read_at: (Timestamp, usize),
    pub(super) listing: Listing,
}
