//! Runs test cases with new handlers, and searches for the simplest one that shows a flaw.

use std::fmt::Debug;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use eventful::{Config, Handler};

use super::context::{CalledRun, RunEnd};
use super::fault::{FaultPlace, HandlerFault, PlannedFault};
use super::finding::{Finding, disturbed, undisturbed};
use super::test_case::{Played, TestCase};
use super::watchdog::Watchdog;

/// Creates the parts of a test case: a handler, and a view on its world.
type MakeCase<H, T> = Box<dyn FnMut() -> (H, Box<dyn Fn() -> T>)>;

/// Runs and simplifies test cases.
pub(super) struct Explorer<H, T> {
    pub(super) make: MakeCase<H, T>,
    pub(super) config: Config,
    pub(super) may_fail: bool,
    /// The kinds of faults that may be tried.
    pub(super) kinds: Vec<HandlerFault>,
    /// Notified of progress while test cases run.
    pub(super) watchdog: Arc<Watchdog>,
}

/// A test case with the flaw that it shows.
#[derive(Debug)]
pub(super) struct FlawedCase<T> {
    pub(super) test_case: TestCase,
    pub(super) finding: Finding,
    pub(super) played: Played<T>,
    /// The run of the same events without faults, if it shows no flaw.
    pub(super) calm: Option<Rc<Played<T>>>,
}

impl<H: Handler, T: PartialEq + Debug> Explorer<H, T> {
    /// Creates an explorer for the handlers of `make`, with default settings.
    pub(super) fn new(make: MakeCase<H, T>) -> Self {
        let (config, watchdog) = (Config::default(), Arc::default());
        Self { make, config, may_fail: false, kinds: HandlerFault::ALL.to_vec(), watchdog }
    }

    /// Runs a test case with a new handler in a new world.
    pub(super) fn play(&mut self, test_case: &TestCase) -> Played<T> {
        let (handler, observe) = (self.make)();
        test_case.play(handler, observe, &self.watchdog)
    }

    /// Runs the events of this test case without faults; the flaw is an error.
    pub(super) fn calm(&mut self, test_case: &TestCase) -> Result<Rc<Played<T>>, Box<FlawedCase<T>>> {
        let test_case = TestCase { disturbances: Vec::new(), ..test_case.clone() };
        let played = self.play(&test_case);
        match undisturbed(&played, self.may_fail) {
            Some(finding) => Err(Box::new(FlawedCase { test_case, finding, played, calm: None })),
            None => Ok(Rc::new(played)),
        }
    }

    /// Returns the flaw of the handler in this test case, compared with a run of the same events without faults.
    pub(super) fn try_out(&mut self, test_case: &TestCase) -> Option<FlawedCase<T>> {
        match self.calm(test_case) {
            Err(case) => Some(*case),
            Ok(calm) => self.compare(test_case, &calm),
        }
    }

    /// Returns the flaw of the handler in this test case, compared with `calm`.
    pub(super) fn compare(&mut self, test_case: &TestCase, calm: &Rc<Played<T>>) -> Option<FlawedCase<T>> {
        let played = self.play(test_case);
        let finding = disturbed(&played, calm)?;
        Some(FlawedCase { test_case: test_case.clone(), finding, played, calm: Some(Rc::clone(calm)) })
    }

    /// Returns the simplest case of the same flaw that can be found.
    pub(super) fn simplify(&mut self, case: FlawedCase<T>) -> FlawedCase<T> {
        let case = self.blame_one(case);
        let case = self.drop_disturbances(case);
        self.drop_events(case)
    }

    /// Returns the case of this simpler test case, if it shows the same flaw.
    fn same(&mut self, test_case: &TestCase, case: &FlawedCase<T>) -> Option<FlawedCase<T>> {
        let found = match &case.calm {
            Some(calm) if test_case.events.len() == case.test_case.events.len() => self.compare(test_case, calm),
            Some(_) | None => self.try_out(test_case),
        };
        found.filter(|found| found.finding.flaw == case.finding.flaw)
    }

    /// Returns the case of a single fault that is enough, if there is one.
    fn blame_one(&mut self, case: FlawedCase<T>) -> FlawedCase<T> {
        if case.test_case.disturbances.is_empty() {
            return case;
        }
        let mut single = suspects(&case);
        single.retain(|suspect| self.kinds.contains(&suspect.fault));
        // Stable, so that equal ranks keep the order in which the faults struck.
        single.sort_by_key(|suspect| rank(suspect.fault));
        let mut cases =
            single.into_iter().map(|suspect| TestCase { disturbances: vec![suspect], ..case.test_case.clone() });
        cases.find_map(|test_case| self.same(&test_case, &case)).unwrap_or(case)
    }

    fn drop_disturbances(&mut self, mut case: FlawedCase<T>) -> FlawedCase<T> {
        let mut at = case.test_case.disturbances.len();
        while let Some(next) = at.checked_sub(1) {
            at = next;
            let mut test_case = case.test_case.clone();
            test_case.disturbances.remove(at);
            case = self.same(&test_case, &case).unwrap_or(case);
        }
        case
    }

    fn drop_events(&mut self, case: FlawedCase<T>) -> FlawedCase<T> {
        let struck = case.test_case.disturbances.iter().filter_map(|it| it.at.event());
        let mut concerned: Vec<_> = struck.chain(case.finding.event).collect();
        // A follow-up is not submitted: its event is kept or not.
        concerned.retain(|event| *event < case.test_case.events.len());
        concerned.sort_unstable();
        concerned.dedup();
        let alone = among(&case.test_case, &concerned).and_then(|test_case| self.same(&test_case, &case));
        alone.unwrap_or_else(|| self.drop_events_one_by_one(case))
    }

    fn drop_events_one_by_one(&mut self, mut case: FlawedCase<T>) -> FlawedCase<T> {
        let mut at = case.test_case.events.len();
        while let Some(next) = at.checked_sub(1) {
            at = next;
            let kept: Vec<_> = (0..case.test_case.events.len()).filter(|&event| event != at).collect();
            if let Some(test_case) = among(&case.test_case, &kept) {
                case = self.same(&test_case, &case).unwrap_or(case);
            }
        }
        case
    }
}

/// Returns the faults that may be enough alone: those that struck, those that last for the whole test case, and for
/// each run that was cut or repeated the plain way to cut or repeat it.
fn suspects<T>(case: &FlawedCase<T>) -> Vec<PlannedFault> {
    let seen = &case.played.seen;
    let mut suspects: Vec<_> = case.test_case.disturbances.iter().filter(|it| it.lasts()).copied().collect();
    suspects.extend(&seen.struck);
    for &CalledRun { event, number, suspensions, ref end, .. } in &seen.runs {
        let mut suspect = |fault, at| suspects.push(PlannedFault { fault, at });
        if *end == RunEnd::Cut {
            suspect(
                HandlerFault::Drop,
                FaultPlace::Await { event, run: 1, suspension: suspensions, delay: Duration::ZERO },
            );
        }
        if number == 2 {
            suspect(HandlerFault::CrashAfter, FaultPlace::Run { event, run: 1 });
        }
    }
    suspects
}

/// Returns the rank of a fault: the one that explains most is tried first.
fn rank(fault: HandlerFault) -> usize {
    let order = [
        HandlerFault::Order,
        HandlerFault::Overlap,
        HandlerFault::CrashAfter,
        HandlerFault::Drop,
        HandlerFault::Timeout,
        HandlerFault::Pause,
        HandlerFault::Restart,
    ];
    order.iter().position(|&known| known == fault).unwrap_or(order.len())
}

/// Returns the test case with these events alone; none if none is left, or a fault has lost its event.
fn among(test_case: &TestCase, kept: &[usize]) -> Option<TestCase> {
    let events: Vec<_> = kept.iter().map(|&event| test_case.events[event].clone()).collect();
    let moved = |it: &PlannedFault| Some(PlannedFault { at: it.at.among(kept)?, ..*it });
    let disturbances = test_case.disturbances.iter().map(moved).collect::<Option<Vec<_>>>()?;
    (!events.is_empty()).then(|| TestCase { events, disturbances, ..test_case.clone() })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::ops::Range;

    use eventful::{Attempt, Event, Failure};

    use super::*;
    use crate::check::context::CheckEvents;
    use crate::check::plan::{Baseline, draw};

    #[test]
    fn every_kind_of_fault_strikes_within_the_default_seeds() {
        let struck = played(0..200).into_iter().flat_map(|seen| seen.struck).map(|it| it.fault);
        let lasting = BTreeSet::from([HandlerFault::Overlap, HandlerFault::Order]);
        assert_eq!(&struck.collect::<BTreeSet<_>>() | &lasting, HandlerFault::ALL.iter().copied().collect());
    }

    #[test]
    fn seed_plays_equally_each_time() {
        let trace = || played(0..50).into_iter().map(|seen| format!("{seen:?}")).collect::<Vec<_>>();
        assert_eq!(trace(), trace());
    }

    /// Returns the observations of these seeds, with a handler that waits once.
    fn played(seeds: Range<u64>) -> Vec<CheckEvents> {
        let mut explorer =
            Explorer::new(Box::new(|| (waits as fn(Event, Attempt) -> _, Box::new(|| ()) as Box<dyn Fn()>)));
        let events = crate::check::default_events();
        let test_case = TestCase { seed: 0, config: Config::default(), events, disturbances: Vec::new() };
        let calm = explorer.calm(&test_case).expect("the handler has no flaw");
        let baseline = Baseline::new(8, &calm.seen, 10, test_case.config.run_lifetime);
        let drawn =
            |seed| TestCase { seed, disturbances: draw(seed, HandlerFault::ALL, &baseline), ..test_case.clone() };
        seeds.map(|seed| explorer.play(&drawn(seed)).seen).collect()
    }

    async fn waits(_: Event, _: Attempt) -> Result<(), Failure> {
        tokio::time::sleep(Duration::from_secs(1)).await;
        Ok(())
    }
}
