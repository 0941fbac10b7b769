//! A tier, a scenario as data, and the report of a run.

use std::collections::BTreeSet;
use std::fmt::Debug;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::probes::Probes;
use super::refusal::FileError;
use crate::failure::Broken;
use crate::panics;
use crate::scenario::DrawPlan;
use crate::trace::{OutageSpan, Trace};

/// A change of a scenario.
pub type ScenarioChange<T> = Box<dyn Fn(&mut Scenario<T>)>;

/// A simulation in which scenarios run.
pub trait Tier: Debug + Clone + PartialEq + 'static {
    /// The name on the command line and in files.
    const NAME: &'static str;
    /// The unit of the size of a scenario.
    const UNIT: &'static str = "operations and faults";
    /// The number of seeds that a job takes at a time: so many that taking them costs nothing, and so few that all
    /// jobs end together.
    const BATCH: u64;
    /// True if a [`DrawPlan`](crate::scenario::DrawPlan) changes the scenarios. Otherwise all scenarios are of one
    /// kind.
    const HAS_PLANS: bool = false;

    /// The configuration of the product and its environment.
    type Setup: Debug + Clone + PartialEq + Serialize + DeserializeOwned;
    /// The type of operations.
    type Operation: ScenarioPart;
    /// The type of faults.
    type Fault: ScenarioPart;

    /// Returns the number of kinds of faults. Their probes have the first numbers.
    fn kinds() -> usize;

    /// Returns the scenario of a seed.
    fn draw(seed: u64, plan: DrawPlan) -> Scenario<Self>;

    /// Refuses a handwritten scenario of which no run could end.
    ///
    /// # Errors
    ///
    /// [`FileError`] about the file at `path`.
    fn check(scenario: &Scenario<Self>, path: &str) -> Result<(), FileError>;

    /// Runs a scenario. The probes that fire are added to `probes`.
    fn run(scenario: &Scenario<Self>, keep: Keep, probes: &mut Probes) -> Report;

    /// Returns the amount that a person has to read.
    fn size(scenario: &Scenario<Self>) -> usize {
        scenario.operations.len() + scenario.faults.len()
    }

    /// Returns changes of this scenario that may leave less to read, besides leaving out operations and faults.
    fn moves(scenario: &Scenario<Self>) -> Vec<ScenarioChange<Self>>;

    /// Returns the name of the probe with this number.
    fn probe(number: usize) -> String;

    /// Returns the probes that must fire in enough runs together, when these have fired.
    fn expected(fired: &Probes) -> Vec<String>;

    /// Returns the probes that must fire and have not.
    fn missing(fired: &Probes) -> Vec<String> {
        let names: BTreeSet<_> = fired.numbers().map(Self::probe).collect();
        Self::expected(fired).into_iter().filter(|name| !names.contains(name)).collect()
    }

    /// Returns the probes that have fired and are on no list, so that a new one is noticed.
    fn unlisted(fired: &Probes) -> Vec<String> {
        let expected: BTreeSet<_> = Self::expected(fired).into_iter().collect();
        fired.numbers().map(Self::probe).filter(|name| !expected.contains(name)).collect()
    }

    /// Returns the number of effects of each kind of fault.
    fn faults(fired: &Probes) -> Vec<(String, u64)> {
        (0..Self::kinds()).map(|number| (Self::probe(number), fired.count(number))).collect()
    }
}

/// An operation, or a fault.
pub trait ScenarioPart: Debug + Clone + PartialEq + Serialize + DeserializeOwned {
    /// Returns the time in microseconds since the start of the run; none if it waits for something else.
    fn at(&self) -> Option<u64>;

    /// Returns a description.
    fn words(&self) -> String;

    /// Returns the name of the client or operator.
    fn who(&self) -> String {
        String::new()
    }

    /// Returns the time for which some parts do not work.
    fn span(&self) -> Option<OutageSpan> {
        None
    }
}

/// The parts of a run to keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Keep {
    /// True to keep the trace.
    pub trace: bool,
    /// True to keep the hash after each step.
    pub hashes: bool,
}

/// The result of a run.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// The promise that was broken, if one was.
    pub broken: Option<Broken>,
    /// The number of steps; 0 in a tier that does not count them.
    pub steps: u32,
    /// The virtual time that passed, in microseconds.
    pub virtual_micros: u64,
    /// A hash over every step.
    pub hash: u64,
    /// The hash after each step, if they were asked for.
    pub hashes: Vec<u64>,
    /// The choices, in a tier where scenarios list them.
    pub choices: Option<Vec<u16>>,
    /// The trace, if it was asked for.
    pub trace: Option<Trace>,
}

/// The parts of a run. Equal scenarios have equal runs.
///
/// A scenario is drawn from a seed, saved as JSON, shrunk, and replayed exactly. A run depends on nothing else.
#[derive(Debug, Clone, PartialEq)]
pub struct Scenario<T: Tier> {
    /// A title for people.
    pub about: String,
    /// The seed that it was drawn from, and from which all randomness of the run follows.
    pub seed: u64,
    /// The configuration of the product and its environment.
    pub setup: T::Setup,
    /// The operations, in order.
    pub operations: Vec<T::Operation>,
    /// The faults, in order.
    pub faults: Vec<T::Fault>,
    /// The choice among the ready steps, step by step, counted from the one that has been ready for longest; 0 when
    /// the list has ended. Absent: drawn from the seed.
    pub choices: Option<Vec<u16>>,
}

impl<T: Tier> Scenario<T> {
    /// Returns the scenario of a seed, without operations, faults and choices.
    pub const fn of(seed: u64, setup: T::Setup) -> Self {
        Self { about: String::new(), seed, setup, operations: Vec::new(), faults: Vec::new(), choices: None }
    }

    /// Runs the scenario. The probes that fire are added to `probes`. A panic breaks a promise, too.
    pub fn run(&self, keep: Keep, probes: &mut Probes) -> Report {
        let ran = panics::watch(|| T::run(self, keep, probes));
        ran.unwrap_or_else(|broken| Report { broken: Some(broken), ..Report::default() })
    }

    /// Runs the scenario again: the run must be equal to `went`. The first step that differs breaks a promise.
    pub fn run_again(&self, went: Report) -> Report {
        let run = |keep| self.run(keep, &mut Probes::default());
        if went.broken.is_some() || run(Keep::default()).hash == went.hash {
            return went;
        }
        let hashes = || run(Keep { hashes: true, ..Keep::default() }).hashes;
        let (one, other) = (hashes(), hashes());
        let what = match one.iter().zip(&other).position(|(one, other)| one != other) {
            Some(at) => format!("two runs differ, first at step {} of {}", at + 1, one.len()),
            None => format!("two runs differ: two others took {} and {} steps", one.len(), other.len()),
        };
        Report { broken: Some(Broken::new("determinism", 11, what)), ..went }
    }

    /// Returns the amount that a person has to read.
    pub fn size(&self) -> usize {
        T::size(self)
    }
}
