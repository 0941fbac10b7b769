//! Tells a case to the user.

use std::fmt::{self, Debug, Display, Write as _};
use std::thread;

use super::context::{CalledRun, RunEnd};
use super::explorer::FlawedCase;
use super::fault::nth;
use super::finding::{Flaw, verdict};

/// A case in words, with the command that shows it again.
pub(super) struct CaseText<'a, T> {
    pub(super) case: &'a FlawedCase<T>,
    pub(super) seed: u64,
}

/// Characters of a world that are shown, at most.
const WORLD: usize = 1000;

/// Runs that are told, at most.
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
        self.case.test_case.events[event].key().to_string()
    }

    /// The runs of the event that it is about; all when it is about all.
    fn runs(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let FlawedCase { test_case, finding, played, .. } = self.case;
        let about = finding.event.or_else(|| test_case.disturbances.iter().find_map(|it| it.at.event()));
        let told: Vec<_> = played.seen.runs.iter().filter(|run| about.is_none_or(|event| run.event == event)).collect();
        for run in told.iter().take(RUNS) {
            line(f, "run", &self.run(run))?;
        }
        if told.len() > RUNS {
            line(f, "run", &format!("and {} more", told.len() - RUNS))?;
        }
        Ok(())
    }

    fn run(&self, run: &CalledRun) -> String {
        let key = self.key(run.event);
        let mut told = format!("{key}: run {} (attempt {}) ", run.number, run.attempt);
        let ended = match &run.end {
            RunEnd::Done => write!(told, "ended with Ok"),
            RunEnd::Failed(said) => write!(told, "ended with {said}"),
            RunEnd::Panicked(said) => write!(told, "panicked: {said}"),
            RunEnd::NotCalled => write!(told, "was not called"),
            RunEnd::Cut => write!(told, "was stopped when it waited for the {} time", nth(run.suspensions)),
            RunEnd::Spun => write!(told, "went on and on, and was stopped"),
        };
        ended.map_or_else(|_| String::new(), |()| told)
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

/// A world, cut where it gets long.
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

/// The name of the test that runs here, as the test harness names its threads.
fn test() -> String {
    thread::current().name().filter(|&name| name != "main").unwrap_or_default().to_owned()
}
