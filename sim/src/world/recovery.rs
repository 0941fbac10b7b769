//! From a journal back to an engine: after a death of the process, or a failure of the journal.

use eventful::journal::{OpenError, Owner, Recovered, WriteError, recover};
use eventful::{Answer, Output, Replay};

use super::World;
use super::agenda::Task;
use super::dispatcher::Dispatcher;
use super::journal::{CAPACITY_BYTES, Condition, Death, REOPEN_AFTER_MICROS};
use crate::disk::{DiskFault, Drive, PlainStore};
use crate::failure::Broken;
use crate::oracle::{Said, Seen};
use crate::scenario::{Fault, FaultKind, Injection};

/// Groups between two audits of what the journal holds.
const AUDIT_EVERY: u32 = 32;

impl World<'_> {
    /// The journal begins with what was decided at the first opening.
    pub(super) fn begin_journal(&mut self) {
        let Some(journal) = &self.journal else { return };
        self.oracles.keep_journal(journal.settings.relaxed_starts);
        let recovered = self.open_journal().expect("nothing is wrong with an empty disk yet");
        let Some(journal) = &mut self.journal else { return };
        let mut log = recovered.log;
        log.append(self.oracles.facts()).expect("nothing is wrong with an empty disk yet");
        (journal.room, journal.log) = (log.room(), Some(log));
    }

    fn open_journal(&mut self) -> Result<Recovered, OpenError> {
        let Some(journal) = &mut self.journal else { unreachable!("only a world with a journal opens it") };
        let owner = Owner::new("a simulated process");
        let after = journal.settings.snapshot_after_bytes;
        let mut recovered = recover(&mut journal.store, &owner, &self.config, after, &mut |_| {})?;
        recovered.log.reserve(journal.settings.reserve_bytes);
        journal.settings.part_bytes.into_iter().for_each(|bytes| recovered.log.bound_parts(bytes));
        Ok(recovered)
    }

    /// The process dies of a disk that has stopped.
    pub(super) fn die(&mut self) -> Result<(), Broken> {
        let Some(death) = self.journal.as_mut().and_then(|journal| journal.death.take()) else { return Ok(()) };
        self.probes.fault(if self.is_up { FaultKind::DiedWriting } else { FaultKind::DiedRecovering });
        match self.is_up {
            true => self.kill_process(death.lasts, death.power),
            false => {
                self.lose_memory(death.power);
                self.agenda.at(self.now + death.lasts, Task::Revive);
                Ok(())
            }
        }
    }

    /// What the process had in its memory is gone, and what the disk had in its own.
    pub(super) fn lose_memory(&mut self, power: bool) {
        let Some(journal) = &mut self.journal else { return };
        journal.forget_process();
        match power {
            true => journal.store.drive().power_cut(&mut journal.power),
            false => journal.store.drive().kill(),
        }
        // Armed before and not struck: then in the next life.
        if let Some(death) = journal.death {
            self.arm(death);
        }
    }

    /// Lets the process die before a change of the disk.
    pub(super) fn arm(&mut self, death: Death) {
        let Some(journal) = &mut self.journal else { return };
        let mut disk = journal.store.drive().disk();
        disk.stop_after(death.after);
        let at = disk.changes() + death.after;
        drop(disk);
        journal.death = Some(Death { at, ..death });
    }

    /// The process starts again with what its journal gives back. What it decides first is durable
    /// before it serves.
    pub(super) fn revive_from_journal(&mut self) -> Result<(), Broken> {
        // A new process has nothing but the machine's clock.
        self.skew = self.machine_skew;
        let facts = match self.open_engine() {
            Ok(facts) => facts?,
            Err(error) => return self.try_again_later(&error, Task::Revive),
        };
        let (Some(journal), Some(kept)) = (&mut self.journal, &mut self.oracles.journal) else { return Ok(()) };
        let Some(log) = &mut journal.log else { return Ok(()) };
        kept.give(facts);
        let appended = log.append(self.out.facts());
        match appended {
            Ok(()) => kept.acknowledge(),
            Err(error) => {
                if error == WriteError::Full {
                    kept.refuse();
                }
                self.oracles.keep(self.out.drain_facts());
                self.out = Output::with_facts();
                let error = OpenError::Io { place: "the journal".to_owned(), cause: error.to_string() };
                return self.try_again_later(&error, Task::Revive);
            }
        }
        journal.room = log.room();
        self.dispatcher = Dispatcher::new(self.config.concurrency.get());
        (self.ending, self.dropped, self.is_up) = (None, 0, true);
        self.probes.fault(FaultKind::Recovered);
        self.note_world("the process starts again, with what its journal gives back");
        if !self.takes_events() {
            // The writer looks for room as long as there is too little.
            self.ring_writer();
        }
        self.serve()
    }

    /// The journal is opened again in the same process.
    pub(super) fn reopen(&mut self) -> Result<(), Broken> {
        if self.ending.is_some() {
            self.stay_down();
            return Ok(());
        }
        match self.open_engine() {
            Ok(facts) => drop(facts?),
            Err(error) => return self.try_again_later(&error, Task::Write),
        }
        let Some(journal) = &mut self.journal else { return Ok(()) };
        journal.room = journal.log.as_ref().map_or(journal.room, eventful::journal::Log::room);
        journal.groups.add(self.out.facts().iter().cloned());
        self.probes.fault(FaultKind::Reopened);
        self.note_world("the journal is opened again");
        self.ring_writer();
        self.serve()
    }

    /// Replays the journal, compares what it gives back, and opens an engine from that. Answers how
    /// many facts the opening has.
    fn open_engine(&mut self) -> Result<Result<usize, Broken>, OpenError> {
        let Recovered { log, replay } = self.open_journal()?;
        let found = replay.state();
        let recovered = self.oracles.recover(&found, &self.config, &self.roster);
        let (lost, group) = match recovered {
            Ok(recovered) => recovered,
            Err(broken) => return Ok(Err(broken)),
        };
        self.probe_recovery(lost, group);
        // The engine goes on from what the journal holds, or from the clock when that is ahead.
        self.told = self.clock().max(replay.summary().last);
        self.skew = self.skew.max(self.lag());
        self.out = Output::with_facts();
        self.engine = replay.open(self.told, &mut self.out);
        self.holds_expiry = false;
        self.channel.replace();
        self.agenda.lose_tickets();
        if let Some(journal) = &mut self.journal {
            (journal.log, journal.condition) = (Some(log), Condition::Open);
        }
        Ok(Ok(self.out.facts().len()))
    }

    fn probe_recovery(&mut self, lost: usize, group: Option<bool>) {
        match group {
            Some(true) => self.probes.fault(FaultKind::GroupKept),
            Some(false) => self.probes.fault(FaultKind::GroupLost),
            None => {}
        }
        if self.journal.as_ref().is_some_and(|journal| journal.has_snapshot) {
            self.probes.fault(FaultKind::FromSnapshot);
        }
        match self.machine_skew {
            ..0 => self.probes.fault(FaultKind::ClockBehindAtStart),
            0 => {}
            1.. => self.probes.fault(FaultKind::ClockAheadAtStart),
        }
        if !self.oracles.book.inflight.is_empty() {
            self.probes.fault(FaultKind::RunCrashed);
        }
        self.note_journal(|| format!("it is replayed; {lost} facts are lost, and nobody was told of them"));
    }

    /// Has the opening judged, and does what it wants done.
    fn serve(&mut self) -> Result<(), Broken> {
        (self.dispatcher.is_alive, self.dispatcher.stalled_until) = (true, 0);
        self.dispatcher.let_go();
        let (gauges, deadline) = (self.engine.gauges(), self.engine.next_deadline());
        self.sweeper.arm(deadline);
        let answer = Answer::Noted;
        let seen = Seen {
            step: self.steps,
            now: self.told,
            said: Said::Open,
            answer: &answer,
            facts: self.out.facts(),
            effects: self.out.effects(),
            dropped: self.out.dropped(),
            gauges: &gauges,
            deadline,
            holds_expiry: self.holds_expiry,
            engine: &self.engine,
            config: &self.config,
            roster: &self.roster,
        };
        let verdict = self.oracles.judge_opening(&seen);
        self.note_command(Said::Open, &answer);
        self.oracles.keep(self.out.drain_facts());
        self.out.drain_dropped().for_each(drop);
        verdict?;
        self.perform_effects()
    }

    /// It does not open, because the disk is in trouble. When it is not, a promise is broken.
    fn try_again_later(&mut self, error: &OpenError, task: Task) -> Result<(), Broken> {
        let Some(journal) = &mut self.journal else { return Ok(()) };
        if journal.is_dead() {
            return self.die();
        }
        journal.log = None;
        if !matches!(error, OpenError::Io { .. }) {
            return Err(refused(error));
        }
        self.note_journal(|| format!("it does not open: {error}"));
        if let Task::Write = task {
            self.ring_writer_at(self.now + REOPEN_AFTER_MICROS);
        } else {
            self.agenda.at(self.now + REOPEN_AFTER_MICROS, task);
        }
        Ok(())
    }

    /// Compares what the journal holds with what is there, every now and then.
    pub(super) fn audit_journal_now_and_then(&mut self) -> Result<(), Broken> {
        match self.journal.as_ref().is_some_and(|journal| journal.written.is_multiple_of(AUDIT_EVERY)) {
            true => self.audit_journal(),
            false => Ok(()),
        }
    }

    /// Compares what the journal holds with what is there, when it should be the same.
    pub(super) fn audit_journal(&mut self) -> Result<(), Broken> {
        if !self.is_serving() || !self.journal.as_ref().is_some_and(super::journal::Journal::is_idle) {
            return Ok(());
        }
        let found = self.look_into_journal(false)?;
        self.oracles.judge_journal(&found.state(), &self.engine, &self.roster)?;
        self.audit_clock(found)
    }

    /// What a copy of the disk gives back, after a cut of its power or without.
    fn look_into_journal(&mut self, power: bool) -> Result<Replay, Broken> {
        let owner = Owner::new("a look");
        let found = recover(&mut self.copy_of_journal(power), &owner, &self.config, u64::MAX, &mut |_| {});
        found.map(|found| found.replay).map_err(|error| refused(&error))
    }

    pub(super) fn copy_of_journal(&mut self, power: bool) -> PlainStore {
        let Some(journal) = &mut self.journal else { unreachable!("only a world with a journal looks into it") };
        let mut copy = journal.store.drive().disk().clone();
        copy.trouble().end();
        copy.resize(CAPACITY_BYTES);
        copy.kill();
        let drive = Drive::new(copy);
        if power {
            drive.power_cut(&mut journal.power.clone());
        }
        PlainStore::new(drive)
    }

    /// At the end: what clients were told survives a power cut.
    pub(super) fn audit_after_all(&mut self) -> Result<(), Broken> {
        if self.journal.is_none() {
            return Ok(());
        }
        let found = self.look_into_journal(true)?;
        if !self.is_down() {
            self.oracles.judge_journal(&found.state(), &self.engine, &self.roster)?;
        } else {
            self.oracles.recover(&found.state(), &self.config, &self.roster)?;
        }
        self.audit_damaged()?;
        let engine = found.open(self.told, &mut Output::new());
        self.oracles.audit(self.told, &self.roster, &engine)
    }

    /// Trouble with the disk, whether the process is up or not.
    pub(super) fn disturb_disk(&mut self, fault: &Fault) {
        let Some(journal) = &mut self.journal else { return };
        #[expect(clippy::wildcard_enum_match_arm, reason = "the other faults are no matter of a journal")]
        match fault.what {
            Injection::DiesWriting { after, power, lasts } => self.arm(Death { after, at: 0, power, lasts }),
            Injection::JournalStalled { lasts } => {
                journal.stalled_until = journal.stalled_until.max(fault.at + lasts);
                self.probes.fault(FaultKind::JournalStalled);
            }
            Injection::DiskFails { how } => journal.store.drive().disk().trouble().arm(how.fault()),
            Injection::DiskFull { lasts, left } => {
                journal.full_until = journal.full_until.max(fault.at + lasts);
                let mut disk = journal.store.drive().disk();
                disk.resize(CAPACITY_BYTES);
                let taken = CAPACITY_BYTES - disk.room();
                disk.resize(taken + left);
                drop(disk);
                self.agenda.at(journal.full_until, Task::DiskFreed);
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

    /// What has struck the disk.
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
                self.probes.fault(kind);
            }
        }
    }

    /// The disk works again.
    pub(super) fn heal_disk(&mut self) {
        let Some(journal) = &mut self.journal else { return };
        journal.death = None;
        (journal.stalled_until, journal.full_until) = (0, 0);
        let mut disk = journal.store.drive().disk();
        disk.trouble().end();
        disk.stop_after(u64::MAX);
        drop(disk);
        self.free_disk();
    }
}

fn refused(error: &OpenError) -> Broken {
    Broken::new("journal", 10, format_args!("it does not open: {error}"))
}
