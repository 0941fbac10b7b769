//! An open journal in PostgreSQL.

use core::cell::RefCell;

use eventful::journal::{Corrupt, Extent, FreeSpace, Journal, ReadError, Sequence, Shard, WriteError};
use tokio_postgres::Row;
use tokio_postgres::types::{FromSql, Type};

use crate::blocking::Blocking;
use crate::columns::{number, number_of, sequence};
use crate::leftovers::{KeptRows, Leftovers};
use crate::link::{Certainty, Link, Undone};
use crate::session::Parameters;
use crate::settings::{CurrentGuarantee, Guarantee, ServerSettings};
use crate::statements;

/// The most bytes of a frame or a part. A statement, its result, the record in the server's log and the copies of all three
/// in memory have this size several times at once, in each shard; a slow server must take one within half of a lease.
pub(crate) const LIMIT_BYTES: usize = 16 << 20;

/// The number of an opening of a shard. It rises with each.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Term(pub(crate) i64);

/// An open journal in PostgreSQL.
#[derive(Debug)]
pub(crate) struct PostgresJournal {
    place: String,
    blocking: Blocking,
    link: RefCell<Link>,
    shard: i16,
    term: Term,
    extent: Extent,
    /// The snapshot of which some parts were put, and how many.
    unfinished: Option<(Sequence, u32)>,
    /// Snapshots that were begun, the one of which parts are put now included.
    begun: u32,
    leftovers: RefCell<Leftovers>,
    takes_one_copy: bool,
    guarantee: CurrentGuarantee,
    /// The reason why it takes no more calls.
    broken: Option<String>,
}

impl PostgresJournal {
    pub(crate) fn new(
        place: String,
        blocking: Blocking,
        link: Link,
        (shard, term, extent, leftovers): (Shard, Term, Extent, Leftovers),
        takes_one_copy: bool,
        guarantee: CurrentGuarantee,
    ) -> Self {
        Self {
            place,
            blocking,
            link: RefCell::new(link),
            shard: number(shard),
            term,
            extent,
            unfinished: None,
            begun: 0,
            leftovers: RefCell::new(leftovers),
            takes_one_copy,
            guarantee,
            broken: None,
        }
    }

    fn writable(&self) -> Result<(), WriteError> {
        self.broken.as_ref().map_or(Ok(()), |cause| Err(WriteError::Unknown { cause: cause.clone() }))
    }

    fn admit(&self, bytes: usize) -> Result<(), WriteError> {
        self.writable()?;
        match bytes > LIMIT_BYTES {
            true => Err(WriteError::TooLarge { bytes, limit_bytes: LIMIT_BYTES }),
            false => Ok(()),
        }
    }

    /// Takes no more calls: what the journal holds is unknown.
    fn fail(&mut self, cause: String) -> WriteError {
        self.broken = Some(cause.clone());
        WriteError::Unknown { cause }
    }

    /// Runs a statement that writes, and begins with shard and term. Returns its row.
    fn write(&mut self, sql: &str, more: Parameters<'_>) -> Result<Row, WriteError> {
        let (shard, Term(term)) = (self.shard, self.term);
        let mut parameters: Vec<(&(dyn tokio_postgres::types::ToSql + Sync), Type)> =
            vec![(&shard, Type::INT2), (&term, Type::INT8)];
        parameters.extend_from_slice(more);
        let link = self.link.get_mut();
        let rows = self.blocking.run(link.run(sql, &parameters)).map_err(|undone| self.undone(undone))?;
        let Some(row) = rows.into_iter().next() else { return Err(self.fail("the server gave no row".to_owned())) };
        match self.get::<i64>(&row, "owned")? {
            0 => Err(WriteError::Fenced),
            _ => Ok(row),
        }
    }

    fn undone(&mut self, Undone { cause, certainty, .. }: Undone) -> WriteError {
        match certainty {
            Certainty::Full => WriteError::Full,
            Certainty::Nothing => WriteError::Unreachable { cause },
            Certainty::Unknown => self.fail(cause),
        }
    }

    fn get<'a, T: FromSql<'a>>(&mut self, row: &'a Row, column: &str) -> Result<T, WriteError> {
        row.try_get(column).map_err(|error| self.fail(error.to_string()))
    }

    /// Runs a statement that reads, and begins with the shard.
    fn select(&mut self, sql: &str, more: Parameters<'_>) -> Result<Vec<Row>, ReadError> {
        if let Some(cause) = &self.broken {
            return Err(ReadError::Io { place: self.place.clone(), cause: cause.clone() });
        }
        let shard = self.shard;
        let mut parameters: Vec<(&(dyn tokio_postgres::types::ToSql + Sync), Type)> = vec![(&shard, Type::INT2)];
        parameters.extend_from_slice(more);
        let link = self.link.get_mut();
        let read = self.blocking.run(link.run(sql, &parameters));
        read.map_err(|Undone { cause, .. }| ReadError::Io { place: self.place.clone(), cause })
    }

    /// A value of a row that was read.
    fn read_value<'a, T: FromSql<'a>>(&self, row: &'a Row, column: usize) -> Result<T, ReadError> {
        row.try_get(column).map_err(|error| ReadError::Io { place: self.place.clone(), cause: error.to_string() })
    }

    /// Compares a frame that was there already with the one that was to be appended. The statement before has waited for
    /// the standby, so what is the same is durable.
    fn compare(&mut self, expected: Sequence, frame: &[u8]) -> Result<(), WriteError> {
        let (shard, at) = (self.shard, number_of(expected));
        let parameters: Parameters<'_> = &[(&shard, Type::INT2), (&at, Type::INT8), (&frame, Type::BYTEA)];
        let link = self.link.get_mut();
        let rows = self.blocking.run(link.run(statements::IS_FRAME, parameters));
        let rows = rows.map_err(|undone| self.fail(undone.cause))?;
        let Some(row) = rows.first() else { return Err(self.fail(format!("frame {expected} has vanished"))) };
        if self.get(row, "same")? { Ok(()) } else { Err(WriteError::Fenced) }
    }

    /// Notes what the server promises now.
    fn note(&self, row: &Row) {
        let Ok(settings) = ServerSettings::of(row) else { return };
        let guarantee = settings.guarantee();
        if self.guarantee.note(&guarantee) {
            tracing::warn!(place = self.place, %guarantee, "the settings of the server have changed: it promises");
        }
    }

    /// Returns why the server promises too little, when it does.
    fn shortfall(&self) -> Option<String> {
        match self.guarantee.read()? {
            Guarantee::Standbys { .. } => None,
            Guarantee::OneCopy if self.takes_one_copy => None,
            guarantee @ (Guarantee::OneCopy | Guarantee::None { .. }) => {
                Some(format!("the settings of the server have changed, and it promises {guarantee}"))
            }
        }
    }

    /// The reason why a frame is not there: another owner has trimmed it, or it is lost.
    fn missing(&mut self, at: Sequence) -> ReadError {
        let Term(term) = self.term;
        let owned = self.select(statements::IS_OWN, &[(&term, Type::INT8)]);
        let owned = owned.and_then(|rows| rows.first().map_or(Ok(false), |row| self.read_value::<bool>(row, 0)));
        match owned {
            Ok(true) => Corrupt::new(format_args!("frame {at} of {}", self.place), "it is missing").into(),
            Ok(false) => {
                ReadError::Io { place: self.place.clone(), cause: "another node owns the shard by now".to_owned() }
            }
            Err(error) => error,
        }
    }

    /// The number of a writing of a snapshot, which rises with each, over all openings.
    const fn writing(&self, begun: u32) -> i64 {
        let Term(term) = self.term;
        term << 32 | begun as i64
    }

    /// Takes away some of the rows that are left over.
    fn sweep(&self) {
        // The one of which parts are put, or else the next one, and all that follow are not left over.
        let writing = self.writing(if self.unfinished.is_some() { self.begun } else { self.begun + 1 });
        let (Term(term), first) = (self.term, number_of(self.extent.first));
        let kept = KeptRows { shard: self.shard, term, first, writing };
        // No call of the trait is made within another one.
        self.leftovers.borrow_mut().sweep(&self.blocking, &mut self.link.borrow_mut(), kept);
    }
}

impl Journal for PostgresJournal {
    fn extent(&self) -> Extent {
        self.extent
    }

    /// Less than [`FreeSpace::UNBOUNDED`], which would say that there is no need to check whether the server is there.
    fn room(&self) -> FreeSpace {
        FreeSpace(u64::MAX - 1)
    }

    fn reach(&self) -> Result<(), WriteError> {
        let unreachable = |cause| WriteError::Unreachable { cause };
        let (shard, Term(term)) = (self.shard, self.term);
        // No call of the trait is made within another one.
        let mut link = self.link.borrow_mut();
        let parameters: Parameters<'_> = &[(&shard, Type::INT2), (&term, Type::INT8)];
        let rows = self.blocking.run(link.ask(statements::IS_OWN, parameters)).map_err(unreachable)?;
        rows.first().into_iter().for_each(|row| self.note(row));
        drop(link);
        self.sweep();
        self.shortfall().map_or(Ok(()), |cause| Err(unreachable(cause)))
    }

    fn append(&mut self, expected: Sequence, frame: &[u8]) -> Result<(), WriteError> {
        self.admit(frame.len())?;
        let Extent { first, end } = self.extent;
        if expected != end && (expected < first || expected.next() != end) {
            return Err(WriteError::Fenced);
        }
        let at = number_of(expected);
        let row = self.write(statements::APPEND, &[(&at, Type::INT8), (&frame, Type::BYTEA)])?;
        if self.get::<i64>(&row, "put")? == 0 {
            self.compare(expected, frame)?;
        }
        self.note(&row);
        self.extent.end = expected.next();
        self.sweep();
        Ok(())
    }

    fn read(
        &mut self,
        from: Sequence,
        limit_bytes: usize,
        visit: &mut dyn FnMut(Sequence, &[u8]),
    ) -> Result<Sequence, ReadError> {
        let Extent { first, end } = self.extent;
        if from < first {
            return Err(Corrupt::new(format_args!("frame {from} of {}", self.place), "it was trimmed").into());
        }
        let (begin, until) = (number_of(from), number_of(end));
        let limit = i64::try_from(limit_bytes).unwrap_or(i64::MAX);
        let rows =
            self.select(statements::READ, &[(&begin, Type::INT8), (&until, Type::INT8), (&limit, Type::INT8)])?;
        let mut next = from;
        for row in &rows {
            if sequence(self.read_value(row, 0)?) != next {
                return Err(self.missing(next));
            }
            visit(next, self.read_value(row, 1)?);
            next = next.next();
        }
        if rows.is_empty() && from < end { Err(self.missing(from)) } else { Ok(next) }
    }

    fn put_snapshot(&mut self, at: Sequence, part: u32, bytes: &[u8], last: bool) -> Result<(), WriteError> {
        self.admit(bytes.len())?;
        if part != 0 && self.unfinished != Some((at, part)) || at < self.extent.first {
            return Err(self.fail(format!("part {part} of the snapshot before frame {at} follows nothing")));
        }
        if part == 0 {
            self.drop_unfinished();
            self.begun += 1;
        }
        let (before, number) = (number_of(at), i32::try_from(part).unwrap_or(i32::MAX));
        let writing = self.writing(self.begun);
        self.write(
            statements::PUT_PART,
            &[
                (&before, Type::INT8),
                (&number, Type::INT4),
                (&last, Type::BOOL),
                (&bytes, Type::BYTEA),
                (&writing, Type::INT8),
            ],
        )?;
        self.unfinished = if last { None } else { Some((at, part + 1)) };
        Ok(())
    }

    fn drop_unfinished(&mut self) {
        if self.unfinished.take().is_some() {
            self.leftovers.get_mut().note_parts();
        }
    }

    fn snapshots(&mut self) -> Result<Vec<Sequence>, ReadError> {
        let first = number_of(self.extent.first);
        let rows = self.select(statements::SNAPSHOTS, &[(&first, Type::INT8)])?;
        rows.iter().map(|row| self.read_value(row, 0).map(sequence)).collect()
    }

    fn snapshot(&mut self, at: Sequence, part: u32) -> Result<Option<Vec<u8>>, ReadError> {
        if at < self.extent.first {
            return Ok(None);
        }
        let (before, number) = (number_of(at), i32::try_from(part).unwrap_or(i32::MAX));
        let rows = self.select(statements::PART, &[(&before, Type::INT8), (&number, Type::INT4)])?;
        rows.first().map(|row| self.read_value(row, 0)).transpose()
    }

    fn trim(&mut self, below: Sequence) -> Result<(), WriteError> {
        self.writable()?;
        let Extent { first, end } = self.extent;
        let below = below.min(end);
        if below <= first {
            return Ok(());
        }
        let number = number_of(below);
        self.write(statements::TRIM, &[(&number, Type::INT8)])?;
        self.extent.first = below;
        self.unfinished = self.unfinished.filter(|(at, _)| *at >= below);
        self.leftovers.get_mut().note_parts();
        self.sweep();
        Ok(())
    }

    fn seal(&mut self) -> Result<(), WriteError> {
        self.writable()?;
        self.sweep();
        Ok(())
    }
}

impl Drop for PostgresJournal {
    /// Gives up the shard, so that any node may open it. One that was not reached keeps its owner.
    fn drop(&mut self) {
        if self.broken.is_none() {
            let (shard, Term(term)) = (self.shard, self.term);
            let parameters: Parameters<'_> = &[(&shard, Type::INT2), (&term, Type::INT8)];
            let link = self.link.get_mut();
            let _ = self.blocking.run(link.part(statements::RELEASE, parameters));
        }
    }
}
