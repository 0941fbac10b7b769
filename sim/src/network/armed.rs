//! The disturbances that the next passes of the named points of the adapter meet.

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

/// Disturbances in the order of the passes, and how often there were any.
#[derive(Debug)]
pub(super) struct Armed {
    waiting: BTreeMap<u8, VecDeque<AdapterFault>>,
    yields: Stream,
    yields_per_mille: u32,
    /// Panics that were asked for.
    pub(super) panics: u64,
    /// Stalls of the journal's writer.
    pub(super) stalls: u64,
    /// When the last of them is over.
    pub(super) stalled_until: Timestamp,
    /// Starts that are dropped before they were polled.
    pub(super) unpolled_starts: u8,
    /// How often the process that is up was disturbed.
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

    /// Has the next `passes` of the point meet this, after what they were to meet before.
    pub(super) fn arm(&mut self, disturbance: AdapterFault, passes: u8) {
        let (point, _) = place(disturbance);
        let waiting = self.waiting.entry(point as u8).or_default();
        waiting.extend(std::iter::repeat_n(disturbance, passes.into()));
    }

    /// There is another process.
    pub(super) fn open(&mut self) {
        self.met.clear();
    }

    /// How often the process that is up was disturbed like this.
    pub(super) fn met(&self, disturbance: AdapterFault) -> u64 {
        self.met.get(&disturbance).copied().unwrap_or_default()
    }

    /// Whether the engine of the process that is up was broken.
    pub(super) fn has_broken(&self) -> bool {
        [AdapterFault::EngineBreaksAtSend, AdapterFault::EngineBreaksAtTake].into_iter().any(|how| self.met(how) > 0)
    }

    /// Lets everything pass from now on.
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

    /// The writer meets a disk that does not respond for so long.
    pub(super) fn block(&mut self, lasts: Duration) -> (Action, Option<String>) {
        self.stalls += 1;
        (Action::Stall(lasts), Some("disk blocks".to_owned()))
    }

    /// What this pass meets, and the name of that.
    pub(super) fn next(&mut self, point: Point) -> (Action, Option<String>) {
        // A second panic, in a drop that the first one brings about, would abort the process: it waits for another pass.
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
        // The first two are passed under the lock.
        let is_open = !matches!(point, Point::Enqueue | Point::Present);
        match is_open && self.yields_per_mille > 0 && self.yields.per_mille(self.yields_per_mille) {
            true => (Action::Yield, Some(format!("yield: {}", variant(&point, ' ')))),
            false => (Action::Continue, None),
        }
    }
}

/// How long a disk that stalls takes.
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
