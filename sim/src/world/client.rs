//! Clients and operators.

use eventful::{Answer, Bound, Command, Phase, Refusal, Rejection, Status};

use super::World;
use super::agenda::Task;
use super::journal::Told;
use crate::failure::Broken;
use crate::oracle::Said;
use crate::scenario::{Act, EventNumber, FaultKind, Operation};

impl World<'_> {
    pub(super) fn operate(&mut self, at: u32) -> Result<(), Broken> {
        if self.now < self.clients_stalled_until {
            self.agenda.at(self.clients_stalled_until, Task::Operation(at));
            return Ok(());
        }
        let operation = self.scenario.operations[at as usize];
        if !self.is_serving() {
            self.note_unreachable(&operation);
            return Ok(());
        }
        let (mut command, mut said) = self.spoken(operation.act);
        if let Said::Submit { event, size_bytes, .. } = said
            && self.lacks_disk(event, size_bytes)
        {
            self.probes.fault(FaultKind::RefusedForDisk);
            (command, said) = (Command::Reject(Rejection::Disk), Said::RejectForDisk);
        }
        self.caller = Some(operation.client);
        let answer = self.tell(command, said)?;
        self.caller = None;
        let Said::Submit { event, digest, .. } = said else { return self.reply(operation.client, None) };
        self.probe_submit(at, &operation, &answer);
        if operation.hangs_up {
            self.probes.fault(FaultKind::ClientHangsUp);
            self.note_hang_up(&operation, event);
            return Ok(());
        }
        let era = self.oracles.ledger.era(event);
        self.reply(operation.client, Some(Told { event, digest, answer, era }))
    }

    /// Whether the journal has no room for a new event.
    fn lacks_disk(&self, event: EventNumber, size_bytes: usize) -> bool {
        let Some(journal) = &self.journal else { return false };
        !journal.has_room(size_bytes)
            && self.engine.phase() == Phase::Running
            && self.engine.get(self.clock(), self.roster.key(event)).is_none()
    }

    fn probe_submit(&mut self, at: u32, operation: &Operation, answer: &Answer) {
        if let Some(kind) = kind_of(answer) {
            self.probes.fault(kind);
        }
        let earlier = (at as usize).checked_sub(1).map(|before| &self.scenario.operations[before]);
        if earlier.is_some_and(|earlier| earlier.at == operation.at && names_same(earlier.act, operation.act)) {
            self.probes.fault(FaultKind::ClientRacesItself);
        }
    }

    /// The first event that has failed; the first of all when none has.
    fn first_failed(&self) -> EventNumber {
        let mut failed = self.oracles.book.all().filter(|(_, known)| known.stage.status() == Status::Failed);
        failed.next().map_or(0, |(event, _)| event)
    }

    fn spoken(&self, act: Act) -> (Command, Said) {
        match act {
            Act::Submit { event, payload } => {
                let submitted = self.roster.event(event, payload);
                let (digest, size_bytes) = (*submitted.digest(), submitted.size_bytes());
                (Command::Submit(submitted), Said::Submit { event, digest, size_bytes })
            }
            Act::Reject { too_large: true } => (Command::Reject(Rejection::TooLarge), Said::Reject { too_large: true }),
            Act::Reject { too_large: false } => {
                (Command::Reject(Rejection::Invalid), Said::Reject { too_large: false })
            }
            Act::RedriveFirst => self.spoken(Act::Redrive { event: self.first_failed() }),
            Act::Redrive { event } => (Command::Redrive(self.roster.key(event).clone()), Said::Redrive(event)),
            Act::Discard { event } => (Command::Discard(self.roster.key(event).clone()), Said::Discard(event)),
            Act::Pause => (Command::Pause, Said::Pause),
            Act::Resume => (Command::Resume, Said::Resume),
        }
    }
}

/// The fault that an answer to a submission tells of.
fn kind_of(answer: &Answer) -> Option<FaultKind> {
    if let Answer::Refused(Refusal::Overloaded { bound, .. }) = answer {
        return Some(match bound {
            Bound::Bytes | Bound::Disk | Bound::JournalSlow | Bound::JournalUnreachable => FaultKind::OverloadByBytes,
            Bound::Failed => FaultKind::OverloadByFailures,
            Bound::Pending | Bound::Records => FaultKind::OverloadByCount,
        });
    }
    if matches!(answer, Answer::Duplicate(_)) {
        return Some(FaultKind::ClientRetries);
    }
    matches!(answer, Answer::Conflict(_)).then_some(FaultKind::ClientChangesPayload)
}

const fn names_same(one: Act, other: Act) -> bool {
    matches!((one, other), (Act::Submit { event: one, .. }, Act::Submit { event: other, .. }) if one == other)
}
