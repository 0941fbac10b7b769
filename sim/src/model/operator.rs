//! What operators do: redrive, discard, pause, and the end.

use eventful::{Answer, AttemptEnd, Charge, Effect, Key, Phase, Refusal, Status};

use super::Model;

impl Model {
    pub(super) fn redrive(&mut self, key: &Key) -> Answer {
        let Some(record) = self.record(key) else { return Answer::NotFound };
        if record.status() != Status::Failed {
            return Answer::NotFailed(record.status());
        }
        if self.phase != Phase::Running {
            return Answer::Refused(Refusal::ShuttingDown);
        }
        if let Some(refusal) = self.refuse_again(key) {
            return Answer::Refused(refusal);
        }
        self.counts.one("redriven");
        self.record_mut(key).charge = Charge::default();
        self.wait(key, Status::Received, self.now);
        Answer::Noted
    }

    pub(super) fn discard(&mut self, key: &Key) -> Answer {
        if self.phase == Phase::Stopped {
            return Answer::Refused(Refusal::ShuttingDown);
        }
        let Some(record) = self.record(key) else { return Answer::NotFound };
        match record.status() {
            Status::Completed => return Answer::TooLate,
            Status::Discarded => return Answer::Noted,
            Status::Received | Status::FailedRetry | Status::Failed => self.leave_places(key),
            Status::Processing => self.discard_run(key),
        }
        self.end_event(key, Status::Discarded);
        Answer::Noted
    }

    fn leave_places(&mut self, key: &Key) {
        self.delayed.retain(|(_, other)| other != key);
        self.line.retain(|other| other != key);
        self.void_ticket(key);
    }

    fn discard_run(&mut self, key: &Key) {
        let run = self.records[key].run().map(|(run, _)| run.id);
        self.effects.extend(run.map(Effect::Abort));
        self.close_run(key, AttemptEnd::Discarded, None);
    }

    /// Nothing is presented during a pause, so its time does not count against a marker.
    pub(super) fn pause(&mut self, paused: bool) -> Answer {
        if self.phase == Phase::Stopped {
            return Answer::Refused(Refusal::ShuttingDown);
        }
        if self.paused != paused {
            self.paused = paused;
            self.rearm_marker();
        }
        Answer::Noted
    }

    pub(super) fn shutdown(&mut self) -> Answer {
        if self.phase == Phase::Running {
            self.phase = Phase::Draining;
        }
        Answer::Noted
    }

    pub(super) fn abort_inflight(&mut self) -> Answer {
        for (_, key) in self.inflight() {
            self.interrupt(&key);
        }
        self.phase = Phase::Stopped;
        Answer::Noted
    }
}
