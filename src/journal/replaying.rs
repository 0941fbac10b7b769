//! Recovery on two threads: one reads, checks and decodes, the other one restores and applies.

use core::ops::ControlFlow;
use std::panic::resume_unwind;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;
use std::vec::Vec;

use super::error::{Corrupt, OpenError};
use super::loading::{SnapshotParts, decode_part, restore};
use super::pages::{apply_fact, decode_facts, read_page};
use super::position::FramePosition;
use super::records::SnapshotItem;
use super::sequence::Sequence;
use super::store::Journal;
use crate::engine::{
    Config,
    facts::{Fact, Replay, SnapshotLoader},
};

/// The number of pages that are decoded ahead: two keep both threads busy, and each takes a few MiB.
const PAGES_AHEAD: usize = 2;

/// The number of parts that are decoded ahead: enough to keep both threads busy, and few enough to take little memory.
const PARTS_AHEAD: usize = 4;

/// The number of a part with its items, or why they cannot be read.
type ItemsOfPart = Result<(u32, Vec<SnapshotItem>), OpenError>;

/// The facts of the frames of a page, or why they cannot be read.
type FactsOfPage = Result<Vec<(Sequence, Vec<Fact>)>, OpenError>;

/// Replays the frames from `position` up to `end`, and returns their bytes. Calls `progress` before each page with the
/// next frame and what there is by then.
pub(super) fn replay_beside(
    journal: &mut dyn Journal,
    position: &mut FramePosition,
    end: Sequence,
    replay: &mut Replay,
    progress: &mut dyn FnMut(Sequence, &Replay),
) -> Result<usize, OpenError> {
    thread::scope(|scope| {
        // Bounded, so that a fast disk does not fill the memory with decoded facts.
        let (sender, pages) = sync_channel(PAGES_AHEAD);
        let mut at = *position;
        let reader = scope.spawn(move || {
            let bytes = read(journal, &mut at, end, &sender);
            (at, bytes)
        });
        // An error ends the loop, and with the receiver the reader.
        for page in pages {
            for (sequence, facts) in page? {
                facts.iter().try_for_each(|fact| apply_fact(replay, sequence, fact))?;
                progress(sequence.next(), replay);
            }
        }
        let (at, bytes) = reader.join().unwrap_or_else(|panic| resume_unwind(panic));
        *position = at;
        Ok(bytes)
    })
}

/// Reads page after page, and returns their bytes.
fn read(journal: &mut dyn Journal, at: &mut FramePosition, end: Sequence, sender: &SyncSender<FactsOfPage>) -> usize {
    let mut bytes = 0;
    while at.next < end {
        match read_one(journal, at, end, sender) {
            ControlFlow::Continue(read) => bytes += read,
            ControlFlow::Break(()) => break,
        }
    }
    bytes
}

/// Reads a page. The frames before one that cannot be read are sent all the same.
fn read_one(
    journal: &mut dyn Journal,
    at: &mut FramePosition,
    end: Sequence,
    sender: &SyncSender<FactsOfPage>,
) -> ControlFlow<(), usize> {
    let mut frames = Vec::new();
    let read = read_page(journal, at, end, &mut |sequence, body| {
        let mut facts = Vec::new();
        decode_facts(sequence, body, &mut |fact| {
            // Collected instead of sent one by one: a message for each fact would cost more than its decoding.
            facts.push(fact);
            Ok(())
        })?;
        frames.push((sequence, facts));
        Ok(())
    });
    // What was decoded before an error is applied all the same, so that the error names the first bad frame.
    let sent = sender.send(Ok(frames));
    match (read, sent) {
        (Ok(bytes), Ok(())) => ControlFlow::Continue(bytes),
        (Err(error), Ok(())) => {
            // A closed receiver means that an error came before.
            let _ = sender.send(Err(error));
            ControlFlow::Break(())
        }
        (_, Err(_)) => ControlFlow::Break(()),
    }
}

/// Loads a snapshot.
pub(super) fn load_beside(
    journal: &mut dyn Journal,
    at: Sequence,
    config: &Config,
) -> Result<(Replay, FramePosition), OpenError> {
    let configured = SnapshotLoader::new(config.clone());
    let mut loader = configured.map_err(|error| Corrupt::new("the configuration", error))?;
    let parts = thread::scope(|scope| {
        let (sender, decoded) = sync_channel(PARTS_AHEAD);
        let reader = scope.spawn(move || {
            let mut parts = SnapshotParts::new(at);
            // Parts are read in order, as each must follow the one before.
            while decode_next(journal, &mut parts, &sender) {}
            parts
        });
        for part in decoded {
            let (number, items) = part?;
            items.into_iter().try_for_each(|item| restore(&mut loader, item, at, number))?;
        }
        Ok::<_, OpenError>(reader.join().unwrap_or_else(|panic| resume_unwind(panic)))
    })?;
    let replay = loader.finish(&parts.finish()?).map_err(|error| parts.damaged(&error))?;
    Ok((replay, parts.position()))
}

/// Decodes the next part. Returns whether there may be another one.
fn decode_next(journal: &mut dyn Journal, parts: &mut SnapshotParts, sender: &SyncSender<ItemsOfPart>) -> bool {
    let (number, mut items) = (parts.part(), Vec::new());
    let decoded = match journal.snapshot(parts.at(), number) {
        Ok(None) => return false,
        Err(error) => Err(error.into()),
        Ok(Some(bytes)) => decode_part(parts, &bytes, &mut |item| {
            items.push(item);
            Ok(())
        }),
    };
    let is_sound = decoded.is_ok();
    // A closed receiver means that an error came before.
    sender.send(decoded.map(|()| (number, items))).is_ok() && is_sound
}
