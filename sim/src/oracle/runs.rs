//! P4: one run at a time, one outcome each.

use eventful::{
    RecordView, Status, Timestamp,
    engine::{
        Answer, Effect, PolicyId, Run, RunId,
        facts::{AfterRun, AttemptEnd, Change},
    },
};

use super::{CommandSummary, Observation};
use crate::failure::Broken;
use crate::scenario::EventNumber;
use crate::spec::{EventLimits, ReferenceState, policy_of};

const ORACLE: &str = "runs";

/// The last run of all, over every opening of the engine.
#[derive(Debug, Default)]
pub(super) struct Started {
    last: Option<RunId>,
    /// The deadlines of the runs in flight, as starts and heartbeats returned them.
    deadlines: Vec<(RunId, Timestamp)>,
}

impl Started {
    pub(super) fn judge(&mut self, expected: &ReferenceState, seen: &Observation<'_>) -> Result<(), Broken> {
        let ended = seen.facts.iter().map(|fact| judge_abort(expected, seen, &fact.change));
        let ended = ended.sum::<Result<usize, Broken>>()?;
        let aborted = seen.effects.iter().filter(|effect| matches!(effect, Effect::Abort(_))).count();
        if ended != aborted {
            return broken(format!("{ended} runs were ended from outside, but the effects are {:?}", seen.effects));
        }
        seen.facts.iter().try_for_each(|fact| self.judge_timeout(seen, &fact.change))?;
        // Checked with the deadlines from before the step, and only then updated.
        self.deadlines.retain(|(run, _)| expected.of_run(*run).is_some());
        match (seen.answer, seen.said) {
            (Answer::Running(run), _) => self.deadlines.push((run.id, run.deadline)),
            (Answer::Alive(deadline), CommandSummary::Heartbeat(run)) => {
                self.deadlines.iter_mut().filter(|(beating, _)| *beating == run).for_each(|(_, at)| *at = *deadline);
            }
            _ => {}
        }
        if let Answer::Running(run) = seen.answer {
            return self.judge_start(expected, seen, run);
        }
        if let CommandSummary::Settle(run, _) = seen.said {
            return judge_settle(expected, seen, run);
        }
        if let CommandSummary::Heartbeat(run) = seen.said { judge_heartbeat(expected, seen, run) } else { Ok(()) }
    }

    /// Checks that a run that timed out has reached its deadline.
    fn judge_timeout(&self, seen: &Observation<'_>, change: &Change) -> Result<(), Broken> {
        let Change::Finished { run, end: AttemptEnd::TimedOut, .. } = change else { return Ok(()) };
        match self.deadline(*run) {
            Some(deadline) if deadline <= seen.now => Ok(()),
            deadline => broken(format!("run {run} timed out at {}, but its deadline is {deadline:?}", seen.now)),
        }
    }

    fn deadline(&self, run: RunId) -> Option<Timestamp> {
        self.deadlines.iter().find(|(known, _)| *known == run).map(|(_, deadline)| *deadline)
    }

    /// Checks that the touched record shows the deadline that the worker was given.
    pub(super) fn judge_touched(&self, event: EventNumber, view: &RecordView) -> Result<(), Broken> {
        let Some(run) = view.run else { return Ok(()) };
        let due = self.deadline(run.id);
        match due == Some(run.deadline) {
            true => Ok(()),
            false => broken(format!("event {event} shows {run:?}, but its worker was given {due:?}")),
        }
    }

    fn judge_start(&mut self, expected: &ReferenceState, seen: &Observation<'_>, run: &Run) -> Result<(), Broken> {
        // All fields are named, so that a new one has to be checked.
        let Run { event, id, attempt, charged, max_attempts, policy, deadline, lifetime_end } = run;
        if self.last.is_some_and(|last| *id <= last) {
            return broken(format!("run {id} follows run {:?}, but runs must rise", self.last));
        }
        self.last = Some(*id);
        let record = seen.key_table.number(event.key()).and_then(|event| expected.record(event));
        match record {
            Some(record) if record.stage.eligible_at().is_some_and(|at| at <= seen.now) => {
                let event_type = record.event.event_type();
                let limits = EventLimits::of(seen.config, event_type);
                let end = seen.now + limits.run_lifetime;
                let due = (record.attempt + 1, record.charge.charged + 1, end.min(seen.now + limits.run_timeout), end);
                let number = policy_of(seen.config, event_type).map(|(number, _)| number);
                let is_bound = *max_attempts == limits.max_attempts && policy.map(PolicyId::index) == number;
                if (*attempt, *charged, *deadline, *lifetime_end) == due && *event == record.event && is_bound {
                    Ok(())
                } else {
                    broken(format!("a start of {record:?} gives {run:?}"))
                }
            }
            other => broken(format!("run {id} started while its event was {other:?}")),
        }
    }
}

/// Checks that a run that is not ended by its worker is aborted, and that none starts while nothing may. Returns the
/// number of aborted runs.
fn judge_abort(expected: &ReferenceState, seen: &Observation<'_>, change: &Change) -> Result<usize, Broken> {
    let run = match change {
        Change::Finished { run, end: AttemptEnd::TimedOut, .. } => Some(*run),
        // A worker that gives its run back is not stopped.
        Change::Finished { run, end: AttemptEnd::Interrupted, .. } => {
            Some(*run).filter(|_| !matches!(seen.said, CommandSummary::Settle(..)))
        }
        Change::Discarded(key) => {
            let record = seen.key_table.number(key).and_then(|event| expected.record(event));
            record.and_then(|record| record.stage.run()).map(|(run, _)| run)
        }
        Change::Started { run, .. } if expected.paused => {
            return Err(Broken::new(ORACLE, 4, format!("run {run} started during a pause")));
        }
        Change::Accepted(_)
        | Change::Started { .. }
        | Change::Finished { .. }
        | Change::Redriven(_)
        | Change::Forgotten(_)
        | Change::Paused
        | Change::Resumed
        | Change::GroupPaused { .. }
        | Change::Scheduled { .. }
        | Change::Epoch(_) => None,
    };
    match run {
        Some(run) if !seen.effects.contains(&Effect::Abort(run)) => {
            let what = format!("run {run} was ended from outside, but its handler is not stopped");
            Err(Broken::new(ORACLE, 4, what))
        }
        run => Ok(usize::from(run.is_some())),
    }
}

/// Checks that the outcome of a current run ends that run and nothing else, and that any other changes nothing.
fn judge_settle(expected: &ReferenceState, seen: &Observation<'_>, run: RunId) -> Result<(), Broken> {
    match (expected.of_run(run), seen.answer) {
        (None, Answer::Stale) if seen.facts.is_empty() => Ok(()),
        (Some(event), Answer::Settled(status)) => {
            // Those of follow-ups are checked with them.
            let of_follow_ups = |change: &Change| matches!(change, Change::Accepted(_) | Change::Forgotten(_));
            let is_of_run = |change: &Change| !seen.said.has_follow_ups() || !of_follow_ups(change);
            let mut facts = seen.facts.iter().filter(|fact| is_of_run(&fact.change));
            let ended = facts.next().and_then(|fact| ended(&fact.change, run, seen));
            match facts.next().is_none() && ended == Some((event, *status)) {
                true => Ok(()),
                false => broken(format!("the outcome of run {run} made event {event} {status}: {:?}", seen.facts)),
            }
        }
        (current, answer) => broken(format!("the outcome of run {run} of {current:?} returned {answer:?}")),
    }
}

/// Returns the event whose run is ended by a change, if it is this run, and its status from then on.
fn ended(change: &Change, run: RunId, seen: &Observation<'_>) -> Option<(EventNumber, Status)> {
    let Change::Finished { key, run: ended, next, .. } = change else { return None };
    let status = match next {
        AfterRun::Completed => Status::Completed,
        AfterRun::Failed => Status::Failed,
        AfterRun::Retry { .. } => Status::FailedRetry,
    };
    seen.key_table.number(key).filter(|_| *ended == run).map(|event| (event, status))
}

/// Checks that a heartbeat moves the deadline of a current run, within its lifetime.
fn judge_heartbeat(expected: &ReferenceState, seen: &Observation<'_>, run: RunId) -> Result<(), Broken> {
    let event = expected.of_run(run);
    match (event, seen.answer) {
        (None, Answer::Stale) => Ok(()),
        (Some(event), Answer::Alive(deadline)) => {
            let allowed = expected.record(event).and_then(|record| {
                let limits = EventLimits::of(seen.config, record.event.event_type());
                let (_, started_at) = record.stage.run()?;
                Some((seen.now + limits.run_timeout).min(started_at + limits.run_lifetime))
            });
            match allowed == Some(*deadline) {
                true => Ok(()),
                false => {
                    broken(format!("a heartbeat of run {run} moves its deadline to {deadline}, expected {allowed:?}"))
                }
            }
        }
        (current, answer) => broken(format!("a heartbeat of run {run} of {current:?} returned {answer:?}")),
    }
}

fn broken(what: String) -> Result<(), Broken> {
    Err(Broken::new(ORACLE, 4, what))
}
