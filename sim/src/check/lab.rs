//! Tries stories on new handlers, and looks for the simplest that shows a flaw.

use std::fmt::{self, Debug};
use std::rc::Rc;

use eventful::{Config, Handler};

use super::fault::{Disturbance, Fault, Place};
use super::finding::{Finding, disturbed, undisturbed};
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
    /// Plays a story with a new handler in a new world.
    pub(super) fn play(&mut self, story: &Story) -> Played<T> {
        let (handler, observe) = (self.make)();
        story.play(handler, observe)
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

    fn same(&mut self, story: &Story, case: &Case<T>) -> Option<Case<T>> {
        self.try_out(story).filter(|found| found.finding.flaw == case.finding.flaw)
    }

    /// A single disturbance that is enough, the most telling first.
    fn blame_one(&mut self, case: Case<T>) -> Case<T> {
        let mut single: Vec<_> = case.played.seen.struck.iter().flat_map(|struck| self.instead(struck)).collect();
        single.extend(whole(&case.story));
        single.sort_by_key(|candidate| telling(candidate.fault));
        single.dedup();
        let found = single
            .into_iter()
            .find_map(|candidate| self.same(&Story { disturbances: vec![candidate], ..case.story.clone() }, &case));
        found.unwrap_or(case)
    }

    /// The disturbance itself, and the plain repetition that it may amount to.
    fn instead(&self, struck: &Disturbance) -> Vec<Disturbance> {
        let mut candidates = vec![*struck];
        if self.kinds.contains(&Fault::CrashAfter) {
            let event = struck.at.event().unwrap_or(0);
            candidates.push(Disturbance { fault: Fault::CrashAfter, at: Place::Run { event, run: 1 } });
        }
        candidates
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

    fn drop_events(&mut self, mut case: Case<T>) -> Case<T> {
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

/// The disturbances that last for the whole story.
fn whole(story: &Story) -> Vec<Disturbance> {
    let lasts = |it: &&Disturbance| matches!(it.at, Place::Throughout | Place::Shuffle(_));
    story.disturbances.iter().filter(lasts).copied().collect()
}

/// What explains most comes first.
fn telling(fault: Fault) -> usize {
    let order = [Fault::Order, Fault::Overlap, Fault::CrashAfter, Fault::Drop, Fault::Timeout];
    order.iter().position(|&known| known == fault).unwrap_or(order.len())
}

/// The story with these events alone. Nothing when none is left, or a disturbance has lost its event.
fn among(story: &Story, kept: &[usize]) -> Option<Story> {
    let events: Vec<_> = kept.iter().map(|&event| story.events[event].clone()).collect();
    let moved = |it: &Disturbance| Some(Disturbance { at: it.at.among(kept)?, ..*it });
    let disturbances = story.disturbances.iter().map(moved).collect::<Option<Vec<_>>>()?;
    (!events.is_empty()).then(|| Story { events, disturbances, ..story.clone() })
}

impl<H, T> Debug for Lab<H, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lab").field("kinds", &self.kinds).finish_non_exhaustive()
    }
}
