//! An open journal on disk.

use core::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::string::String;
use std::vec::Vec;

use redb::{Database, ReadableDatabase as _, ReadableTable as _, WriteTransaction};

use super::super::error::{Corrupt, OpenError, ReadError, WriteError};
use super::super::sequence::Sequence;
use super::super::store::{Extent, Journal, Room};
use super::directory::Directory;
use super::fault::{Fault, guarded};
use super::opening::{self, FINISHED, FIRST, META};
use super::rows::{self, Assembly, Change, Kind};
use super::space::Space;
use super::waste::Waste;

/// Bytes that a frame or a part may have.
pub(super) const LIMIT_BYTES: usize = 1 << 30;

/// Rows of waste that a transaction removes.
const WASTE_ROWS: usize = 64;

/// Rows of waste that a seal removes.
const IDLE_WASTE_ROWS: usize = 4096;

/// An open journal on disk. Its lock is the database's.
#[derive(Debug)]
pub(super) struct DiskJournal {
    /// It is there until this is dropped.
    database: Option<Database>,
    place: String,
    directory: Option<Directory>,
    extent: Extent,
    space: Space,
    waste: Waste,
    /// The snapshot that is being written, and its next part.
    writing: Option<(Sequence, u32)>,
    /// Something was committed since the last seal.
    unsealed: bool,
    /// Why it takes no more calls.
    broken: Option<String>,
}

impl DiskJournal {
    pub(super) fn open(
        database: Database,
        place: &str,
        max_bytes: u64,
        directory: Option<Directory>,
    ) -> Result<Self, OpenError> {
        let contents = guarded(|| {
            opening::create(&database)?;
            if let Some(name) = opening::missing_table(&database)? {
                return Err(Corrupt::new(place, std::format_args!("the table `{name}` is missing")).into());
            }
            if let Err(error) = opening::check_format(&database, place)? {
                return Ok(Err(error));
            }
            opening::survey(&database, place).map(Ok)
        });
        let owner = || super::directory::UNKNOWN_OWNER.into();
        let contents = match contents.map_err(|fault| fault.at_opening(place, owner)).flatten() {
            Ok(contents) => contents,
            Err(error) => {
                close(Some(database));
                return Err(error);
            }
        };
        let space = Space::new(max_bytes, directory.clone(), contents.room);
        let mut waste = Waste::default();
        if contents.trimmed {
            waste.add_below(contents.extent.first.number());
        }
        contents.unfinished.into_iter().for_each(|at| waste.add_snapshot(at));
        let (place, extent) = (place.into(), contents.extent);
        let (writing, broken) = (None, None);
        Ok(Self { database: Some(database), place, directory, extent, space, waste, writing, unsealed: false, broken })
    }

    /// Whether nothing was ever written to it.
    pub(super) fn is_new(&self) -> bool {
        self.extent.end == Sequence::FIRST
    }

    /// Commits a change, and some removal of waste with it. After an error nothing more is written.
    fn commit(
        &mut self,
        waste_rows: usize,
        change: impl FnOnce(&WriteTransaction) -> Result<Change, Fault>,
    ) -> Result<(), WriteError> {
        let (database, waste) = (&self.database, &mut self.waste);
        let committed = guarded(|| {
            let database = database.as_ref().ok_or(Fault::Database(redb::Error::DatabaseClosed))?;
            let transaction = database.begin_write()?;
            let mut change = change(&transaction)?;
            change.given_back += waste.remove(&transaction, waste_rows)?;
            transaction.commit()?;
            Ok(change)
        });
        match committed {
            Ok(change) => {
                self.space.note(change);
                self.unsealed = true;
                Ok(())
            }
            Err(fault) => Err(self.fail(fault.cause())),
        }
    }

    /// Removes all waste, and gives free pages back to the disk.
    pub(super) fn shrink(&mut self) -> Result<(), WriteError> {
        while !self.waste.is_empty() {
            self.commit(IDLE_WASTE_ROWS, |_| Ok(Change::default()))?;
        }
        let database = &mut self.database;
        let shrunk = guarded(|| {
            let database = database.as_mut().ok_or(Fault::Database(redb::Error::DatabaseClosed))?;
            Ok(database.compact()?)
        });
        shrunk.map(drop).map_err(|fault| self.fail(fault.cause()))
    }

    fn fail(&mut self, cause: String) -> WriteError {
        self.broken = Some(cause.clone());
        WriteError::Unknown { cause }
    }

    /// Refuses to write after an error, and what there is no room for.
    fn admit(&self, bytes: usize) -> Result<(), WriteError> {
        self.writable()?;
        if bytes > LIMIT_BYTES {
            return Err(WriteError::TooLarge { bytes, limit_bytes: LIMIT_BYTES });
        }
        if Room(rows::room_of(bytes)) > self.room() { Err(WriteError::Full) } else { Ok(()) }
    }

    /// The same for a frame: waste gives way to it.
    fn make_room(&mut self, bytes: usize) -> Result<(), WriteError> {
        while self.admit(bytes) == Err(WriteError::Full) && !self.waste.is_empty() {
            self.commit(IDLE_WASTE_ROWS, |_| Ok(Change::default()))?;
        }
        self.admit(bytes)
    }

    fn writable(&self) -> Result<(), WriteError> {
        self.broken.as_ref().map_or(Ok(()), |cause| Err(WriteError::Unknown { cause: cause.clone() }))
    }

    /// Reads. A panic is a fault, unless it comes from the caller's code.
    fn look<T>(&self, visiting: &Cell<bool>, read: impl FnOnce(&Database) -> Result<T, Fault>) -> Result<T, ReadError> {
        if let Some(cause) = &self.broken {
            return Err(ReadError::Io { place: self.place.clone(), cause: cause.clone() });
        }
        let database = self.database.as_ref().ok_or(Fault::Database(redb::Error::DatabaseClosed));
        let read = || match catch_unwind(AssertUnwindSafe(|| read(database?))) {
            Err(panic) if visiting.get() => resume_unwind(panic),
            Err(panic) => guarded(|| resume_unwind(panic)),
            Ok(result) => result,
        };
        read().map_err(|fault| fault.at_reading(&self.place))
    }

    fn read_frames(
        &self,
        database: &Database,
        from: Sequence,
        limit_bytes: usize,
        visit: &mut dyn FnMut(Sequence, &[u8]),
    ) -> Result<Sequence, Fault> {
        let frames = database.begin_read()?.open_table(Kind::Frame.rows())?;
        let (mut next, mut bytes) = (from, 0);
        let mut assembly = Assembly::new(Kind::Frame, &self.place, (from.number(), 0));
        for entry in frames.range((from.number(), 0)..)? {
            let (key, row) = entry?;
            let whole = assembly.add(key.value(), row.value(), &mut |frame| {
                bytes += frame.len();
                visit(next, frame);
            })?;
            if whole {
                next = next.next();
                assembly.go_on(next.number());
            }
            if whole && bytes >= limit_bytes {
                return Ok(next);
            }
        }
        if next < self.extent.end { Err(assembly.missing().into()) } else { Ok(next) }
    }

    fn read_part(&self, database: &Database, at: Sequence, part: u32) -> Result<Option<Vec<u8>>, Fault> {
        let transaction = database.begin_read()?;
        let parts = transaction.open_table(FINISHED)?.get(at.number())?.map_or(0, |parts| parts.value());
        if part >= parts {
            return Ok(None);
        }
        let first = (at.number(), u64::from(part) << 32);
        let mut assembly = Assembly::new(Kind::Snapshot, &self.place, first);
        let mut whole = None;
        for entry in transaction.open_table(Kind::Snapshot.rows())?.range(first..)? {
            let (key, row) = entry?;
            if assembly.add(key.value(), row.value(), &mut |bytes| whole = Some(bytes.to_vec()))? {
                return Ok(whole);
            }
        }
        Err(assembly.missing().into())
    }
}

impl Journal for DiskJournal {
    fn extent(&self) -> Extent {
        self.extent
    }

    fn room(&self) -> Room {
        self.space.room()
    }

    fn reach(&self) -> Result<(), WriteError> {
        self.space.reach().map_err(|cause| WriteError::Unreachable { cause })
    }

    fn append(&mut self, expected: Sequence, frame: &[u8]) -> Result<(), WriteError> {
        self.writable()?;
        self.reach()?;
        if expected != self.extent.end {
            return Err(WriteError::Fenced);
        }
        self.make_room(frame.len())?;
        self.commit(WASTE_ROWS, |transaction| {
            let mut table = transaction.open_table(Kind::Frame.rows())?;
            rows::put(&mut table, Kind::Frame, (expected.number(), 0), frame)
        })?;
        self.extent.end = expected.next();
        Ok(())
    }

    fn read(
        &mut self,
        from: Sequence,
        limit_bytes: usize,
        visit: &mut dyn FnMut(Sequence, &[u8]),
    ) -> Result<Sequence, ReadError> {
        if from < self.extent.first {
            return Err(Corrupt::new(std::format_args!("{}, frame {from}", self.place), "it was trimmed").into());
        }
        let visiting = Cell::new(false);
        let mut visit = |sequence: Sequence, frame: &[u8]| {
            visiting.set(true);
            visit(sequence, frame);
            visiting.set(false);
        };
        self.look(&visiting, |database| self.read_frames(database, from, limit_bytes, &mut visit))
    }

    fn put_snapshot(&mut self, at: Sequence, part: u32, bytes: &[u8], last: bool) -> Result<(), WriteError> {
        self.admit(bytes.len())?;
        let follows = part == 0 || self.writing == Some((at, part));
        if !follows || at < self.extent.first {
            return Err(self.fail(std::format!("part {part} of the snapshot before frame {at} follows nothing")));
        }
        if self.writing.is_some_and(|(begun, _)| begun != at) {
            self.drop_unfinished();
        }
        self.waste.keep_snapshot(at.number());
        self.commit(WASTE_ROWS, |transaction| {
            let mut finished = transaction.open_table(FINISHED)?;
            if part == 0 {
                finished.remove(at.number())?;
            }
            if last {
                finished.insert(at.number(), part + 1)?;
            }
            let mut table = transaction.open_table(Kind::Snapshot.rows())?;
            rows::put(&mut table, Kind::Snapshot, (at.number(), u64::from(part) << 32), bytes)
        })?;
        self.writing = (!last).then(|| (at, part + 1));
        Ok(())
    }

    fn drop_unfinished(&mut self) {
        if let Some((at, _)) = self.writing.take() {
            self.waste.add_snapshot(at.number());
        }
    }

    fn snapshots(&mut self) -> Result<Vec<Sequence>, ReadError> {
        self.look(&Cell::new(false), |database| {
            let finished = database.begin_read()?.open_table(FINISHED)?;
            finished.iter()?.map(|entry| Ok(Sequence::new(entry?.0.value()))).collect()
        })
    }

    fn snapshot(&mut self, at: Sequence, part: u32) -> Result<Option<Vec<u8>>, ReadError> {
        self.look(&Cell::new(false), |database| self.read_part(database, at, part))
    }

    fn trim(&mut self, below: Sequence) -> Result<(), WriteError> {
        self.writable()?;
        let below = below.min(self.extent.end).max(self.extent.first);
        self.waste.add_below(below.number());
        self.commit(WASTE_ROWS, |transaction| {
            transaction.open_table(META)?.insert(FIRST, below.number())?;
            let mut finished = transaction.open_table(FINISHED)?;
            // Keys first, as for waste.
            let keys = finished.range(..below.number())?.map(|entry| Ok(entry?.0.value()));
            for at in keys.collect::<Result<Vec<_>, Fault>>()? {
                finished.remove(at)?;
            }
            Ok(Change::default())
        })?;
        self.extent.first = below;
        self.writing = self.writing.filter(|(at, _)| *at >= below);
        Ok(())
    }

    fn seal(&mut self) -> Result<(), WriteError> {
        self.writable()?;
        if !self.unsealed && self.waste.is_empty() {
            return Ok(());
        }
        self.commit(IDLE_WASTE_ROWS, |_| Ok(Change::default()))?;
        self.unsealed = false;
        Ok(())
    }
}

impl Drop for DiskJournal {
    fn drop(&mut self) {
        if let Some(directory) = &self.directory {
            directory.forget_owner();
        }
        close(self.database.take());
    }
}

/// Closes a database. It writes when it is closed, and gives up in a panic when it is damaged.
fn close(database: Option<Database>) {
    // Whatever goes wrong now, the next opening finds what is there.
    let _ = guarded(|| {
        drop(database);
        Ok(())
    });
}
