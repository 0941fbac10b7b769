//! Recovery: the way from a journal back to an engine.

use std::vec::Vec;

use super::error::{Corrupt, OpenError};
use super::loading::load;
use super::log::JournalLog;
use super::pages::{apply_facts, read_page};
use super::position::FramePosition;
use super::replaying::{load_beside, replay_beside};
use super::sequence::Sequence;
use super::store::{Journal, JournalStore, Owner};
use crate::engine::{Config, facts::Replay};

/// The number of frames from which on a second thread is used: fewer are replayed before a thread has started.
const FRAMES_BESIDE: u64 = 64;

/// The progress of a recovery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct RecoveryProgress {
    /// Frames that were read, or that the snapshot covers.
    pub read: u64,
    /// Frames in the journal; none in a new one.
    pub total: u64,
    /// Records so far.
    pub records: u64,
}

impl RecoveryProgress {
    /// Adds the progress of another recovery: each number is then that of both together.
    pub fn add(&mut self, other: &Self) {
        // Without `..`, so that a new number does not compile until it is added.
        let Self { read, total, records } = other;
        self.read += read;
        self.total += total;
        self.records += records;
    }
}

/// The result of a recovery.
#[derive(Debug)]
pub struct Recovered {
    /// The journal, at its end. Its next frame must begin with the epoch that [`Replay::open`] raises.
    pub log: JournalLog,
    /// The state that its facts result in.
    pub replay: Replay,
}

/// Opens a journal and replays it: the newest snapshot that is sound, and the frames after it. Calls `progress`
/// repeatedly, at last with all frames and records. A new snapshot is made each time that `snapshot_after` bytes were
/// appended.
///
/// # Errors
///
/// [`OpenError`]
pub fn recover(
    store: &mut dyn JournalStore,
    owner: &Owner,
    config: &Config,
    snapshot_after: u64,
    progress: &mut dyn FnMut(RecoveryProgress),
) -> Result<Recovered, OpenError> {
    let mut journal = store.open(owner)?;
    let mut damaged = Vec::new();
    // A store that does not block is in memory: a second thread would only cost its start.
    let load = if store.blocks() { load_beside } else { load };
    let (mut replay, mut position) = begin(&mut *journal, config, load, &mut damaged)?;
    let end = journal.extent().end;
    let total = end.previous().number();
    let mut show = |next: Sequence, replay: &Replay| {
        progress(RecoveryProgress { read: next.previous().number(), total, records: replay.len() as u64 });
    };
    let frames = end.number() - position.next.number();
    let mut behind = 0;
    if store.blocks() && frames >= FRAMES_BESIDE {
        behind = replay_beside(&mut *journal, &mut position, end, &mut replay, &mut show)?;
    }
    while position.next < end {
        show(position.next, &replay);
        behind += read_page(&mut *journal, &mut position, end, &mut |at, body| apply_facts(&mut replay, at, body))?;
    }
    progress(RecoveryProgress { read: total, total, records: replay.len() as u64 });
    let mut log = JournalLog::new(journal, position, config.clone(), snapshot_after);
    // Frames that no snapshot holds count towards the next one, as if they were appended now.
    log.snapshots.note(behind);
    log.snapshots.note_damaged(damaged);
    Ok(Recovered { log, replay })
}

/// A function that loads the snapshot of everything before a frame.
type Load = fn(&mut dyn Journal, Sequence, &Config) -> Result<(Replay, FramePosition), OpenError>;

/// Loads the newest sound snapshot, or an empty state when no frame was trimmed. Damaged ones are passed over, and
/// named in `damaged`.
fn begin(
    journal: &mut dyn Journal,
    config: &Config,
    load: Load,
    damaged: &mut Vec<Corrupt>,
) -> Result<(Replay, FramePosition), OpenError> {
    let (end, snapshots) = (journal.extent().end, journal.snapshots()?);
    // The frames of an acknowledged snapshot cannot be missing: another, older copy of the log took their place.
    if let Some(at) = snapshots.last().filter(|at| **at > end) {
        let problem = format_args!(
            "its snapshot before frame {at} holds frames that the journal does not have: it ends before frame {end}"
        );
        return Err(Corrupt::new("the journal", problem).into());
    }
    for at in snapshots.into_iter().rev() {
        match load(journal, at, config) {
            Ok(loaded) => return Ok(loaded),
            // Another snapshot, or the frames themselves, may still be sound.
            Err(OpenError::Corrupt(corrupt)) => damaged.push(corrupt),
            Err(error) => return Err(error),
        }
    }
    // The damage is the reason that helps: the missing frames were trimmed because there was a snapshot.
    let position = first_position(journal).map_err(|missing| damaged.first().cloned().unwrap_or(missing))?;
    let replay = Replay::new(config.clone()).map_err(|error| Corrupt::new("the configuration", error))?;
    Ok((replay, position))
}

/// Returns the position of the first frame, if it was not trimmed.
pub(super) fn first_position(journal: &dyn Journal) -> Result<FramePosition, Corrupt> {
    let first = journal.extent().first;
    if first == Sequence::FIRST {
        return Ok(FramePosition::START);
    }
    let problem = format_args!("frames before {first} are gone, and no snapshot holds them");
    Err(Corrupt::new("the journal", problem))
}
