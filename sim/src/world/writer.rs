//! The writer of the journal: asks the node for the next job, does it, and reports the result, in separate steps, so
//! that any other ready step can come between them.

use eventful::engine::facts::Fact;
use eventful::journal::{MaintainError, Maintained, OpenError, WriteError};
use eventful::node::{Job, JournalSpace};

use super::journal::{JournalCondition, WriterHand, journal_of};
use super::routine::Routine;
use super::state::World;
use super::stop::Stop;
use crate::failure::{Broken, holds};
use crate::scenario::FaultKind;
use crate::spec::fact_bytes;

impl World<'_> {
    /// Returns the time of the writer's next step. Its work waits while the disk stalls.
    pub(super) fn write_time(&self) -> Option<u64> {
        let journal = self.journal.as_ref()?;
        let due = journal.routine.due(|at| self.world_time(at))?;
        Some(if matches!(journal.hand, WriterHand::Job(_)) { due.max(journal.stalled_until) } else { due })
    }

    /// Takes the writer's next step.
    pub(super) fn write(&mut self) -> Result<(), Stop> {
        let Some(journal) = &mut self.journal else { return Ok(()) };
        match std::mem::replace(&mut journal.hand, WriterHand::Free) {
            WriterHand::Free => self.take_job(),
            WriterHand::Job(job) => self.do_job(job),
            WriterHand::Appended(appended) => self.report_append(appended),
            WriterHand::Opened(Ok(recovered)) => self.report_opening(*recovered),
            WriterHand::Opened(Err(error)) => self.report_failed_opening(&error),
            WriterHand::Publishing(first, at) => self.publish(first, at),
        }
    }

    fn take_job(&mut self) -> Result<(), Stop> {
        let Some(journal) = &mut self.journal else { return Ok(()) };
        journal.routine.doze();
        let mut facts = std::mem::take(&mut journal.facts);
        let job = self.drive(|node, now| node.next_job(now, &mut facts));
        let (now, Some(journal)) = (self.clock(), &mut self.journal) else { return Ok(()) };
        journal.facts = facts;
        let job = job?;
        if job == Job::Close && journal.condition == JournalCondition::Reopening {
            journal.condition = JournalCondition::Down;
            self.probe(FaultKind::DownForGood);
        }
        let journal = journal_of(&mut self.journal);
        journal.busy_since = (!matches!(job, Job::Wait(_) | Job::Close)).then_some(now);
        let stalls = self.now < journal.stalled_until;
        match job {
            Job::Wait(until) => journal.routine.sleep(until),
            Job::Append | Job::Open => {
                journal.routine.wake();
                journal.hand = WriterHand::Job(job);
            }
            Job::Maintain | Job::Seal | Job::Measure | Job::Close if stalls => {
                journal.routine.wake();
                journal.hand = WriterHand::Job(job);
            }
            Job::Maintain | Job::Seal | Job::Measure | Job::Close => {
                journal.routine.wake();
                return self.do_job(job);
            }
        }
        Ok(())
    }

    fn do_job(&mut self, job: Job) -> Result<(), Stop> {
        let has_log = self.journal.as_ref().is_some_and(|journal| journal.log.is_some());
        if !has_log && !matches!(job, Job::Open | Job::Close | Job::Wait(_)) {
            return Err(Broken::new(
                "journal",
                10,
                format_args!("the node asks for {job:?}, but the journal has failed"),
            )
            .into());
        }
        match job {
            Job::Append => Ok(self.append()?),
            Job::Open => {
                self.open_again()?;
                self.ask_to_end_amid_opening()
            }
            Job::Maintain => self.maintain(),
            Job::Seal => self.seal(),
            Job::Measure => self.measure(),
            Job::Close => self.close(),
            Job::Wait(_) => Ok(()),
        }
    }

    /// Returns whether the directory of the journal is missing.
    fn is_gone(&self) -> bool {
        self.journal.as_ref().is_some_and(|journal| self.now < journal.gone_until)
    }

    fn append(&mut self) -> Result<(), Broken> {
        let is_gone = self.is_gone();
        let Some(journal) = &mut self.journal else { return Ok(()) };
        let Some(log) = &mut journal.log else { return Ok(()) };
        let mut seen = self.observer.see();
        seen.oracles.give(&journal.facts)?;
        let last = seen.oracles.journal.as_ref().map_or(1, |kept| kept.last_together());
        judge_group(&journal.facts, last, journal.settings.group_bytes)?;
        let sizes = journal.facts.iter().map(fact_bytes);
        journal.largest_fact = sizes.max().unwrap_or_default().max(journal.largest_fact);
        let appended = match (is_gone, journal.is_fenced) {
            (true, _) => Err(gone()),
            (false, true) => Err(WriteError::Fenced),
            (false, false) => log.append(&journal.facts),
        };
        let Some(kept) = &mut seen.oracles.journal else { return Ok(()) };
        match &appended {
            Ok(()) => {
                kept.acknowledge();
                let (count, frame) = (journal.facts.len(), log.next().previous());
                seen.trace.note_journal(|| format!("frame {frame} is durable, with {count} facts"));
            }
            Err(WriteError::Unknown { .. }) => {}
            Err(_) => kept.refuse(),
        }
        drop(seen);
        journal.hand = WriterHand::Appended(appended);
        if journal.is_dead() { self.die() } else { Ok(()) }
    }

    fn report_append(&mut self, appended: Result<(), WriteError>) -> Result<(), Stop> {
        let is_gone = self.is_gone();
        let Some(journal) = &mut self.journal else { return Ok(()) };
        let (room, frames) = (journal.room(), journal.frames());
        match appended {
            Ok(()) => self.report_durable(room, frames),
            // Nothing was written, so the state is known: the group is tried again.
            Err(WriteError::Full | WriteError::Unreachable { .. }) => {
                self.probe(if is_gone { FaultKind::DiskGone } else { FaultKind::JournalFull });
                self.note(|trace| trace.note_journal(|| "the next frame is refused".to_owned()));
                self.give_room(room, !is_gone);
                journal_of(&mut self.journal).seems_gone = is_gone;
                if self.node.has_stopped() || self.is_broken {
                    journal_of(&mut self.journal).condition = JournalCondition::Down;
                }
                let refused = self.drive(|node, now| node.refused(now, room, !is_gone))?;
                let lost = self.unsynced();
                self.judge_given_up(refused.abandoned.unwrap_or(lost), lost)?;
                Ok(self.judge_found(refused.found)?)
            }
            Err(error) => self.fail(&error),
        }
    }

    fn report_durable(&mut self, room: u64, frames: u64) -> Result<(), Stop> {
        let mut seen = self.observer.see();
        let first = seen.oracles.journal.as_ref().map_or(0, |kept| kept.reported);
        seen.oracles.report();
        let has_readers = seen.oracles.published.has_readers() || !self.clients.watching.is_empty();
        drop(seen);
        self.give_room(room, true);
        journal_of(&mut self.journal).written += 1;
        // Tickets that must be sent now are checked, whether any is sent or not.
        self.observer.switches().act();
        let reported = self.drive(|node, now| node.appended(now, room, frames));
        // After a panic of the node the log is intact: facts that were decided before are written.
        let publishes = if matches!(reported, Err(Stop::Panicked)) { false } else { reported? };
        holds(publishes == (has_readers && !self.is_broken), || {
            Broken::new(
                "readers",
                10,
                format_args!("there are readers of facts: {has_readers}, but facts are published: {publishes}"),
            )
        })?;
        let journal = journal_of(&mut self.journal);
        match publishes {
            true => journal.hand = WriterHand::Publishing(first, 0),
            false => journal.facts.clear(),
        }
        Ok(self.audit_journal_now_and_then()?)
    }

    /// Publishes some facts of the group that is durable.
    fn publish(&mut self, first: usize, at: usize) -> Result<(), Stop> {
        let facts = std::mem::take(&mut journal_of(&mut self.journal).facts);
        let count = self.drive(|node, _| node.publish(&facts[at..]))?;
        self.seen().oracles.published.publish(first + at, count);
        let journal = journal_of(&mut self.journal);
        journal.facts = facts;
        let at = at + count;
        match at < journal.facts.len() {
            true => journal.hand = WriterHand::Publishing(first, at),
            false => journal.facts.clear(),
        }
        Ok(())
    }

    /// Notes the free space that is reported to the node.
    pub(super) fn give_room(&mut self, room: u64, is_reachable: bool) {
        self.journal.iter_mut().for_each(|journal| journal.measured_at = self.now);
        self.seen().oracles.journal.iter_mut().for_each(|kept| kept.measure(room, is_reachable));
    }

    /// Takes a small step towards a snapshot.
    fn maintain(&mut self) -> Result<(), Stop> {
        let (is_gone, Self { journal, node, .. }) = (self.is_gone(), &mut *self);
        let journal = journal_of(journal);
        let before = (journal.behind(true), journal.free(), journal.frames());
        let Some(log) = &mut journal.log else { return Ok(()) };
        let maintained =
            if is_gone { Err(MaintainError::Write(gone())) } else { log.maintain(&|| node.engine().gauges()) };
        journal.judge_parts()?;
        if !journal.is_dead() {
            journal.judge_step(before, &maintained)?;
        }
        journal.rot.note(&maintained, &journal.store.snapshots());
        if journal.is_dead() {
            return Ok(self.die()?);
        }
        match maintained {
            Ok(Maintained::Nothing) => self.drive(|node, now| node.maintained(now, false, false)),
            Ok(Maintained::More) => self.drive(|node, now| node.maintained(now, true, false)),
            Ok(Maintained::Snapshot(before)) => {
                journal.has_snapshot = true;
                journal.judge_ways_back(before)?;
                self.probe(FaultKind::Snapshot);
                self.note(|trace| trace.note_journal(|| format!("a snapshot replaces the frames before {before}")));
                self.drive(|node, now| node.maintained(now, true, false))?;
                Ok(self.audit_journal()?)
            }
            Err(MaintainError::Write(error @ (WriteError::Unknown { .. } | WriteError::Fenced))) => self.fail(&error),
            Err(MaintainError::Open(error @ OpenError::Corrupt(_))) if !journal.rot.excuses_failure() => {
                Err(Broken::new("journal", 10, format_args!("no snapshot was made: {error}")).into())
            }
            Err(error) => {
                self.probe(FaultKind::SnapshotFails);
                self.note(|trace| trace.note_journal(|| format!("no snapshot was made: {error}")));
                self.drive(|node, now| node.maintained(now, false, true))
            }
        }
    }

    fn seal(&mut self) -> Result<(), Stop> {
        let (is_gone, journal) = (self.is_gone(), journal_of(&mut self.journal));
        let Some(log) = &mut journal.log else { return Ok(()) };
        let sealed = if is_gone { Err(gone()) } else { log.seal() };
        if journal.is_dead() {
            return Ok(self.die()?);
        }
        match sealed {
            // Sealed or not, everything acknowledged is there.
            Ok(()) | Err(WriteError::Full | WriteError::Unreachable { .. }) => Ok(()),
            Err(error) => self.fail(&error),
        }
    }

    /// Checks the free space, and whether the journal is reachable.
    fn measure(&mut self) -> Result<(), Stop> {
        let (is_gone, journal) = (self.is_gone(), journal_of(&mut self.journal));
        let (room, is_reachable) =
            (journal.room(), !is_gone && journal.log.as_ref().is_some_and(|log| log.reach().is_ok()));
        journal.seems_gone = !is_reachable;
        self.give_room(room, is_reachable);
        let found = self.drive(|node, now| node.measured(now, room, is_reachable))?;
        Ok(self.judge_found(found)?)
    }

    /// Checks the result of a check of the journal.
    fn judge_found(&self, found: Option<JournalSpace>) -> Result<(), Broken> {
        let seen = self.seen();
        let (Some(found), Some(kept)) = (found, &seen.oracles.journal) else { return Ok(()) };
        let is_short = kept.room() < self.config.max_event_bytes as u64;
        let due = match (kept.is_reachable, is_short) {
            (false, _) => JournalSpace::Unreachable,
            (true, true) => JournalSpace::Short,
            (true, false) => JournalSpace::Enough,
        };
        holds(found == due, || Broken::new("journal", 9, format_args!("a check finds {found:?}, expected {due:?}")))
    }

    fn close(&mut self) -> Result<(), Stop> {
        let has_stopped = self.node.has_stopped();
        let journal = journal_of(&mut self.journal);
        (journal.log, journal.routine) = (None, Routine::Ended);
        if !has_stopped {
            journal.condition = JournalCondition::Down;
        }
        self.drive(|node, now| node.journal_closed(now))
    }

    /// Abandons the engine after a failure of the journal: facts that are not durable are in doubt.
    pub(super) fn fail(&mut self, error: &WriteError) -> Result<(), Stop> {
        let (lost, is_fenced) = (self.unsynced(), *error == WriteError::Fenced);
        let journal = journal_of(&mut self.journal);
        (journal.log, journal.hand) = (None, WriterHand::Free);
        journal.condition = if is_fenced { JournalCondition::Down } else { JournalCondition::Reopening };
        journal.facts.clear();
        if is_fenced {
            self.probe(FaultKind::Fenced);
        }
        self.note(|trace| trace.note_journal(|| format!("{error}; {lost} facts may be lost")));
        self.seen().oracles.departures.forget();
        let given_up = self.drive(|node, now| node.journal_failed(now, is_fenced))?;
        let is_cancelled = self.workers.iter().all(|worker| worker.cancelled.is_some());
        holds(is_cancelled, || Broken::new("runs", 4, "the runs of an engine that was given up are not cancelled"))?;
        Ok(self.judge_given_up(given_up, lost)?)
    }

    /// Returns the number of facts that the node does not know to be durable.
    pub(super) fn unsynced(&self) -> usize {
        let seen = self.seen();
        seen.oracles.journal.as_ref().map_or(0, |kept| seen.oracles.decided() - kept.reported)
    }

    fn judge_given_up(&self, given_up: usize, lost: usize) -> Result<(), Broken> {
        holds(given_up == lost, || {
            Broken::new("journal", 10, format_args!("{lost} facts may be lost, but {given_up} are reported"))
        })
    }
}

fn gone() -> WriteError {
    WriteError::Unreachable { cause: "the directory is gone".to_owned() }
}

/// Checks that a group is bounded by bytes, but for its last facts, which are to be together.
fn judge_group(facts: &[Fact], last: usize, limit_bytes: Option<usize>) -> Result<(), Broken> {
    let all_but_last: usize = facts.iter().rev().skip(last).map(fact_bytes).sum();
    match limit_bytes {
        Some(limit) if all_but_last >= limit => {
            let bytes = facts.iter().map(fact_bytes).sum::<usize>();
            Err(Broken::new("journal", 9, format_args!("a group has {bytes} bytes, but is full at {limit}")))
        }
        Some(_) | None => Ok(()),
    }
}
