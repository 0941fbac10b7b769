//! The frame around runs, with a tier of its own in which a known pair of parts breaks a promise.

use std::sync::atomic::{AtomicU64, Ordering};

use eventful_sim::failure::Broken;
use eventful_sim::scenario::DrawPlan;
use eventful_sim::tier::{FileError, Keep, Probes, Report, Scenario, ScenarioChange, ScenarioPart, Tier, shrink};
use serde::{Deserialize, Serialize};

#[test]
fn shrunk_scenario_holds_what_breaks_the_promise_and_no_more() {
    let shrunk = shrink(&broken_by(7, 3), 10_000).expect("it breaks a promise");
    assert_eq!((shrunk.scenario.operations, shrunk.scenario.faults), (vec![Number(7)], vec![Number(3)]));
    assert_eq!(shrunk.scenario.setup, 0, "what may be plainer is");
    assert_eq!(shrunk.scenario.choices, Some(vec![0, 0, 5]), "the choice that matters is left, and none after it");
    assert_eq!(shrunk.broken.what, "7 meets 3");
}

#[test]
fn shrinking_ends_when_its_runs_are_spent() {
    let shrunk = shrink(&broken_by(7, 3), 2).expect("it breaks a promise");
    assert_eq!(shrunk.tries, 2);
}

#[test]
fn scenario_of_another_broken_promise_is_no_smaller_case() {
    let mut scenario = broken_by(7, 3);
    scenario.operations.push(Number(HUNDRED));
    let shrunk = shrink(&scenario, 10_000).expect("it breaks a promise");
    assert_eq!(&*shrunk.broken.oracle, "hundreds");
    assert_eq!(shrunk.scenario.operations, [Number(7), Number(HUNDRED)], "without the second another oracle finds it");
}

#[test]
fn scenario_that_breaks_nothing_is_not_shrunk() {
    assert!(shrink(&broken_by(1, 2), 10_000).is_none());
}

#[test]
fn first_step_in_which_two_runs_differ_is_named() {
    let scenario = Scenario::<NumberTier>::of(RESTLESS, 0);
    let report = scenario.run_again(scenario.run(Keep::default(), &mut Probes::default()));
    let broken = report.broken.expect("no two runs are alike");
    assert_eq!((&*broken.oracle, broken.promise.0), ("determinism", 11));
    assert_eq!(broken.what, "two runs differ, first at step 2 of 2");
    let still = Scenario::<NumberTier>::of(1, 0);
    assert_eq!(still.run_again(still.run(Keep::default(), &mut Probes::default())).broken, None);
}

#[test]
fn panic_of_a_run_is_a_broken_promise_with_its_place() {
    let report = Scenario::<NumberTier>::of(PANICS, 0).run(Keep::default(), &mut Probes::default());
    let broken = report.broken.expect("it panics");
    assert_eq!(&*broken.oracle, "panics");
    assert!(broken.what.contains("tests/tier.rs") && broken.what.contains("this seed panics"), "{broken}");
}

#[test]
fn silent_probes_are_missing_and_unknown_ones_unlisted() {
    let mut probes = Probes::default();
    let mut scenario = Scenario::<NumberTier>::of(1, 0);
    scenario.faults = vec![Number(1), Number(4)];
    scenario.run(Keep::default(), &mut probes);
    scenario.run(Keep::default(), &mut probes);
    assert_eq!(NumberTier::faults(&probes), [("fault 0".to_owned(), 0), ("fault 1".to_owned(), 2)]);
    assert_eq!(NumberTier::missing(&probes), ["fault 0", "probe 2"]);
    assert_eq!(NumberTier::unlisted(&probes), ["probe 4"]);
    let mut sum = Probes::default();
    sum.add(&probes);
    sum.add(&probes);
    assert_eq!((sum.count(1), sum.count(3), sum.count(4)), (4, 0, 4));
}

/// A tier whose scenarios are numbers: 7 among the operations and 3 among the faults break a promise, when
/// the third choice is a 5.
#[derive(Debug, Clone, PartialEq)]
enum NumberTier {}

/// An operation with which another oracle finds the violation.
const HUNDRED: usize = 100;

/// The seed of runs that panic.
const PANICS: u64 = 1_000;

/// The seed of runs that all differ.
const RESTLESS: u64 = 2_000;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Number(usize);

impl ScenarioPart for Number {
    fn at(&self) -> Option<u64> {
        None
    }

    fn words(&self) -> String {
        self.0.to_string()
    }
}

impl Tier for NumberTier {
    const NAME: &'static str = "numbers";
    const BATCH: u64 = 1;

    type Setup = u8;
    type Operation = Number;
    type Fault = Number;

    fn kinds() -> usize {
        2
    }

    fn draw(seed: u64, _: DrawPlan) -> Scenario<Self> {
        Scenario::of(seed, 0)
    }

    fn check(_: &Scenario<Self>, _: &str) -> Result<(), FileError> {
        Ok(())
    }

    fn run(scenario: &Scenario<Self>, keep: Keep, probes: &mut Probes) -> Report {
        assert_ne!(scenario.seed, PANICS, "this seed panics");
        scenario.faults.iter().for_each(|fault| probes.fire(fault.0));
        let choices = scenario.choices.clone().unwrap_or_else(|| vec![1, 2, 5, 4]);
        let hash = if scenario.seed == RESTLESS { fresh() } else { scenario.seed };
        let hashes = if keep.hashes { vec![scenario.seed, hash] } else { Vec::new() };
        Report { broken: broken(scenario, &choices), choices: Some(choices), hash, hashes, ..Report::default() }
    }

    fn moves(_: &Scenario<Self>) -> Vec<ScenarioChange<Self>> {
        vec![Box::new(|scenario| scenario.setup = 0), Box::new(|scenario| scenario.operations.push(Number(8)))]
    }

    fn probe(number: usize) -> String {
        format!("{} {number}", if number < 2 { "fault" } else { "probe" })
    }

    fn expected(_: &Probes) -> Vec<String> {
        (0..3).map(Self::probe).collect()
    }
}

fn broken(scenario: &Scenario<NumberTier>, choices: &[u16]) -> Option<Broken> {
    let has = |parts: &[Number], number| parts.contains(&Number(number));
    let meet = has(&scenario.operations, 7) && has(&scenario.faults, 3) && choices.get(2) == Some(&5);
    let oracle = if has(&scenario.operations, HUNDRED) { "hundreds" } else { "pairs" };
    meet.then(|| Broken::new(oracle, 1, "7 meets 3"))
}

/// Returns a number that was not returned before.
fn fresh() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// Returns a scenario of ten operations and ten faults, including these.
fn broken_by(operation: usize, fault: usize) -> Scenario<NumberTier> {
    let numbers = |one: usize| (20..29).chain([one]).map(Number).collect();
    Scenario { operations: numbers(operation), faults: numbers(fault), ..Scenario::of(2, 9) }
}
