//! One run of the real adapter with the user's handler, in virtual time.

use std::sync::Arc;
use std::time::Duration;

use eventful::{Config, Event, Eventful, Handler, Key, RecordView, Status, SubmitError};
use tokio::runtime::{Builder, Runtime};
use tokio::time::{advance, sleep, timeout};

use super::actor::Actor;
use super::clock::PausedClock;
use super::context::{CheckContext, CheckEvents};
use super::fault::{FaultPlace, HandlerFault, PlannedFault};
use super::watchdog::Watchdog;
use crate::at_once::at_once;
use crate::seeded_rng::SeededRng;

/// The events and faults of one run.
#[derive(Debug, Clone)]
pub(super) struct TestCase {
    /// The seed of the jitter.
    pub(super) seed: u64,
    pub(super) config: Config,
    pub(super) events: Vec<Event>,
    pub(super) disturbances: Vec<PlannedFault>,
}

/// The end of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum EventEnd {
    Completed,
    /// The event failed, with its last error.
    Failed(String),
    /// The event has not ended when it should have; with the engine's explanation.
    Unfinished(String),
}

/// The observations of a test case.
#[derive(Debug)]
pub(super) struct Played<T> {
    pub(super) world: T,
    pub(super) ends: Vec<EventEnd>,
    /// The ends of follow-ups, by their indexes.
    pub(super) follow_up_ends: Vec<(usize, EventEnd)>,
    pub(super) seen: CheckEvents,
}

const YEAR: Duration = Duration::from_secs(365 * 24 * 3600);

/// The time for which tasks that a handler left behind may continue before the world is compared. Virtual, so it costs
/// nothing; a free choice.
const EPILOGUE: Duration = Duration::from_secs(60);

impl TestCase {
    pub(super) fn has(&self, fault: HandlerFault) -> bool {
        self.disturbances.iter().any(|disturbance| disturbance.fault == fault)
    }

    /// Runs the test case, then takes the world.
    pub(super) fn play<H: Handler, T>(
        &self,
        handler: H,
        observe: impl FnOnce() -> T,
        watchdog: &Arc<Watchdog>,
    ) -> Played<T> {
        let runtime = runtime();
        let stage = Arc::new(CheckContext::new(&self.events, &self.disturbances));
        let (ends, follow_up_ends) = runtime.block_on(async {
            let clock = Arc::new(PausedClock::begin());
            let (handler, stage, watchdog) = (Arc::new(handler), Arc::clone(&stage), Arc::clone(watchdog));
            let handler = Actor { handler, stage, clock, watchdog };
            Director { test_case: self, eventful: self.start(&handler), handler }.perform().await
        });
        let world = observe();
        // A blocking task of the handler that never ends must not block the test here.
        runtime.shutdown_background();
        Played { world, ends, follow_up_ends, seen: stage.seen() }
    }

    fn start<H: Handler>(&self, handler: &Actor<H>) -> Eventful {
        let mut config = self.config.clone();
        if !self.has(HandlerFault::Overlap) {
            config.concurrency = 1.try_into().expect("one is more than zero");
        }
        // Terminal records are kept to the end of the test case.
        config.retention = config.retention.max(YEAR);
        let (clock, hooks) = (Arc::clone(&handler.clock), Arc::clone(&handler.stage));
        let builder = Eventful::builder().config(config).seed(self.seed).clock(clock).hooks(hooks);
        builder.start(handler.clone()).unwrap_or_else(|error| panic!("the engine cannot be started: {error}"))
    }

    /// Returns the events in the order in which they are submitted.
    fn in_order(&self) -> Vec<Event> {
        let mut events = self.events.clone();
        for disturbance in &self.disturbances {
            if let FaultPlace::Shuffle(number) = disturbance.at {
                let mut stream = SeededRng::of(number).stream("order");
                (1..events.len()).rev().for_each(|last| events.swap(last, stream.index(last + 1)));
            }
        }
        events
    }
}

fn runtime() -> Runtime {
    let built = Builder::new_current_thread().enable_time().start_paused(true).build();
    built.expect("a runtime of one thread, without I/O, asks the system for nothing")
}

/// Submits the events, performs due faults, and waits for the end.
struct Director<'a, H> {
    test_case: &'a TestCase,
    handler: Actor<H>,
    eventful: Eventful,
}

impl<H: Handler> Director<'_, H> {
    async fn perform(mut self) -> (Vec<EventEnd>, Vec<(usize, EventEnd)>) {
        self.submit().await;
        let bound = self.eventful.config().liveness_bound(self.test_case.events.len());
        // Each restart runs all events again.
        let bound = bound.saturating_mul(1 + u32::try_from(self.test_case.disturbances.len()).unwrap_or(u32::MAX - 1));
        // After the bound, events that have not ended are reported as unfinished.
        let _ = timeout(bound, self.direct()).await;
        sleep(EPILOGUE).await;
        let ends = self.test_case.events.iter().map(|event| self.end(event.key())).collect();
        // A restart has lost some, and their events may not have followed again.
        let follow_ups = (self.test_case.events.len()..).zip(self.handler.stage.seen().follow_ups);
        let known = follow_ups.filter(|(_, key)| self.record(key).is_some());
        let follow_up_ends = known.map(|(index, key)| (index, self.end(&key))).collect();
        self.eventful.shutdown(None).await;
        (ends, follow_up_ends)
    }

    async fn submit(&self) {
        for event in self.test_case.in_order() {
            send(&self.eventful, event).await;
        }
    }

    /// Performs due faults until every event has ended, and all that follow from them.
    async fn direct(&mut self) {
        let mut patience = Duration::from_millis(1);
        while !self.all_ended() {
            match timeout(patience, self.handler.stage.next_cue()).await {
                Ok(due) => self.act(due).await,
                Err(_) => patience = (patience * 2).min(Duration::from_secs(60)),
            }
        }
    }

    async fn act(&mut self, due: PlannedFault) {
        let FaultPlace::Step { event, delay, .. } = due.at else { return };
        if due.fault == HandlerFault::Pause {
            advance(delay).await;
        } else if due.fault == HandlerFault::Restart {
            self.eventful.shutdown(Some(Duration::ZERO)).await;
            self.eventful = self.test_case.start(&self.handler);
            self.submit().await;
        } else {
            send(&self.eventful, self.test_case.events[event].clone()).await;
        }
    }

    fn all_ended(&self) -> bool {
        let ended = |event: &Event| self.record(event.key()).is_some_and(|record| record.status.is_terminal());
        let pending = self.eventful.stats().map_or(0, |stats| stats.engine.gauges.pending());
        pending == 0 && self.test_case.events.iter().all(ended)
    }

    fn record(&self, key: &Key) -> Option<RecordView> {
        // A broken engine has no records; no fault here breaks it.
        at_once(self.eventful.get(key)).ok().flatten()
    }

    fn end(&self, key: &Key) -> EventEnd {
        match self.record(key) {
            Some(record) if record.status == Status::Completed => EventEnd::Completed,
            Some(record) if record.status.is_terminal() => {
                let error = record.last_error.map(|error| error.as_str().to_owned());
                EventEnd::Failed(error.unwrap_or_else(|| "no error was given".to_owned()))
            }
            Some(_) | None => EventEnd::Unfinished(self.explain(key)),
        }
    }

    fn explain(&self, key: &Key) -> String {
        let explanation = at_once(self.eventful.explain(key)).ok().flatten();
        explanation.unwrap_or_else(|| "the engine has no record of it".to_owned())
    }
}

/// Submits an event, again and again while there is no room.
async fn send(eventful: &Eventful, event: Event) {
    loop {
        match eventful.submit(event.clone()).await {
            Ok(_) | Err(SubmitError::Conflict(_)) => return,
            Err(SubmitError::Overloaded { retry_after, .. }) => sleep(retry_after).await,
            Err(error) => panic!("the event {} was not accepted: {error}", event.key()),
        }
    }
}
