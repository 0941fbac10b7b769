//! Runs: how they start, live and end.

use super::answer::{Answer, Run};
use super::command::{ErrorText, Outcome};
use super::effect::{Effect, Output};
use super::fact::{AfterRun, AttemptEnd, Change, Charge};
use super::ids::{RunId, Ticket};
use super::run_limits::RunLimits;
use super::state::Finish;
use super::store::{LiveRecord, LiveState, Slot};
use super::tickets::Holder;
use super::time::Timestamp;
use super::{Engine, Phase};
use core::time::Duration;

impl Engine {
    /// Starts the run of a ticket that the dispatcher presents; it has a permit.
    pub(super) fn start(&mut self, ticket: Ticket, out: &mut Output) -> Answer {
        // A presented ticket shows that the channel delivers again.
        self.blocked_since = None;
        let Some(holder) = self.tickets.holder(ticket) else { return self.stale_ticket() };
        // Tickets are presented in their order, so one that was passed by is lost.
        let lost = self.tickets.below(ticket);
        self.tickets.present(ticket);
        let answer = match holder {
            Holder::Void => self.stale_ticket(),
            Holder::Marker => Answer::Marked,
            Holder::Record(slot) if self.phase == Phase::Running && !self.state.paused => self.begin(slot, out),
            Holder::Record(slot) => {
                self.join_head(slot);
                Answer::Held
            }
        };
        // After the answer: these go to the head of the line, in front of a record that was held.
        self.recover_lost(lost);
        answer
    }

    fn begin(&mut self, slot: Slot, out: &mut Output) -> Answer {
        let id = self.next_run();
        let (now, live) = (self.now, &self.state.store.live);
        out.fact(now, || Change::Started { key: live[slot].event.key().clone(), run: id });
        // Measured before the start, which replaces the state with the time from which on the record could start.
        if let LiveState::Waiting(waiting) = live[slot].state {
            self.histograms.queue_time.observe(now.since(waiting.eligible_at));
        }
        self.state.start(now, slot, id);
        let policy = self.state.store.live[slot].policy;
        self.leave_unstarted(slot);
        let RunLimits { max_attempts, run_timeout, run_lifetime, .. } = self.config.run_limits(policy);
        let lifetime_end = now + run_lifetime;
        // Cut at the end of the lifetime, which no heartbeat moves.
        let deadline = lifetime_end.min(now + run_timeout);
        self.runs.insert(&mut self.state.store.live, slot, deadline);
        let record = &self.state.store.live[slot];
        let (event, attempt, charged) = (record.event.clone(), record.attempt, record.charge.charged);
        Answer::Running(Run { event, id, attempt, charged, max_attempts, policy, deadline, lifetime_end })
    }

    pub(super) fn settle(&mut self, run: RunId, outcome: Outcome, out: &mut Output) -> Answer {
        let Some(slot) = self.current(run) else { return self.stale_run() };
        if let Outcome::DoneWith { then } = outcome {
            return self.settle_with(slot, then, out);
        }
        let finish = self.judge(slot, outcome);
        Answer::Settled(self.finish(slot, finish, out))
    }

    pub(super) fn heartbeat(&mut self, run: RunId) -> Answer {
        let Some(slot) = self.current(run) else { return self.stale_run() };
        let record = &self.state.store.live[slot];
        let RunLimits { run_timeout, run_lifetime, .. } = self.config.run_limits(record.policy);
        // Counted from the start, so that a handler that hangs ends even if something still sends heartbeats for it.
        let lifetime_end = record.run().started_at + run_lifetime;
        let deadline = lifetime_end.min(self.now + run_timeout);
        self.runs.move_deadline(&mut self.state.store.live, slot, deadline);
        Answer::Alive(deadline)
    }

    /// Ends a run that has passed its deadline.
    pub(super) fn time_out(&mut self, slot: Slot, out: &mut Output) {
        let record = &self.state.store.live[slot];
        let run = *record.run();
        let lasted = self.now.since(run.started_at);
        let error = ErrorText::new(format_args!("timed out after {lasted:?}"));
        let finish = self.again(record, AttemptEnd::TimedOut, error, Duration::ZERO);
        self.finish(slot, finish, out);
        // After the fact: the handler is stopped for a run that counts no more.
        out.effect(Effect::Abort(run.id));
    }

    /// Ends a run for a shutdown. Its start is not charged, up to a limit of its own.
    pub(super) fn interrupt(&mut self, slot: Slot, out: &mut Output) {
        let record = &self.state.store.live[slot];
        let run = record.run().id;
        let finish = self.give_back(record, ErrorText::new("interrupted by shutdown"));
        self.finish(slot, finish, out);
        out.effect(Effect::Abort(run));
    }

    /// Returns the end of a run whose start is not charged, up to a limit of its own.
    fn give_back(&self, record: &LiveRecord, error: ErrorText) -> Finish {
        match record.charge.refund(self.config.max_refunds) {
            Some(charge) => self.wait_until(self.now, AttemptEnd::Interrupted, Some(error), charge),
            None => self.again(record, AttemptEnd::Interrupted, error, Duration::ZERO),
        }
    }

    /// Returns what an outcome makes of a record.
    pub(super) fn judge(&self, slot: Slot, outcome: Outcome) -> Finish {
        let record = &self.state.store.live[slot];
        let charge = record.charge;
        match outcome {
            // Its follow-ups are accepted by `settle_with`, after this.
            Outcome::Done | Outcome::DoneWith { .. } => {
                Finish { end: AttemptEnd::Done, error: None, next: AfterRun::Completed, charge }
            }
            Outcome::Permanent { error } => {
                Finish { end: AttemptEnd::Failed, error: Some(error), next: AfterRun::Failed, charge }
            }
            Outcome::Retry { error, after } => {
                // Cut, because the liveness bound counts with `max_retry_after`, and the time may come from a target
                // that is mistaken.
                let floor = after.unwrap_or_default().min(self.config.max_retry_after);
                self.again(record, AttemptEnd::Retry, error, floor)
            }
            Outcome::Crashed { error } => self.again(record, AttemptEnd::Crashed, error, Duration::ZERO),
            Outcome::NotCalled => self.give_back(record, ErrorText::new("interrupted before its handler was called")),
            Outcome::Snooze { delay, reason } => match charge.snooze(self.config.max_snoozes) {
                Some(charge) => {
                    let eligible_at = self.now + delay.min(self.config.max_snooze);
                    self.wait_until(eligible_at, AttemptEnd::Snoozed, reason, charge)
                }
                // From here on a snooze is a failed attempt: without a limit the event could be pending for ever, and
                // no operator would see that it fails.
                None => self.again(record, AttemptEnd::Retry, too_often(reason), Duration::ZERO),
            },
        }
    }

    /// Returns the end of a run that leads to another attempt, after the backoff and not before `floor`; or to none when
    /// all are charged.
    fn again(&self, record: &LiveRecord, end: AttemptEnd, error: ErrorText, floor: Duration) -> Finish {
        let (charge, error) = (record.charge, Some(error));
        let RunLimits { max_attempts, backoff, .. } = self.config.run_limits(record.policy);
        if charge.charged >= max_attempts {
            // Crashes and timeouts keep their own names, also at the last attempt.
            let end = if end == AttemptEnd::Retry { AttemptEnd::Failed } else { end };
            return Finish { end, error, next: AfterRun::Failed, charge };
        }
        let Charge { charged, .. } = charge;
        let backoff = backoff.delay(self.config.seed(), record.event.key(), charged, record.attempt);
        self.wait_until(self.now + backoff.max(floor), end, error, charge)
    }

    fn wait_until(&self, eligible_at: Timestamp, end: AttemptEnd, error: Option<ErrorText>, charge: Charge) -> Finish {
        Finish { end, error, next: AfterRun::Retry { eligible_at }, charge }
    }

    /// Ends a run, and puts its record where it belongs.
    pub(super) fn finish(&mut self, slot: Slot, finish: Finish, out: &mut Output) -> super::Status {
        let (now, record) = (self.now, &self.state.store.live[slot]);
        let (run, gates) = (*record.run(), self.gates_of(slot));
        out.fact(now, || {
            let Finish { end, error, next, charge } = finish.clone();
            Change::Finished { key: record.event.key().clone(), run: run.id, end, error, next, charge }
        });
        // Observed before the record changes: it still has the times of the run.
        self.histograms.processing_time.observe(now.since(run.started_at));
        if finish.next == AfterRun::Completed {
            self.histograms.end_to_end.observe(now.since(record.accepted_at));
        }
        // While the record still has its run: the lists of runs go through the records.
        self.runs.remove(&mut self.state.store.live, slot);
        let next = finish.next;
        match next {
            // While the record is live: once completed it is a tombstone, which has no group.
            AfterRun::Completed => self.part_from_group(slot),
            AfterRun::Failed => self.fail_in_group(slot),
            AfterRun::Retry { .. } => {}
        }
        self.state.finish(now, slot, finish);
        self.return_running(gates);
        // Before the record waits again, so that those which have waited at its gates come first.
        self.open_gates(gates);
        match next {
            AfterRun::Completed => super::Status::Completed,
            AfterRun::Failed => super::Status::Failed,
            AfterRun::Retry { eligible_at } => {
                self.wait(slot, eligible_at);
                super::Status::FailedRetry
            }
        }
    }

    /// Returns the record of a run that is current.
    fn current(&self, run: RunId) -> Option<Slot> {
        self.runs.find(run, &self.state.store.live)
    }

    fn next_run(&mut self) -> RunId {
        self.run_number += 1;
        RunId::new(self.state.epoch, self.run_number)
    }

    fn stale_run(&mut self) -> Answer {
        self.tallies.outcomes_stale += 1;
        Answer::Stale
    }

    fn stale_ticket(&mut self) -> Answer {
        self.tallies.tickets_stale += 1;
        Answer::Stale
    }
}

fn too_often(reason: Option<ErrorText>) -> ErrorText {
    const WRONG: &str = "snoozed more often than max_snoozes allows";
    match reason {
        None => ErrorText::new(WRONG),
        Some(reason) => ErrorText::new(format_args!("{WRONG}: {reason}")),
    }
}

impl Charge {
    /// Returns the charge after one more snooze, when it may be given back.
    fn snooze(self, limit: u32) -> Option<Self> {
        let given_back =
            Self { charged: self.charged.saturating_sub(1), snoozes: self.snoozes.saturating_add(1), ..self };
        (self.snoozes < limit).then_some(given_back)
    }

    /// Returns the charge after one more interruption, when it may be given back.
    fn refund(self, limit: u32) -> Option<Self> {
        let given_back =
            Self { charged: self.charged.saturating_sub(1), refunds: self.refunds.saturating_add(1), ..self };
        (self.refunds < limit).then_some(given_back)
    }
}
