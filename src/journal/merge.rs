//! The next snapshot, out of the one before it and the frames since.
//!
//! ```text
//! gather   which keys the frames change
//! copy     the records of the snapshot before: as they are, but those with such a key are loaded
//! replay   the frames, on what was loaded
//! write    what came of it, the downtimes, and the summary
//! ```
//!
//! So the memory that this takes is that of the records that the frames change, however many others
//! there are. Tombstones stay in the order in which they expire: one that a frame changes is forgotten by
//! it, and one that a frame makes ended after all that are copied.

use std::boxed::Box;
use std::collections::BTreeSet;
use std::vec::Vec;

use super::error::{Corrupt, MaintainError, OpenError, TooNew};
use super::loading::SnapshotParts;
use super::pages::{apply_facts, read_page};
use super::parts::PartWriter;
use super::position::FramePosition;
use super::records::{self, Outline, SnapshotItem};
use super::sequence::Sequence;
use super::store::Journal;
use super::wire;
use super::wire_event::KeyHash;
use crate::engine::{
    Config, Cursor, Status, Timestamp,
    facts::{Replay, SnapshotLoader, SnapshotSummary},
};

/// The stage in which the keys that frames change are gathered.
#[derive(Debug)]
pub(super) struct GatheringKeys {
    /// The snapshot before; none when no frame was trimmed.
    base: Option<Sequence>,
    begin: FramePosition,
    /// The position after the last frame that was read.
    position: FramePosition,
    until: Sequence,
    keys: BTreeSet<KeyHash>,
    bytes: u64,
}

impl GatheringKeys {
    /// Creates the stage for the frames from here on.
    pub(super) fn new(base: Option<Sequence>, begin: FramePosition, until: Sequence) -> Self {
        Self { base, begin, position: begin, until, keys: BTreeSet::new(), bytes: 0 }
    }

    /// Returns the bytes of the frames so far.
    pub(super) const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Returns whether all frames were read.
    pub(super) fn is_done(&self) -> bool {
        self.position.next >= self.until
    }

    /// Reads the next page of frames.
    pub(super) fn step(&mut self, journal: &mut dyn Journal) -> Result<(), OpenError> {
        let Self { position, until, keys, .. } = self;
        // Only the keys: which records change is all that this pass needs.
        let bytes = read_page(journal, position, *until, &mut |at, body| {
            let gathered = wire::keys(body, &mut |key| {
                keys.insert(key);
            });
            gathered.map_err(|error| TooNew::new(format_args!("frame {at}"), error).into())
        })?;
        self.bytes += bytes as u64;
        Ok(())
    }

    /// Continues with the frames that were read.
    pub(super) fn finish(self, config: &Config, part_bytes: usize) -> Result<CopyingRecords, OpenError> {
        let Self { base, begin, position, keys, .. } = self;
        let loader = SnapshotLoader::new(config.clone()).map_err(|error| Corrupt::new("the configuration", error))?;
        let source = base.map(PreviousSnapshot::new);
        let out = PartWriter::new(position, part_bytes);
        Ok(CopyingRecords {
            source,
            begin,
            until: position,
            keys,
            loader,
            out,
            copied: RecordTally::default(),
            ended: None,
        })
    }
}

/// The number of records, and of those that are processing.
#[derive(Debug, Clone, Copy, Default)]
struct RecordTally {
    records: u64,
    processing: u64,
}

impl RecordTally {
    fn count(&mut self, processing: bool) {
        self.records += 1;
        self.processing += u64::from(processing);
    }

    fn check(self, summary: &SnapshotSummary, at: Sequence) -> Result<(), OpenError> {
        match summary.agrees(self.records, self.processing) {
            true => Ok(()),
            false => {
                let place = std::format!("the snapshot before frame {at}");
                Err(Corrupt::new(place, "its records are not as many as its counters say").into())
            }
        }
    }
}

/// The stage in which the records of the snapshot before are copied, or loaded.
#[derive(Debug)]
pub(super) struct CopyingRecords {
    /// The snapshot before, if there is one.
    source: Option<PreviousSnapshot>,
    begin: FramePosition,
    until: FramePosition,
    keys: BTreeSet<KeyHash>,
    loader: SnapshotLoader,
    out: PartWriter,
    copied: RecordTally,
    /// The time at which the first of the copied records ended.
    ended: Option<Timestamp>,
}

/// The snapshot before, as far as it is read.
#[derive(Debug)]
struct PreviousSnapshot {
    parts: SnapshotParts,
    /// The last part that was read, and the place of the next item in it.
    part: Vec<u8>,
    offset: usize,
    all: RecordTally,
}

impl PreviousSnapshot {
    fn new(at: Sequence) -> Self {
        Self { parts: SnapshotParts::new(at), part: Vec::new(), offset: 0, all: RecordTally::default() }
    }

    /// Reads the next part, if there is one.
    fn read(&mut self, journal: &mut dyn Journal) -> Result<bool, OpenError> {
        let Some(bytes) = journal.snapshot(self.parts.at(), self.parts.part())? else { return Ok(false) };
        let items = self.parts.next(&bytes)?.len();
        (self.offset, self.part) = (bytes.len() - items, bytes);
        Ok(true)
    }

    fn summary(&self) -> Result<SnapshotSummary, OpenError> {
        let summary = self.parts.finish()?;
        self.all.check(&summary, self.parts.at())?;
        Ok(summary)
    }
}

impl CopyingRecords {
    /// Reads or copies a part at most. Returns the summary of the snapshot before once all is done.
    pub(super) fn step(
        &mut self,
        journal: &mut dyn Journal,
        reserve: u64,
    ) -> Result<Option<SnapshotSummary>, MaintainError> {
        // Without a snapshot there is nothing to copy, and every record comes from the frames.
        let Some(source) = &mut self.source else { return Ok(Some(SnapshotSummary::default())) };
        if source.offset == source.part.len() && !source.read(journal)? {
            return Ok(Some(source.summary()?));
        }
        while source.offset < source.part.len() && !self.out.is_full() {
            let item = &source.part[source.offset..];
            let (outline, rest) = records::outline(item).map_err(|error| source.parts.unknown(&error))?;
            // The bytes of this one item: they are copied as they are, without being decoded.
            let (item, _) = item.split_at(item.len() - rest.len());
            match outline {
                Outline::Summary(summary) => source.parts.end(summary)?,
                Outline::Downtime(downtime) => self.loader.put_downtime(downtime),
                Outline::PausedGroup(group) => self.loader.put_paused_group(group),
                Outline::Schedule(schedule, cursor) => self.loader.put_schedule(schedule, cursor),
                Outline::Record(record) => {
                    source.parts.count()?;
                    source.all.count(record.processing);
                    // A record that a frame changes is decoded, so that the frame can be replayed on it.
                    if self.keys.contains(&record.key) {
                        load(item, &source.parts, &mut self.loader)?;
                    } else {
                        self.out.add(item);
                        self.copied.count(record.processing);
                        // Replay must know when the oldest copied record ended, for the downtimes that it has
                        // outlived.
                        self.ended = self.ended.into_iter().chain(record.ended).min();
                    }
                }
            }
            source.offset += item.len();
        }
        if self.out.is_full() {
            self.out.put(journal, reserve, false)?;
        }
        Ok(None)
    }

    /// Continues with what was loaded.
    pub(super) fn finish(self, summary: &SnapshotSummary) -> Replaying {
        let Self { begin, until, loader, out, copied, ended, .. } = self;
        let replay = Box::new(loader.finish_part(summary, ended));
        Replaying { replay, position: begin, until, out, copied }
    }
}

fn load(item: &[u8], parts: &SnapshotParts, loader: &mut SnapshotLoader) -> Result<(), OpenError> {
    match records::decode(item).map_err(|error| parts.unknown(&error))? {
        (SnapshotItem::Record(kept), _) => Ok(loader.put(kept).map_err(|error| parts.damaged(&error))?),
        // Only records are loaded; the other items were handled by the caller.
        (
            SnapshotItem::Downtime(_)
            | SnapshotItem::PausedGroup(_)
            | SnapshotItem::Schedule(..)
            | SnapshotItem::Summary(_),
            _,
        ) => Ok(()),
    }
}

/// The stage in which frames are replayed on the records that they change.
#[derive(Debug)]
pub(super) struct Replaying {
    replay: Box<Replay>,
    position: FramePosition,
    until: FramePosition,
    out: PartWriter,
    copied: RecordTally,
}

impl Replaying {
    /// Replays a page of frames. Returns whether these were the last.
    pub(super) fn step(&mut self, journal: &mut dyn Journal) -> Result<bool, OpenError> {
        let Self { replay, position, until, .. } = self;
        if position.next < until.next {
            read_page(journal, position, until.next, &mut |at, body| apply_facts(replay, at, body))?;
        }
        Ok(position.next >= until.next)
    }

    /// Continues with the result.
    pub(super) fn finish(self) -> Writing {
        Writing { replay: *self.replay, cursor: Some(Cursor::START), out: self.out, written: self.copied }
    }
}

/// The stage in which the records of a replay are written behind those that were copied.
#[derive(Debug)]
pub(super) struct Writing {
    replay: Replay,
    /// The next record to write; none once all are written.
    cursor: Option<Cursor>,
    out: PartWriter,
    /// The records that were written, including those that were copied.
    written: RecordTally,
}

impl Writing {
    /// Creates the stage for all records of a replay of everything before this position.
    pub(super) fn all(replay: Replay, position: FramePosition, part_bytes: usize) -> Self {
        let (out, written) = (PartWriter::new(position, part_bytes), RecordTally::default());
        Self { replay, cursor: Some(Cursor::START), out, written }
    }

    /// Writes a part. Returns whether it was the last.
    pub(super) fn step(&mut self, journal: &mut dyn Journal, reserve: u64) -> Result<bool, MaintainError> {
        let Self { replay, cursor, out, written } = self;
        // A full part is written first, before more records are added.
        if let Some(after) = *cursor
            && !out.is_full()
        {
            *cursor = replay.visit_kept(after, &mut |kept| {
                written.count(kept.record.status == Status::Processing);
                out.add_with(|body| records::encode(&kept, body));
                !out.is_full()
            });
        }
        let last = cursor.is_none();
        if last {
            let summary = replay.summary();
            // Before the last part: what lacks records must not become a snapshot, as frames are trimmed for it.
            written.check(&summary, out.position().next)?;
            out.add_with(|body| replay.downtimes().for_each(|downtime| records::encode_downtime(downtime, body)));
            out.add_with(|body| replay.paused_groups().for_each(|group| records::encode_paused_group(group, body)));
            out.add_with(|body| {
                replay.schedules().for_each(|(name, cursor)| records::encode_schedule(name, cursor, body));
            });
            out.add_with(|body| records::encode_summary(&summary, written.records, body));
        }
        out.put(journal, reserve, last)?;
        Ok(last)
    }

    /// Returns the number of records in the replay.
    pub(super) fn records(&self) -> usize {
        self.replay.len()
    }

    /// Returns the writer of the parts.
    pub(super) const fn out(&self) -> &PartWriter {
        &self.out
    }
}
