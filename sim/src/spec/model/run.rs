//! Runs: how they start, and what their end makes of the event.

use std::time::Duration;

use eventful::{Answer, AttemptEnd, Change, Charge, Effect, ErrorText, Next, Outcome, Phase, Run, RunId, Timestamp};

use super::Model;
use crate::scenario::EventNumber;

/// What the end of a run makes of the event.
struct Verdict {
    end: AttemptEnd,
    next: Next,
    charge: Charge,
    error: Option<ErrorText>,
}

impl Model {
    pub(super) fn start_run(&mut self, event: EventNumber) -> Answer {
        self.runs += 1;
        let id = RunId::new(self.epoch(), self.runs);
        let eligible_at = self.known(event).stage.eligible_at().expect("only a waiting record has a live ticket");
        self.tallies.observe("queue_time", self.now.since(eligible_at));
        self.decide(Change::Started { key: self.key(event), run: id });
        let lifetime_end = self.now + self.config().run_lifetime;
        let deadline = (self.now + self.config().run_timeout).min(lifetime_end);
        self.deadlines.push((id, deadline));
        let record = self.known(event);
        let (event, attempt, charged) = (record.event.clone(), record.attempt, record.charge.charged);
        Answer::Running(Run { event, id, attempt, charged, deadline, lifetime_end })
    }

    /// The event whose current run this is, as long as an outcome of it counts.
    fn current(&self, run: RunId) -> Option<EventNumber> {
        self.book.of_run(run).filter(|_| self.phase != Phase::Stopped)
    }

    fn stale_outcome(&mut self) -> Answer {
        self.tallies.one("outcomes_stale");
        Answer::Stale
    }

    pub(super) fn heartbeat(&mut self, run: RunId) -> Answer {
        let Some(event) = self.current(run) else { return self.stale_outcome() };
        let (_, started_at) = self.known(event).stage.run().expect("it is its current run");
        let lifetime_end = started_at + self.config().run_lifetime;
        let deadline = (self.now + self.config().run_timeout).min(lifetime_end);
        for (other, at) in &mut self.deadlines {
            if *other == run {
                *at = deadline;
            }
        }
        Answer::Alive(deadline)
    }

    pub(super) fn settle(&mut self, run: RunId, outcome: &Outcome) -> Answer {
        let Some(event) = self.current(run) else { return self.stale_outcome() };
        let verdict = self.judge(event, outcome);
        self.end_run(event, verdict);
        Answer::Settled(self.known(event).status())
    }

    fn judge(&self, event: EventNumber, outcome: &Outcome) -> Verdict {
        let charge = self.known(event).charge;
        match outcome {
            Outcome::Done => Verdict { end: AttemptEnd::Done, next: Next::Completed, charge, error: None },
            Outcome::Retry { error, after } => self.failed_attempt(event, after.unwrap_or_default(), error.clone()),
            Outcome::Permanent { error } => {
                Verdict { end: AttemptEnd::Failed, next: Next::Failed, charge, error: Some(error.clone()) }
            }
            Outcome::Snooze { delay, reason } => self.snoozed(event, *delay, reason.as_ref()),
            Outcome::Crashed { error } => {
                Verdict { end: AttemptEnd::Crashed, ..self.failed_attempt(event, Duration::ZERO, error.clone()) }
            }
        }
    }

    /// Another attempt when one is left, else the end of the event.
    fn failed_attempt(&self, event: EventNumber, after: Duration, error: ErrorText) -> Verdict {
        let (record, config) = (self.known(event), self.config());
        let (charge, error) = (record.charge, Some(error));
        if charge.charged >= config.max_attempts {
            return Verdict { end: AttemptEnd::Failed, next: Next::Failed, charge, error };
        }
        let (seed, key) = (config.seed.unwrap_or(0), record.event.key());
        let backoff = config.backoff.delay(seed, key, charge.charged, record.attempt);
        let wait = backoff.max(after.min(config.max_retry_after));
        Verdict { end: AttemptEnd::Retry, next: Next::Retry { eligible_at: self.now + wait }, charge, error }
    }

    fn snoozed(&self, event: EventNumber, delay: Duration, reason: Option<&ErrorText>) -> Verdict {
        let (charge, config) = (self.known(event).charge, self.config());
        if charge.snoozes >= config.max_snoozes {
            let wrong = "snoozed more often than max_snoozes allows";
            let error = reason.map_or_else(|| wrong.to_owned(), |reason| format!("{wrong}: {reason}"));
            return self.failed_attempt(event, Duration::ZERO, ErrorText::new(error));
        }
        let charge = Charge { charged: charge.charged - 1, snoozes: charge.snoozes + 1, ..charge };
        let eligible_at = self.now + delay.min(config.max_snooze);
        Verdict { end: AttemptEnd::Snoozed, next: Next::Retry { eligible_at }, charge, error: reason.cloned() }
    }

    fn interrupted(&self, event: EventNumber) -> Verdict {
        let charge = self.known(event).charge;
        let (end, error) = (AttemptEnd::Interrupted, ErrorText::new("interrupted by shutdown"));
        if charge.refunds >= self.config().max_refunds {
            return Verdict { end, ..self.failed_attempt(event, Duration::ZERO, error) };
        }
        let charge = Charge { charged: charge.charged - 1, refunds: charge.refunds + 1, ..charge };
        Verdict { end, next: Next::Retry { eligible_at: self.now }, charge, error: Some(error) }
    }

    /// Ends a run whose deadline has passed.
    pub(super) fn time_out(&mut self, event: EventNumber) {
        let (_, started_at) = self.known(event).stage.run().expect("a run in flight");
        let error = ErrorText::new(format_args!("timed out after {:?}", self.now.since(started_at)));
        let failed = self.failed_attempt(event, Duration::ZERO, error);
        self.abort(event, Verdict { end: AttemptEnd::TimedOut, ..failed });
    }

    /// Ends a run because of shutdown.
    pub(super) fn interrupt(&mut self, event: EventNumber) {
        let verdict = self.interrupted(event);
        self.abort(event, verdict);
    }

    /// Ends a run that its worker has not ended.
    fn abort(&mut self, event: EventNumber, verdict: Verdict) {
        let run = self.end_run(event, verdict);
        self.effects.push(Effect::Abort(run));
    }

    fn end_run(&mut self, event: EventNumber, verdict: Verdict) -> RunId {
        let run = self.close_run(event);
        let Verdict { end, next, charge, error } = verdict;
        self.decide(Change::Finished { key: self.key(event), run, end, error, next, charge });
        match next {
            Next::Completed => {
                let lived = self.now.since(self.known(event).accepted_at);
                self.tallies.observe("end_to_end", lived);
                self.ended.push(event);
            }
            Next::Failed => self.ended.push(event),
            Next::Retry { eligible_at } => self.wait(event, eligible_at),
        }
        run
    }

    /// A run ends now, in whatever way: it has no deadline any more, and its time is counted.
    pub(super) fn close_run(&mut self, event: EventNumber) -> RunId {
        let (run, started_at) = self.known(event).stage.run().expect("a run in flight");
        self.deadlines.retain(|(other, _)| *other != run);
        self.tallies.observe("processing_time", self.now.since(started_at));
        run
    }

    /// Puts a record where it waits: at the tail of the line, or among the delayed.
    pub(super) fn wait(&mut self, event: EventNumber, eligible_at: Timestamp) {
        if eligible_at <= self.now {
            self.line.push(event);
            return;
        }
        let after_equals = self.delayed.partition_point(|(at, _)| *at <= eligible_at);
        self.delayed.insert(after_equals, (eligible_at, event));
    }
}
