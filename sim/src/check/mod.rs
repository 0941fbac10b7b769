//! Runs a user's handler under faults.

mod actor;
mod clock;
mod fault;
mod finding;
mod lab;
mod plan;
mod stage;
mod story;
mod words;

use std::fmt::{self, Debug};

use eventful::{Config, Event, Handler};

pub use fault::Fault;
use lab::{Case, Lab};
use plan::{Ground, draw};
use story::Story;
use words::Told;

/// Runs a handler under faults, and panics when it panics, hangs, or does not survive them.
///
/// See [`Check`] for what is tried, and for handlers whose effects are to be looked at.
#[track_caller]
pub fn check<H: Handler>(make: impl FnMut() -> H + 'static) {
    Check::new(make).run();
}

/// A check of a handler.
pub struct Check<H, T> {
    lab: Lab<H, T>,
    events: Vec<Event>,
    seeds: Seeds,
}

/// The seeds that are tried.
#[derive(Debug, Clone, Copy)]
enum Seeds {
    Below(u64),
    One(u64),
}

impl<H: Handler> Check<H, ()> {
    /// A check of the handlers that `make` makes, one for each run.
    pub fn new(mut make: impl FnMut() -> H + 'static) -> Self {
        Self::observing(move || (make(), || ()))
    }
}

impl<H: Handler, T: PartialEq + Debug> Check<H, T> {
    /// A check of the handlers that `make` makes, each with a look at what it did to its world.
    pub fn observing<O: Fn() -> T + 'static>(mut make: impl FnMut() -> (H, O) + 'static) -> Self {
        let make = move || {
            let (handler, observe) = make();
            (handler, Box::new(observe) as Box<dyn Fn() -> T>)
        };
        let lab = Lab { make: Box::new(make), config: Config::default(), may_fail: false, kinds: Fault::ALL.to_vec() };
        Self { lab, events: default_events(), seeds: Seeds::Below(200) }
    }

    /// Tries the seeds below this number. 200 by default.
    #[must_use]
    pub fn seeds(mut self, count: u64) -> Self {
        self.seeds = Seeds::Below(count);
        self
    }

    /// Tries this seed alone.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seeds = Seeds::One(seed);
        self
    }

    /// Sends these events.
    #[must_use]
    pub fn events(mut self, events: impl IntoIterator<Item = Event>) -> Self {
        self.events = events.into_iter().collect();
        self
    }

    /// Gives the engine this configuration.
    #[must_use]
    pub fn config(mut self, config: Config) -> Self {
        self.lab.config = config;
        self
    }

    /// Tries these kinds of faults alone.
    #[must_use]
    pub fn only(mut self, faults: impl IntoIterator<Item = Fault>) -> Self {
        self.lab.kinds = faults.into_iter().collect();
        self
    }

    /// Does not try this kind of fault.
    #[must_use]
    pub fn without(mut self, fault: Fault) -> Self {
        self.lab.kinds.retain(|&kind| kind != fault);
        self
    }

    /// Takes an event that fails although nothing disturbs it as the handler's right.
    #[must_use]
    pub fn may_fail(mut self) -> Self {
        self.lab.may_fail = true;
        self
    }

    /// Runs it.
    ///
    /// # Panics
    ///
    /// When something is wrong with the handler, with words that say what.
    #[track_caller]
    pub fn run(mut self) {
        if let Some((seed, case)) = self.search() {
            let case = self.lab.simplify(case);
            panic!("{}", Told { case: &case, seed });
        }
    }

    /// The first seed that finds something, and what.
    fn search(&mut self) -> Option<(u64, Case<T>)> {
        let (first, last) = self.range();
        let story = Story {
            seed: first,
            config: self.lab.config.clone(),
            events: self.events.clone(),
            disturbances: Vec::new(),
        };
        let calm = match self.lab.calm(&story) {
            Ok(calm) => calm,
            Err(case) => return Some((first, *case)),
        };
        if let Some(case) = self.lab.compare(&story, &calm) {
            return Some((first, case));
        }
        let config = &story.config;
        let ground = Ground::new(story.events.len(), &calm.seen, config.max_attempts, config.run_lifetime);
        (first..last).find_map(|seed| {
            let disturbances = draw(seed, &self.lab.kinds, &ground);
            let story = Story { seed, disturbances, ..story.clone() };
            Some((seed, self.lab.compare(&story, &calm)?))
        })
    }

    fn range(&self) -> (u64, u64) {
        let asked = std::env::var("EVENTFUL_SIM_SEED").ok();
        let asked = asked.map(|seed| seed.parse().expect("EVENTFUL_SIM_SEED is a number"));
        match asked.map_or(self.seeds, Seeds::One) {
            Seeds::Below(count) => (0, count),
            Seeds::One(seed) => (seed, seed.saturating_add(1)),
        }
    }
}

/// A few events, such as any handler could get.
fn default_events() -> Vec<Event> {
    let event = |number: u32| Event::with_id(&format!("event-{number}"), format!(r#"{{"number":{number}}}"#));
    (0..8).map(|number| event(number).expect("a short id without control characters")).collect()
}

impl<H, T> Debug for Check<H, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Check").field("lab", &self.lab).field("seeds", &self.seeds).finish_non_exhaustive()
    }
}
