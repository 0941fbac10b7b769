//! Everything that a damaged journal still proves, as a new journal.

use core::fmt::Display;
use std::fs::File;
use std::io;
use std::string::String;
use std::vec::Vec;

use super::super::error::{Corrupt, MaintainError, OpenError, ReadError};
use super::super::frame;
use super::super::inspect;
use super::super::loading::load_parts;
use super::super::pages::apply;
use super::super::position::Position;
use super::super::sequence::Sequence;
use super::super::snapshot::begin_with;
use super::super::store::{Extent, JournalStore as _, Owner};
use super::directory::{Directory, was_left_open};
use super::remains::Remains;
use super::staging::Staging;
use super::{DiskStore, Medium, fault, newer, opening};
use crate::engine::{Config, Replay, Status};

/// What was saved of a damaged journal, and what was not.
#[derive(Debug)]
#[non_exhaustive]
pub struct Salvaged {
    /// How many records there are of each status.
    pub records: Vec<(Status, u64)>,
    /// The snapshot that they begin with: of everything before this frame.
    pub snapshot: Option<Sequence>,
    /// Frames that were applied to that.
    pub frames: u64,
    /// The first frame that was not saved.
    pub end: Sequence,
    /// Why that one was not saved.
    pub problem: String,
    /// Whether that one, or a later one, was in the journal.
    pub lost: Lost,
    /// Later frames of which something is left, which nothing leads to any more.
    pub stranded: Vec<Sequence>,
    /// Snapshots that are damaged, and how.
    pub damaged: Vec<(Sequence, String)>,
}

/// Which frames were in a journal and are not among what was saved of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Lost {
    /// None that left a trace.
    Nothing,
    /// Perhaps some: too much is damaged to tell.
    Unknown,
    /// The frames up to this one, and perhaps later ones.
    Through(Sequence),
}

impl DiskStore {
    /// Writes what this journal still proves into `to`, a new one: the newest sound snapshot, or
    /// nothing, and the frames that follow, up to the first that is damaged. This one is not changed,
    /// and the new one is in its directory only when it is whole.
    ///
    /// # Errors
    ///
    /// [`MaintainError`] when there is no journal, or nothing that can be read as one, or somebody has
    /// it; when a newer program wrote any of it; or when `to` cannot be written, or is not new. Then
    /// nothing is made.
    pub fn salvage(&self, to: &mut Self, owner: &Owner, config: &Config) -> Result<Salvaged, MaintainError> {
        let Medium::Directory(directory) = &self.medium else {
            return Err(refuse(&self.place(), "only a directory can be salvaged").into());
        };
        let place = self.place();
        // A marker that is damaged says nothing.
        let is_known = match directory.check_marker() {
            Err(OpenError::Corrupt(_)) => false,
            checked => checked?,
        };
        let file = directory.look().map_err(|error| refuse(&place, error))?;
        if file.try_lock_shared().is_err() {
            return Err(OpenError::InUse { owner: directory.owner() }.into());
        }
        // A newer format is in the marker, too: another number in the database is itself damaged.
        if !is_known {
            check_format(directory, &place)?;
        }
        let known = look_at_extent(directory, &file).map_err(|error| refuse(&place, error))?;
        let (replay, salvaged) = restore(file, known, config, &place)?;
        to.put_new(replay, owner)?;
        Ok(salvaged)
    }

    /// Makes a new journal with this state here, or none.
    fn put_new(&mut self, replay: Replay, owner: &Owner) -> Result<(), MaintainError> {
        let Medium::Directory(directory) = &self.medium else { return self.fill(replay, owner) };
        let mut staging = Staging::begin(directory)?;
        let medium = Medium::Directory(staging.stage());
        let mut store = Self { medium, max_bytes: self.max_bytes, cache_bytes: self.cache_bytes, read_only: false };
        store.fill(replay, owner)?;
        Ok(staging.finish()?)
    }

    fn fill(&mut self, replay: Replay, owner: &Owner) -> Result<(), MaintainError> {
        let mut journal = self.open(owner)?;
        let fresh = Extent { first: Sequence::FIRST, end: Sequence::FIRST };
        if journal.extent() != fresh || !journal.snapshots()?.is_empty() {
            return Err(refuse(&self.place(), "it holds a journal already").into());
        }
        begin_with(replay, &mut *journal)
    }
}

fn refuse(place: &str, cause: impl Display) -> OpenError {
    OpenError::Io { place: place.into(), cause: std::format!("{cause}") }
}

/// Refuses the database of a newer program. What is damaged is not refused.
fn check_format(directory: &Directory, place: &str) -> Result<(), OpenError> {
    let found = fault::guarded(|| {
        let database = directory.open_to_look(&redb::Builder::new())?;
        opening::check_format(&database, place)
    });
    match found {
        Ok(Err(error @ OpenError::TooNew(_))) => Err(error),
        Ok(_) | Err(_) => Ok(()),
    }
}

/// What the database itself tells of its frames.
#[derive(Debug, Clone, Copy)]
struct Known {
    extent: Extent,
    /// Its last owner closed it: nothing that came after was taken back.
    closed: bool,
}

/// What the database tells of its frames, if it can be opened to be looked at.
fn look_at_extent(directory: &Directory, file: &File) -> io::Result<Option<Known>> {
    let closed = !was_left_open(file)?;
    let found = fault::guarded(|| opening::find_extent(&directory.open_to_look(&redb::Builder::new())?));
    Ok(found.ok().flatten().map(|extent| Known { extent, closed }))
}

/// Which frames from `end` on were there. `found` is behind the last one that certainly was.
fn judge(remains: &Remains, known: Option<Known>, found: Option<Sequence>, end: Sequence) -> Lost {
    let known = known.filter(|Known { extent, .. }| remains.has_room(extent.first, extent.end));
    if let Some(found) = known.map(|known| known.extent.end).max(found).filter(|found| *found > end) {
        return Lost::Through(found.previous());
    }
    let traces = remains.traces(end);
    match known {
        Some(Known { closed: true, .. }) => Lost::Nothing,
        // Of a commit that a crash tore as of one that rotted, this is what is left.
        Some(_) => traces.map(|_| Lost::Unknown).next().unwrap_or(Lost::Nothing),
        None => {
            let behind = traces.map(|trace| if trace.of_frame { trace.number.next() } else { trace.number });
            let behind = behind.max().filter(|behind| *behind > end);
            behind.map_or(Lost::Unknown, |behind| Lost::Through(behind.previous()))
        }
    }
}

fn restore(file: File, known: Option<Known>, config: &Config, place: &str) -> Result<(Replay, Salvaged), OpenError> {
    let unread = |error: io::Error| refuse(place, error);
    let remains = Remains::find(file).map_err(unread)?;
    if remains.is_empty() && known.is_none() {
        return Err(refuse(place, "it holds no journal that can be read"));
    }
    newer::refuse(&remains, place)?;
    let mut damaged = Vec::new();
    let mut begin = None;
    for at in remains.snapshots().rev() {
        let mut read = |part| {
            let found = remains.part(at, part).map(|mut found| found.pop());
            found.map_err(|error| ReadError::Io { place: place.into(), cause: std::format!("{error}") })
        };
        match load_parts(at, config, &mut read) {
            Ok(loaded) => {
                begin = Some(loaded);
                break;
            }
            Err(error) => damaged.push((at, std::format!("{error}"))),
        }
    }
    let snapshot = begin.as_ref().map(|(_, position)| position.next);
    let (mut replay, mut position) = match begin {
        Some(begin) => begin,
        None => {
            let replay = Replay::new(config.clone()).map_err(|error| Corrupt::new("the configuration", error))?;
            (replay, Position::START)
        }
    };
    let first = position.next;
    let problem = loop {
        if let Err(problem) = go_on(&remains, &mut replay, &mut position).map_err(unread)? {
            break problem;
        }
    };
    let end = position.next;
    let stranded: Vec<_> = remains.frames().filter(|frame| *frame >= end).collect();
    let found = stranded.last().map(|last| last.next()).max(remains.snapshots().next_back());
    let lost = judge(&remains, known, found, end);
    let frames = end.number() - first.number();
    let records = inspect::records(&replay);
    Ok((replay, Salvaged { records, snapshot, frames, end, problem, lost, stranded, damaged }))
}

/// Applies the next frame. Of several that follow, the one of the latest epoch: the others were
/// taken back before it was written.
fn go_on(remains: &Remains, replay: &mut Replay, position: &mut Position) -> io::Result<Result<(), String>> {
    let found = remains.frame(position.next)?;
    let follows = |bytes: &Vec<u8>| {
        let header = frame::decode(bytes).ok()?.header;
        let fits = header.previous == position.previous && header.sequence == position.next;
        fits.then_some(header.epoch)
    };
    let Some(bytes) = found.iter().filter(|bytes| follows(bytes).is_some()).max_by_key(|bytes| follows(bytes)) else {
        let problem =
            if found.is_empty() { "no whole copy of it is left" } else { "it does not follow the frame before" };
        return Ok(Err(problem.into()));
    };
    let sequence = position.next;
    Ok(apply(replay, position, sequence, bytes).map_err(|error| std::format!("{error}")))
}
