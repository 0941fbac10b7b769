//! The oracle of durability: each opening of the journal finds every frame that was acknowledged, and readers of facts
//! receive exactly the durable ones.

use std::collections::VecDeque;

use eventful::journal::{FreeSpace, OpenError, Sequence};
use eventful::{
    Timestamp,
    engine::{
        Epoch, RunId,
        facts::{Change, Fact},
    },
};

use super::{OracleResult, holds};
use crate::failure::Broken;
use crate::network::journal::RESERVE_BYTES;
use crate::network::scenario::KeyNumber;
use crate::spec::event_bytes;

/// The expected state of the journal, over all processes of the server.
#[derive(Debug)]
pub(in crate::network) struct Durable {
    /// The frame after the last one that was acknowledged.
    end: Sequence,
    /// A frame of which it is unknown whether it was written.
    doubted: Option<(Sequence, Vec<u8>)>,
    /// Durable facts that readers have not received yet.
    undelivered: VecDeque<Fact>,
    /// The time of the last opening, and the number of openings at that time.
    opened: (Timestamp, u32),
    /// The last epoch that a fact began.
    epoch: Epoch,
    /// The most free space that the journal reported after each of the last two groups of this opening.
    rooms: [Option<FreeSpace>; 2],
    /// The number of failures of the journal in the current process.
    failures: u64,
    /// The number of reopenings that readers in that process were notified of.
    reopenings_delivered: u64,
}

/// The number of openings at one time that only a loop without progress makes: the node waits between two tries.
const SPINS: u32 = 20;

impl Durable {
    pub(in crate::network) const fn new() -> Self {
        Self {
            end: Sequence::FIRST,
            doubted: None,
            undelivered: VecDeque::new(),
            opened: (Timestamp::EPOCH, 0),
            epoch: Epoch::new(0),
            rooms: [None; 2],
            failures: 0,
            reopenings_delivered: 0,
        }
    }

    /// Notes that this frame was acknowledged as durable.
    pub(in crate::network) fn acknowledged(&mut self, sequence: Sequence) {
        self.end = sequence.next();
    }

    /// Notes a frame of which the journal does not know whether it is durable.
    pub(in crate::network) fn doubt(&mut self, sequence: Sequence, frame: &[u8]) {
        self.doubted = Some((sequence, frame.to_vec()));
    }

    /// Checks that the journal is not opened again and again at one time.
    pub(in crate::network) fn opening(&mut self, now: Timestamp) -> OracleResult {
        let (at, times) = self.opened;
        self.opened = (now, if at == now { times + 1 } else { 1 });
        self.rooms = [None; 2];
        holds(self.opened.1 < SPINS, || broken(format_args!("the journal is opened {SPINS} times at one time")))
    }

    /// Returns whether there is a frame in doubt.
    pub(in crate::network) const fn is_in_doubt(&self) -> bool {
        self.doubted.is_some()
    }

    /// Checks the end of an opened journal. Returns the frame in doubt if it is there.
    pub(in crate::network) fn open(&mut self, end: Sequence) -> Result<Option<Sequence>, Broken> {
        holds(end >= self.end, || {
            broken(format_args!("frame {} was acknowledged, but the journal ends at {end}", self.end.previous()))
        })?;
        match &self.doubted {
            Some((sequence, _)) if end > self.end => {
                holds(end == sequence.next(), || {
                    broken(format_args!("the journal ends at {end}, expected right after {sequence}"))
                })?;
                Ok(Some(*sequence))
            }
            Some(_) | None => {
                holds(end == self.end, || broken(format_args!("the frames up to {end} were never written")))?;
                self.doubted = None;
                Ok(None)
            }
        }
    }

    /// Checks the frame in doubt that was found.
    pub(in crate::network) fn found(&mut self, sequence: Sequence, frame: &[u8]) -> OracleResult {
        let doubted = self.doubted.take();
        self.end = sequence.next();
        let same = doubted.is_some_and(|(_, written)| written == frame);
        holds(same, || broken(format_args!("frame {sequence} differs from what was written")))
    }

    /// Checks that a frame names the epoch of its facts.
    pub(in crate::network) fn is_of_epoch(&mut self, epoch: Epoch, facts: &[Fact]) -> OracleResult {
        let begun =
            facts.iter().rev().find_map(|fact| if let Change::Epoch(begun) = fact.change { Some(begun) } else { None });
        self.epoch = begun.unwrap_or(self.epoch);
        holds(epoch == self.epoch, || {
            broken(format_args!("a frame of epoch {} holds facts of epoch {}", epoch.number(), self.epoch.number()))
        })
    }

    /// Notes the free space that the journal reports.
    pub(in crate::network) fn room_reported(&mut self, room: FreeSpace) {
        self.rooms[1] = self.rooms[1].max(Some(room));
    }

    /// Checks that new events did not take the space that is kept for outcomes. They were decided when the known free
    /// space was that reported after one of the two groups before.
    pub(in crate::network) fn leave(&mut self, facts: &[Fact]) -> OracleResult {
        let [before, last] = self.rooms;
        // The space known to a decision may be from before the last group, as that is written meanwhile.
        self.rooms = [last, None];
        let (Some(before), Some(last)) = (before, last) else { return Ok(()) };
        let size = |fact: &Fact| if let Change::Accepted(event) = &fact.change { event_bytes(event) as u64 } else { 0 };
        let (taken, known) = (facts.iter().map(size).sum::<u64>(), before.max(last).0);
        holds(taken == 0 || taken.saturating_add(RESERVE_BYTES) <= known, || {
            broken(format_args!(
                "events of {taken} bytes were accepted when {known} bytes were free, {RESERVE_BYTES} of them reserved"
            ))
        })
    }

    /// Notes durable facts that readers of the current process must receive.
    pub(in crate::network) fn owe(&mut self, facts: &[Fact]) {
        self.undelivered.extend(facts.iter().cloned());
    }

    /// Checks that a reader received the next durable fact.
    pub(in crate::network) fn delivered(&mut self, fact: &Fact) -> OracleResult {
        let owed = self.undelivered.pop_front();
        holds(owed.as_ref() == Some(fact), || {
            broken(format_args!("readers received {:?}, the next durable fact is {owed:?}", fact.change))
        })
    }

    /// Checks that readers have received all durable facts.
    pub(in crate::network) fn all_delivered(&self) -> OracleResult {
        holds(self.undelivered.is_empty(), || {
            broken(format_args!(
                "readers did not receive {} durable facts: {:?}",
                self.undelivered.len(),
                self.undelivered
            ))
        })
    }

    /// Notes that the journal failed, after which it must be opened again.
    pub(in crate::network) const fn failed(&mut self) {
        self.failures += 1;
    }

    /// Notes that readers were notified of a reopening.
    pub(in crate::network) const fn reopening_delivered(&mut self) {
        self.reopenings_delivered += 1;
    }

    /// Checks that the journal is opened again only after failures. Lack of space for a new event or a snapshot is no
    /// failure as long as the reserve for outcomes lasts. An engine that broke may be the cause of one more.
    pub(in crate::network) fn reopened(&self, times: u64, broke: bool) -> OracleResult {
        holds(times <= self.failures + u64::from(broke), || {
            broken(format_args!("the journal was opened again {times} times, for {} failures", self.failures))
        })
    }

    /// Checks that readers were notified of each reopening.
    pub(in crate::network) fn has_delivered_reopenings(&self, times: u64) -> OracleResult {
        holds(times == self.reopenings_delivered, || {
            broken(format_args!("readers were notified of {} reopenings, expected {times}", self.reopenings_delivered))
        })
    }

    /// Checks the number of facts that a shutdown reports as not durable.
    pub(in crate::network) fn reported(&self, unsynced: u64) -> OracleResult {
        // A group in doubt counts as not durable.
        holds(unsynced > 0 || !self.is_in_doubt(), || {
            broken("a shutdown reports that all is durable, but the last group is in doubt")
        })
    }

    /// Begins with the readers of another process.
    pub(in crate::network) fn forget_readers(&mut self) {
        self.undelivered.clear();
        (self.failures, self.reopenings_delivered) = (0, 0);
    }
}

/// A client received a state that is not durable.
pub(in crate::network) fn early(number: KeyNumber, what: &str) -> Broken {
    broken(format_args!("a client was shown e{number} as {what}, which is not durable"))
}

/// A journal was refused although no crash may damage it.
pub(in crate::network) fn refused(error: &OpenError) -> Broken {
    broken(format_args!("the journal was not opened: {error}"))
}

/// A handler was called before its start was durable.
pub(in crate::network) fn uncharged(number: KeyNumber, run: RunId) -> Broken {
    broken(format_args!("the handler was called with e{number}, but the start of {run} is not durable"))
}

fn broken(what: impl std::fmt::Display) -> Broken {
    Broken::new("durable", 10, what)
}

#[cfg(test)]
mod tests {
    use eventful::Event;

    use super::*;

    fn fact(change: Change) -> Fact {
        Fact { at: Timestamp::EPOCH, change }
    }

    #[test]
    fn frame_says_of_which_epoch_its_facts_are() {
        let mut durable = Durable::new();
        let (first, second) = (Epoch::new(1), Epoch::new(2));
        let begins = |epoch| [fact(Change::Epoch(epoch))];
        assert!(durable.is_of_epoch(first, &begins(first)).is_ok());
        assert!(durable.is_of_epoch(first, &[fact(Change::Paused)]).is_ok());
        assert!(durable.is_of_epoch(first, &begins(second)).is_err());
        assert!(durable.is_of_epoch(first, &[fact(Change::Resumed)]).is_err());
    }

    #[test]
    fn new_events_leave_what_is_kept_for_outcomes() {
        let event = Event::with_id("a", vec![0; 100]).expect("an id");
        let size = event_bytes(&event) as u64;
        let new = [fact(Change::Accepted(event))];
        let (enough, short) = (FreeSpace(RESERVE_BYTES + size), FreeSpace(RESERVE_BYTES + size - 1));
        let after = |rooms: &[FreeSpace]| {
            let mut durable = Durable::new();
            for room in rooms {
                assert!(durable.leave(&[fact(Change::Paused)]).is_ok());
                durable.room_reported(*room);
            }
            durable.leave(&new)
        };
        assert!(after(&[short]).is_ok(), "what was known before is unknown");
        assert!(after(&[enough, short]).is_ok() && after(&[short, enough]).is_ok());
        assert!(after(&[enough, short, short]).is_err());
    }

    #[test]
    fn readers_are_notified_of_each_reopening_after_a_failure() {
        let mut durable = Durable::new();
        durable.failed();
        assert!(durable.reopened(1, false).is_ok() && durable.reopened(2, true).is_ok());
        assert!(durable.reopened(2, false).is_err(), "there was one failure");
        assert!(durable.has_delivered_reopenings(1).is_err(), "no reader was notified");
        durable.reopening_delivered();
        assert!(durable.has_delivered_reopenings(1).is_ok());
        durable.forget_readers();
        assert!(durable.reopened(1, false).is_err() && durable.has_delivered_reopenings(0).is_ok());
    }
}
