//! P6: each phase allows what it must, and the end comes in time.

use std::time::Duration;

use eventful::engine::{
    Answer, Phase, Refusal,
    facts::{AttemptEnd, Change, Fact},
};
use eventful::node::ShutdownReport;

use super::{CommandSummary, Observation};
use crate::failure::{Broken, holds};
use crate::spec::ReferenceState;

const ORACLE: &str = "shutdown";

/// The progress of a shutdown.
#[derive(Debug, Default)]
pub(super) struct ShutdownAsked {
    phase: Option<Phase>,
    /// The number of runs that had ended before, and of those that were interrupted.
    before: (u64, u64),
    /// The number of runs that have ended since, of those that were interrupted, and of pending events.
    counted: Option<(u64, u64, u64)>,
}

/// A shutdown that has ended.
#[derive(Debug)]
pub(crate) struct ShutdownEnded {
    pub(crate) report: ShutdownReport,
    pub(crate) took: Duration,
    /// The time that was allowed.
    pub(crate) limit: Duration,
    /// The number of workers that were left when the engine was stopped.
    pub(crate) abandoned: usize,
    /// The number of events that were pending then.
    pub(crate) left: u64,
    /// True if the engine could be used then.
    pub(crate) is_usable: bool,
}

impl ShutdownAsked {
    /// Counts the ends of runs, after the facts of a step were applied.
    pub(super) fn count(&mut self, expected: &ReferenceState, said: CommandSummary) {
        let ended = || (expected.counts.finished_total(), expected.counts.finished[AttemptEnd::Interrupted as usize]);
        if said == CommandSummary::Shutdown {
            self.before = ended();
        } else if said == CommandSummary::AbortInflight {
            let (all, interrupted) = (ended().0 - self.before.0, ended().1 - self.before.1);
            self.counted = Some((all - interrupted, interrupted, expected.pending()));
        }
    }

    /// Checks that a shutdown has ended in time, and its report. This many facts are not known to be durable.
    pub(super) fn judge_end(
        &self,
        expected: &ReferenceState,
        ended: &ShutdownEnded,
        unsynced: usize,
    ) -> Result<(), Broken> {
        let ShutdownEnded { report, took, limit, .. } = ended;
        holds(took <= limit, || broken(format!("a shutdown took {took:?}, {limit:?} were allowed")))?;
        let counted = if ended.is_usable { self.counted } else { Some((0, 0, ended.left)) };
        let (drained, interrupted, left) = counted.unwrap_or_default();
        let shown = (report.drained, report.interrupted, report.left);
        holds(counted.is_some() && shown == (drained, interrupted, left), || {
            broken(format!("{counted:?} runs have ended and events are left, but a shutdown reports {report:?}"))
        })?;
        let counted = (ended.abandoned as u64, unsynced as u64, *took);
        let shown = (report.abandoned, report.unsynced, report.took);
        holds(shown == counted, || {
            broken(format!("{counted:?} are the handlers, facts and time, but a shutdown reports {report:?}"))
        })?;
        let inflight = expected.inflight.len();
        holds(!ended.is_usable || inflight == 0, || {
            broken(format!("{inflight} runs are in flight at the end of a shutdown"))
        })
    }

    pub(super) fn judge(&mut self, seen: &Observation<'_>) -> Result<(), Broken> {
        let before = self.phase.unwrap_or(Phase::Running);
        let expected = match (before, seen.said) {
            (_, CommandSummary::AbortInflight) => Phase::Stopped,
            (Phase::Running, CommandSummary::Shutdown) => Phase::Draining,
            (phase, _) => phase,
        };
        self.phase = Some(expected);
        if seen.engine.phase() != expected {
            return Err(broken(format!(
                "after {:?} the phase is {:?}, expected {expected:?}",
                seen.said,
                seen.engine.phase()
            )));
        }
        if expected == Phase::Stopped && seen.engine.gauges().inflight > 0 {
            return Err(broken(format!("{} runs are in flight in a stopped engine", seen.engine.gauges().inflight)));
        }
        judge_answer(before, seen)?;
        seen.facts.iter().try_for_each(|fact| judge_fact(before, fact, seen.said.has_follow_ups()))
    }
}

fn judge_answer(before: Phase, seen: &Observation<'_>) -> Result<(), Broken> {
    let refused = matches!(seen.answer, Answer::Refused(Refusal::ShuttingDown));
    let wrong = match before {
        Phase::Running => refused,
        Phase::Draining => matches!(seen.answer, Answer::Accepted | Answer::Running(_)),
        Phase::Stopped => {
            matches!(seen.answer, Answer::Accepted | Answer::Running(_) | Answer::Settled(_) | Answer::Alive(_))
        }
    };
    holds(!wrong, || broken(format!("{:?} returned {:?} in phase {before:?}", seen.said, seen.answer)))
}

/// Checks a fact. Follow-ups of runs in flight are accepted until they have ended.
fn judge_fact(before: Phase, fact: &Fact, ends: bool) -> Result<(), Broken> {
    let allowed = match before {
        Phase::Running => true,
        Phase::Draining => {
            !matches!(fact.change, Change::Started { .. } | Change::Redriven(_))
                && (ends || !matches!(fact.change, Change::Accepted(_)))
        }
        Phase::Stopped => false,
    };
    holds(allowed, || broken(format!("phase {before:?} does not allow the fact {:?}", fact.change)))
}

fn broken(what: String) -> Broken {
    Broken::new(ORACLE, 6, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_of_a_report_is_compared() {
        let shown = format!("{:#?}", ShutdownReport::default());
        let fields = shown.lines().filter_map(|line| line.trim().split_once(": "));
        let names: Vec<_> = fields.map(|(name, _)| name).collect();
        let compared = ["drained", "interrupted", "abandoned", "left", "unsynced", "took"];
        assert_eq!(names, compared, "a new field has to be compared, and listed here");
    }
}
