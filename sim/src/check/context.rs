//! The context of one run: faults still to come, and what has happened so far.

use std::collections::{BTreeMap, VecDeque};
use std::panic::resume_unwind;
use std::sync::{Mutex, MutexGuard, PoisonError};

use eventful::{
    Event, Key,
    node::{Action, Hooks, Point},
};
use tokio::sync::Notify;

use super::fault::{FaultPlace, HandlerFault, PlannedFault};

/// The context that handlers, the adapter's hooks and the director share.
#[derive(Debug)]
pub(super) struct CheckContext {
    state: Mutex<CheckState>,
    /// Notifies the director of a fault that it has to perform.
    cue: Notify,
}

#[derive(Debug)]
struct CheckState {
    /// Faults that have not struck yet.
    ahead: Vec<PlannedFault>,
    /// Faults that the director has to perform.
    due: VecDeque<PlannedFault>,
    events: BTreeMap<Key, usize>,
    /// The number of submitted events: those of follow-ups come behind.
    submitted: usize,
    passes: [u32; POINTS],
    seen: CheckEvents,
}

/// Observations of one run of the adapter.
#[derive(Debug, Clone, Default)]
pub(super) struct CheckEvents {
    /// The runs, in the order of their starts.
    pub(super) runs: Vec<CalledRun>,
    /// The number of polls of handlers.
    pub(super) steps: u32,
    /// The faults that struck, in their order.
    pub(super) struck: Vec<PlannedFault>,
    /// The follow-ups for which the handler was called, in the order of their first calls. Their indexes follow those of
    /// the submitted events.
    pub(super) follow_ups: Vec<Key>,
}

/// One call of the handler.
#[derive(Debug, Clone)]
pub(super) struct CalledRun {
    /// The event's index.
    pub(super) event: usize,
    /// The number of this run among those of the event, from 1, across restarts.
    pub(super) number: u32,
    /// The attempt that the handler received.
    pub(super) attempt: u32,
    /// The number of awaits at which it waited.
    pub(super) suspensions: u32,
    /// The end of the run.
    pub(super) end: RunEnd,
}

/// The end of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum RunEnd {
    /// The handler was not called.
    NotCalled,
    /// The run was dropped before it ended, or has not ended yet.
    Cut,
    /// The handler returned `Ok`.
    Done,
    /// The handler returned this failure.
    Failed(String),
    /// The handler panicked, with this message.
    Panicked(String),
    /// The handler was ready again and again while no time passed.
    Spun,
}

/// The number of hook points of the adapter.
const POINTS: usize = 9;

/// Returns the faults that strike at a point.
const fn strikes(point: Point) -> &'static [HandlerFault] {
    match point {
        Point::Enqueue => &[HandlerFault::FullChannel, HandlerFault::LostChannel],
        Point::Present => &[HandlerFault::LostTicket],
        Point::Dispatch => &[HandlerFault::DispatcherDies],
        Point::Sweep => &[HandlerFault::SweeperDies],
        Point::WorkerStart | Point::BeforeSettle | Point::AfterSettle | Point::Drain | Point::Write => &[],
    }
}

impl CheckState {
    /// Returns the index of an event. One that was not submitted is a follow-up.
    fn index(&mut self, key: &Key) -> usize {
        if let Some(index) = self.events.get(key) {
            return *index;
        }
        let index = self.submitted + self.seen.follow_ups.len();
        self.seen.follow_ups.push(key.clone());
        self.events.insert(key.clone(), index);
        index
    }
}

impl CheckContext {
    /// Creates a context for these events and faults.
    pub(super) fn new(events: &[Event], disturbances: &[PlannedFault]) -> Self {
        let submitted = events.len();
        // Of two events with one key the first is the one that is accepted.
        let events = events.iter().enumerate().rev().map(|(index, event)| (event.key().clone(), index)).collect();
        let state = CheckState {
            ahead: disturbances.to_vec(),
            due: VecDeque::new(),
            events,
            submitted,
            passes: [0; POINTS],
            seen: CheckEvents::default(),
        };
        Self { state: Mutex::new(state), cue: Notify::new() }
    }

    fn lock(&self) -> MutexGuard<'_, CheckState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that a run begins. Returns its index.
    pub(super) fn enter(&self, key: &Key, attempt: u32) -> usize {
        let mut state = self.lock();
        let event = state.index(key);
        let earlier = state.seen.runs.iter().filter(|run| run.event == event).count();
        // Runs are bounded by the attempts of a configuration, so they fit.
        let number = u32::try_from(earlier + 1).unwrap_or(u32::MAX);
        state.seen.runs.push(CalledRun { event, number, attempt, suspensions: 0, end: RunEnd::Cut });
        state.seen.runs.len() - 1
    }

    /// Returns whether the fault strikes this run as a whole, and notes that.
    pub(super) fn strikes_run(&self, run: usize, fault: HandlerFault) -> bool {
        let mut state = self.lock();
        let CalledRun { event, number, .. } = state.seen.runs[run];
        let at = FaultPlace::Run { event, run: number };
        state.strike(|next| next.fault == fault && next.at == at).is_some()
    }

    /// Notes that the run waits. Returns the fault that strikes it there.
    pub(super) fn suspend(&self, run: usize) -> Option<PlannedFault> {
        let mut state = self.lock();
        state.seen.runs[run].suspensions += 1;
        let CalledRun { event, number, suspensions, .. } = state.seen.runs[run];
        state.strike(|next| match next.at {
            FaultPlace::Await { event: e, run, suspension, .. } => (e, run, suspension) == (event, number, suspensions),
            FaultPlace::Preempted { event: e, run, .. } => (e, run, 1) == (event, number, suspensions),
            FaultPlace::Throughout
            | FaultPlace::Shuffle(_)
            | FaultPlace::Run { .. }
            | FaultPlace::Step { .. }
            | FaultPlace::Pass(_) => false,
        })
    }

    /// Returns the number of operations after which this run is preempted, if it is.
    pub(super) fn preempts(&self, run: usize) -> Option<u32> {
        let state = self.lock();
        let CalledRun { event, number, .. } = state.seen.runs[run];
        state.ahead.iter().find_map(|next| match next.at {
            FaultPlace::Preempted { event: e, run, after } => ((e, run) == (event, number)).then_some(after),
            FaultPlace::Await { .. } | FaultPlace::Run { .. } | FaultPlace::Step { .. } | FaultPlace::Pass(_) => None,
            FaultPlace::Throughout | FaultPlace::Shuffle(_) => None,
        })
    }

    /// Notes the end of a run. The first end counts.
    pub(super) fn leave(&self, run: usize, end: RunEnd) {
        let mut state = self.lock();
        let known = &mut state.seen.runs[run].end;
        if *known == RunEnd::Cut {
            *known = end;
        }
    }

    /// Returns whether a run has shown a flaw that decides the test case, so that no other handler needs to be called.
    pub(super) fn is_decided(&self) -> bool {
        self.lock().seen.runs.iter().any(|run| match run.end {
            RunEnd::Panicked(_) | RunEnd::Spun => true,
            RunEnd::NotCalled | RunEnd::Cut | RunEnd::Done | RunEnd::Failed(_) => false,
        })
    }

    /// Notes that a handler is about to be polled.
    pub(super) fn step(&self) {
        let mut state = self.lock();
        state.seen.steps += 1;
        let now = state.seen.steps;
        while let Some(due) = state.strike(|next| matches!(next.at, FaultPlace::Step { step, .. } if step <= now)) {
            state.due.push_back(due);
            self.cue.notify_one();
        }
    }

    /// Waits for the next fault that the director has to perform.
    pub(super) async fn next_cue(&self) -> PlannedFault {
        loop {
            if let Some(due) = self.lock().due.pop_front() {
                return due;
            }
            self.cue.notified().await;
        }
    }

    /// Returns the observations so far.
    pub(super) fn seen(&self) -> CheckEvents {
        self.lock().seen.clone()
    }
}

impl CheckState {
    /// Takes the first fault that fits, and notes that it struck.
    fn strike(&mut self, fits: impl Fn(&PlannedFault) -> bool) -> Option<PlannedFault> {
        let at = self.ahead.iter().position(fits)?;
        let struck = self.ahead.remove(at);
        self.seen.struck.push(struck);
        Some(struck)
    }
}

impl Hooks for CheckContext {
    fn at(&self, point: Point) -> Action {
        let struck = {
            let mut state = self.lock();
            let pass = state.passes[point as usize];
            state.passes[point as usize] += 1;
            state.strike(|next| next.at == FaultPlace::Pass(pass) && strikes(point).contains(&next.fault))
        };
        match struck.map(|struck| struck.fault) {
            Some(HandlerFault::FullChannel | HandlerFault::LostTicket) => Action::Fail,
            Some(HandlerFault::LostChannel) => Action::DropReceiver,
            // Unwinds without a call of the panic hook, so that nothing is printed.
            Some(_) => resume_unwind(Box::new("killed by the simulator")),
            None => Action::Continue,
        }
    }
}
