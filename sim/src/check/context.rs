//! The stage of one run: which disturbances are still to come, and what has happened.

use std::collections::{BTreeMap, VecDeque};
use std::panic::resume_unwind;
use std::sync::{Mutex, MutexGuard, PoisonError};

use eventful::{
    Event, Key,
    node::{Action, Hooks, Point},
};
use tokio::sync::Notify;

use super::fault::{FaultPlace, HandlerFault, PlannedFault};

/// What the handlers, the adapter's hooks and the director share.
#[derive(Debug)]
pub(super) struct CheckContext {
    state: Mutex<CheckState>,
    /// Rung for the director: a cue is due.
    cue: Notify,
}

#[derive(Debug)]
struct CheckState {
    /// Those that have not struck yet.
    ahead: Vec<PlannedFault>,
    /// Those that the director has to perform.
    due: VecDeque<PlannedFault>,
    events: BTreeMap<Key, usize>,
    passes: [u32; POINTS],
    seen: CheckEvents,
}

/// What happened on a stage.
#[derive(Debug, Clone, Default)]
pub(super) struct CheckEvents {
    /// The runs, in the order of their starts.
    pub(super) runs: Vec<CalledRun>,
    /// How often handlers were polled.
    pub(super) steps: u32,
    /// The disturbances that struck, in their order.
    pub(super) struck: Vec<PlannedFault>,
}

/// One call of the handler.
#[derive(Debug, Clone)]
pub(super) struct CalledRun {
    /// The event's index.
    pub(super) event: usize,
    /// Which run of this event it is, from 1, across restarts.
    pub(super) number: u32,
    /// What the handler was told.
    pub(super) attempt: u32,
    /// Awaits at which it waited.
    pub(super) suspensions: u32,
    /// How it ended.
    pub(super) end: RunEnd,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum RunEnd {
    /// The handler was not called.
    NotCalled,
    /// It was dropped before it ended, or has not ended yet.
    Cut,
    /// It returned `Ok`.
    Done,
    /// It returned this failure.
    Failed(String),
    /// It panicked, with this message.
    Panicked(String),
    /// It was ready to go on without end while no time passed.
    Spun,
}

/// How many points of the adapter there are.
const POINTS: usize = 9;

/// The faults that strike at a point, and what they do there.
const fn strikes(point: Point) -> &'static [HandlerFault] {
    match point {
        Point::Enqueue => &[HandlerFault::FullChannel, HandlerFault::LostChannel],
        Point::Present => &[HandlerFault::LostTicket],
        Point::Dispatch => &[HandlerFault::DispatcherDies],
        Point::Sweep => &[HandlerFault::SweeperDies],
        Point::WorkerStart | Point::BeforeSettle | Point::AfterSettle | Point::Drain | Point::Write => &[],
    }
}

impl CheckContext {
    /// A stage for these events, on which these disturbances will strike.
    pub(super) fn new(events: &[Event], disturbances: &[PlannedFault]) -> Self {
        // The first of two with one key is the one that is accepted.
        let events = events.iter().enumerate().rev().map(|(index, event)| (event.key().clone(), index)).collect();
        let state = CheckState {
            ahead: disturbances.to_vec(),
            due: VecDeque::new(),
            events,
            passes: [0; POINTS],
            seen: CheckEvents::default(),
        };
        Self { state: Mutex::new(state), cue: Notify::new() }
    }

    fn lock(&self) -> MutexGuard<'_, CheckState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A run begins. Answers its index.
    pub(super) fn enter(&self, key: &Key, attempt: u32) -> usize {
        let mut state = self.lock();
        let event = state.events.get(key).copied().unwrap_or_default();
        let earlier = state.seen.runs.iter().filter(|run| run.event == event).count();
        // Runs are bounded by the attempts of a configuration, so they fit.
        let number = u32::try_from(earlier + 1).unwrap_or(u32::MAX);
        state.seen.runs.push(CalledRun { event, number, attempt, suspensions: 0, end: RunEnd::Cut });
        state.seen.runs.len() - 1
    }

    /// Whether the fault strikes this run as a whole.
    pub(super) fn strikes_run(&self, run: usize, fault: HandlerFault) -> bool {
        let mut state = self.lock();
        let CalledRun { event, number, .. } = state.seen.runs[run];
        let at = FaultPlace::Run { event, run: number };
        state.strike(|next| next.fault == fault && next.at == at).is_some()
    }

    /// The run waits. Answers what strikes it there.
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

    /// After how many operations this run is to be preempted, if it is.
    pub(super) fn preempts(&self, run: usize) -> Option<u32> {
        let state = self.lock();
        let CalledRun { event, number, .. } = state.seen.runs[run];
        state.ahead.iter().find_map(|next| match next.at {
            FaultPlace::Preempted { event: e, run, after } => ((e, run) == (event, number)).then_some(after),
            FaultPlace::Await { .. } | FaultPlace::Run { .. } | FaultPlace::Step { .. } | FaultPlace::Pass(_) => None,
            FaultPlace::Throughout | FaultPlace::Shuffle(_) => None,
        })
    }

    /// A run has ended like this. The first word counts.
    pub(super) fn leave(&self, run: usize, end: RunEnd) {
        let mut state = self.lock();
        let known = &mut state.seen.runs[run].end;
        if *known == RunEnd::Cut {
            *known = end;
        }
    }

    /// Whether a run has shown a flaw that decides the test_case, so that no other need be called.
    pub(super) fn is_decided(&self) -> bool {
        self.lock().seen.runs.iter().any(|run| match run.end {
            RunEnd::Panicked(_) | RunEnd::Spun => true,
            RunEnd::NotCalled | RunEnd::Cut | RunEnd::Done | RunEnd::Failed(_) => false,
        })
    }

    /// A handler is about to be polled.
    pub(super) fn step(&self) {
        let mut state = self.lock();
        state.seen.steps += 1;
        let now = state.seen.steps;
        while let Some(due) = state.strike(|next| matches!(next.at, FaultPlace::Step { step, .. } if step <= now)) {
            state.due.push_back(due);
            self.cue.notify_one();
        }
    }

    /// Waits for the next disturbance that the director has to perform.
    pub(super) async fn next_cue(&self) -> PlannedFault {
        loop {
            if let Some(due) = self.lock().due.pop_front() {
                return due;
            }
            self.cue.notified().await;
        }
    }

    /// What has happened.
    pub(super) fn seen(&self) -> CheckEvents {
        self.lock().seen.clone()
    }
}

impl CheckState {
    /// Takes the first disturbance that fits, and notes that it struck.
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
            // Unwound from here, the panic reaches no panic hook, and so prints nothing.
            Some(_) => resume_unwind(Box::new("killed by the simulator")),
            None => Action::Continue,
        }
    }
}
