//! The writer of the journal.
//!
//! It takes a group, appends it, and lets go what waited for it, in three steps: whatever else is
//! ready can come between them. What comes back after a death is the work of `recovery`.

use eventful::Fact;
use eventful::journal::{MaintainError, Maintained, OpenError, WriteError};

use super::World;
use super::agenda::Task;
use super::journal::{Condition, Group};
use crate::failure::Broken;
use crate::scenario::FaultKind;

/// How long nothing was appended when the journal is sealed.
const SEAL_AFTER_MICROS: u64 = 50_000;

/// The time between looks whether there is room again.
const LOOK_AFTER_MICROS: u64 = 100_000;

impl World<'_> {
    /// The writer takes its next step.
    pub(super) fn write(&mut self) -> Result<(), Broken> {
        let Some(journal) = &mut self.journal else { return Ok(()) };
        if self.now < journal.stalled_until {
            self.agenda.at(journal.stalled_until, Task::Write);
            return Ok(());
        }
        journal.rung = false;
        if journal.log.is_none() {
            return self.reopen();
        }
        match std::mem::replace(&mut journal.group, Group::None) {
            Group::None => {
                let mut facts = Vec::new();
                if !journal.groups.begin(&mut facts) {
                    return self.maintain();
                }
                journal.group = Group::Taken(facts);
                self.ring_writer();
                Ok(())
            }
            Group::Taken(facts) => self.append(facts),
            Group::Appended => self.finish_group(),
        }
    }

    fn append(&mut self, facts: Vec<Fact>) -> Result<(), Broken> {
        let (Some(journal), Some(kept)) = (&mut self.journal, &mut self.oracles.journal) else { return Ok(()) };
        let Some(log) = &mut journal.log else { return Ok(()) };
        judge_group(&facts, journal.settings.group_bytes)?;
        kept.give(facts.len());
        match log.append(&facts) {
            Ok(()) => {
                kept.acknowledge();
                (journal.room, journal.unsealed) = (log.room(), true);
                let (count, frame) = (facts.len(), log.next().previous());
                journal.group = Group::Appended;
                self.note_journal(|| format!("frame {frame} is durable, with {count} facts"));
                self.ring_writer();
                Ok(())
            }
            // Nothing was written, so nothing is unknown: it is tried again.
            Err(WriteError::Full) if self.ending.is_none() => {
                kept.refuse();
                (journal.room, journal.group) = (log.room(), Group::Taken(facts));
                self.probes.fault(FaultKind::JournalFull);
                self.note_journal(|| "there is no room for the next frame".to_owned());
                self.ring_writer_at(self.now + LOOK_AFTER_MICROS);
                Ok(())
            }
            Err(error) => {
                if matches!(error, WriteError::Full | WriteError::TooLarge { .. } | WriteError::Fenced) {
                    kept.refuse();
                }
                self.fail(&error)
            }
        }
    }

    /// A group is durable: what waited for it goes its way.
    fn finish_group(&mut self) -> Result<(), Broken> {
        let Some(journal) = &mut self.journal else { return Ok(()) };
        let released = journal.groups.finish();
        let settled = journal.groups.settled();
        journal.written += 1;
        if self.is_serving() {
            self.gate_expiry()?;
        }
        while let Some(waiting) = self.take_waiting(|waiting| waiting.mark <= settled) {
            self.release_waiting(waiting)?;
        }
        self.send_released(released)?;
        self.ring_writer();
        self.look_for_end();
        self.audit_journal_now_and_then()
    }

    /// A small step towards a snapshot; a seal when there is none to take for a while.
    fn maintain(&mut self) -> Result<(), Broken> {
        let Some(journal) = &mut self.journal else { return Ok(()) };
        let Some(log) = &mut journal.log else { return Ok(()) };
        let maintained = log.maintain(&|| self.engine.gauges());
        let room = log.room();
        journal.judge_parts()?;
        journal.rot.note(&maintained);
        match maintained {
            Ok(Maintained::Nothing) => {
                if journal.unsealed {
                    self.agenda.at(self.now + SEAL_AFTER_MICROS, Task::Seal);
                }
                self.look_for_room();
            }
            Ok(Maintained::More) => self.ring_writer(),
            Ok(Maintained::Snapshot(before)) => {
                (journal.room, journal.has_snapshot) = (room, true);
                journal.judge_ways_back(before)?;
                self.probes.fault(FaultKind::Snapshot);
                self.note_journal(|| format!("a snapshot stands for the frames before {before}"));
                self.ring_writer();
                return self.audit_journal();
            }
            Err(MaintainError::Write(error @ (WriteError::Unknown { .. } | WriteError::Fenced))) => {
                return self.fail(&error);
            }
            Err(MaintainError::Open(error @ OpenError::Corrupt(_))) if !journal.rot.excuses_failure() => {
                return Err(Broken::new("journal", 10, format_args!("no snapshot was made: {error}")));
            }
            Err(error) => {
                self.probes.fault(FaultKind::SnapshotFails);
                self.note_journal(|| format!("no snapshot was made: {error}"));
                self.look_for_room();
            }
        }
        Ok(())
    }

    /// Looks how much room there is, as long as there may be too little.
    fn look_for_room(&mut self) {
        let largest = self.config.max_event_bytes;
        let Some(journal) = self.journal.as_mut().filter(|journal| !journal.has_room(largest)) else { return };
        let Some(log) = &journal.log else { return };
        journal.room = log.room();
        if !journal.has_room(largest) {
            self.ring_writer_at(self.now + LOOK_AFTER_MICROS);
        }
    }

    pub(super) fn seal(&mut self) -> Result<(), Broken> {
        let Some(journal) = self.journal.as_mut().filter(|journal| journal.is_idle() && journal.unsealed) else {
            return Ok(());
        };
        let Some(log) = &mut journal.log else { return Ok(()) };
        journal.unsealed = false;
        match log.seal() {
            Ok(()) => Ok(()),
            Err(error) => self.fail(&error),
        }
    }

    /// The journal has failed: what is not durable is unknown, and the engine is given up.
    fn fail(&mut self, error: &WriteError) -> Result<(), Broken> {
        let Some(journal) = &mut self.journal else { return Ok(()) };
        if journal.is_dead() {
            return self.die();
        }
        (journal.log, journal.group, journal.unsealed) = (None, Group::None, false);
        let lost = journal.groups.fail();
        journal.held.clear();
        journal.condition = Condition::Reopening;
        let ends = self.ending.is_some();
        self.note_journal(|| format!("{error}; {lost} facts may be lost"));
        while let Some(waiting) = self.take_waiting(|_| true) {
            self.give_up_waiting(waiting.who);
        }
        self.stop_workers();
        match ends {
            true => self.stay_down(),
            false => self.ring_writer(),
        }
        Ok(())
    }

    /// Nobody opens the journal again for an engine that is to end.
    pub(super) fn stay_down(&mut self) {
        if let Some(journal) = &mut self.journal {
            journal.condition = Condition::Down;
            self.probes.fault(FaultKind::DownForGood);
            self.look_for_end();
        }
    }

    /// No run counts any more.
    pub(super) fn stop_workers(&mut self) {
        let mut told = Vec::new();
        for worker in &mut self.workers {
            if worker.outcome.is_none() && worker.heeds() && !worker.cancelled {
                told.push(*worker);
            }
            worker.cancelled = true;
        }
        for worker in told {
            self.note_stop(&worker);
            self.agenda.now(Task::Yield(worker.serial));
        }
    }
}

/// Judges that a group is bounded by bytes, but for one fact.
fn judge_group(facts: &[Fact], limit_bytes: Option<usize>) -> Result<(), Broken> {
    let all_but_one: usize = facts.iter().rev().skip(1).map(Fact::size_bytes).sum();
    match limit_bytes {
        Some(limit) if all_but_one >= limit => {
            let bytes = facts.iter().map(Fact::size_bytes).sum::<usize>();
            Err(Broken::new("journal", 9, format_args!("a group has {bytes} bytes, and {limit} make it full")))
        }
        Some(_) | None => Ok(()),
    }
}
