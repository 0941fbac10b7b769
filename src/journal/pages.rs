//! Reading of frames: a page at a time, each frame only if it follows the one before.

use super::error::{Corrupt, OpenError, TooNew};
use super::frame;
use super::loading::refused;
use super::position::FramePosition;
use super::sequence::Sequence;
use super::store::Journal;
use super::wire;
use crate::engine::facts::{Fact, Replay};

/// Bytes of frames that one read asks for. A snapshot is made a page at a time, between appends: 1 MiB takes 12 ms,
/// for which a group would wait.
pub(super) const PAGE_BYTES: usize = 256 << 10;

/// A function that is called with the number and the body of a frame.
pub(super) type VisitFrame<'a> = &'a mut dyn FnMut(Sequence, &[u8]) -> Result<(), OpenError>;

/// Passes the number and the body of each frame of the next page to `visit`, but of none from `until` on. Returns the
/// bytes of these frames.
pub(super) fn read_page(
    journal: &mut dyn Journal,
    position: &mut FramePosition,
    until: Sequence,
    visit: VisitFrame<'_>,
) -> Result<usize, OpenError> {
    let mut bytes = 0;
    let mut result = Ok(());
    let next = journal.read(position.next, PAGE_BYTES, &mut |sequence, frame| {
        // After an error the rest of the page is passed over: the journal's own `read` cannot be stopped.
        if result.is_ok() && sequence < until {
            bytes += frame.len();
            result = take_frame(position, sequence, frame, visit);
        }
    })?;
    result?;
    // Without progress the loop of the caller would never end.
    if next.min(until) != position.next || bytes == 0 {
        return Err(Corrupt::new(format_args!("frame {}", position.next), "it is missing").into());
    }
    Ok(bytes)
}

/// Applies the facts of one frame, if it is the one that follows.
pub(super) fn apply(
    replay: &mut Replay,
    position: &mut FramePosition,
    sequence: Sequence,
    bytes: &[u8],
) -> Result<(), OpenError> {
    take_frame(position, sequence, bytes, &mut |sequence, body| apply_facts(replay, sequence, body))
}

/// Passes the body of a frame to `visit`, if it is the one that follows.
fn take_frame(
    position: &mut FramePosition,
    sequence: Sequence,
    bytes: &[u8],
    visit: VisitFrame<'_>,
) -> Result<(), OpenError> {
    let at = || std::format!("frame {sequence}");
    let frame = frame::decode(bytes).map_err(|error| refused(at(), error))?;
    let header = frame.header;
    // Number, link and epoch together: a whole frame of another history has the right number.
    let follows = sequence == position.next
        && header.sequence == sequence
        && header.previous == position.previous
        && header.epoch >= position.epoch;
    if !follows {
        return Err(Corrupt::new(at(), format_args!("{header} does not follow the frame before")).into());
    }
    visit(sequence, frame.body)?;
    *position = FramePosition { next: sequence.next(), previous: frame.link, epoch: header.epoch };
    Ok(())
}

/// Applies the facts in the body of this frame.
pub(super) fn apply_facts(replay: &mut Replay, sequence: Sequence, body: &[u8]) -> Result<(), OpenError> {
    decode_facts(sequence, body, &mut |fact| apply_fact(replay, sequence, &fact))
}

/// Passes each fact in the body of this frame to `visit`.
pub(super) fn decode_facts(
    sequence: Sequence,
    mut body: &[u8],
    visit: &mut dyn FnMut(Fact) -> Result<(), OpenError>,
) -> Result<(), OpenError> {
    while !body.is_empty() {
        // The checksum was right, so unknown contents are those of a newer program.
        let decoded = wire::decode(body).map_err(|error| TooNew::new(format_args!("frame {sequence}"), error));
        let (fact, rest) = decoded?;
        visit(fact)?;
        body = rest;
    }
    Ok(())
}

/// Applies a fact of this frame.
pub(super) fn apply_fact(replay: &mut Replay, sequence: Sequence, fact: &Fact) -> Result<(), OpenError> {
    Ok(replay.apply(fact).map_err(|error| Corrupt::new(format_args!("frame {sequence}"), error))?)
}

#[cfg(test)]
mod tests {
    use super::super::frame::{FrameHash, Header, encode};
    use super::*;
    use crate::engine::{Epoch, Shard};
    use std::vec::Vec;

    #[test]
    fn frame_is_taken_only_where_it_follows() {
        let start = FramePosition { next: Sequence::new(7), previous: FrameHash::NONE, epoch: Epoch::new(3) };
        let right = Header { shard: Shard::new(0), epoch: start.epoch, sequence: start.next, previous: start.previous };
        let elsewhere = Sequence::new(8);
        let mut bytes = Vec::new();
        let other = encode(&right, b"another", &mut bytes).expect("a short body");
        let taken = [
            (start.next, right),
            (start.next, Header { epoch: Epoch::new(4), ..right }),
            (elsewhere, right),
            (start.next, Header { sequence: elsewhere, ..right }),
            (elsewhere, Header { sequence: elsewhere, ..right }),
            (start.next, Header { previous: other, ..right }),
            (start.next, Header { epoch: Epoch::new(2), ..right }),
        ]
        .map(|(sequence, header)| {
            let (mut position, mut frame) = (start, Vec::new());
            encode(&header, b"facts", &mut frame).expect("a short body");
            let taken = take_frame(&mut position, sequence, &frame, &mut |_, _| Ok(()));
            assert_eq!(taken.is_ok(), position != start);
            taken.is_ok()
        });
        assert_eq!(taken, [true, true, false, false, false, false, false]);
    }
}
