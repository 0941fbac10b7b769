//! The loading of a snapshot, part by part.

use core::fmt::Display;
use std::vec::Vec;

use super::error::{Corrupt, OpenError, ReadError, TooNew};
use super::frame::{self, FrameError, FrameHash};
use super::position::FramePosition;
use super::records::{self, SnapshotItem};
use super::sequence::Sequence;
use super::store::Journal;
use super::summary::{self, CountedSummary};
use super::wire::WireError;
use crate::engine::{
    Config,
    facts::{Replay, SnapshotLoader, SnapshotSummary},
};

/// The parts of a snapshot, one after the other: checks that each follows the one before, and that together they are
/// the whole of it.
#[derive(Debug)]
pub(super) struct SnapshotParts {
    at: Sequence,
    /// The number of the next part.
    part: u32,
    /// The link of the last part.
    link: Option<FrameHash>,
    position: FramePosition,
    /// The summary, once it was read. Nothing but the end may follow one of format 2.
    summary: Option<CountedSummary>,
    is_first_format: bool,
    /// The number of records so far.
    records: u64,
}

impl SnapshotParts {
    /// Creates the reader of the snapshot of everything before this frame.
    pub(super) const fn new(at: Sequence) -> Self {
        let position = FramePosition { next: at, ..FramePosition::START };
        Self { at, part: 0, link: None, position, summary: None, is_first_format: false, records: 0 }
    }

    /// Creates the same reader for a snapshot whose first part must follow this link.
    pub(super) fn after(at: Sequence, link: FrameHash) -> Self {
        Self { link: Some(link), ..Self::new(at) }
    }

    /// Returns the number of the frame after the snapshot.
    pub(super) const fn at(&self) -> Sequence {
        self.at
    }

    /// Returns the number of the part to read next.
    pub(super) const fn part(&self) -> u32 {
        self.part
    }

    /// Returns the link of the last part.
    pub(super) const fn link(&self) -> Option<FrameHash> {
        self.link
    }

    /// Returns the position of the frame after the snapshot, once one part was read.
    pub(super) const fn position(&self) -> FramePosition {
        self.position
    }

    /// Takes in the next part, and returns its items.
    pub(super) fn next<'a>(&mut self, bytes: &'a [u8]) -> Result<&'a [u8], OpenError> {
        let read = check(bytes, self.at, self.part, self.link)?;
        let mut body = read.body;
        if self.part == 0 {
            // Its link is not that of a part but of the frame before `at`, from which the frames continue.
            (self.position.previous, self.position.epoch) = (read.header.previous, read.header.epoch);
            self.is_first_format = read.version == frame::VERSION;
        }
        if self.part == 0 && self.is_first_format {
            let (summary, rest) = summary::decode_first_summary(body).map_err(|error| self.unknown(&error))?;
            (self.summary, body) = (Some(summary), rest);
        }
        (self.link, self.part) = (Some(read.link), self.part + 1);
        Ok(body)
    }

    /// Counts a record of the last part.
    pub(super) fn count(&mut self) -> Result<(), OpenError> {
        self.records += 1;
        // In format 1 the summary comes first and says how many records follow; in format 2 it is the last item.
        let ends_before = self.summary.is_some_and(|(_, records)| !self.is_first_format || self.records > records);
        if ends_before { Err(self.damaged(&"it holds more records than it says").into()) } else { Ok(()) }
    }

    /// Takes in the summary in the last part.
    pub(super) fn end(&mut self, summary: CountedSummary) -> Result<(), OpenError> {
        match self.summary.replace(summary) {
            Some(_) => Err(self.damaged(&"it has two summaries").into()),
            None => Ok(()),
        }
    }

    /// Returns the summary, once there are no more parts.
    pub(super) fn finish(&self) -> Result<SnapshotSummary, OpenError> {
        // With fewer records than it says, parts are missing at the end.
        let whole = self.summary.filter(|(_, records)| *records == self.records);
        let (summary, _) = whole.ok_or_else(|| self.missing())?;
        Ok(summary)
    }

    /// Returns the damage that the next part is missing.
    pub(super) fn missing(&self) -> Corrupt {
        Corrupt::new(place(self.at, self.part), "it is missing")
    }

    /// Returns damage of the last part.
    pub(super) fn damaged(&self, problem: &dyn Display) -> Corrupt {
        Corrupt::new(self.last(), problem)
    }

    /// Returns the error for contents of the last part that are unknown here.
    pub(super) fn unknown(&self, error: &WireError) -> OpenError {
        TooNew::new(self.last(), error).into()
    }

    fn last(&self) -> impl Display {
        // The part at hand was counted when it was read.
        place(self.at, self.part.saturating_sub(1))
    }
}

/// A snapshot that is being read into a replay.
#[derive(Debug)]
pub(super) struct Loading {
    parts: SnapshotParts,
    loader: SnapshotLoader,
}

impl Loading {
    /// Creates the loader of the snapshot of everything before this frame.
    pub(super) fn new(at: Sequence, config: &Config) -> Result<Self, OpenError> {
        let loader = SnapshotLoader::new(config.clone()).map_err(|error| Corrupt::new("the configuration", error))?;
        Ok(Self { parts: SnapshotParts::new(at), loader })
    }

    /// Takes in the next part.
    fn put(&mut self, bytes: &[u8]) -> Result<(), OpenError> {
        let Self { parts, loader } = self;
        let (at, part) = (parts.at, parts.part);
        decode_part(parts, bytes, &mut |item| restore(loader, item, at, part))
    }

    /// Returns the replay, once there are no more parts.
    fn finish(self) -> Result<(Replay, FramePosition), OpenError> {
        let Self { parts, loader } = self;
        let replay = loader.finish(&parts.finish()?).map_err(|error| parts.damaged(&error))?;
        Ok((replay, parts.position))
    }
}

/// Passes each item of the next part to `visit`.
pub(super) fn decode_part(
    parts: &mut SnapshotParts,
    bytes: &[u8],
    visit: &mut dyn FnMut(SnapshotItem) -> Result<(), OpenError>,
) -> Result<(), OpenError> {
    let mut body = parts.next(bytes)?;
    while !body.is_empty() {
        let (item, rest) = records::decode(body).map_err(|error| parts.unknown(&error))?;
        match &item {
            SnapshotItem::Record(_) => parts.count()?,
            SnapshotItem::Downtime(_) | SnapshotItem::PausedGroup(_) | SnapshotItem::Schedule(..) => {}
            SnapshotItem::Summary(summary) => parts.end(*summary)?,
        }
        visit(item)?;
        body = rest;
    }
    Ok(())
}

/// Restores an item of this part.
pub(super) fn restore(
    loader: &mut SnapshotLoader,
    item: SnapshotItem,
    at: Sequence,
    part: u32,
) -> Result<(), OpenError> {
    match item {
        SnapshotItem::Record(kept) => Ok(loader.put(kept).map_err(|error| Corrupt::new(place(at, part), error))?),
        SnapshotItem::Downtime(downtime) => {
            loader.put_downtime(downtime);
            Ok(())
        }
        SnapshotItem::PausedGroup(group) => {
            loader.put_paused_group(group);
            Ok(())
        }
        SnapshotItem::Schedule(schedule, cursor) => {
            loader.put_schedule(schedule, cursor);
            Ok(())
        }
        // It was taken when the part was decoded.
        SnapshotItem::Summary(_) => Ok(()),
    }
}

/// Loads a snapshot.
pub(super) fn load(
    journal: &mut dyn Journal,
    at: Sequence,
    config: &Config,
) -> Result<(Replay, FramePosition), OpenError> {
    load_parts(at, config, &mut |part| journal.snapshot(at, part))
}

/// Loads a snapshot, part by part.
pub(super) fn load_parts(
    at: Sequence,
    config: &Config,
    read: &mut dyn FnMut(u32) -> Result<Option<Vec<u8>>, ReadError>,
) -> Result<(Replay, FramePosition), OpenError> {
    let mut loading = Loading::new(at, config)?;
    while let Some(bytes) = read(loading.parts.part)? {
        loading.put(&bytes)?;
    }
    loading.finish()
}

/// Returns the frame of a part, if it follows the part before.
fn check(bytes: &[u8], at: Sequence, part: u32, before: Option<FrameHash>) -> Result<frame::Frame<'_>, OpenError> {
    let read = frame::decode(bytes).map_err(|error| refused(place(at, part), error))?;
    if before.is_some_and(|before| before != read.header.previous) || read.header.sequence != at {
        return Err(Corrupt::new(place(at, part), "it does not follow the part before").into());
    }
    Ok(read)
}

/// Returns why a frame or part that cannot be read prevents an opening.
pub(super) fn refused(at: impl Display, error: FrameError) -> OpenError {
    match error {
        FrameError::TooNew { found } => TooNew::format(at, found.into(), frame::SNAPSHOT_VERSION).into(),
        FrameError::Short { .. } | FrameError::Long { .. } | FrameError::Checksum => Corrupt::new(at, error).into(),
    }
}

/// Describes a part in words.
pub(super) fn place(at: Sequence, part: u32) -> impl Display {
    std::format!("part {part} of the snapshot before frame {at}")
}
