//! Runs: how they start, and what their end makes of the event.

use std::time::Duration;

use eventful::{
    Answer, AttemptEnd, Charge, Effect, ErrorText, Key, Next, Outcome, PastAttempt, Phase, Run, RunId, Status,
    Timestamp,
};

use super::{Model, State};

/// What the end of a run makes of the event.
pub(super) struct Verdict {
    pub(super) end: AttemptEnd,
    pub(super) next: Next,
    pub(super) charge: Charge,
    pub(super) error: Option<ErrorText>,
}

impl Model {
    pub(super) fn start_run(&mut self, key: &Key) -> Answer {
        self.runs += 1;
        let (now, config) = (self.now, self.config.clone());
        let id = RunId::new(self.epoch, self.runs);
        let record = self.record_mut(key);
        let waited = now.since(record.eligible_at().expect("only a waiting record has a live ticket"));
        record.attempt += 1;
        record.charge.charged += 1;
        let lifetime_end = now + config.run_lifetime;
        let deadline = (now + config.run_timeout).min(lifetime_end);
        let (event, attempt, charged) = (record.event.clone(), record.attempt, record.charge.charged);
        let run = Run { event, id, attempt, charged, deadline, lifetime_end };
        record.state = State::Processing { run: run.clone(), started_at: now };
        self.counts.one("started");
        self.counts.observe("queue_time", waited);
        Answer::Running(run)
    }

    /// The event whose current run this is.
    pub(super) fn event_of(&self, id: RunId) -> Option<Key> {
        self.inflight().into_iter().find(|(run, _)| *run == id).map(|(_, key)| key)
    }

    /// The runs in flight, in the order of their starts, with their events.
    pub fn inflight(&self) -> Vec<(RunId, Key)> {
        let runs = self.records.iter().filter_map(|(key, record)| Some((record.run()?.0.id, key.clone())));
        let mut runs: Vec<_> = runs.collect();
        runs.sort();
        runs
    }

    fn stale_outcome(&mut self) -> Answer {
        self.counts.one("outcomes_stale");
        Answer::Stale
    }

    pub(super) fn heartbeat(&mut self, id: RunId) -> Answer {
        let current = self.event_of(id).filter(|_| self.phase != Phase::Stopped);
        let Some(key) = current else { return self.stale_outcome() };
        let moved = self.now + self.config.run_timeout;
        match &mut self.record_mut(&key).state {
            State::Processing { run, .. } => {
                run.deadline = moved.min(run.lifetime_end);
                Answer::Alive(run.deadline)
            }
            State::Waiting { .. } | State::Ended { .. } => unreachable!("its run was just found"),
        }
    }

    pub(super) fn settle(&mut self, id: RunId, outcome: &Outcome) -> Answer {
        let current = self.event_of(id).filter(|_| self.phase != Phase::Stopped);
        let Some(key) = current else { return self.stale_outcome() };
        let verdict = self.judge(&key, outcome);
        self.end_run(&key, verdict);
        Answer::Settled(self.record_mut(&key).status())
    }

    fn judge(&self, key: &Key, outcome: &Outcome) -> Verdict {
        let charge = self.records[key].charge;
        match outcome {
            Outcome::Done => Verdict { end: AttemptEnd::Done, next: Next::Completed, charge, error: None },
            Outcome::Retry { error, after } => self.failed_attempt(key, after.unwrap_or_default(), error.clone()),
            Outcome::Permanent { error } => {
                Verdict { end: AttemptEnd::Failed, next: Next::Failed, charge, error: Some(error.clone()) }
            }
            Outcome::Snooze { delay, reason } => self.snoozed(key, *delay, reason.as_ref()),
            Outcome::Crashed { error } => {
                Verdict { end: AttemptEnd::Crashed, ..self.failed_attempt(key, Duration::ZERO, error.clone()) }
            }
        }
    }

    /// Another attempt when one is left, else the end of the event.
    fn failed_attempt(&self, key: &Key, after: Duration, error: ErrorText) -> Verdict {
        let record = &self.records[key];
        let (charge, error) = (record.charge, Some(error));
        if charge.charged >= self.config.max_attempts {
            return Verdict { end: AttemptEnd::Failed, next: Next::Failed, charge, error };
        }
        let backoff = self.config.backoff.delay(self.config.seed.unwrap_or(0), key, charge.charged, record.attempt);
        let wait = backoff.max(after.min(self.config.max_retry_after));
        Verdict { end: AttemptEnd::Retry, next: Next::Retry { eligible_at: self.now + wait }, charge, error }
    }

    fn snoozed(&self, key: &Key, delay: Duration, reason: Option<&ErrorText>) -> Verdict {
        let charge = self.records[key].charge;
        if charge.snoozes >= self.config.max_snoozes {
            let wrong = "snoozed more often than max_snoozes allows";
            let error = reason.map_or_else(|| wrong.to_owned(), |reason| format!("{wrong}: {reason}"));
            return self.failed_attempt(key, Duration::ZERO, ErrorText::new(error));
        }
        let charge = Charge { charged: charge.charged - 1, snoozes: charge.snoozes + 1, ..charge };
        let eligible_at = self.now + delay.min(self.config.max_snooze);
        let error = reason.cloned();
        Verdict { end: AttemptEnd::Snoozed, next: Next::Retry { eligible_at }, charge, error }
    }

    fn interrupted(&self, key: &Key) -> Verdict {
        let charge = self.records[key].charge;
        let (end, error) = (AttemptEnd::Interrupted, ErrorText::new("interrupted by shutdown"));
        if charge.refunds >= self.config.max_refunds {
            return Verdict { end, ..self.failed_attempt(key, Duration::ZERO, error) };
        }
        let charge = Charge { charged: charge.charged - 1, refunds: charge.refunds + 1, ..charge };
        Verdict { end, next: Next::Retry { eligible_at: self.now }, charge, error: Some(error) }
    }

    /// Ends a run whose deadline has passed.
    pub(super) fn time_out(&mut self, key: &Key) {
        let lasted = self.now.since(self.records[key].run().expect("a run in flight").1);
        let error = ErrorText::new(format_args!("timed out after {lasted:?}"));
        let failed = self.failed_attempt(key, Duration::ZERO, error);
        self.abort(key, Verdict { end: AttemptEnd::TimedOut, ..failed });
    }

    /// Ends a run because of shutdown.
    pub(super) fn interrupt(&mut self, key: &Key) {
        let verdict = self.interrupted(key);
        self.abort(key, verdict);
    }

    /// Ends a run that its worker has not ended.
    fn abort(&mut self, key: &Key, verdict: Verdict) {
        let run = self.records[key].run().map(|(run, _)| run.id);
        self.effects.extend(run.map(Effect::Abort));
        self.end_run(key, verdict);
    }

    fn end_run(&mut self, key: &Key, verdict: Verdict) {
        self.close_run(key, verdict.end, verdict.error.as_ref());
        let record = self.record_mut(key);
        record.charge = verdict.charge;
        record.last_error = verdict.error.or(record.last_error.take());
        match verdict.next {
            Next::Completed => {
                let lived = self.now.since(self.records[key].accepted_at);
                self.counts.observe("end_to_end", lived);
                self.end_event(key, Status::Completed);
            }
            Next::Failed => self.end_event(key, Status::Failed),
            Next::Retry { eligible_at } => self.wait(key, Status::FailedRetry, eligible_at),
        }
    }

    /// Counts and remembers the attempt that ends now.
    pub(super) fn close_run(&mut self, key: &Key, end: AttemptEnd, error: Option<&ErrorText>) {
        let now = self.now;
        let record = self.record_mut(key);
        let Some((run, started_at)) = record.run() else { return };
        let error = error.map(cut);
        let past = PastAttempt { run: run.id, started_at, ended_at: now, end, error };
        record.history.push(past);
        self.counts.add(("finished", end.as_str()), 1);
        self.counts.observe("processing_time", now.since(started_at));
    }

    pub(super) fn end_event(&mut self, key: &Key, status: Status) {
        let (at, order) = (self.now, self.ends);
        self.ends += 1;
        self.record_mut(key).state = State::Ended { status, at, order };
    }

    /// Puts a record where it waits: at the tail of the line, or among the delayed.
    pub(super) fn wait(&mut self, key: &Key, status: Status, eligible_at: Timestamp) {
        self.record_mut(key).state = State::Waiting { status, eligible_at };
        if eligible_at <= self.now {
            self.line.push(key.clone());
            return;
        }
        let after_equals = self.delayed.partition_point(|(at, _)| *at <= eligible_at);
        self.delayed.insert(after_equals, (eligible_at, key.clone()));
    }
}

/// Of the error of a past attempt only the beginning is kept.
fn cut(error: &ErrorText) -> ErrorText {
    let text = error.as_str();
    ErrorText::new(&text[..text.floor_char_boundary(PastAttempt::MAX_ERROR_BYTES)])
}
