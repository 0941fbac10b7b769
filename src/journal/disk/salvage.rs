//! Everything that a damaged journal still proves, as a new journal.

use core::fmt::Display;
use std::fs::File;
use std::io;
use std::string::String;
use std::vec::Vec;

use super::super::error::{Corrupt, OpenError, ReadError};
use super::super::frame;
use super::super::inspect;
use super::super::loading::load_parts;
use super::super::log::Position;
use super::super::recovery::apply;
use super::super::sequence::Sequence;
use super::super::snapshot::{MaintainError, begin_with};
use super::super::store::{Extent, JournalStore as _, Owner};
use super::remains::Remains;
use super::{DiskStore, Medium};
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
    /// Later frames of which something is left, which nothing leads to any more.
    pub stranded: Vec<Sequence>,
    /// Snapshots that are damaged, and how.
    pub damaged: Vec<(Sequence, String)>,
}

impl DiskStore {
    /// Writes what this journal still proves into `to`, a new one: the newest sound snapshot, or
    /// nothing, and the frames that follow, up to the first that is damaged. This one is not changed.
    ///
    /// # Errors
    ///
    /// [`MaintainError`] when there is no journal, or somebody has it; or when `to` cannot be written,
    /// or is not new.
    pub fn salvage(&self, to: &mut Self, owner: &Owner, config: &Config) -> Result<Salvaged, MaintainError> {
        let Medium::Directory(directory) = &self.medium else {
            return Err(refuse(&self.place(), "only a directory can be salvaged").into());
        };
        let place = self.place();
        let file = directory.look().map_err(|error| refuse(&place, error))?;
        if file.try_lock_shared().is_err() {
            return Err(OpenError::InUse { owner: directory.owner() }.into());
        }
        let (replay, salvaged) = restore(file, config, &place)?;
        let mut journal = to.open(owner)?;
        let fresh = Extent { first: Sequence::FIRST, end: Sequence::FIRST };
        if journal.extent() != fresh || !journal.snapshots()?.is_empty() {
            return Err(refuse(&to.place(), "it holds a journal already").into());
        }
        begin_with(replay, &mut *journal)?;
        Ok(salvaged)
    }
}

fn refuse(place: &str, cause: impl Display) -> OpenError {
    OpenError::Io { place: place.into(), cause: std::format!("{cause}") }
}

fn restore(file: File, config: &Config, place: &str) -> Result<(Replay, Salvaged), OpenError> {
    let unread = |error: io::Error| refuse(place, error);
    let remains = Remains::find(file).map_err(unread)?;
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
    let stranded = remains.frames().filter(|frame| *frame >= end).collect();
    let frames = end.number() - first.number();
    let records = inspect::records(&replay);
    Ok((replay, Salvaged { records, snapshot, frames, end, problem, stranded, damaged }))
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
