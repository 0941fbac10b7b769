//! Runs: their start, and the effect of their end on the event.

use eventful::{
    Timestamp,
    engine::{
        Answer, Effect, ErrorText, Outcome, Phase, Run, RunId,
        facts::{AfterRun, AttemptEnd, Change},
    },
};

use super::Model;
use crate::scenario::EventNumber;
use crate::spec::{Cause, EventLimits, Ruling, RunFate};

impl Model {
    pub(super) fn start_run(&mut self, event: EventNumber) -> Answer {
        self.runs += 1;
        let id = RunId::new(self.epoch(), self.runs);
        let eligible_at = self.known(event).stage.eligible_at().expect("only a waiting record has a live ticket");
        self.tallies.observe("queue_time", self.now.since(eligible_at));
        self.decide(Change::Started { key: self.key(event), run: id });
        let EventLimits { max_attempts, run_timeout, run_lifetime, .. } = self.limits(event);
        let policy = self.policy_id(event);
        let lifetime_end = self.now + run_lifetime;
        let deadline = (self.now + run_timeout).min(lifetime_end);
        self.deadlines.push((id, deadline));
        let record = self.known(event);
        let (event, attempt, charged) = (record.event.clone(), record.attempt, record.charge.charged);
        Answer::Running(Run { event, id, attempt, charged, max_attempts, policy, deadline, lifetime_end })
    }

    /// Returns the event whose current run this is, as long as an outcome of it counts.
    fn current(&self, run: RunId) -> Option<EventNumber> {
        self.expected.of_run(run).filter(|_| self.phase != Phase::Stopped)
    }

    fn stale_outcome(&mut self) -> Answer {
        self.tallies.one("outcomes_stale");
        Answer::Stale
    }

    pub(super) fn heartbeat(&mut self, run: RunId) -> Answer {
        let Some(event) = self.current(run) else { return self.stale_outcome() };
        let (_, started_at) = self.known(event).stage.run().expect("it is its current run");
        let EventLimits { run_timeout, run_lifetime, .. } = self.limits(event);
        let lifetime_end = started_at + run_lifetime;
        let deadline = (self.now + run_timeout).min(lifetime_end);
        for (other, at) in &mut self.deadlines {
            if *other == run {
                *at = deadline;
            }
        }
        Answer::Alive(deadline)
    }

    pub(super) fn settle(&mut self, run: RunId, outcome: &Outcome) -> Answer {
        let Some(event) = self.current(run) else { return self.stale_outcome() };
        let (cause, error) = match outcome {
            Outcome::Done => (Cause::Done, None),
            Outcome::DoneWith { then } => return self.settle_with(event, then),
            Outcome::Retry { error, after } => (Cause::Retry { after: after.unwrap_or_default() }, Some(error.clone())),
            Outcome::Permanent { error } => (Cause::Permanent, Some(error.clone())),
            Outcome::Snooze { delay, reason } => (Cause::Snooze { delay: *delay }, reason.clone()),
            Outcome::Crashed { error } => (Cause::Crashed, Some(error.clone())),
            Outcome::NotCalled => {
                (Cause::Interrupted, Some(ErrorText::new("interrupted before its handler was called")))
            }
        };
        self.end_run(event, cause, error);
        Answer::Settled(self.known(event).status())
    }

    /// Ends a run whose deadline has passed.
    pub(super) fn time_out(&mut self, event: EventNumber) {
        let (_, started_at) = self.known(event).stage.run().expect("a run in flight");
        let error = format!("timed out after {:?}", self.now.since(started_at));
        self.abort(event, Cause::TimedOut, &error);
    }

    /// Ends a run because of shutdown.
    pub(super) fn interrupt(&mut self, event: EventNumber) {
        self.abort(event, Cause::Interrupted, "interrupted by shutdown");
    }

    /// Ends a run from outside.
    fn abort(&mut self, event: EventNumber, cause: Cause, error: &str) {
        let run = self.end_run(event, cause, Some(ErrorText::new(error)));
        self.effects.push(Effect::Abort(run));
    }

    pub(super) fn end_run(&mut self, event: EventNumber, cause: Cause, error: Option<ErrorText>) -> RunId {
        let run = self.close_run(event);
        let limits = self.limits(event);
        let Ruling { end, charge, next } =
            Ruling::of(self.config(), &limits, self.known(event).charge, self.now, cause);
        let is_too_often = matches!(cause, Cause::Snooze { .. }) && end != AttemptEnd::Snoozed;
        let error = if is_too_often { Some(snoozed_too_often(error)) } else { error };
        let next = self.next(event, next);
        self.decide(Change::Finished { key: self.key(event), run, end, error, next, charge });
        if !matches!(next, AfterRun::Retry { .. }) {
            self.turns.retain(|other| *other != event);
        }
        self.open_all();
        match next {
            AfterRun::Completed => {
                let lived = self.now.since(self.known(event).accepted_at);
                self.tallies.observe("end_to_end", lived);
                self.ended.push(event);
            }
            AfterRun::Failed => self.ended.push(event),
            AfterRun::Retry { eligible_at } => self.wait(event, eligible_at),
        }
        run
    }

    /// Returns the exact fate of an event.
    fn next(&self, event: EventNumber, fate: RunFate) -> AfterRun {
        let (record, config) = (self.known(event), self.config());
        match fate {
            RunFate::Completed => AfterRun::Completed,
            RunFate::Failed => AfterRun::Failed,
            RunFate::At(eligible_at) => AfterRun::Retry { eligible_at },
            RunFate::AfterBackoff { floor } => {
                let (seed, key) = (config.seed.unwrap_or(0), record.event.key());
                let backoff = self.limits(event).backoff.delay(seed, key, record.charge.charged, record.attempt);
                AfterRun::Retry { eligible_at: self.now + backoff.max(floor) }
            }
        }
    }

    /// Removes the deadline of a run that ends, and counts its duration. Returns the run.
    pub(super) fn close_run(&mut self, event: EventNumber) -> RunId {
        let (run, started_at) = self.known(event).stage.run().expect("a run in flight");
        self.deadlines.retain(|(other, _)| *other != run);
        self.tallies.observe("processing_time", self.now.since(started_at));
        run
    }

    /// Puts a record in its place: at its gate, at the tail of the line, or among the delayed.
    pub(super) fn wait(&mut self, event: EventNumber, eligible_at: Timestamp) {
        if eligible_at <= self.now {
            self.arrive(event);
            return;
        }
        self.delay(event, eligible_at);
    }

    pub(super) fn delay(&mut self, event: EventNumber, eligible_at: Timestamp) {
        let after_equals = self.delayed.partition_point(|(at, _)| *at <= eligible_at);
        self.delayed.insert(after_equals, (eligible_at, event));
    }
}

fn snoozed_too_often(reason: Option<ErrorText>) -> ErrorText {
    let wrong = "snoozed more often than max_snoozes allows";
    ErrorText::new(reason.map_or_else(|| wrong.to_owned(), |reason| format!("{wrong}: {reason}")))
}
