//! Snapshots: what stands for the frames before it.
//!
//! A snapshot is made beside the engine, out of the snapshot before it and the frames since, a small
//! step at a time: load, replay, write, read back. Only when what was read back is what was written
//! are frames trimmed, and then only those before the *previous* snapshot, so that there is always
//! another way back.
//!
//! Each part is a frame whose sequence is the snapshot's and whose link is the part before; the
//! first part's is the link of the frame that the snapshot ends with.

use std::boxed::Box;
use std::vec::Vec;

use super::error::{Corrupt, OpenError, ReadError, WriteError};
use super::frame::{self, Header, Link};
use super::loading::{Loading, check, place};
use super::log::{Log, Position};
use super::records;
use super::recovery::{advance, from_nothing};
use super::sequence::{Sequence, Shard};
use super::store::{Journal, Room};
use super::wire;
use crate::engine::{Change, Config, Cursor, Epoch, Fact, Replay, Summary};

/// Bytes that a part holds, about.
const PART_BYTES: usize = 256 << 10;

/// How making snapshots goes.
#[derive(Debug)]
pub(super) struct Snapshots {
    config: Config,
    /// Bytes of frames that call for a snapshot.
    after_bytes: u64,
    /// Bytes of frames since the last one.
    since: u64,
    /// Room that is not for new events. Below it and a quarter more, room is short.
    reserve: u64,
    /// One is due, however few bytes there were.
    again: bool,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    /// None is being made.
    Idle,
    /// The snapshot before is being read; another one is the way when it is damaged.
    Loading { loading: Box<Loading>, older: Vec<Sequence> },
    /// Frames before `until` are being replayed.
    Replaying { replay: Box<Replay>, position: Position, until: Sequence },
    /// Parts are being written.
    Writing(Box<Writing>),
    /// Parts are being read back: this one is next, and this is the link before it.
    Verifying { at: Sequence, part: u32, link: Link, written: Link },
}

#[derive(Debug)]
struct Writing {
    replay: Replay,
    position: Position,
    part: u32,
    link: Link,
    cursor: Cursor,
    records: u64,
}

/// What came of a step of [`Log::maintain`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Maintained {
    /// There is nothing to do now.
    Nothing,
    /// There is more to do.
    More,
    /// A snapshot of everything before this frame was made and verified.
    Snapshot(Sequence),
}

/// Why a snapshot was not made. Nothing was trimmed; it is tried again later.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MaintainError {
    /// What was read is not what was written.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// It was not written.
    #[error(transparent)]
    Write(#[from] WriteError),
}

impl From<ReadError> for MaintainError {
    fn from(error: ReadError) -> Self {
        Self::Open(error.into())
    }
}

impl Snapshots {
    pub(super) fn new(config: Config, after_bytes: u64) -> Self {
        Self { config, after_bytes, since: 0, reserve: 0, again: false, stage: Stage::Idle }
    }

    /// Whether one is due: after so many bytes, or of few when that makes room that is short. The room
    /// is only asked for when that decides.
    fn is_due(&self, journal: &dyn Journal) -> bool {
        self.again || self.since >= self.after_bytes || (self.since >= self.worth() && self.is_short(journal.room()))
    }

    /// Bytes of frames that are worth a snapshot where room is short. One without facts is not.
    fn worth(&self) -> u64 {
        (self.reserve / 16).min(self.after_bytes).max(frame::HEADER_BYTES as u64 + 1)
    }

    fn is_short(&self, Room(room): Room) -> bool {
        room < self.reserve.saturating_add(self.reserve / 4)
    }

    /// Counts bytes that were appended.
    pub(super) fn note(&mut self, bytes: usize) {
        self.since += bytes as u64;
    }
}

impl Log {
    /// Does the next small step towards a snapshot, when one is due. To be called between appends.
    ///
    /// # Errors
    ///
    /// [`MaintainError`]; after [`WriteError::Unknown`] and [`WriteError::Fenced`] the log is of no
    /// more use.
    pub fn maintain(&mut self) -> Result<Maintained, MaintainError> {
        let due = self.snapshots.is_due(&*self.journal);
        self.step(due)
    }

    /// Says how much room is kept for outcomes. A snapshot leaves half of it. Where room is short one
    /// is made early, and another one right after it, so that the frames before the first can go.
    pub fn reserve(&mut self, bytes: u64) {
        self.snapshots.reserve = bytes;
    }

    /// Makes a snapshot of everything that was appended, whether one is due or not.
    ///
    /// # Errors
    ///
    /// [`MaintainError`]
    pub fn snapshot(&mut self) -> Result<Sequence, MaintainError> {
        self.snapshots.stage = Stage::Idle;
        self.finish_snapshot()
    }

    /// Makes a snapshot of a replay of everything that was appended.
    pub(super) fn snapshot_of(&mut self, replay: Replay) -> Result<Sequence, MaintainError> {
        self.snapshots.stage = Stage::Writing(Box::new(Writing::new(replay, self.position)));
        self.finish_snapshot()
    }

    fn finish_snapshot(&mut self) -> Result<Sequence, MaintainError> {
        loop {
            if let Maintained::Snapshot(at) = self.step(true)? {
                return Ok(at);
            }
        }
    }

    fn step(&mut self, due: bool) -> Result<Maintained, MaintainError> {
        // Taken out: after an error it begins anew.
        let stage = core::mem::replace(&mut self.snapshots.stage, Stage::Idle);
        let next = match stage {
            Stage::Idle if !due => return Ok(Maintained::Nothing),
            Stage::Idle => self.journal.snapshots().map_err(Into::into).and_then(|older| self.start(older)),
            Stage::Loading { loading, older } => self.load(loading, older),
            Stage::Replaying { replay, position, until } if position.next >= until => {
                let admitted = admit(about_bytes(&replay), self.snapshots.reserve, self.journal.room());
                admitted.map(|()| Stage::Writing(Box::new(Writing::new(*replay, position)))).map_err(Into::into)
            }
            Stage::Replaying { replay, position, until } => self.replay(replay, position, until),
            Stage::Writing(writing) => writing.write(&mut *self.journal, self.snapshots.reserve).map_err(Into::into),
            Stage::Verifying { at, part, link, written } => match self.verify(at, part, link, written)? {
                Some(stage) => Ok(stage),
                None => return Ok(Maintained::Snapshot(at)),
            },
        };
        match next {
            Ok(stage) => self.snapshots.stage = stage,
            Err(error) => {
                self.snapshots.since = 0;
                self.journal.drop_unfinished();
                return Err(error);
            }
        }
        Ok(Maintained::More)
    }

    /// Begins with the newest of these snapshots, or with nothing when no frame was trimmed.
    fn start(&mut self, mut older: Vec<Sequence>) -> Result<Stage, MaintainError> {
        self.snapshots.again = false;
        let config = self.snapshots.config.clone();
        if let Some(at) = older.pop() {
            return Ok(Stage::Loading { loading: Box::new(Loading::new(at, &config)?), older });
        }
        let (replay, position) = from_nothing(&*self.journal, &config)?;
        Ok(Stage::Replaying { replay: Box::new(replay), position, until: self.position.next })
    }

    /// Reads the next part of the snapshot before.
    fn load(&mut self, mut loading: Box<Loading>, older: Vec<Sequence>) -> Result<Stage, MaintainError> {
        let read = self.journal.snapshot(loading.at(), loading.part())?;
        let loaded = match &read {
            Some(bytes) => match loading.put(bytes) {
                Ok(()) => return Ok(Stage::Loading { loading, older }),
                Err(error) => Err(error),
            },
            None => loading.finish(),
        };
        match loaded {
            Ok((replay, position)) => {
                Ok(Stage::Replaying { replay: Box::new(replay), position, until: self.position.next })
            }
            Err(OpenError::Corrupt(_)) => self.start(older),
            Err(error) => Err(error.into()),
        }
    }

    fn replay(
        &mut self,
        mut replay: Box<Replay>,
        mut position: Position,
        until: Sequence,
    ) -> Result<Stage, MaintainError> {
        advance(&mut *self.journal, &mut replay, &mut position)?;
        Ok(Stage::Replaying { replay, position, until })
    }

    /// Reads one part back. Nothing when it was the last one and all is well.
    fn verify(&mut self, at: Sequence, part: u32, link: Link, written: Link) -> Result<Option<Stage>, MaintainError> {
        let Some(bytes) = self.journal.snapshot(at, part)? else {
            if link != written {
                return Err(OpenError::from(Corrupt::new(place(at, part), "it is missing")).into());
            }
            self.finish(at)?;
            return Ok(None);
        };
        let link = check(&bytes, at, part, Some(link))?.link;
        Ok(Some(Stage::Verifying { at, part: part + 1, link, written }))
    }

    /// Trims what neither the new snapshot nor the one before it needs. Where that leaves room short,
    /// a frame without facts makes place for another snapshot, which the new one is before.
    fn finish(&mut self, at: Sequence) -> Result<(), MaintainError> {
        let held = core::mem::take(&mut self.snapshots.since);
        let previous = self.journal.snapshots()?.into_iter().rev().find(|other| *other < at);
        if let Some(previous) = previous {
            self.journal.trim(previous)?;
        }
        if held >= self.snapshots.worth() && self.snapshots.is_short(self.journal.room()) {
            self.append(&[])?;
            self.snapshots.again = true;
        }
        Ok(())
    }
}

impl Writing {
    fn new(replay: Replay, position: Position) -> Self {
        let records = replay.len() as u64;
        Self { replay, position, part: 0, link: position.previous, cursor: Cursor::START, records }
    }

    /// Writes the next part, if that leaves half of the reserve.
    fn write(mut self: Box<Self>, journal: &mut dyn Journal, reserve: u64) -> Result<Stage, WriteError> {
        let mut body = Vec::with_capacity(PART_BYTES);
        let last = self.fill(&mut body);
        let (at, epoch) = (self.position.next, self.position.epoch);
        let header = Header { shard: Shard::default(), epoch, sequence: at, previous: self.link };
        let mut bytes = Vec::new();
        let link = frame::encode_with(frame::SNAPSHOT_VERSION, &header, &mut bytes, |out| out.append(&mut body))?;
        admit(bytes.len() as u64, reserve, journal.room())?;
        journal.put_snapshot(at, self.part, &bytes, last)?;
        match last {
            true => Ok(Stage::Verifying { at, part: 0, link: self.position.previous, written: link }),
            false => {
                (self.part, self.link) = (self.part + 1, link);
                Ok(Stage::Writing(self))
            }
        }
    }

    /// Puts records into a part until that is full, and what is known besides after the last one. Returns whether
    /// that is there.
    fn fill(&mut self, body: &mut Vec<u8>) -> bool {
        let more = self.replay.visit_kept(self.cursor, &mut |kept| {
            records::encode(&kept, body);
            body.len() < PART_BYTES
        });
        match more {
            Some(cursor) => self.cursor = cursor,
            None => {
                self.replay.downtimes().for_each(|downtime| records::encode_downtime(downtime, body));
                records::encode_summary(&self.replay.summary(), self.records, body);
            }
        }
        more.is_none()
    }
}

/// Refuses to write what would not leave half of the reserve.
fn admit(bytes: u64, reserve: u64, Room(room): Room) -> Result<(), WriteError> {
    if bytes.saturating_add(reserve / 2) > room { Err(WriteError::Full) } else { Ok(()) }
}

/// Bytes that the snapshot of a replay takes, about.
fn about_bytes(replay: &Replay) -> u64 {
    /// Of a record, besides its payload.
    const RECORD_BYTES: u64 = 128;
    replay.live_bytes().saturating_add(RECORD_BYTES * replay.len() as u64)
}

/// Makes a new journal begin with the state of a replay: a first frame that raises the epoch, and
/// the snapshot that stands for it and for everything before. The snapshot comes first, so that
/// the journal is never taken for an empty one.
pub(super) fn begin_with(mut replay: Replay, journal: &mut dyn Journal) -> Result<(), MaintainError> {
    let Summary { epoch, last, .. } = replay.summary();
    let epoch = Epoch::new(epoch.number().saturating_add(1));
    let opening = Fact { at: last, change: Change::Epoch(epoch) };
    replay.apply(&opening).map_err(|error| OpenError::from(Corrupt::new("the first frame", error)))?;
    let mut bytes = Vec::new();
    let header = Header { shard: Shard::default(), epoch, sequence: Sequence::FIRST, previous: Link::NONE };
    let previous = frame::encode_with(frame::VERSION, &header, &mut bytes, |out| wire::encode(&opening, out))
        .map_err(WriteError::from)?;
    let next = Sequence::FIRST.next();
    let mut writing = Box::new(Writing::new(replay, Position { next, previous, epoch }));
    while let Stage::Writing(more) = writing.write(journal, 0)? {
        writing = more;
    }
    journal.append(Sequence::FIRST, &bytes)?;
    Ok(journal.trim(next)?)
}
