//! A tier, a run of it as data, and what a run has come to.

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

/// A world in which scenarios run.
pub trait Tier: Debug + Clone + PartialEq + 'static {
    /// Its name on the command line and in files.
    const NAME: &'static str;
    /// The unit of the size of a scenario.
    const UNIT: &'static str = "operations and faults";
    /// Seeds that a job takes at a time: so many that taking them costs nothing, and so few that all jobs
    /// end together.
    const BATCH: u64;
    /// True if a [`DrawPlan`](crate::scenario::DrawPlan) changes what is drawn. Otherwise all scenarios are of one
    /// kind.
    const HAS_PLANS: bool = false;

    /// The configuration of the product, and of what is around it.
    type Setup: Debug + Clone + PartialEq + Serialize + DeserializeOwned;
    /// An operation of a client or an operator.
    type Operation: ScenarioPart;
    /// A fault.
    type Fault: ScenarioPart;

    /// Returns how many kinds of faults it has. Their probes have the first numbers.
    fn kinds() -> usize;

    /// The scenario of a seed.
    fn draw(seed: u64, plan: DrawPlan) -> Scenario<Self>;

    /// Refuses a scenario that a person wrote, when no run of it can end.
    ///
    /// # Errors
    ///
    /// [`FileError`] about the file at `path`.
    fn check(scenario: &Scenario<Self>, path: &str) -> Result<(), FileError>;

    /// Runs a scenario. What fires is added to `probes`.
    fn run(scenario: &Scenario<Self>, keep: Keep, probes: &mut Probes) -> Report;

    /// Returns how much of a scenario a person has to read.
    fn size(scenario: &Scenario<Self>) -> usize {
        scenario.operations.len() + scenario.faults.len()
    }

    /// Changes of this scenario that may leave less to read, besides leaving out operations and faults.
    fn moves(scenario: &Scenario<Self>) -> Vec<ScenarioChange<Self>>;

    /// The name of the probe with this number.
    fn probe(number: usize) -> String;

    /// The probes that must fire in enough runs together, when these have fired.
    fn expected(fired: &Probes) -> Vec<String>;

    /// The probes that must fire and have not.
    fn missing(fired: &Probes) -> Vec<String> {
        let names: BTreeSet<_> = fired.numbers().map(Self::probe).collect();
        Self::expected(fired).into_iter().filter(|name| !names.contains(name)).collect()
    }

    /// The probes that have fired and are on no list: something new happens.
    fn unlisted(fired: &Probes) -> Vec<String> {
        let expected: BTreeSet<_> = Self::expected(fired).into_iter().collect();
        fired.numbers().map(Self::probe).filter(|name| !expected.contains(name)).collect()
    }

    /// Returns how often each kind of fault has had its effect.
    fn faults(fired: &Probes) -> Vec<(String, u64)> {
        (0..Self::kinds()).map(|number| (Self::probe(number), fired.count(number))).collect()
    }
}

/// An operation, or a fault.
pub trait ScenarioPart: Debug + Clone + PartialEq + Serialize + DeserializeOwned {
    /// Returns when it comes, in microseconds since the start of the run; `None` when it waits for something else.
    fn at(&self) -> Option<u64>;

    /// Returns what happens, in words.
    fn words(&self) -> String;

    /// Returns who does it.
    fn who(&self) -> String {
        String::new()
    }

    /// The time in which some parts do not work as they should.
    fn span(&self) -> Option<OutageSpan> {
        None
    }
}

/// The parts of a run that are to be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Keep {
    /// True to keep what happened, for people.
    pub trace: bool,
    /// The hash after each step.
    pub hashes: bool,
}

/// The report of a run.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// The promise that was broken, if one was.
    pub broken: Option<Broken>,
    /// The steps that it took; 0 where none are counted.
    pub steps: u32,
    /// The time that passed in it, in microseconds.
    pub virtual_micros: u64,
    /// A hash over every step.
    pub hash: u64,
    /// The hash after each step, when they were asked for.
    pub hashes: Vec<u64>,
    /// The choices that were made, in a tier where scenarios list them.
    pub choices: Option<Vec<u16>>,
    /// The trace, when it was asked for.
    pub trace: Option<Trace>,
}

/// Everything that a run is made of. Equal scenarios have equal runs.
///
/// A scenario is drawn from a seed, kept as JSON, made smaller, and replayed exactly. Nothing in a run
/// comes from elsewhere.
#[derive(Debug, Clone, PartialEq)]
pub struct Scenario<T: Tier> {
    /// The purpose of it, for people.
    pub about: String,
    /// The seed that it was drawn from, and from which all chance in the run follows.
    pub seed: u64,
    /// The configuration of the product, and of what is around it.
    pub setup: T::Setup,
    /// The operations.
    pub operations: Vec<T::Operation>,
    /// The faults.
    pub faults: Vec<T::Fault>,
    /// The choices: which of the ready steps is taken, step by step, counted from the one that has been ready for
    /// longest; 0 when the list has ended. Absent: drawn from the seed.
    pub choices: Option<Vec<u16>>,
}

impl<T: Tier> Scenario<T> {
    /// The scenario of a seed, without operations, faults and choices.
    pub const fn of(seed: u64, setup: T::Setup) -> Self {
        Self { about: String::new(), seed, setup, operations: Vec::new(), faults: Vec::new(), choices: None }
    }

    /// Runs it. What fires is added to `probes`. A panic on the way breaks a promise, too.
    pub fn run(&self, keep: Keep, probes: &mut Probes) -> Report {
        let ran = panics::watch(|| T::run(self, keep, probes));
        ran.unwrap_or_else(|broken| Report { broken: Some(broken), ..Report::default() })
    }

    /// Runs it once more: it must go as it `went`. The first step that differs breaks a promise.
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

    /// Returns how much of it a person has to read.
    pub fn size(&self) -> usize {
        T::size(self)
    }
}
