//! A store through which everything goes that the adapter keeps, so that oracles see what is durable.

use std::fmt;
use std::sync::Arc;

use eventful::journal::{Extent, Journal, JournalStore, OpenError, Owner, ReadError, Room, Sequence, WriteError};

use super::oracle::Verdict;
use super::stage::Stage;
use super::trace::Step;
use crate::disk::{Drive, Keeper};

/// More reads than are made to fail in a run.
const READS: usize = 16;

/// A store on the drive of a run. It never blocks: stalls come from the adapter's hooks.
pub(super) struct Witness {
    stage: Arc<Stage>,
    store: Box<dyn JournalStore>,
}

impl Witness {
    /// The store of one process.
    pub(super) fn new(stage: &Arc<Stage>, drive: &Drive, keeper: Keeper) -> Self {
        Self { stage: Arc::clone(stage), store: keeper.store(drive) }
    }
}

impl JournalStore for Witness {
    fn open(&mut self, owner: &Owner) -> Result<Box<dyn Journal>, OpenError> {
        if let Err(broken) = self.stage.with(|notes, now| notes.oracles.durable.opening(now)) {
            // An error ends the loop, so that time goes on.
            let refused = OpenError::Io { place: "the witness".to_owned(), cause: broken.to_string() };
            self.stage.judge(Err(broken));
            return Err(refused);
        }
        let mut journal = self.store.open(owner)?;
        self.stage.with(|notes, _| notes.absence.opened());
        let verdict = self.look_at_end(&mut *journal);
        self.stage.judge(verdict);
        Ok(Box::new(Watched { stage: Arc::clone(&self.stage), journal }))
    }

    fn blocks(&self) -> bool {
        false
    }
}

impl Witness {
    /// What was acknowledged is there. Of what was not, it shows now whether it is.
    fn look_at_end(&self, journal: &mut dyn Journal) -> Verdict {
        let end = journal.extent().end;
        let doubted = self.stage.with(|notes, _| {
            let in_doubt = notes.oracles.durable.is_in_doubt();
            let found = notes.oracles.durable.open(end)?;
            if in_doubt && found.is_none() {
                notes.coverage.reach("group in doubt was lost");
            }
            Ok(found)
        })?;
        self.stage.note(&Step::JournalOpened { end: end.number(), found: doubted.is_some() });
        let Some(sequence) = doubted else { return Ok(()) };
        // A disk that has stopped shows nothing more, to nobody.
        let Some(found) = read(journal, sequence) else { return Ok(()) };
        self.stage.with(|notes, _| {
            notes.oracles.durable.found(sequence, &found)?;
            notes.coverage.reach("group in doubt was kept");
            notes.kept(&found).map(drop)
        })
    }
}

/// A frame, in spite of reads that were made to fail.
fn read(journal: &mut dyn Journal, sequence: Sequence) -> Option<Vec<u8>> {
    let mut found = Vec::new();
    let mut once = || journal.read(sequence, 1, &mut |_, frame| found = frame.to_vec()).is_ok();
    let is_read = (0..READS).any(|_| once());
    is_read.then_some(found)
}

impl fmt::Debug for Witness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Witness").field("store", &self.store).finish_non_exhaustive()
    }
}

/// An open journal, watched.
struct Watched {
    stage: Arc<Stage>,
    journal: Box<dyn Journal>,
}

impl Watched {
    /// Notes a failure after which nothing more can be done with the journal.
    fn watch(&self, result: Result<(), WriteError>) -> Result<(), WriteError> {
        if let Err(WriteError::Unknown { .. } | WriteError::Fenced) = result {
            self.stage.with(|notes, _| notes.oracles.durable.failed());
        }
        result
    }
}

impl Journal for Watched {
    fn extent(&self) -> Extent {
        self.journal.extent()
    }

    fn room(&self) -> Room {
        let room = self.journal.room();
        self.stage.with(|notes, _| notes.oracles.durable.told_room(room));
        room
    }

    fn reach(&self) -> Result<(), WriteError> {
        if self.stage.with(|notes, now| notes.absence.is_gone(now)) {
            return Err(WriteError::Unreachable { cause: "the directory is gone".to_owned() });
        }
        self.journal.reach()
    }

    fn append(&mut self, expected: Sequence, frame: &[u8]) -> Result<(), WriteError> {
        let appended = self.reach().and_then(|()| self.journal.append(expected, frame));
        self.stage.with(|notes, now| {
            let kept = appended.is_ok();
            notes.trace.note(now, &Step::Appended { frame: expected.number(), kept });
            let verdict = match &appended {
                Ok(()) => {
                    notes.oracles.durable.acknowledged(expected);
                    notes.absence.wrote(now, notes.oracles.retention());
                    notes.kept_and_told(frame, now)
                }
                // Nothing was written, and the same group is written later.
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

    fn read(
        &mut self,
        from: Sequence,
        limit_bytes: usize,
        visit: &mut dyn FnMut(Sequence, &[u8]),
    ) -> Result<Sequence, ReadError> {
        self.journal.read(from, limit_bytes, visit)
    }

    fn put_snapshot(&mut self, at: Sequence, part: u32, bytes: &[u8], last: bool) -> Result<(), WriteError> {
        let put = self.journal.put_snapshot(at, part, bytes, last);
        if put.is_ok() && last {
            self.stage.with(|notes, _| notes.coverage.reach("snapshot made"));
        }
        self.watch(put)
    }

    fn drop_unfinished(&mut self) {
        self.journal.drop_unfinished();
    }

    fn snapshots(&mut self) -> Result<Vec<Sequence>, ReadError> {
        self.journal.snapshots()
    }

    fn snapshot(&mut self, at: Sequence, part: u32) -> Result<Option<Vec<u8>>, ReadError> {
        self.journal.snapshot(at, part)
    }

    fn trim(&mut self, below: Sequence) -> Result<(), WriteError> {
        let trimmed = self.journal.trim(below);
        self.watch(trimmed)
    }

    fn seal(&mut self) -> Result<(), WriteError> {
        let sealed = self.journal.seal();
        self.watch(sealed)
    }
}

impl fmt::Debug for Watched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watched").field("journal", &self.journal).finish_non_exhaustive()
    }
}
