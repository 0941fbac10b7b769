//! Salvage: a new journal of everything that a damaged one still proves.

use core::fmt::Display;
use std::io;
use std::string::String;
use std::sync::Arc;
use std::vec::Vec;

use super::super::error::{Corrupt, MaintainError, OpenError, ReadError, TooNew};
use super::super::frame::{self, FrameError};
use super::super::inspect;
use super::super::loading::{load_parts, place as place_of_part};
use super::super::pages::apply;
use super::super::position::FramePosition;
use super::super::records;
use super::super::sequence::Sequence;
use super::super::snapshot::begin_with;
use super::super::store::Owner;
use super::super::wire::{self, WireError};
use super::copying::UnfinishedCopy;
use super::handle::DiskJournal;
use super::opening::refused;
use super::remains::Remains;
use super::volume::Volume;
use super::{DiskStore, marker, unclaimed_as};
use crate::engine::{Config, Status, facts::Replay};

/// The result of a salvage: what was saved, and what was not.
#[derive(Debug)]
#[non_exhaustive]
pub struct Salvaged {
    /// The number of records of each status.
    pub records: Vec<(Status, u64)>,
    /// The snapshot with which they begin: of everything before this frame.
    pub snapshot: Option<Sequence>,
    /// The number of frames that were applied to that.
    pub frames: u64,
    /// The first frame that was not saved.
    pub end: Sequence,
    /// The reason why that frame was not saved.
    pub problem: String,
    /// The frames that were in the journal and were not saved.
    pub lost: LostFrames,
    /// Later frames of which something is left, and to which no link leads any more.
    pub stranded: Vec<Sequence>,
    /// Damaged snapshots, with their damage.
    pub damaged: Vec<(Sequence, String)>,
}

/// The frames that were in a journal and are not among what was saved of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum LostFrames {
    /// None that left a trace.
    Nothing,
    /// Perhaps some: too much is damaged to be sure.
    Unknown,
    /// The frames up to this one, and perhaps later ones.
    Through(Sequence),
}

impl DiskStore {
    /// Writes what this journal still proves into `to`, a new one: the newest sound snapshot, or nothing, and the frames
    /// that follow, up to the first that is damaged. This one is not changed, and the new one is in its directory only
    /// when it is whole.
    ///
    /// # Errors
    ///
    /// [`MaintainError`] when there is no journal, or nothing that can be read as one, or another process has it; when
    /// a newer program wrote any of it; or when `to` cannot be written, or is not new. Then no journal is made.
    pub fn salvage(&self, to: &Self, owner: &Owner, config: &Config) -> Result<Salvaged, MaintainError> {
        let (place, directory) = (self.place(), self.directory()?);
        let target = to.directory()?;
        // Shared: the owner must be gone, and other readers may stay.
        let _claim = directory.claim_to_read().map_err(|unclaimed| unclaimed_as(unclaimed, &place))?;
        let names = directory.names().map_err(|error| refused(&place, &error))?;
        match marker::is_set(directory, &place, &names) {
            // A damaged marker shows nothing.
            Ok(_) | Err(OpenError::Corrupt(_)) => {}
            Err(error) => return Err(error.into()),
        }
        let (replay, salvaged) = restore(directory, config, &place)?;
        let mut copying = UnfinishedCopy::begin(target, owner)?;
        let (volume, at) = (Arc::new(target.clone()), target.place());
        let claim = copying.take_claim().ok_or_else(|| refused(&at, &io::ErrorKind::NotFound.into()))?;
        let mut journal = DiskJournal::open(volume, &at, claim, None, to.bounds)?;
        begin_with(replay, &mut journal)?;
        drop(journal);
        copying.finish()?;
        Ok(salvaged)
    }
}

fn refuse(place: &str, cause: impl Display) -> OpenError {
    OpenError::Io { place: place.into(), cause: std::format!("{cause}") }
}

fn restore(volume: &dyn Volume, config: &Config, place: &str) -> Result<(Replay, Salvaged), OpenError> {
    let unread = |error: io::Error| refuse(place, error);
    let remains = Remains::find(volume).map_err(unread)?;
    if remains.is_empty() {
        return Err(refuse(place, "it holds no journal that can be read"));
    }
    // Before anything is decided: what this program does not know must not count as damage.
    refuse_newer(&remains, place)?;
    let mut damaged = Vec::new();
    let begin = newest_sound(&remains, config, place, &mut damaged)?;
    let snapshot = begin.as_ref().map(|(_, position)| position.next);
    let (mut replay, mut position) = match begin {
        Some(begin) => begin,
        None => {
            let replay = Replay::new(config.clone()).map_err(|error| Corrupt::new("the configuration", error))?;
            (replay, FramePosition::START)
        }
    };
    let first = position.next;
    // Until the first frame that is missing or damaged: those after it may depend on it.
    let problem = loop {
        if let Err(problem) = apply_next(&remains, &mut replay, &mut position).map_err(unread)? {
            break problem;
        }
    };
    let end = position.next;
    let stranded: Vec<_> = remains.frames().filter(|frame| *frame >= end).collect();
    let lost = judge(&remains, end);
    let frames = end.number() - first.number();
    let records = inspect::records(&replay);
    Ok((replay, Salvaged { records, snapshot, frames, end, problem, lost, stranded, damaged }))
}

/// Returns which frames from `end` on were there.
fn judge(remains: &Remains, end: Sequence) -> LostFrames {
    match remains.behind().filter(|behind| *behind > end) {
        Some(behind) => LostFrames::Through(behind.previous()),
        None if remains.is_unsure => LostFrames::Unknown,
        None => LostFrames::Nothing,
    }
}

/// Returns the newest snapshot that is sound. The damage of newer ones is added to `damaged`.
fn newest_sound(
    remains: &Remains,
    config: &Config,
    place: &str,
    damaged: &mut Vec<(Sequence, String)>,
) -> Result<Option<(Replay, FramePosition)>, OpenError> {
    for at in remains.snapshots().into_iter().rev() {
        let mut read = |part| {
            // Copies of a part are equal, so any of them will do.
            let found = remains.part(at, part).map(|mut found| found.pop());
            found.map_err(|error| ReadError::Io { place: place.into(), cause: std::format!("{error}") })
        };
        match load_parts(at, config, &mut read) {
            Ok(loaded) => return Ok(Some(loaded)),
            Err(error) => damaged.push((at, std::format!("{error}"))),
        }
    }
    Ok(None)
}

/// Applies the next frame. Of several that follow, the one of the latest epoch.
fn apply_next(remains: &Remains, replay: &mut Replay, position: &mut FramePosition) -> io::Result<Result<(), String>> {
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

/// Refuses contents that a newer program wrote: they are no damage, and nothing is salvaged without that program.
fn refuse_newer(remains: &Remains, place: &str) -> Result<(), OpenError> {
    let unread = |error: io::Error| refuse(place, error);
    for sequence in remains.frames() {
        for bytes in remains.frame(sequence).map_err(unread)? {
            check(&bytes, &format_args!("{place}, frame {sequence}"), |_, body| wire::check(body))?;
        }
    }
    for (at, part) in remains.parts() {
        for bytes in remains.part(at, part).map_err(unread)? {
            let place = format_args!("{place}, {}", place_of_part(at, part));
            // Only the first part of a snapshot of format 1 has a summary in front.
            check(&bytes, &place, |version, body| records::check(body, part == 0 && version == frame::VERSION))?;
        }
    }
    Ok(())
}

fn check(
    bytes: &[u8],
    at: &dyn Display,
    body_is_known: impl FnOnce(u16, &[u8]) -> Result<(), WireError>,
) -> Result<(), OpenError> {
    match frame::decode(bytes) {
        Ok(read) => body_is_known(read.version, read.body).map_err(|error| TooNew::new(at, error).into()),
        Err(FrameError::TooNew { found }) => Err(TooNew::format(at, found.into(), frame::SNAPSHOT_VERSION).into()),
        // Damage is no sign of a newer program.
        Err(FrameError::Short { .. } | FrameError::Long { .. } | FrameError::Checksum) => Ok(()),
    }
}
