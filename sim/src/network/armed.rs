//! Faults armed for the next passes of the adapter's hook points.

use std::collections::{BTreeMap, VecDeque};
use std::thread;
use std::time::Duration;

use eventful::{
    Timestamp,
    node::{Action, Point},
};

use super::scenario::AdapterFault;
use crate::seeded_rng::Stream;
use crate::spelling::variant;

/// Armed faults in the order of the passes, and counts of those that struck.
#[derive(Debug)]
pub(super) struct Armed {
    waiting: BTreeMap<u8, VecDeque<AdapterFault>>,
    yields: Stream,
    yields_per_mille: u32,
    /// Panics that were injected.
    pub(super) panics: u64,
    /// Stalls of the journal's writer.
    pub(super) stalls: u64,
    /// The time at which the last of the stalls ends.
    pub(super) stalled_until: Timestamp,
    /// Starts whose runtime will be dropped before it was polled.
    pub(super) unpolled_starts: u8,
    /// The number of faults that struck the current process, by kind.
    met: BTreeMap<AdapterFault, u64>,
}

impl Armed {
    pub(super) const fn new(yields: Stream, yields_per_mille: u32) -> Self {
        Self {
            waiting: BTreeMap::new(),
            yields,
            yields_per_mille,
            panics: 0,
            stalls: 0,
            stalled_until: Timestamp::EPOCH,
            unpolled_starts: 0,
            met: BTreeMap::new(),
        }
    }

    /// Arms a fault for the next `passes` of its point, behind those already armed there.
    pub(super) fn arm(&mut self, disturbance: AdapterFault, passes: u8) {
        let (point, _) = place(disturbance);
        let waiting = self.waiting.entry(point as u8).or_default();
        waiting.extend(std::iter::repeat_n(disturbance, passes.into()));
    }

    /// Resets the counts for a new process.
    pub(super) fn open(&mut self) {
        self.met.clear();
    }

    /// Returns the number of times that this fault struck the current process.
    pub(super) fn met(&self, disturbance: AdapterFault) -> u64 {
        self.met.get(&disturbance).copied().unwrap_or_default()
    }

    /// Returns whether a fault broke the engine of the current process.
    pub(super) fn has_broken(&self) -> bool {
        [AdapterFault::EngineBreaksAtSend, AdapterFault::EngineBreaksAtTake].into_iter().any(|how| self.met(how) > 0)
    }

    /// Disarms all faults and yields.
    pub(super) fn disarm(&mut self) {
        self.waiting.clear();
        (self.yields_per_mille, self.unpolled_starts) = (0, 0);
    }

    /// Returns whether the next start is dropped before it was polled, and counts it.
    pub(super) fn starts_unpolled(&mut self) -> bool {
        let is_unpolled = self.unpolled_starts > 0;
        self.unpolled_starts -= u8::from(is_unpolled);
        is_unpolled
    }

    /// Stalls the writer for the time that a blocked disk takes to respond.
    pub(super) fn block(&mut self, lasts: Duration) -> (Action, Option<String>) {
        self.stalls += 1;
        (Action::Stall(lasts), Some("disk blocks".to_owned()))
    }

    /// Returns what strikes this pass, and the name of its probe.
    pub(super) fn next(&mut self, point: Point) -> (Action, Option<String>) {
        // A panic while another one unwinds would abort the process, so this fault waits for another pass.
        let may_strike =
            |disturbance: &mut AdapterFault| place(*disturbance).1 != Action::Panic || !thread::panicking();
        let waiting = self.waiting.get_mut(&(point as u8));
        if let Some(disturbance) = waiting.and_then(|waiting| waiting.pop_front_if(may_strike)) {
            let (_, action) = place(disturbance);
            self.panics += u64::from(action == Action::Panic);
            self.stalls += u64::from(point == Point::Write);
            *self.met.entry(disturbance).or_default() += 1;
            return (action, Some(variant(&disturbance, ' ')));
        }
        // Both points are passed while the lock is held, where the adapter cannot yield.
        let is_open = !matches!(point, Point::Enqueue | Point::Present);
        match is_open && self.yields_per_mille > 0 && self.yields.per_mille(self.yields_per_mille) {
            true => (Action::Yield, Some(format!("yield: {}", variant(&point, ' ')))),
            false => (Action::Continue, None),
        }
    }
}

/// The time that a stalled write takes: within the range of `answer_timeout`, so that some calls wait and some give up.
const STALL: Duration = Duration::from_millis(25);

const fn place(disturbance: AdapterFault) -> (Point, Action) {
    match disturbance {
        AdapterFault::ChannelFull => (Point::Enqueue, Action::Fail),
        AdapterFault::ReceiverDroppedAtSend => (Point::Enqueue, Action::DropReceiver),
        AdapterFault::TicketLost => (Point::Present, Action::Fail),
        AdapterFault::ReceiverDroppedAtTake => (Point::Present, Action::DropReceiver),
        AdapterFault::DispatcherPanics => (Point::Dispatch, Action::Panic),
        AdapterFault::SweeperPanics => (Point::Sweep, Action::Panic),
        AdapterFault::WorkerPanicsAtStart => (Point::WorkerStart, Action::Panic),
        AdapterFault::WorkerPanicsBeforeSettle => (Point::BeforeSettle, Action::Panic),
        AdapterFault::WorkerPanicsAfterSettle => (Point::AfterSettle, Action::Panic),
        AdapterFault::ShutdownPanics => (Point::Drain, Action::Panic),
        AdapterFault::EngineBreaksAtSend => (Point::Enqueue, Action::Panic),
        AdapterFault::EngineBreaksAtTake => (Point::Present, Action::Panic),
        AdapterFault::JournalStalls => (Point::Write, Action::Stall(STALL)),
        AdapterFault::WriterPanics => (Point::Write, Action::Panic),
    }
}
