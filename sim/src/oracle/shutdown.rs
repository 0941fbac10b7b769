//! P6: what each phase allows, and that the end comes in time.

use std::time::Duration;

use eventful::{Answer, Change, Engine, Fact, Phase, Refusal};

use super::{Said, Seen};
use crate::failure::Broken;

const ORACLE: &str = "shutdown";

/// How far the engine has been told to end.
#[derive(Debug, Default)]
pub(super) struct Asked {
    phase: Option<Phase>,
}

impl Asked {
    pub(super) fn judge(&mut self, seen: &Seen<'_>) -> Result<(), Broken> {
        let before = self.phase.unwrap_or(Phase::Running);
        let expected = match (before, seen.said) {
            (_, Said::AbortInflight) => Phase::Stopped,
            (Phase::Running, Said::Shutdown) => Phase::Draining,
            (phase, _) => phase,
        };
        self.phase = Some(expected);
        if seen.engine.phase() != expected {
            return broken(format!("after {:?} the phase is {:?}, not {expected:?}", seen.said, seen.engine.phase()));
        }
        if expected == Phase::Stopped && seen.engine.gauges().inflight > 0 {
            return broken(format!("{} runs are in flight in a stopped engine", seen.engine.gauges().inflight));
        }
        judge_answer(before, seen)?;
        seen.facts.iter().try_for_each(|fact| judge_fact(before, fact))
    }
}

fn judge_answer(before: Phase, seen: &Seen<'_>) -> Result<(), Broken> {
    let refused = matches!(seen.answer, Answer::Refused(Refusal::ShuttingDown));
    let wrong = match before {
        Phase::Running => refused,
        Phase::Draining => matches!(seen.answer, Answer::Accepted | Answer::Running(_)),
        Phase::Stopped => {
            matches!(seen.answer, Answer::Accepted | Answer::Running(_) | Answer::Settled(_) | Answer::Alive(_))
        }
    };
    if wrong { broken(format!("{:?} is answered {:?} in phase {before:?}", seen.said, seen.answer)) } else { Ok(()) }
}

fn judge_fact(before: Phase, fact: &Fact) -> Result<(), Broken> {
    let allowed = match before {
        Phase::Running => true,
        Phase::Draining => !matches!(fact.change, Change::Accepted(_) | Change::Started { .. } | Change::Redriven(_)),
        Phase::Stopped => false,
    };
    if allowed { Ok(()) } else { broken(format!("in phase {before:?} this was decided: {:?}", fact.change)) }
}

pub(super) fn judge_end(took: Duration, limit: Duration, engine: &Engine) -> Result<(), Broken> {
    if took > limit {
        return broken(format!("it took {took:?}, {limit:?} were allowed"));
    }
    match engine.gauges().inflight {
        0 => Ok(()),
        inflight => broken(format!("{inflight} runs are in flight at its end")),
    }
}

fn broken(what: String) -> Result<(), Broken> {
    Err(Broken::new(ORACLE, 6, what))
}
