//! An interceptor of the adapter's journal, which shows the oracles what is durable.

use std::fmt;
use std::sync::Arc;

use eventful::journal::{
    FreeSpace, Intercept, Intercepted, Journal, JournalStore, OpenError, Owner, Sequence, WriteError,
};

use super::oracle::OracleResult;
use super::run_context::RunContext;
use super::step::NetworkStep;
use crate::disk::{DriveStore, SharedDisk};

/// The number of tries of a read: more than the reads that fail in a run.
const READS: usize = 16;

/// The interceptor of a run. Its journal never blocks: stalls come from the adapter's hooks.
#[derive(Clone)]
pub(super) struct ObservedStore {
    stage: Arc<RunContext>,
}

impl ObservedStore {
    /// Returns the store of one process, on the disk of the run.
    pub(super) fn store(stage: &Arc<RunContext>, drive: &SharedDisk) -> Intercepted<Self> {
        Intercepted::new(Box::new(DriveStore::new(drive.clone())), Self { stage: Arc::clone(stage) })
    }

    /// Checks that acknowledged frames are there, and finds out whether the frame in doubt is.
    fn check_end(&self, journal: &mut dyn Journal) -> OracleResult {
        let end = journal.extent().end;
        let doubted = self.stage.with(|notes, _| {
            let in_doubt = notes.oracles.durable.is_in_doubt();
            let found = notes.oracles.durable.open(end)?;
            if in_doubt && found.is_none() {
                notes.coverage.reach("group in doubt was lost");
            }
            Ok(found)
        })?;
        self.stage.note(&NetworkStep::JournalOpened { end: end.number(), found: doubted.is_some() });
        let Some(sequence) = doubted else { return Ok(()) };
        // A disk that has stopped fails every read.
        let Some(found) = read(journal, sequence) else { return Ok(()) };
        self.stage.with(|notes, _| {
            notes.oracles.durable.found(sequence, &found)?;
            notes.coverage.reach("group in doubt was kept");
            notes.kept(&found).map(drop)
        })
    }

    /// Notes a failure after which the journal must be opened again.
    fn watch(&self, result: Result<(), WriteError>) -> Result<(), WriteError> {
        if let Err(WriteError::Unknown { .. } | WriteError::Fenced) = result {
            self.stage.with(|notes, _| notes.oracles.durable.failed());
        }
        result
    }
}

/// Reads a frame, in spite of injected read errors.
fn read(journal: &mut dyn Journal, sequence: Sequence) -> Option<Vec<u8>> {
    let mut found = Vec::new();
    let mut once = || journal.read(sequence, 1, &mut |_, frame| found = frame.to_vec()).is_ok();
    let is_read = (0..READS).any(|_| once());
    is_read.then_some(found)
}

impl Intercept for ObservedStore {
    fn open(&mut self, store: &mut dyn JournalStore, owner: &Owner) -> Result<Box<dyn Journal>, OpenError> {
        if let Err(broken) = self.stage.with(|notes, now| notes.oracles.durable.opening(now)) {
            // The error makes the node wait before it tries again, so that time advances.
            let refused = OpenError::Io { place: "the observer".to_owned(), cause: broken.to_string() };
            self.stage.judge(Err(broken));
            return Err(refused);
        }
        let mut journal = store.open(owner)?;
        self.stage.with(|notes, _| notes.absence.opened());
        let verdict = self.check_end(&mut *journal);
        self.stage.judge(verdict);
        Ok(journal)
    }

    fn room(&self, journal: &dyn Journal) -> FreeSpace {
        let room = journal.room();
        self.stage.with(|notes, _| notes.oracles.durable.room_reported(room));
        room
    }

    fn reach(&self, journal: &dyn Journal) -> Result<(), WriteError> {
        if self.stage.with(|notes, now| notes.absence.is_gone(now)) {
            return Err(WriteError::Unreachable { cause: "the directory is gone".to_owned() });
        }
        journal.reach()
    }

    fn append(&mut self, journal: &mut dyn Journal, expected: Sequence, frame: &[u8]) -> Result<(), WriteError> {
        // A directory that is gone refuses the append before the simulated disk sees it.
        let appended = self.reach(journal).and_then(|()| journal.append(expected, frame));
        self.stage.with(|notes, now| {
            let kept = appended.is_ok();
            notes.trace.note(now, &NetworkStep::Appended { frame: expected.number(), kept });
            let verdict = match &appended {
                Ok(()) => {
                    notes.oracles.durable.acknowledged(expected);
                    notes.absence.wrote(now, notes.oracles.retention());
                    notes.kept_and_owed(frame, now)
                }
                // Nothing was written; the same group is written later.
                Err(WriteError::Full) => Ok(()),
                Err(WriteError::Unreachable { .. }) => {
                    notes.absence.refuse(now);
                    Ok(())
                }
                Err(error) => {
                    notes.oracles.durable.failed();
                    if let WriteError::Unknown { .. } = error {
                        notes.oracles.durable.doubt(expected, frame);
                    }
                    Ok(())
                }
            };
            notes.judge(verdict);
        });
        appended
    }

    fn put_snapshot(
        &mut self,
        journal: &mut dyn Journal,
        at: Sequence,
        part: u32,
        bytes: &[u8],
        last: bool,
    ) -> Result<(), WriteError> {
        let put = journal.put_snapshot(at, part, bytes, last);
        if put.is_ok() && last {
            self.stage.with(|notes, _| notes.coverage.reach("snapshot made"));
        }
        self.watch(put)
    }

    fn trim(&mut self, journal: &mut dyn Journal, below: Sequence) -> Result<(), WriteError> {
        self.watch(journal.trim(below))
    }

    fn seal(&mut self, journal: &mut dyn Journal) -> Result<(), WriteError> {
        self.watch(journal.seal())
    }
}

impl fmt::Debug for ObservedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ObservedStore").finish_non_exhaustive()
    }
}
