//! From a journal back to an engine.

use super::error::{Corrupt, OpenError, TooNew};
use super::frame;
use super::loading::{load, refused};
use super::log::{Log, Position};
use super::sequence::Sequence;
use super::store::{Journal, JournalStore, Owner};
use super::wire;
use crate::engine::{Config, Replay};

/// Bytes of frames that one read asks for.
pub(super) const PAGE_BYTES: usize = 1 << 20;

/// How far a recovery has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Frames read, or stood for by the snapshot.
    pub read: u64,
    /// Frames that there are; none in a new journal.
    pub total: u64,
    /// Records so far.
    pub records: u64,
}

/// What a journal gives back.
#[derive(Debug)]
pub struct Recovered {
    /// The journal, to go on with. Its next frame must begin with the epoch that
    /// [`Replay::open`] raises.
    pub log: Log,
    /// What the facts in it made.
    pub replay: Replay,
}

/// Opens a journal and replays it: the newest snapshot that is sound, and the frames after it. Calls
/// `progress` now and then, at last with all frames and records. A new snapshot is made each time that `snapshot_after` bytes were
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
    progress: &mut dyn FnMut(Progress),
) -> Result<Recovered, OpenError> {
    let mut journal = store.open(owner)?;
    let (mut replay, mut position) = begin(&mut *journal, config)?;
    let total = journal.extent().end.previous().number();
    let mut behind = 0;
    while position.next < journal.extent().end {
        progress(Progress { read: position.next.previous().number(), total, records: replay.len() as u64 });
        behind += advance(&mut *journal, &mut replay, &mut position)?;
    }
    progress(Progress { read: total, total, records: replay.len() as u64 });
    let mut log = Log::new(journal, position, config.clone(), snapshot_after);
    log.snapshots.note(behind);
    Ok(Recovered { log, replay })
}

/// The newest sound snapshot, or nothing at all when no frame was trimmed.
pub(super) fn begin(journal: &mut dyn Journal, config: &Config) -> Result<(Replay, Position), OpenError> {
    let mut damage = None;
    let (end, snapshots) = (journal.extent().end, journal.snapshots()?);
    if let Some(at) = snapshots.last().filter(|at| **at > end) {
        let problem = format_args!(
            "its snapshot before frame {at} stands for frames that it does not have: it ends before frame {end}"
        );
        return Err(Corrupt::new("the journal", problem).into());
    }
    for at in snapshots.into_iter().rev() {
        match load(journal, at, config) {
            Ok(loaded) => return Ok(loaded),
            Err(OpenError::Corrupt(corrupt)) => damage = damage.or(Some(corrupt)),
            Err(error) => return Err(error),
        }
    }
    from_nothing(journal, config).map_err(|missing| damage.map_or(missing, Into::into))
}

/// Before the first frame, when it was not trimmed.
pub(super) fn from_nothing(journal: &dyn Journal, config: &Config) -> Result<(Replay, Position), OpenError> {
    let first = journal.extent().first;
    if first == Sequence::FIRST {
        let replay = Replay::new(config.clone()).map_err(|error| Corrupt::new("the configuration", error))?;
        return Ok((replay, Position::START));
    }
    let problem = format_args!("frames before {first} are gone, and no snapshot stands for them");
    Err(Corrupt::new("the journal", problem).into())
}

/// Applies the next page of frames, and answers how many bytes these were.
pub(super) fn advance(
    journal: &mut dyn Journal,
    replay: &mut Replay,
    position: &mut Position,
) -> Result<usize, OpenError> {
    let mut bytes = 0;
    let mut result = Ok(());
    let next = journal.read(position.next, PAGE_BYTES, &mut |sequence, frame| {
        bytes += frame.len();
        if result.is_ok() {
            result = apply(replay, position, sequence, frame);
        }
    })?;
    result?;
    if next != position.next || bytes == 0 {
        return Err(Corrupt::new(format_args!("frame {}", position.next), "it is missing").into());
    }
    Ok(bytes)
}

/// Applies the facts of one frame, when it is the one that follows.
pub(super) fn apply(
    replay: &mut Replay,
    position: &mut Position,
    sequence: Sequence,
    bytes: &[u8],
) -> Result<(), OpenError> {
    let at = || std::format!("frame {sequence}");
    let frame = frame::decode(bytes).map_err(|error| refused(at(), error))?;
    let header = frame.header;
    let follows = sequence == position.next
        && header.sequence == sequence
        && header.previous == position.previous
        && header.epoch >= position.epoch;
    if !follows {
        return Err(Corrupt::new(at(), format_args!("{header} does not follow the frame before")).into());
    }
    let mut body = frame.body;
    while !body.is_empty() {
        let (fact, rest) = wire::decode(body).map_err(|error| TooNew::new(at(), error))?;
        replay.apply(&fact).map_err(|error| Corrupt::new(at(), error))?;
        body = rest;
    }
    *position = Position { next: sequence.next(), previous: frame.link, epoch: header.epoch };
    Ok(())
}
