//! Tries stories on new handlers, and looks for the simplest that shows a flaw.

use std::fmt::Debug;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use eventful::{Config, Handler};

use super::fault::{Disturbance, Fault, Place};
use super::finding::{Finding, disturbed, undisturbed};
use super::pulse::Pulse;
use super::stage::{Run, RunEnd};
use super::story::{Played, Story};

/// What a check makes for each story: a handler, and a look at its world.
type Make<H, T> = Box<dyn FnMut() -> (H, Box<dyn Fn() -> T>)>;

/// Where stories are tried.
pub(super) struct Lab<H, T> {
    pub(super) make: Make<H, T>,
    pub(super) config: Config,
    pub(super) may_fail: bool,
    /// The kinds of disturbances that may be tried.
    pub(super) kinds: Vec<Fault>,
    /// Beats while stories are played.
    pub(super) pulse: Arc<Pulse>,
}

/// A story with the flaw that it shows.
#[derive(Debug)]
pub(super) struct Case<T> {
    pub(super) story: Story,
    pub(super) finding: Finding,
    pub(super) played: Played<T>,
    /// The same events undisturbed, when there was nothing wrong with that.
    pub(super) calm: Option<Rc<Played<T>>>,
}

impl<H: Handler, T: PartialEq + Debug> Lab<H, T> {
    /// A laboratory for what `make` makes, with nothing unusual about it.
    pub(super) fn new(make: Make<H, T>) -> Self {
        let (config, pulse) = (Config::default(), Arc::default());
        Self { make, config, may_fail: false, kinds: Fault::ALL.to_vec(), pulse }
    }

    /// Plays a story with a new handler in a new world.
    pub(super) fn play(&mut self, story: &Story) -> Played<T> {
        let (handler, observe) = (self.make)();
        story.play(handler, observe, &self.pulse)
    }

    /// Plays the events of this story undisturbed, unless there is something wrong already then.
    pub(super) fn calm(&mut self, story: &Story) -> Result<Rc<Played<T>>, Box<Case<T>>> {
        let story = Story { disturbances: Vec::new(), ..story.clone() };
        let played = self.play(&story);
        match undisturbed(&played, self.may_fail) {
            Some(finding) => Err(Box::new(Case { story, finding, played, calm: None })),
            None => Ok(Rc::new(played)),
        }
    }

    /// What is wrong with the handler in this story, measured by a calm one of the same events.
    pub(super) fn try_out(&mut self, story: &Story) -> Option<Case<T>> {
        match self.calm(story) {
            Err(case) => Some(*case),
            Ok(calm) => self.compare(story, &calm),
        }
    }

    /// What is wrong with the handler in this story, measured by `calm`.
    pub(super) fn compare(&mut self, story: &Story, calm: &Rc<Played<T>>) -> Option<Case<T>> {
        let played = self.play(story);
        let finding = disturbed(&played, calm)?;
        Some(Case { story: story.clone(), finding, played, calm: Some(Rc::clone(calm)) })
    }

    /// The simplest case of the same flaw that can be found.
    pub(super) fn simplify(&mut self, case: Case<T>) -> Case<T> {
        let case = self.blame_one(case);
        let case = self.drop_disturbances(case);
        self.drop_events(case)
    }

    /// The case that this simpler story makes, if it is one of the same flaw.
    fn same(&mut self, story: &Story, case: &Case<T>) -> Option<Case<T>> {
        let found = match &case.calm {
            Some(calm) if story.events.len() == case.story.events.len() => self.compare(story, calm),
            Some(_) | None => self.try_out(story),
        };
        found.filter(|found| found.finding.flaw == case.finding.flaw)
    }

    /// A single disturbance that is enough, the most telling first.
    fn blame_one(&mut self, case: Case<T>) -> Case<T> {
        if case.story.disturbances.is_empty() {
            return case;
        }
        let mut single = suspects(&case);
        single.retain(|suspect| self.kinds.contains(&suspect.fault));
        single.sort_by_key(|suspect| telling(suspect.fault));
        let mut stories = single.into_iter().map(|suspect| Story { disturbances: vec![suspect], ..case.story.clone() });
        stories.find_map(|story| self.same(&story, &case)).unwrap_or(case)
    }

    fn drop_disturbances(&mut self, mut case: Case<T>) -> Case<T> {
        let mut at = case.story.disturbances.len();
        while let Some(next) = at.checked_sub(1) {
            at = next;
            let mut story = case.story.clone();
            story.disturbances.remove(at);
            case = self.same(&story, &case).unwrap_or(case);
        }
        case
    }

    fn drop_events(&mut self, case: Case<T>) -> Case<T> {
        let struck = case.story.disturbances.iter().filter_map(|it| it.at.event());
        let mut concerned: Vec<_> = struck.chain(case.finding.event).collect();
        concerned.sort_unstable();
        concerned.dedup();
        let alone = among(&case.story, &concerned).and_then(|story| self.same(&story, &case));
        alone.unwrap_or_else(|| self.drop_events_one_by_one(case))
    }

    fn drop_events_one_by_one(&mut self, mut case: Case<T>) -> Case<T> {
        let mut at = case.story.events.len();
        while let Some(next) = at.checked_sub(1) {
            at = next;
            let kept: Vec<_> = (0..case.story.events.len()).filter(|&event| event != at).collect();
            if let Some(story) = among(&case.story, &kept) {
                case = self.same(&story, &case).unwrap_or(case);
            }
        }
        case
    }
}

/// The disturbances that may be enough alone: those that struck, those that last for the whole
/// story, and for each run that was cut or repeated the plain way to cut or repeat it.
fn suspects<T>(case: &Case<T>) -> Vec<Disturbance> {
    let seen = &case.played.seen;
    let mut suspects: Vec<_> = case.story.disturbances.iter().filter(|it| it.lasts()).copied().collect();
    suspects.extend(&seen.struck);
    for &Run { event, number, suspensions, ref end, .. } in &seen.runs {
        let mut suspect = |fault, at| suspects.push(Disturbance { fault, at });
        if *end == RunEnd::Cut {
            suspect(Fault::Drop, Place::Await { event, run: 1, suspension: suspensions, delay: Duration::ZERO });
        }
        if number == 2 {
            suspect(Fault::CrashAfter, Place::Run { event, run: 1 });
        }
    }
    suspects
}

/// What explains most comes first.
fn telling(fault: Fault) -> usize {
    let order =
        [Fault::Order, Fault::Overlap, Fault::CrashAfter, Fault::Drop, Fault::Timeout, Fault::Pause, Fault::Restart];
    order.iter().position(|&known| known == fault).unwrap_or(order.len())
}

/// The story with these events alone. Nothing when none is left, or a disturbance has lost its event.
fn among(story: &Story, kept: &[usize]) -> Option<Story> {
    let events: Vec<_> = kept.iter().map(|&event| story.events[event].clone()).collect();
    let moved = |it: &Disturbance| Some(Disturbance { at: it.at.among(kept)?, ..*it });
    let disturbances = story.disturbances.iter().map(moved).collect::<Option<Vec<_>>>()?;
    (!events.is_empty()).then(|| Story { events, disturbances, ..story.clone() })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::ops::Range;

    use eventful::{Attempt, Event, Failure};

    use super::*;
    use crate::check::plan::{Ground, draw};
    use crate::check::stage::Seen;

    #[test]
    fn every_kind_of_fault_strikes_within_the_default_seeds() {
        let struck = played(0..200).into_iter().flat_map(|seen| seen.struck).map(|it| it.fault);
        let lasting = BTreeSet::from([Fault::Overlap, Fault::Order]);
        assert_eq!(&struck.collect::<BTreeSet<_>>() | &lasting, Fault::ALL.iter().copied().collect());
    }

    #[test]
    fn a_seed_is_the_same_story_each_time() {
        let told = || played(0..50).into_iter().map(|seen| format!("{seen:?}")).collect::<Vec<_>>();
        assert_eq!(told(), told());
    }

    /// What is seen of these seeds, with a handler that waits once.
    fn played(seeds: Range<u64>) -> Vec<Seen> {
        let mut lab = Lab::new(Box::new(|| (waits as fn(Event, Attempt) -> _, Box::new(|| ()) as Box<dyn Fn()>)));
        let events = crate::check::default_events();
        let story = Story { seed: 0, config: Config::default(), events, disturbances: Vec::new() };
        let calm = lab.calm(&story).expect("nothing is wrong with it");
        let ground = Ground::new(8, &calm.seen, 10, story.config.run_lifetime);
        let drawn = |seed| Story { seed, disturbances: draw(seed, Fault::ALL, &ground), ..story.clone() };
        seeds.map(|seed| lab.play(&drawn(seed)).seen).collect()
    }

    async fn waits(_: Event, _: Attempt) -> Result<(), Failure> {
        tokio::time::sleep(Duration::from_secs(1)).await;
        Ok(())
    }
}
