//! The writer of the journal: it does the node's jobs, one after the other.

use core::any::Any;
use core::time::Duration;
use std::boxed::Box;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::string::String;
use std::sync::Arc;
use std::vec::Vec;

use super::shared::Shared;
use crate::engine::{Output, facts::Fact};
use crate::journal::{
    FreeSpace, JournalLog, JournalStore, MaintainError, Maintained, OpenError, Owner, Recovered, WriteError, recover,
};
use crate::node::{Job, JournalSpace, OpenedEngine};

/// The number of facts for which memory is kept from one group to the next: enough for a batch of 1,000 events with
/// their runs, so that such groups allocate nothing; a larger group releases its memory.
const SPARE_FACTS: usize = 8192;

/// The writer of the journal.
pub(super) struct JournalWriter {
    pub(super) shared: Arc<Shared>,
    source: JournalSource,
    /// The open journal; absent between a failure and the next opening.
    log: Option<JournalLog>,
    /// The group being written. It stays here while the journal has no room for it.
    facts: Vec<Fact>,
}

/// The store of the journal, and the settings with which it is opened.
pub(super) struct JournalSource {
    pub(super) store: Box<dyn JournalStore>,
    pub(super) owner: Owner,
    pub(super) snapshot_after_bytes: u64,
    pub(super) reserve_bytes: u64,
}

/// The next step of the writer's driver.
pub(super) enum WriterNext {
    Go,
    /// Wait for the notification, at most this long.
    Wait(Option<Duration>),
    End,
}

impl JournalWriter {
    /// Makes the opening of the engine durable.
    ///
    /// # Errors
    ///
    /// [`WriteError`]
    pub(super) fn start(shared: &Arc<Shared>, source: JournalSource, mut log: JournalLog) -> Result<Self, WriteError> {
        log.reserve(source.reserve_bytes);
        warn_of_damaged(&mut log);
        let mut writer = Self { shared: Arc::clone(shared), source, log: Some(log), facts: Vec::new() };
        if writer.next_job() == Job::Append {
            match writer.append()? {
                None => writer.report_durable(),
                Some(refusal) => return Err(refusal),
            }
        }
        Ok(writer)
    }

    fn next_job(&mut self) -> Job {
        self.shared.write(|node, now| node.next_job(now, &mut self.facts))
    }

    /// Performs the next job.
    pub(super) fn step(&mut self) -> WriterNext {
        let job = self.next_job();
        // A panic leaves the log in an unknown state, and it is dropped.
        let done = catch_unwind(AssertUnwindSafe(|| self.perform(job)));
        done.unwrap_or_else(|panic| Err(panicked(&*panic))).unwrap_or_else(|error| self.fail(&error))
    }

    fn perform(&mut self, job: Job) -> Result<WriterNext, WriteError> {
        match job {
            Job::Append if self.append()?.is_none() => {
                // A node that panics here is broken, and the log is not: what else was decided is written.
                if catch_unwind(AssertUnwindSafe(|| self.report_durable())).is_err() {
                    self.drop_facts();
                }
            }
            // An append that was refused has been reported by `append` itself.
            Job::Append => {}
            Job::Maintain => self.maintain()?,
            Job::Seal => self.seal()?,
            Job::Measure => self.measure(),
            Job::Open => self.reopen(),
            Job::Wait(until) => return Ok(WriterNext::Wait(until.map(|at| at.since(self.shared.now())))),
            Job::Close => return Ok(WriterNext::End),
        }
        Ok(WriterNext::Go)
    }

    /// Appends the group. Returns the reason if it was refused.
    fn append(&mut self) -> Result<Option<WriteError>, WriteError> {
        let Some(log) = &mut self.log else { return Ok(None) };
        match log.append(&self.facts) {
            Ok(()) => Ok(None),
            // Nothing was written, so nothing is unknown: it is tried again.
            Err(error @ (WriteError::Full | WriteError::Unreachable { .. })) => {
                let (FreeSpace(room), reached) = (log.room(), log.reach().is_ok());
                self.refused(room, reached, &error);
                Ok(Some(error))
            }
            Err(error) => Err(error),
        }
    }

    /// Reports to the node, and to the readers of facts, that the group is durable.
    fn report_durable(&mut self) {
        let Some(log) = &self.log else { return };
        let (FreeSpace(room), frames) = (log.room(), log.next().previous().number());
        let is_read = self.shared.write(|node, now| node.appended(now, room, frames));
        let mut rest = self.facts.as_slice();
        while is_read && !rest.is_empty() {
            // One hold of the lock for each part, so that many readers and facts do not hold up callers.
            rest = &rest[self.shared.write(|node, _| node.publish(rest))..];
        }
        self.drop_facts();
    }

    fn refused(&mut self, room: u64, reached: bool, why: &WriteError) {
        let refused = self.shared.write(|node, now| node.refused(now, room, reached));
        self.log_found(refused.found, room, Some(why));
        if let Some(facts) = refused.abandoned {
            tracing::error!(facts, %why, "the journal does not hold the last facts: mend it before the next start");
        }
    }

    /// Drops the facts: they hold payloads, so this is done at once, and not under the lock.
    fn drop_facts(&mut self) {
        self.facts.clear();
        self.facts.shrink_to(SPARE_FACTS);
    }

    /// Measures the room, and checks whether the journal is reachable. Only this notices that other programs have used
    /// or freed some.
    fn measure(&self) {
        let Some(log) = &self.log else { return };
        let (FreeSpace(room), reached) = (log.room(), log.reach());
        let found = self.shared.write(|node, now| node.measured(now, room, reached.is_ok()));
        self.log_found(found, room, reached.err().as_ref());
    }

    fn log_found(&self, found: Option<JournalSpace>, room: u64, error: Option<&WriteError>) {
        let reserve = self.source.reserve_bytes;
        match found {
            Some(JournalSpace::Unreachable) => tracing::error!(
                error = error.map(tracing::field::display),
                "the journal is not reachable: until it is, nothing is written, new events are refused, and what \
                 waits is kept"
            ),
            Some(JournalSpace::Short) => tracing::warn!(
                room,
                reserve,
                "the disk of the journal is nearly full: until there is more room than the reserve, new events are \
                 refused and outcomes are still recorded"
            ),
            Some(JournalSpace::Enough) => tracing::info!(room, reserve, "there is room for new events again"),
            None => {}
        }
    }

    /// Makes a small step towards a snapshot.
    fn maintain(&mut self) -> Result<(), WriteError> {
        let Some(log) = &mut self.log else { return Ok(()) };
        let maintained = log.maintain(&|| self.shared.read(|node, _| node.engine().gauges()));
        warn_of_damaged(log);
        let (more, left) = match maintained {
            Ok(Maintained::Nothing) => (false, false),
            Ok(Maintained::More) => (true, false),
            Ok(Maintained::Snapshot(before)) => {
                tracing::info!(%before, "a snapshot holds the frames before this one; they can be removed");
                (true, false)
            }
            // After these the state of the file is unknown, or another process's: the journal must be opened again.
            Err(MaintainError::Write(error @ (WriteError::Unknown { .. } | WriteError::Fenced))) => return Err(error),
            Err(error) => {
                tracing::warn!(%error, "no snapshot was made; the journal works without it, and tries again later");
                (false, true)
            }
        };
        // Reported after the log line: the node may ask for the next step at once.
        self.shared.write(|node, now| node.maintained(now, more, left));
        Ok(())
    }

    fn seal(&mut self) -> Result<(), WriteError> {
        let Some(log) = &mut self.log else { return Ok(()) };
        match log.seal() {
            // Sealed or not, all that was acknowledged is durable.
            Ok(()) | Err(WriteError::Full | WriteError::Unreachable { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Replaces the engine: it may know facts that the journal does not hold.
    fn fail(&mut self, error: &WriteError) -> WriterNext {
        // Dropped first, so that the store is unlocked before it is opened again.
        self.log = None;
        self.drop_facts();
        let is_fenced = *error == WriteError::Fenced;
        let facts = self.shared.write(|node, now| node.journal_failed(now, is_fenced));
        tracing::error!(%error, facts, "the journal has failed: results that were not durable are unknown");
        WriterNext::Go
    }

    fn reopen(&mut self) {
        let JournalSource { store, owner, snapshot_after_bytes, reserve_bytes } = &mut self.source;
        match recover(&mut **store, owner, &self.shared.config, *snapshot_after_bytes, &mut |_| {}) {
            Ok(Recovered { mut log, replay }) => {
                warn_of_damaged(&mut log);
                log.reserve(*reserve_bytes);
                // Another process may have written meanwhile, with a clock of its own.
                self.shared.clock.start_at(replay.summary().last);
                let before = self.shared.read(|node, _| node.engine().metrics());
                let mut out = Output::with_facts();
                // Opening and dropping take long with many records, and need no lock.
                let engine = replay.open_instead(self.shared.clock.now(), before, &mut out);
                let (FreeSpace(room_bytes), frames) = (log.room(), log.next().previous().number());
                let opened = OpenedEngine { engine, out, room_bytes, frames };
                match self.shared.write(|node, now| node.journal_opened(now, opened)) {
                    // The abandoned engine is dropped at the end of this arm, when the lock is free.
                    Ok(_abandoned) => {
                        self.log = Some(log);
                        tracing::info!("the journal was opened again");
                    }
                    Err(error) => tracing::error!(%error, frames, "the journal cannot be used"),
                }
            }
            Err(error) => {
                // A journal in use, or a disk that does not respond, may be available later. Damage does not go away.
                let is_temporary = matches!(error, OpenError::InUse { .. } | OpenError::Io { .. });
                self.shared.write(|node, now| node.journal_not_opened(now, is_temporary));
                match is_temporary {
                    true => tracing::error!(%error, "the journal cannot be opened again yet; the next try follows"),
                    false => tracing::error!(%error, "the journal cannot be opened again: mend it, and restart"),
                }
            }
        }
    }
}

/// Logs which snapshots were passed over.
fn warn_of_damaged(log: &mut JournalLog) {
    for error in log.drain_damaged() {
        tracing::warn!(%error, "a snapshot is damaged, and an older one is used: check the disk");
    }
}

/// Reports the end of the writer, however it comes, so that no caller waits for it without end.
impl Drop for JournalWriter {
    fn drop(&mut self) {
        // Closed before the node learns of it.
        self.log = None;
        self.shared.write(|node, now| node.journal_closed(now));
    }
}

fn panicked(panic: &(dyn Any + Send)) -> WriteError {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message");
    WriteError::Unknown { cause: std::format!("the journal panicked: {text}") }
}
