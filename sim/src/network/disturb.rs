//! Disturbs the adapter at its named points.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use eventful::{Action, Hooks, Point, Timestamp};

use super::coverage;
use super::scenario::Disturbance;
use super::stage::Stage;
use super::trace::Step;
use crate::chance::Stream;

/// What the next passes of the points meet.
#[derive(Debug)]
pub(super) struct Armed {
    waiting: BTreeMap<u8, VecDeque<Disturbance>>,
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
    met: BTreeMap<Disturbance, u64>,
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
    pub(super) fn arm(&mut self, disturbance: Disturbance, passes: u8) {
        let (point, _) = place(disturbance);
        let waiting = self.waiting.entry(point as u8).or_default();
        waiting.extend(std::iter::repeat_n(disturbance, passes.into()));
    }

    /// There is another process.
    pub(super) fn open(&mut self) {
        self.met.clear();
    }

    /// How often the process that is up was disturbed like this.
    pub(super) fn met(&self, disturbance: Disturbance) -> u64 {
        self.met.get(&disturbance).copied().unwrap_or_default()
    }

    /// Whether the engine of the process that is up was broken.
    pub(super) fn has_broken(&self) -> bool {
        [Disturbance::EngineBreaksAtSend, Disturbance::EngineBreaksAtTake].into_iter().any(|how| self.met(how) > 0)
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
    const fn block(&mut self, lasts: Duration) -> (Action, Option<&'static str>) {
        self.stalls += 1;
        (Action::Stall(lasts), Some(coverage::BLOCKED))
    }

    /// What this pass meets, and the name of that.
    fn next(&mut self, point: Point) -> (Action, Option<&'static str>) {
        if let Some(disturbance) = self.waiting.get_mut(&(point as u8)).and_then(VecDeque::pop_front) {
            let (_, action) = place(disturbance);
            self.panics += u64::from(action == Action::Panic);
            self.stalls += u64::from(point == Point::Write);
            *self.met.entry(disturbance).or_default() += 1;
            return (action, Some(coverage::disturb(disturbance)));
        }
        match yielding(point) {
            Some(name) if self.yields_per_mille > 0 && self.yields.per_mille(self.yields_per_mille) => {
                (Action::Yield, Some(name))
            }
            Some(_) | None => (Action::Continue, None),
        }
    }
}

/// How long a disk that stalls takes.
const STALL: Duration = Duration::from_millis(25);

const fn place(disturbance: Disturbance) -> (Point, Action) {
    match disturbance {
        Disturbance::ChannelFull => (Point::Enqueue, Action::Fail),
        Disturbance::ReceiverDroppedAtSend => (Point::Enqueue, Action::DropReceiver),
        Disturbance::TicketLost => (Point::Present, Action::Fail),
        Disturbance::ReceiverDroppedAtTake => (Point::Present, Action::DropReceiver),
        Disturbance::DispatcherPanics => (Point::Dispatch, Action::Panic),
        Disturbance::SweeperPanics => (Point::Sweep, Action::Panic),
        Disturbance::WorkerPanicsAtStart => (Point::WorkerStart, Action::Panic),
        Disturbance::WorkerPanicsBeforeSettle => (Point::BeforeSettle, Action::Panic),
        Disturbance::WorkerPanicsAfterSettle => (Point::AfterSettle, Action::Panic),
        Disturbance::ShutdownPanics => (Point::Drain, Action::Panic),
        Disturbance::EngineBreaksAtSend => (Point::Enqueue, Action::Panic),
        Disturbance::EngineBreaksAtTake => (Point::Present, Action::Panic),
        Disturbance::JournalStalls => (Point::Write, Action::Stall(STALL)),
        Disturbance::WriterPanics => (Point::Write, Action::Panic),
    }
}

/// The probe of a yield at an open point. The others cannot yield.
const fn yielding(point: Point) -> Option<&'static str> {
    match point {
        Point::Enqueue | Point::Present => None,
        Point::Dispatch => Some("yield at dispatch"),
        Point::WorkerStart => Some("yield at start"),
        Point::BeforeSettle => Some("yield before settle"),
        Point::AfterSettle => Some("yield after settle"),
        Point::Sweep => Some("yield at sweep"),
        Point::Drain => Some("yield at drain"),
        Point::Write => Some("yield at write"),
    }
}

/// The hooks of one process of the server.
pub(super) struct Disturber(pub(super) Arc<Stage>);

impl Hooks for Disturber {
    fn at(&self, point: Point) -> Action {
        self.0.with(|notes, now| {
            if notes.muted {
                return Action::Continue;
            }
            let blocked_until = notes.absence.blocks_until(now).filter(|_| point == Point::Write);
            let (action, name) = match blocked_until {
                Some(until) => notes.armed.block(until.since(now)),
                None => notes.armed.next(point),
            };
            if let Action::Stall(lasts) = action {
                notes.armed.stalled_until = now + lasts;
            }
            name.into_iter().for_each(|name| notes.coverage.reach(name));
            notes.shutdown_panicked |= point == Point::Drain && action == Action::Panic;
            notes.trace.note(now, &Step::Passed { point, action });
            action
        })
    }
}
