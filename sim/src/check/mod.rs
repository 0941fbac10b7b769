//! Runs a user's handler under faults.
//!
//! ```text
//! Check ──seed──▶ plan ──disturbances──▶ test_case ──▶ finding ──▶ explorer (simplifies) ──▶ words
//!                                          │
//!                  director ── the real adapter ── actor (the user's handler)
//!                         └────────── stage ──────────┘
//! ```
//!
//! A *test case* is one run of the adapter: events, and the faults that strike them. The others are compared with the
//! one without faults.

mod actor;
mod budget;
mod clock;
mod context;
mod explorer;
mod fault;
mod finding;
mod plan;
mod test_case;
mod watchdog;
mod words;

use std::fmt::{self, Debug};
use std::io::Write as _;
use std::sync::Arc;

use eventful::{Config, Event, Handler};

use explorer::{Explorer, FlawedCase};
pub use fault::HandlerFault;
use plan::{Baseline, draw};
use test_case::TestCase;
use watchdog::{PATIENCE, WatchdogThread};
use words::CaseText;

/// Runs a handler under faults, and panics when it panics, hangs or does not survive them: a whole
/// test in one line.
///
/// `make` returns a new handler for each run. To compare its effects too, see [`Check`].
///
/// ```
/// use eventful::{Attempt, Event, Failure};
///
/// async fn handle(_event: Event, _attempt: Attempt) -> Result<(), Failure> {
///     Ok(())
/// }
///
/// eventful_sim::check(|| handle);
/// ```
///
/// # Panics
///
/// If the handler has a flaw, with a text that describes it.
#[track_caller]
pub fn check<H: Handler>(make: impl FnMut() -> H + 'static) {
    Check::new(make).run();
}

/// A check of a handler: the faults, the events, and a view on the handler's effects.
///
/// The handler runs in the real adapter on tokio's paused clock, so that hours take no time. The first run is without
/// faults, one event after the other. Then each seed draws faults ([`HandlerFault`]): crashes before and after the
/// handler, runs dropped or delayed at their awaits, restarts, lost tickets and so on. Delivery at least once requires
/// that all this makes no difference to the handler's *world*, the value that your closure returns: the tables, files
/// or mails that a handler left.
///
/// ```
/// use std::collections::BTreeMap;
/// use std::sync::{Arc, Mutex};
///
/// use eventful::{Attempt, Event, Failure};
/// use eventful_sim::Check;
///
/// Check::observing(|| {
///     let accounts = Arc::new(Mutex::new(BTreeMap::new()));
///     let world = Arc::clone(&accounts);
///     let handler = move |event: Event, _: Attempt| {
///         // Set under the key, so that doing it again changes nothing.
///         accounts.lock().unwrap().insert(event.key().clone(), "charged");
///         async { Ok::<(), Failure>(()) }
///     };
///     (handler, move || world.lock().unwrap().clone())
/// })
/// .run();
/// ```
///
/// # What it finds
///
/// The flaw in words, with the simplest fault and the fewest events that show it, and the command that shows it again.
///
/// A handler that is **not idempotent**: its effect happens twice when it runs twice.
///
/// ```should_panic
/// # use std::sync::atomic::{AtomicU32, Ordering};
/// # use std::sync::Arc;
/// # use eventful::{Attempt, Event, Failure};
/// # eventful_sim::Check::observing(|| {
/// # let sent = Arc::new(AtomicU32::new(0));
/// # let world = Arc::clone(&sent);
/// let handler = move |_: Event, _: Attempt| {
///     sent.fetch_add(1, Ordering::Relaxed);
///     async { Ok::<(), Failure>(()) }
/// };
/// # (handler, move || world.load(Ordering::Relaxed))
/// # }).run();
/// ```
///
/// A handler that is **not cancel-safe**: it is half done when it is dropped at an await, and stays so.
///
/// ```should_panic
/// # use std::{sync::{Arc, Mutex}, collections::BTreeMap, time::Duration};
/// # use eventful::{Attempt, Event, Failure};
/// # use tokio::time::sleep;
/// # eventful_sim::Check::observing(|| {
/// # let orders = Arc::new(Mutex::new(BTreeMap::new()));
/// # let world = Arc::clone(&orders);
/// # let handler = move |event: Event, _: Attempt| {
/// # let orders = Arc::clone(&orders);
/// async move {
///     if orders.lock().unwrap().insert(event.key().clone(), "begun").is_some() {
///         return Ok(()); // Another run works on it. Or none does.
///     }
///     sleep(Duration::from_secs(1)).await;
///     orders.lock().unwrap().insert(event.key().clone(), "done");
///     Ok::<(), Failure>(())
/// }
/// # };
/// # (handler, move || world.lock().unwrap().clone())
/// # }).run();
/// ```
///
/// A handler that **panics**, here on a payload that it did not expect:
///
/// ```should_panic
/// # use eventful::{Attempt, Event, Failure};
/// # eventful_sim::check(|| {
/// |event: Event, _: Attempt| async move {
///     let _number: u32 = str::from_utf8(event.payload())?.parse().unwrap();
///     Ok::<(), Failure>(())
/// }
/// # });
/// ```
///
/// A handler that **hangs**: it does not end within `run_timeout`.
///
/// ```should_panic
/// # use eventful::{Attempt, Event, Failure};
/// # eventful_sim::check(|| {
/// # |_: Event, _: Attempt| async move {
/// let (_sender, receiver) = tokio::sync::oneshot::channel::<()>();
/// receiver.await?;
/// # Ok::<(), Failure>(())
/// # }
/// # });
/// ```
///
/// Further a handler that fails without any fault, that takes its own effects of an earlier run for an error, that
/// loses a permit when it is dropped, or that does not support overlapping runs; and a world that depends on the order
/// of the events.
///
/// # Requirements
///
/// - A new world in each call of `make`, and in the compared value no times, no random numbers, and
///   no order of arrival: a `BTreeMap` by key rather than a list.
/// - Stand-ins for the network and the disk: time is virtual, and there is no I/O. Let them use
///   tokio's locks, channels or timers: a run is never dropped at an await that never waits.
/// - `biased` in each `select!`, and no randomness of its own: else a seed may not repeat its finding.
/// - No blocking of the thread. A handler that blocks it, or loops without an await,
///   cannot be stopped: it is named on stderr after some seconds, and the test makes no progress.
///   `tokio::task::spawn_blocking` is fine, but takes real time, and must end.
///
/// # What it cannot find
///
/// A handler that returns before its work is done, because a task that it spawned continues: here the task survives
/// each crash, elsewhere it is lost with its process. Wait for what you spawn.
///
/// The simulator's own crashes print nothing. A panic of the handler itself prints what it always prints: the panic
/// hook is left as it is.
pub struct Check<H, T> {
    explorer: Explorer<H, T>,
    events: Vec<Event>,
    seeds: CheckSeeds,
}

/// The seeds to try.
#[derive(Debug, Clone, Copy)]
enum CheckSeeds {
    Below(u64),
    One(u64),
}

impl<H: Handler> Check<H, ()> {
    /// Creates a check of the handlers that `make` returns, one for each run. Their effects are not compared.
    pub fn new(mut make: impl FnMut() -> H + 'static) -> Self {
        Self::observing(move || (make(), || ()))
    }
}

impl<H: Handler, T: PartialEq + Debug> Check<H, T> {
    /// Creates a check of the handlers that `make` returns, each with a view on its world: a closure that is called
    /// once, after the run.
    pub fn observing<O: Fn() -> T + 'static>(mut make: impl FnMut() -> (H, O) + 'static) -> Self {
        let make = move || {
            let (handler, observe) = make();
            (handler, Box::new(observe) as Box<dyn Fn() -> T>)
        };
        Self { explorer: Explorer::new(Box::new(make)), events: default_events(), seeds: CheckSeeds::Below(200) }
    }

    /// Sets the number of seeds, from 0 on. The default 200 takes a fraction of a second, and each kind of fault
    /// strikes within them.
    #[must_use]
    pub fn seeds(mut self, count: u64) -> Self {
        self.seeds = CheckSeeds::Below(count);
        self
    }

    /// Tries this seed alone. The environment variable `EVENTFUL_SIM_SEED` does the same, and has precedence.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seeds = CheckSeeds::One(seed);
        self
    }

    /// Sets the events to submit. By default eight, `event-0` to `event-7`, with payloads such as `{"number":3}`.
    #[must_use]
    pub fn events(mut self, events: impl IntoIterator<Item = Event>) -> Self {
        self.events = events.into_iter().collect();
        self
    }

    /// Sets the engine's configuration. A run is struck by faults less often than it has attempts, and terminal
    /// records are kept to the end, whatever the retention.
    #[must_use]
    pub fn config(mut self, config: Config) -> Self {
        self.explorer.config = config;
        self
    }

    /// Sets the kinds of faults. By default all.
    #[must_use]
    pub fn only(mut self, faults: impl IntoIterator<Item = HandlerFault>) -> Self {
        self.explorer.kinds = faults.into_iter().collect();
        self
    }

    /// Excludes this kind of fault.
    #[must_use]
    pub fn without(mut self, fault: HandlerFault) -> Self {
        self.explorer.kinds.retain(|&kind| kind != fault);
        self
    }

    /// Accepts that events fail without any fault.
    #[must_use]
    pub fn may_fail(mut self) -> Self {
        self.explorer.may_fail = true;
        self
    }

    /// Runs the check, on this thread.
    ///
    /// # Panics
    ///
    /// If the handler has a flaw, with a text that describes it. Also if called within a runtime, or without events.
    #[track_caller]
    pub fn run(mut self) {
        let outside = tokio::runtime::Handle::try_current().is_err();
        assert!(
            outside,
            "a check brings a runtime of its own, with virtual time: call it in a plain #[test], not in a \
             #[tokio::test] or another async function"
        );
        assert!(!self.events.is_empty(), "there are no events to check the handler with: give some to Check::events");
        // Written past the test harness, which would show it only when the test has ended.
        let print = |words| drop(writeln!(std::io::stderr(), "{words}"));
        let _watch = WatchdogThread::begin(Arc::clone(&self.explorer.watchdog), PATIENCE, print);
        if let Some((seed, case)) = self.search() {
            let case = self.explorer.simplify(case);
            panic!("{}", CaseText { case: &case, seed });
        }
    }

    /// Returns the first seed that shows a flaw, with its case.
    fn search(&mut self) -> Option<(u64, FlawedCase<T>)> {
        let (first, last) = self.range();
        let test_case = TestCase {
            seed: first,
            config: self.explorer.config.clone(),
            events: self.events.clone(),
            disturbances: Vec::new(),
        };
        let calm = match self.explorer.calm(&test_case) {
            Ok(calm) => calm,
            Err(case) => return Some((first, *case)),
        };
        if let Some(case) = self.explorer.compare(&test_case, &calm) {
            return Some((first, case));
        }
        let config = &test_case.config;
        let baseline = Baseline::new(test_case.events.len(), &calm.seen, config.max_attempts, config.run_lifetime);
        (first..last).find_map(|seed| {
            let disturbances = draw(seed, &self.explorer.kinds, &baseline);
            let test_case = TestCase { seed, disturbances, ..test_case.clone() };
            Some((seed, self.explorer.compare(&test_case, &calm)?))
        })
    }

    fn range(&self) -> (u64, u64) {
        let asked = std::env::var("EVENTFUL_SIM_SEED").ok();
        let asked = asked.map(|seed| seed.parse().expect("EVENTFUL_SIM_SEED is a number"));
        match asked.map_or(self.seeds, CheckSeeds::One) {
            CheckSeeds::Below(count) => (0, count),
            CheckSeeds::One(seed) => (seed, seed.saturating_add(1)),
        }
    }
}

/// Returns a few events, such as any handler could receive.
fn default_events() -> Vec<Event> {
    let event = |number: u32| Event::with_id(&format!("event-{number}"), format!(r#"{{"number":{number}}}"#));
    (0..8).map(|number| event(number).expect("a short id without control characters")).collect()
}

impl<H, T> Debug for Check<H, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Check")
            .field("faults", &self.explorer.kinds)
            .field("seeds", &self.seeds)
            .finish_non_exhaustive()
    }
}
