//! The text that describes a case to the user.

use std::fmt::{self, Debug, Display, Write as _};
use std::thread;

use super::context::{CalledRun, RunEnd};
use super::explorer::FlawedCase;
use super::fault::nth;
use super::finding::{Flaw, verdict};

/// The text of a case, with the command that shows it again.
pub(super) struct CaseText<'a, T> {
    pub(super) case: &'a FlawedCase<T>,
    pub(super) seed: u64,
}

/// The greatest number of characters of a world that are shown: a screenful.
const WORLD: usize = 1000;

/// The greatest number of runs that are shown.
const RUNS: usize = 5;

impl<T: Debug> Display for CaseText<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let FlawedCase { test_case, finding, .. } = self.case;
        let (what, advice) = verdict(finding.flaw, test_case);
        writeln!(f, "{what}\n")?;
        if !finding.said.is_empty() {
            line(f, "said", &finding.said)?;
        }
        for disturbance in &test_case.disturbances {
            let event = disturbance.at.event().map(|event| format!("{}: ", self.key(event)));
            line(f, "fault", &format!("{}{disturbance}", event.unwrap_or_default()))?;
        }
        if test_case.disturbances.is_empty() {
            line(f, "fault", &"none")?;
        }
        self.runs(f)?;
        self.worlds(f)?;
        line(f, "advice", &advice)?;
        line(f, "replay", &format!("EVENTFUL_SIM_SEED={} cargo test {}", self.seed, test()))
    }
}

impl<T: Debug> CaseText<'_, T> {
    fn key(&self, event: usize) -> String {
        let FlawedCase { test_case, played, .. } = self.case;
        let submitted = test_case.events.get(event).map(|event| event.key());
        let follow_up = || played.seen.follow_ups.get(event.checked_sub(test_case.events.len())?);
        submitted.or_else(follow_up).map_or_else(|| "a follow-up".to_owned(), ToString::to_string)
    }

    /// Writes the runs of the event concerned; of all events if no single one is.
    fn runs(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let FlawedCase { test_case, finding, played, .. } = self.case;
        let about = finding.event.or_else(|| test_case.disturbances.iter().find_map(|it| it.at.event()));
        let runs: Vec<_> = played.seen.runs.iter().filter(|run| about.is_none_or(|event| run.event == event)).collect();
        for run in runs.iter().take(RUNS) {
            line(f, "run", &self.run(run))?;
        }
        if runs.len() > RUNS {
            line(f, "run", &format!("and {} more", runs.len() - RUNS))?;
        }
        Ok(())
    }

    fn run(&self, run: &CalledRun) -> String {
        let key = self.key(run.event);
        let mut text = format!("{key}: run {} (attempt {}) ", run.number, run.attempt);
        let ended = match &run.end {
            RunEnd::Done => write!(text, "ended with Ok"),
            RunEnd::Failed(said) => write!(text, "ended with {said}"),
            RunEnd::Panicked(said) => write!(text, "panicked: {said}"),
            RunEnd::NotCalled => write!(text, "was not called"),
            RunEnd::Cut => write!(text, "was stopped when it waited for the {} time", nth(run.suspensions)),
            RunEnd::Spun => write!(text, "was ready again and again while no time passed, and was stopped"),
        };
        ended.map_or_else(|_| String::new(), |()| text)
    }

    fn worlds(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.case.calm {
            Some(calm) if self.case.finding.flaw == Flaw::World => {
                line(f, "in calm", &shown(&calm.world))?;
                line(f, "now", &shown(&self.case.played.world))
            }
            Some(_) | None => Ok(()),
        }
    }
}

/// Formats a world, cut to a length.
fn shown(world: &impl Debug) -> String {
    let whole = format!("{world:?}");
    match whole.char_indices().nth(WORLD) {
        Some((end, _)) => format!("{} …", &whole[..end]),
        None => whole,
    }
}

fn line(f: &mut fmt::Formatter<'_>, name: &str, text: &dyn Display) -> fmt::Result {
    writeln!(f, "  {name:<8} {text}")
}

/// Returns the name of the current test: the test harness names its threads so.
fn test() -> String {
    thread::current().name().filter(|&name| name != "main").unwrap_or_default().to_owned()
}
