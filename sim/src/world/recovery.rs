//! Recovery of an engine from a journal: after a death of the process, or a failure of the journal.

use eventful::engine::{Engine, Output, facts::Replay};
use eventful::journal::{OpenError, Owner, Recovered, WriteError, recover};
use eventful::node::{HookSet, Job, Node, OpenedEngine};

use super::event_queue::Task;
use super::journal::{CAPACITY_BYTES, Death, JournalCondition, WriterHand, journal_of};
use super::parts::{Dispatcher, Ender, Sweeper};
use super::state::World;
use super::stop::Stop;
use crate::disk::{DiskFault, DriveStore, SharedDisk};
use crate::failure::Broken;
use crate::scenario::{FaultKind, Injection};

/// The number of groups between two audits of the journal: an audit replays all of it, which takes long.
const AUDIT_EVERY: u32 = 32;

/// The time after which a process whose start failed is started again. A free choice, short beside a run.
const START_AGAIN_MICROS: u64 = 100_000;

impl World<'_> {
    /// Writes the first facts of the node, so that they are durable before it serves.
    pub(super) fn write_first(&mut self) -> Result<Result<(), WriteError>, Broken> {
        let now = self.clock();
        let Some(journal) = &mut self.journal else { return Ok(Ok(())) };
        let job = self.node.next_job(now, &mut journal.facts);
        journal.busy_since = Some(now);
        let (Job::Append, Some(log)) = (job, &mut journal.log) else {
            return Err(Broken::new("journal", 10, format_args!("the first job after an opening is {job:?}")));
        };
        let mut seen = self.observer.see();
        seen.oracles.give(&journal.facts)?;
        let appended = log.append(&journal.facts);
        let Some(kept) = &mut seen.oracles.journal else { return Ok(appended) };
        match &appended {
            Ok(()) => kept.acknowledge(),
            Err(WriteError::Unknown { .. }) => {}
            Err(_) => kept.refuse(),
        }
        drop(seen);
        if appended.is_ok() {
            journal.facts.clear();
            let (room, frames) = (journal.room(), journal.frames());
            self.seen().oracles.report();
            self.give_room(room, true);
            match self.drive(|node, now| node.appended(now, room, frames)) {
                Ok(_) | Err(Stop::Panicked) => {}
                Err(Stop::Broken(broken)) => return Err(broken),
            }
        }
        Ok(appended)
    }

    /// Kills the process after its disk has stopped.
    pub(super) fn die(&mut self) -> Result<(), Broken> {
        let Some(death) = self.journal.as_mut().and_then(|journal| journal.death.take()) else { return Ok(()) };
        self.probe(if self.is_up { FaultKind::DiedWriting } else { FaultKind::DiedRecovering });
        match self.is_up {
            true => self.kill_process(death.lasts, death.power),
            false => {
                self.lose_memory(death.power);
                self.event_queue.at(self.now + death.lasts, Task::Revive);
                Ok(())
            }
        }
    }

    /// Drops the memory of the process and, with the power, the cache of the disk.
    pub(super) fn lose_memory(&mut self, power: bool) {
        let Some(journal) = &mut self.journal else { return };
        journal.forget_process();
        match power {
            true => journal.store.drive().power_cut(&mut journal.power),
            false => journal.store.drive().kill(),
        }
        // A death that was armed and has not happened is armed for the next life.
        if let Some(death) = journal.death {
            self.arm(death);
        }
    }

    /// Arms a death of the process before a change of the disk.
    pub(super) fn arm(&mut self, death: Death) {
        let Some(journal) = &mut self.journal else { return };
        let mut disk = journal.store.drive().disk();
        disk.stop_after(death.after);
        let at = disk.changes() + death.after;
        drop(disk);
        journal.death = Some(Death { at, ..death });
    }

    /// Starts the process again with the state of its journal.
    pub(super) fn revive_from_journal(&mut self) -> Result<(), Broken> {
        // A new process has nothing but the machine's clock.
        self.skew = self.machine_skew;
        let is_gone = self.journal.as_ref().is_some_and(|journal| self.now < journal.gone_until);
        let opened = if is_gone { Err(gone()) } else { journal_of(&mut self.journal).open(&self.config) };
        let opened = match opened {
            Ok(recovered) => self.open_engine(recovered, true)?,
            Err(error) => return self.start_again_later(&error),
        };
        let limits = journal_of(&mut self.journal).limits();
        let probe = HookSet::new(std::sync::Arc::clone(&self.observer) as _);
        self.node = Node::with_journal(self.latest, opened, limits).probed(probe);
        self.become_new();
        if let Err(error) = self.write_first()? {
            self.is_up = false;
            let error = OpenError::Io { place: "the journal".to_owned(), cause: error.to_string() };
            return self.start_again_later(&error);
        }
        self.probe(FaultKind::Recovered);
        self.note(|trace| trace.note_world("the process starts again, with what its journal gives back"));
        Ok(())
    }

    /// Resets everything but the node.
    pub(super) fn become_new(&mut self) {
        (self.dispatcher, self.sweeper, self.ender) = (Dispatcher::default(), Sweeper::default(), Ender::default());
        (self.dropped, self.is_broken, self.is_up) = (0, false, true);
        let mut seen = self.observer.see();
        (seen.unlogged, seen.is_full_of_failures) = (0, false);
    }

    /// Opens the journal again in the same process.
    pub(super) fn open_again(&mut self) -> Result<(), Broken> {
        let journal = journal_of(&mut self.journal);
        let opened = if self.now < journal.gone_until { Err(gone()) } else { journal.open(&self.config) };
        journal.hand = WriterHand::Opened(opened.map(Box::new));
        if journal.is_dead() { self.die() } else { Ok(()) }
    }

    pub(super) fn report_opening(&mut self, recovered: Recovered) -> Result<(), Stop> {
        if self.node.has_stopped() || self.is_broken {
            return self.report_late_opening(recovered);
        }
        let opened = self.open_engine(recovered, false)?;
        let journal = journal_of(&mut self.journal);
        (journal.condition, journal.reopenings) = (JournalCondition::Open, journal.reopenings + 1);
        self.dropped = 0;
        self.probe(FaultKind::Reopened);
        self.note(|trace| trace.note_world("the journal is opened again"));
        let mut seen = self.observer.see();
        if seen.oracles.published.has_readers() {
            seen.oracles.published.reopen();
        }
        drop(seen);
        let installed = self.drive(|node, now| node.journal_opened(now, opened))?;
        installed.map(drop).map_err(|error| Broken::new("journal", 10, error).into())
    }

    /// Reports an opening that is no longer needed.
    fn report_late_opening(&mut self, Recovered { log, replay }: Recovered) -> Result<(), Stop> {
        let journal = journal_of(&mut self.journal);
        (journal.log, journal.condition) = (Some(log), JournalCondition::Down);
        let (room_bytes, frames) = (journal.room(), journal.frames());
        let mut out = Output::with_facts();
        let engine = replay.open(self.latest, &mut out);
        let opened = OpenedEngine { engine, out, room_bytes, frames };
        self.drive(|node, now| node.journal_opened(now, opened))?
            .map(drop)
            .map_err(|error| Broken::new("journal", 10, error).into())
    }

    pub(super) fn report_failed_opening(&mut self, error: &OpenError) -> Result<(), Stop> {
        if !matches!(error, OpenError::Io { .. }) {
            return Err(refused(error).into());
        }
        self.note(|trace| trace.note_journal(|| format!("the journal does not open: {error}")));
        self.drive(|node, now| node.journal_not_opened(now, true))
    }

    /// Compares a recovered state with what was appended, and opens an engine from it, which is checked.
    fn open_engine(&mut self, Recovered { log, replay }: Recovered, process: bool) -> Result<OpenedEngine, Broken> {
        let (found, last) = (replay.state(), replay.summary().last);
        let mut seen = self.observer.see();
        let (lost, group) = seen.oracles.recover((&found, last), &self.config, &self.key_table, process)?;
        drop(seen);
        self.probe_recovery(lost, group);
        // The engine continues from the last fact of the journal, or from the clock if that is ahead.
        self.latest = self.clock().max(last);
        self.skew = self.skew.max(self.lag());
        let mut out = Output::with_facts();
        let engine = match process {
            true => replay.open(self.latest, &mut out),
            false => replay.open_instead(self.latest, self.node.engine().metrics(), &mut out),
        };
        let journal = journal_of(&mut self.journal);
        journal.log = Some(log);
        let (room_bytes, frames) = (journal.room(), journal.frames());
        self.give_room(room_bytes, true);
        self.event_queue.lose_tickets();
        self.observer.see().judge_opening(self.latest, &out, &engine)?;
        Ok(OpenedEngine { engine, out, room_bytes, frames })
    }

    fn probe_recovery(&self, lost: usize, group: Option<bool>) {
        let seen = &mut *self.observer.see();
        let probes = &mut seen.probes;
        match group {
            Some(true) => probes.fault(FaultKind::GroupKept),
            Some(false) => probes.fault(FaultKind::GroupLost),
            None => {}
        }
        if self.journal.as_ref().is_some_and(|journal| journal.has_snapshot) {
            probes.fault(FaultKind::FromSnapshot);
        }
        match self.machine_skew {
            ..0 => probes.fault(FaultKind::ClockBehindAtStart),
            0 => {}
            1.. => probes.fault(FaultKind::ClockAheadAtStart),
        }
        if !seen.oracles.expected.inflight.is_empty() {
            probes.fault(FaultKind::RunCrashed);
        }
        seen.trace
            .note_journal(|| format!("the journal is replayed; {lost} facts are lost, and were shown to no client"));
    }

    /// Schedules another start of the process, whose start failed because of a fault of the disk. Without a fault a
    /// promise is broken.
    fn start_again_later(&mut self, error: &OpenError) -> Result<(), Broken> {
        let journal = journal_of(&mut self.journal);
        if journal.is_dead() {
            return self.die();
        }
        journal.forget_process();
        if !matches!(error, OpenError::Io { .. }) {
            return Err(refused(error));
        }
        self.note(|trace| trace.note_journal(|| format!("the journal does not open: {error}")));
        self.event_queue.at(self.now + START_AGAIN_MICROS, Task::Revive);
        Ok(())
    }

    /// Compares the journal with the engine, every now and then.
    pub(super) fn audit_journal_now_and_then(&mut self) -> Result<(), Broken> {
        match self.journal.as_ref().is_some_and(|journal| journal.written.is_multiple_of(AUDIT_EVERY)) {
            true => self.audit_journal(),
            false => Ok(()),
        }
    }

    /// Compares the journal with the engine, if both should be equal.
    pub(super) fn audit_journal(&mut self) -> Result<(), Broken> {
        if !self.is_serving() || !self.seen().oracles.is_synced() {
            return Ok(());
        }
        let found = self.recover_copy(false)?;
        self.seen().oracles.judge_journal(&found.state(), self.node.engine(), &self.key_table)?;
        self.audit_clock(found)
    }

    /// Recovers from a copy of the disk, after a cut of its power or without.
    fn recover_copy(&mut self, power: bool) -> Result<Replay, Broken> {
        let owner = Owner::new("a look");
        let found = recover(&mut self.copy_of_journal(power), &owner, &self.config, u64::MAX, &mut |_| {});
        found.map(|found| found.replay).map_err(|error| refused(&error))
    }

    pub(super) fn copy_of_journal(&mut self, power: bool) -> DriveStore {
        let journal = journal_of(&mut self.journal);
        let mut copy = journal.store.drive().disk().clone();
        copy.trouble().end();
        copy.resize(CAPACITY_BYTES);
        copy.kill();
        let drive = SharedDisk::new(copy);
        if power {
            drive.power_cut(&mut journal.power.clone());
        }
        DriveStore::new(drive)
    }

    /// Checks at the end that the results of clients survive a power cut.
    pub(super) fn audit_after_all(&mut self) -> Result<(), Broken> {
        if self.journal.is_none() {
            return Ok(());
        }
        let found = self.recover_copy(true)?;
        let mut seen = self.observer.see();
        if seen.oracles.is_synced() {
            seen.oracles.judge_journal(&found.state(), self.node.engine(), &self.key_table)?;
        } else {
            seen.probes.fault(FaultKind::NotDurableAtTheEnd);
            let last = found.summary().last;
            seen.oracles.recover((&found.state(), last), &self.config, &self.key_table, true)?;
        }
        drop(seen);
        self.audit_damaged()?;
        let engine = found.open(self.latest, &mut Output::new());
        self.audit(&engine)
    }

    /// Compares the results of clients with the engine's state.
    pub(super) fn audit(&self, engine: &Engine) -> Result<(), Broken> {
        self.seen().oracles.audit(self.latest, &self.key_table, engine)
    }

    /// Injects a fault of the disk, whether the process is up or not.
    pub(super) fn disturb_disk(&mut self, at: u64, injection: Injection) {
        let Some(journal) = &mut self.journal else { return };
        #[expect(clippy::wildcard_enum_match_arm, reason = "the other faults are no matter of a journal")]
        match injection {
            Injection::DiesWriting { after, power, lasts } => self.arm(Death { after, at: 0, power, lasts }),
            Injection::JournalStalled { lasts } => {
                journal.stalled_until = journal.stalled_until.max(at + lasts);
                self.probe(FaultKind::JournalStalled);
            }
            Injection::DiskFails { how } => journal.store.drive().disk().trouble().arm(how.fault()),
            Injection::DiskGone { lasts } => journal.gone_until = journal.gone_until.max(at + lasts),
            Injection::DiskFull { lasts, left } => {
                journal.full_until = journal.full_until.max(at + lasts);
                let mut disk = journal.store.drive().disk();
                disk.resize(CAPACITY_BYTES);
                let taken = CAPACITY_BYTES - disk.room();
                disk.resize(taken + left);
                drop(disk);
                self.event_queue.at(journal.full_until, Task::DiskFreed);
            }
            _ => {}
        }
    }

    pub(super) fn free_disk(&mut self) {
        if let Some(journal) = &mut self.journal
            && self.now >= journal.full_until
        {
            journal.store.drive().disk().resize(CAPACITY_BYTES);
        }
    }

    /// Counts the faults that have struck the disk.
    pub(super) fn probe_disk(&mut self) {
        let Some(journal) = &self.journal else { return };
        let struck = journal.store.drive().probes();
        let kinds = [
            (DiskFault::ShortWrite, FaultKind::ShortWrite),
            (DiskFault::WriteFails, FaultKind::WriteFails),
            (DiskFault::NoSpace, FaultKind::NoSpace),
            (DiskFault::ReadFails, FaultKind::ReadFails),
            (DiskFault::SyncFails, FaultKind::SyncFails),
            (DiskFault::SyncDrops, FaultKind::SyncDrops),
            (DiskFault::PowerCut, FaultKind::PowerCut),
        ];
        for (fault, kind) in kinds {
            if struck.count(fault) > 0 {
                self.probe(kind);
            }
        }
    }

    /// Ends all faults of the disk.
    pub(super) fn heal_disk(&mut self) {
        let Some(journal) = &mut self.journal else { return };
        journal.death = None;
        (journal.stalled_until, journal.full_until, journal.gone_until) = (0, 0, 0);
        let mut disk = journal.store.drive().disk();
        disk.trouble().end();
        disk.stop_after(u64::MAX);
        drop(disk);
        self.free_disk();
    }
}

fn gone() -> OpenError {
    OpenError::Io { place: "the directory".to_owned(), cause: "it is gone".to_owned() }
}

fn refused(error: &OpenError) -> Broken {
    Broken::new("journal", 10, format_args!("the journal does not open: {error}"))
}
