//! What an opened database holds.

use std::string::String;
use std::vec::Vec;

use redb::{Database, ReadableDatabase as _, ReadableTable as _, TableDefinition, TableHandle as _};

use super::super::error::{Corrupt, OpenError, TooNew};
use super::super::sequence::Sequence;
use super::super::store::Extent;
use super::fault::Fault;
use super::rows::{Kind, decode, follows, place_of, room_of_row};

/// How many parts each finished snapshot has.
pub(super) const FINISHED: TableDefinition<'static, u64, u32> = TableDefinition::new("finished");

/// What is known of the whole.
pub(super) const META: TableDefinition<'static, &'static str, u64> = TableDefinition::new("meta");

/// The first frame that was not trimmed.
pub(super) const FIRST: &str = "first";

/// The format of the database.
const FORMAT: &str = "format";

/// The format that is written here, and the newest one that is read.
const KNOWN_FORMAT: u16 = 1;

/// What a database holds.
#[derive(Debug)]
pub(super) struct Contents {
    pub(super) extent: Extent,
    /// What the rows take.
    pub(super) room: u64,
    /// Snapshots that were begun and not finished.
    pub(super) unfinished: Vec<u64>,
    /// There are rows of frames or snapshots that were trimmed.
    pub(super) trimmed: bool,
}

/// Makes the tables of a new database.
pub(super) fn create(database: &Database) -> Result<(), Fault> {
    if database.begin_read()?.list_tables()?.next().is_some() {
        return Ok(());
    }
    let transaction = database.begin_write()?;
    transaction.open_table(Kind::Frame.rows())?;
    transaction.open_table(Kind::Snapshot.rows())?;
    transaction.open_table(FINISHED)?;
    let mut meta = transaction.open_table(META)?;
    meta.insert(FORMAT, u64::from(KNOWN_FORMAT))?;
    meta.insert(FIRST, Sequence::FIRST.number())?;
    drop(meta);
    Ok(transaction.commit()?)
}

/// Refuses the format of a newer program.
pub(super) fn check_format(database: &Database, place: &str) -> Result<Result<(), OpenError>, Fault> {
    let meta = database.begin_read()?.open_table(META)?;
    let found = meta.get(FORMAT)?.map(|found| found.value());
    let found = found.filter(|found| *found > 0);
    let found = found.ok_or_else(|| Corrupt::new(place, "it does not tell its format"))?;
    match found <= u64::from(KNOWN_FORMAT) {
        true => Ok(Ok(())),
        false => Ok(Err(TooNew::format(place, found, KNOWN_FORMAT).into())),
    }
}

/// Looks at every row's key and length.
pub(super) fn survey(database: &Database, place: &str) -> Result<Contents, Fault> {
    let transaction = database.begin_read()?;
    let first = transaction.open_table(META)?.get(FIRST)?.map(|first| first.value());
    let first = first.ok_or_else(|| Corrupt::new(place, "it does not tell its first frame"))?;
    let frames = transaction.open_table(Kind::Frame.rows())?;
    let (mut end, mut room, mut trimmed) = (first, 0, false);
    for entry in frames.iter()? {
        let (key, row) = entry?;
        let ((number, piece), expected) = (key.value(), end);
        room += room_of_row(row.value().len());
        trimmed |= number < first;
        if number >= first {
            let follows = number == expected && piece == 0 || number + 1 == expected && piece > 0;
            let missing = || Corrupt::new(place_of(Kind::Frame, place, (expected, 0)), "it is missing");
            end = follows.then_some(number + 1).ok_or_else(missing)?;
        }
    }
    let mut snapshots = Vec::new();
    for entry in transaction.open_table(Kind::Snapshot.rows())?.iter()? {
        let (key, row) = entry?;
        let (at, _) = key.value();
        room += room_of_row(row.value().len());
        trimmed |= at < first;
        if snapshots.last() != Some(&at) {
            snapshots.push(at);
        }
    }
    let finished = transaction.open_table(FINISHED)?;
    let mut unfinished = Vec::new();
    for at in snapshots {
        if finished.get(at)?.is_none() {
            unfinished.push(at);
        }
    }
    let extent = Extent { first: Sequence::new(first), end: Sequence::new(end) };
    Ok(Contents { extent, room, unfinished, trimmed })
}

/// The frames of a database that may be damaged, as far as its last keys tell.
pub(super) fn find_extent(database: &Database) -> Result<Option<Extent>, Fault> {
    create(database)?;
    let transaction = database.begin_read()?;
    let Some(first) = transaction.open_table(META)?.get(FIRST)?.map(|first| first.value()) else { return Ok(None) };
    let frames = transaction.open_table(Kind::Frame.rows())?;
    let mut keys = Vec::new();
    for entry in frames.iter()?.rev().take(2) {
        keys.push(entry?.0.value());
    }
    let end = match keys[..] {
        [] => first,
        [last] if last == (first, 0) => first.saturating_add(1),
        [last, before] if follows(Kind::Frame, before, last) => last.0.saturating_add(1),
        // A key that does not follow the one before is damaged.
        _ => return Ok(None),
    };
    // Frames are trimmed from the first one on, and never more than there are.
    if end < first {
        return Ok(None);
    }
    Ok(Some(Extent { first: Sequence::new(first), end: Sequence::new(end) }))
}

/// A table that a database should have and has not.
pub(super) fn missing_table(database: &Database) -> Result<Option<&'static str>, Fault> {
    let there: Vec<String> = database.begin_read()?.list_tables()?.map(|table| table.name().into()).collect();
    let mut wanted = [Kind::Frame.table(), Kind::Snapshot.table(), FINISHED.name(), META.name()].into_iter();
    Ok(wanted.find(|name| there.iter().all(|other| other != name)))
}

/// The first row that is not what was written.
pub(super) fn find_damage(database: &Database, place: &str) -> Result<Option<Corrupt>, Fault> {
    let transaction = database.begin_read()?;
    for kind in [Kind::Frame, Kind::Snapshot] {
        let mut before = None;
        for entry in transaction.open_table(kind.rows())?.iter()? {
            let (key, row) = entry?;
            let key = key.value();
            // Pages that lead back to themselves must not be followed for ever.
            if before >= Some(key) || decode(kind, key, row.value()).is_none() {
                return Ok(Some(Corrupt::new(place_of(kind, place, key), "its checksum does not fit")));
            }
            before = Some(key);
        }
    }
    Ok(None)
}
