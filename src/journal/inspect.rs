//! Inspection of a journal as it is, for an operator.

use std::vec::Vec;

use super::error::{Corrupt, OpenError, TooNew};
use super::frame::{self, FrameHash, Header};
use super::loading::{load, refused};
use super::pages::PAGE_BYTES;
use super::sequence::Sequence;
use super::store::Journal;
use super::wire;
use crate::engine::{
    Config, Cursor, Status,
    facts::{Fact, Replay},
};

/// Passes each fact of each frame that was not trimmed to `visit`, in order, with the header of its frame. Each frame
/// must follow the one before; the first one is taken as it is.
///
/// # Errors
///
/// [`OpenError`], once everything before it was visited.
pub fn facts(journal: &mut dyn Journal, visit: &mut dyn FnMut(&Header, Fact)) -> Result<(), OpenError> {
    let extent = journal.extent();
    let (mut next, mut link) = (extent.first, None);
    while next < extent.end {
        let mut result = Ok(());
        let after = journal.read(next, PAGE_BYTES, &mut |sequence, bytes| {
            // After an error the rest of the page is passed over: the journal's `read` cannot be stopped.
            if result.is_ok() {
                result = frame_facts(sequence, bytes, &mut link, visit);
            }
        })?;
        result?;
        // Without progress this loop would not end.
        if after == next {
            return Err(Corrupt::new(std::format_args!("frame {next}"), "it is missing").into());
        }
        next = after;
    }
    Ok(())
}

fn frame_facts(
    sequence: Sequence,
    bytes: &[u8],
    link: &mut Option<FrameHash>,
    visit: &mut dyn FnMut(&Header, Fact),
) -> Result<(), OpenError> {
    let at = || std::format!("frame {sequence}");
    let read = frame::decode(bytes).map_err(|error| refused(at(), error))?;
    let follows = link.is_none_or(|link| link == read.header.previous) && read.header.sequence == sequence;
    if !follows {
        let problem = std::format!("{} does not follow the frame before", read.header);
        return Err(Corrupt::new(at(), problem).into());
    }
    *link = Some(read.link);
    let mut body = read.body;
    while !body.is_empty() {
        let (fact, rest) = wire::decode(body).map_err(|error| TooNew::new(at(), error))?;
        visit(&read.header, fact);
        body = rest;
    }
    Ok(())
}

/// Returns the snapshots that exist, the newest last, each with its contents or its damage.
///
/// # Errors
///
/// [`OpenError`] when they cannot even be listed.
pub fn snapshots(
    journal: &mut dyn Journal,
    config: &Config,
    visit: &mut dyn FnMut(Sequence, Result<Replay, OpenError>),
) -> Result<(), OpenError> {
    let all: Vec<Sequence> = journal.snapshots()?;
    for at in all {
        let loaded = load(journal, at, config);
        visit(at, loaded.map(|(replay, _)| replay));
    }
    Ok(())
}

/// Returns the number of records of each status.
pub fn records(replay: &Replay) -> Vec<(Status, u64)> {
    const PAGE: usize = 256;
    let mut counts = Status::ALL.map(|status| (status, 0)).to_vec();
    let mut cursor = Cursor::START;
    loop {
        let (page, after) = replay.kept(cursor, PAGE);
        if page.is_empty() {
            return counts;
        }
        for kept in page {
            counts.iter_mut().filter(|(status, _)| *status == kept.record.status).for_each(|(_, count)| *count += 1);
        }
        cursor = after;
    }
}
