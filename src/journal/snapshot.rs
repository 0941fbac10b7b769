//! Snapshots: each takes the place of the frames before it.
//!
//! A snapshot is made beside the engine, out of the snapshot before it and the frames since, a small step at a time;
//! `merge` describes the stages. A step reads and writes a part, or a page of frames, and these are bounded by bytes.
//! Frames are trimmed only when what was read back equals what was written, and then only those before the snapshot
//! from which the new one was made, which was read and found sound, so that there is always another way back.
//!
//! A damaged snapshot, whichever step finds it, is passed over for an older one. After an attempt that damage failed
//! the next one waits for twice as many bytes.

use core::mem;
use std::boxed::Box;
use std::thread;
use std::vec::Vec;

use super::due::{SnapshotStage, Snapshots};
use super::error::{Corrupt, MaintainError, OpenError, WriteError};
use super::frame::{self, FrameHash, Header};
use super::loading::SnapshotParts;
use super::log::JournalLog;
use super::merge::{CopyingRecords, GatheringKeys, Replaying, Writing};
use super::parts::{PART_BYTES, admit};
use super::position::FramePosition;
use super::records::{self, Outline};
use super::recovery::first_position;
use super::sequence::Sequence;
use super::store::Journal;
use super::wire;
use crate::engine::{
    Epoch, Gauges, Shard,
    facts::{Change, Fact, Replay, SnapshotSummary},
};

/// The most bytes that a frame without facts takes: on disk its sector, and the first and the last one of a
/// segment that it begins.
const PLACE_BYTES: u64 = 2048;

/// The result of a step of [`JournalLog::maintain`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Maintained {
    /// No snapshot is due.
    Nothing,
    /// There is more to do.
    More,
    /// A snapshot of everything before this frame was made and verified.
    Snapshot(Sequence),
}

/// The result of a step.
#[derive(Debug)]
enum SnapshotStep {
    To(SnapshotStage),
    /// The snapshot of everything before this frame is made and verified.
    Made(Sequence),
}

impl JournalLog {
    /// Takes the next small step towards a snapshot, when one is due. To be called between appends. Before anything is
    /// read, `gauges` says how much space a snapshot of the engine takes.
    ///
    /// # Errors
    ///
    /// [`MaintainError`]; after [`WriteError::Unknown`] and [`WriteError::Fenced`] the log must not be used any more.
    pub fn maintain(&mut self, gauges: &dyn Fn() -> Gauges) -> Result<Maintained, MaintainError> {
        let due = self.snapshots.is_due(&*self.journal);
        // The frames since the last snapshot may be far more than one snapshot is made of. Then several are made.
        // Twice, so that a frame or two more do not cost a second snapshot.
        let limit = self.snapshots.after_bytes.saturating_mul(2);
        self.step(due, limit, &|| about_bytes(&gauges()))
    }

    /// Sets the free space that is kept for outcomes. A snapshot leaves half of it. Where space is short one is made
    /// early, and another one right after it, so that the frames before the first can go.
    pub fn reserve(&mut self, bytes: u64) {
        self.snapshots.reserve = bytes;
    }

    /// Bounds the bytes of a part of a snapshot, besides those of one record: 256 KiB by default.
    pub fn bound_parts(&mut self, bytes: usize) {
        self.snapshots.part_bytes = bytes;
    }

    /// Returns what is wrong with snapshots that were passed over for an older one, since the last call.
    pub fn drain_damaged(&mut self) -> Vec<Corrupt> {
        mem::take(&mut self.snapshots.damaged)
    }

    /// Makes a snapshot of everything that was appended, whether one is due or not.
    ///
    /// # Errors
    ///
    /// [`MaintainError`]
    pub fn snapshot(&mut self) -> Result<Sequence, MaintainError> {
        if !matches!(mem::replace(&mut self.snapshots.stage, SnapshotStage::Idle), SnapshotStage::Idle) {
            // A snapshot under way may lack the last frames: this one is to hold everything.
            self.journal.drop_unfinished();
        }
        self.finish_snapshot()
    }

    /// Makes a snapshot of a replay of everything that was appended.
    pub(super) fn snapshot_of(&mut self, replay: Replay) -> Result<Sequence, MaintainError> {
        let writing = Writing::all(replay, self.position, self.snapshots.part_bytes);
        (self.snapshots.stage, self.snapshots.base) = (SnapshotStage::Writing(Box::new(writing)), None);
        self.finish_snapshot()
    }

    fn finish_snapshot(&mut self) -> Result<Sequence, MaintainError> {
        loop {
            if let Maintained::Snapshot(at) = self.step(true, u64::MAX, &|| 0)? {
                return Ok(at);
            }
        }
    }

    fn step(&mut self, due: bool, limit: u64, size: &dyn Fn() -> u64) -> Result<Maintained, MaintainError> {
        // Taken out: after an error it begins again.
        let stage = mem::replace(&mut self.snapshots.stage, SnapshotStage::Idle);
        let next = match stage {
            SnapshotStage::Idle if !due => return Ok(Maintained::Nothing),
            SnapshotStage::Idle => self.start(size()).map(SnapshotStep::To),
            SnapshotStage::Gathering(gathering) => self.gather(gathering, limit).map(SnapshotStep::To),
            SnapshotStage::Copying(copying) => self.copy(copying).map(SnapshotStep::To),
            SnapshotStage::Replaying(replaying) => self.replay(replaying).map(SnapshotStep::To),
            SnapshotStage::Writing(writing) => self.write(writing).map(SnapshotStep::To),
            SnapshotStage::Verifying { parts, written } => self.verify(parts, written),
        };
        match next {
            Ok(SnapshotStep::To(stage)) => {
                self.snapshots.stage = stage;
                Ok(Maintained::More)
            }
            Ok(SnapshotStep::Made(at)) => Ok(Maintained::Snapshot(at)),
            Err(error) => {
                self.snapshots.abandon(&error);
                self.journal.drop_unfinished();
                Err(error)
            }
        }
    }

    /// Begins with the newest snapshot, if there is room for another one. One of everything that was appended is kept
    /// if it is sound.
    fn start(&mut self, size: u64) -> Result<SnapshotStage, MaintainError> {
        (self.snapshots.again, self.snapshots.base, self.snapshots.held) = (false, None, 0);
        // Checked first: a snapshot that cannot fit would cost its reading for nothing.
        admit(size, self.snapshots.reserve, self.journal.room())?;
        let mut older = self.journal.snapshots()?;
        let there = older.pop_if(|at| *at == self.position.next);
        self.snapshots.older = older;
        match there {
            // It holds all that was appended: it is only verified, and made again if it is damaged.
            Some(at) => Ok(SnapshotStage::Verifying { parts: Box::new(SnapshotParts::new(at)), written: None }),
            None => self.go_back(),
        }
    }

    /// Takes the next older snapshot as the base, or none when no frame was trimmed.
    fn go_back(&mut self) -> Result<SnapshotStage, MaintainError> {
        let Some(at) = self.snapshots.older.pop() else {
            return Ok(self.gather_since(None, first_position(&*self.journal).map_err(OpenError::from)?));
        };
        match begin(&mut *self.journal, at) {
            Ok(position) => Ok(self.gather_since(Some(at), position)),
            Err(error) => self.pass_over(error),
        }
    }

    fn gather_since(&mut self, base: Option<Sequence>, position: FramePosition) -> SnapshotStage {
        (self.snapshots.base, self.snapshots.gathered) = (base, self.snapshots.since);
        SnapshotStage::Gathering(Box::new(GatheringKeys::new(base, position, self.position.next)))
    }

    /// Goes back to an older snapshot, if this one is damaged.
    fn pass_over(&mut self, error: MaintainError) -> Result<SnapshotStage, MaintainError> {
        let MaintainError::Open(OpenError::Corrupt(corrupt)) = error else { return Err(error) };
        self.journal.drop_unfinished();
        self.snapshots.note_damaged([corrupt]);
        self.go_back()
    }

    fn gather(&mut self, mut gathering: Box<GatheringKeys>, limit: u64) -> Result<SnapshotStage, MaintainError> {
        if !gathering.is_done() && gathering.bytes() < limit {
            gathering.step(&mut *self.journal)?;
            // One page for each step, so that appends come between.
            return Ok(SnapshotStage::Gathering(gathering));
        }
        let Snapshots { config, part_bytes, since, gathered, held, again, .. } = &mut self.snapshots;
        // What was appended meanwhile counts for the next one.
        (*held, *since, *again) = (gathering.bytes(), *since - *gathered, !gathering.is_done());
        Ok(SnapshotStage::Copying(Box::new(gathering.finish(config, *part_bytes)?)))
    }

    fn copy(&mut self, mut copying: Box<CopyingRecords>) -> Result<SnapshotStage, MaintainError> {
        match copying.step(&mut *self.journal, self.snapshots.reserve) {
            Ok(None) => Ok(SnapshotStage::Copying(copying)),
            Ok(Some(summary)) => Ok(SnapshotStage::Replaying(Box::new(copying.finish(&summary)))),
            Err(error) => self.pass_over(error),
        }
    }

    fn replay(&mut self, mut replaying: Box<Replaying>) -> Result<SnapshotStage, MaintainError> {
        match replaying.step(&mut *self.journal)? {
            false => Ok(SnapshotStage::Replaying(replaying)),
            true => Ok(SnapshotStage::Writing(Box::new(replaying.finish()))),
        }
    }

    fn write(&mut self, mut writing: Box<Writing>) -> Result<SnapshotStage, MaintainError> {
        if !writing.step(&mut *self.journal, self.snapshots.reserve)? {
            return Ok(SnapshotStage::Writing(writing));
        }
        let FramePosition { next, previous, .. } = writing.out().position();
        let parts = Box::new(SnapshotParts::after(next, previous));
        let written = Some(writing.out().link());
        // The next step needs none of the records.
        discard(writing);
        Ok(SnapshotStage::Verifying { parts, written })
    }

    /// Reads one part back.
    fn verify(
        &mut self,
        mut parts: Box<SnapshotParts>,
        written: Option<FrameHash>,
    ) -> Result<SnapshotStep, MaintainError> {
        match read_back(&mut *self.journal, &mut parts, written) {
            Ok(false) => Ok(SnapshotStep::To(SnapshotStage::Verifying { parts, written })),
            Ok(true) => self.finish(parts.at()).map(|()| SnapshotStep::Made(parts.at())),
            // Of an earlier opening: an older snapshot may be sound. When this opening cannot read back what it has
            // just written, an older one would not help.
            Err(error) if written.is_none() => self.pass_over(error.into()).map(SnapshotStep::To),
            Err(error) => Err(error.into()),
        }
    }

    /// Trims what neither the new snapshot nor the one that it was made from needs. Where that leaves space short, a
    /// frame without facts is appended, so that there can be another snapshot behind the new one.
    fn finish(&mut self, at: Sequence) -> Result<(), MaintainError> {
        self.snapshots.failures = 0;
        if let Some(base) = self.snapshots.base.take().filter(|base| *base < at) {
            // Only what is before the base: if the new snapshot rots, the base and the frames since are another way
            // back.
            self.journal.trim(base)?;
        }
        let Snapshots { reserve, held, .. } = self.snapshots;
        let room = self.journal.room();
        // Another snapshot right after this one lets the frames before it go, if there were enough of them.
        let is_of_use = held >= self.snapshots.worth() && self.snapshots.is_short(room);
        if is_of_use && admit(PLACE_BYTES, reserve, room).is_ok() {
            self.append(&[])?;
            self.snapshots.again = true;
        }
        Ok(())
    }
}

/// Drops the records that were written, beside the caller if they are many: a million take 0.2 s, in which nothing
/// would be appended.
fn discard(writing: Box<Writing>) {
    const MANY: usize = 10_000;
    if writing.records() >= MANY {
        // Without a thread they are dropped here.
        let _ = thread::Builder::new().name("eventful-discard".into()).spawn(move || drop(writing));
    }
}

/// Returns the position of the first frame after a snapshot.
fn begin(journal: &mut dyn Journal, at: Sequence) -> Result<FramePosition, MaintainError> {
    let mut parts = SnapshotParts::new(at);
    let Some(bytes) = journal.snapshot(at, 0)? else { return Err(OpenError::from(parts.missing()).into()) };
    parts.next(&bytes)?;
    Ok(parts.position())
}

/// Reads the next part back. Returns whether there was none and all is well.
fn read_back(
    journal: &mut dyn Journal,
    parts: &mut SnapshotParts,
    written: Option<FrameHash>,
) -> Result<bool, OpenError> {
    let Some(bytes) = journal.snapshot(parts.at(), parts.part())? else {
        parts.finish()?;
        // The last link proves that no part was replaced by one of an earlier try.
        let is_whole = written.is_none_or(|written| parts.link() == Some(written));
        return if is_whole { Ok(true) } else { Err(parts.missing().into()) };
    };
    let mut items = parts.next(&bytes)?;
    while !items.is_empty() {
        let (outline, rest) = records::outline(items).map_err(|error| parts.unknown(&error))?;
        match outline {
            Outline::Record(_) => parts.count()?,
            Outline::Downtime(_) | Outline::PausedGroup(_) | Outline::Schedule(..) => {}
            Outline::Summary(summary) => parts.end(summary)?,
        }
        items = rest;
    }
    Ok(false)
}

/// Estimates the bytes that the snapshot of an engine takes.
fn about_bytes(gauges: &Gauges) -> u64 {
    /// Bytes of a record, besides its payload: an estimate, which may be too large and must not be too small, for it
    /// decides whether there is room.
    const RECORD_BYTES: u64 = 128;
    gauges.bytes.saturating_add(RECORD_BYTES * gauges.records_total())
}

/// Begins a new journal with the state of a replay: a first frame that raises the epoch, and the snapshot that holds
/// it and everything before. The snapshot comes first, so that the journal is never taken for an empty one.
pub(super) fn begin_with(mut replay: Replay, journal: &mut dyn Journal) -> Result<(), MaintainError> {
    let SnapshotSummary { epoch, last, .. } = replay.summary();
    let epoch = Epoch::new(epoch.number().saturating_add(1));
    let opening = Fact { at: last, change: Change::Epoch(epoch) };
    replay.apply(&opening).map_err(|error| OpenError::from(Corrupt::new("the first frame", error)))?;
    let mut bytes = Vec::new();
    let header = Header { shard: Shard::default(), epoch, sequence: Sequence::FIRST, previous: FrameHash::NONE };
    let previous = frame::encode_with(frame::VERSION, &header, &mut bytes, |out| wire::encode(&opening, out))
        .map_err(WriteError::from)?;
    let next = Sequence::FIRST.next();
    let mut writing = Writing::all(replay, FramePosition { next, previous, epoch }, PART_BYTES);
    while !writing.step(journal, 0)? {}
    journal.append(Sequence::FIRST, &bytes)?;
    Ok(journal.trim(next)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Command, Config, Engine, Event, Output, Timestamp};

    #[test]
    fn snapshot_is_taken_for_larger_with_each_record_and_byte() {
        let mut out = Output::new();
        let mut engine = Engine::new(Config::default(), Timestamp::EPOCH, &mut out).expect("the default is valid");
        for number in 0..10 {
            let event = Event::with_id(&std::format!("{number}"), "").expect("an event");
            engine.execute(Timestamp::EPOCH, Command::Submit(event), &mut out);
        }
        let gauges = engine.gauges();
        assert_eq!(about_bytes(&gauges), 10 * 128 + gauges.bytes);
    }
}
