//! What was acknowledged survives: each opening of the journal finds every frame that was durable,
//! and readers of facts are told of those, and only of those, that are.

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

/// The journal, over all processes of the server.
#[derive(Debug)]
pub(in crate::network) struct Durable {
    /// The frame after the last one that was acknowledged.
    end: Sequence,
    /// A frame of which it is unknown whether it was written.
    doubted: Option<(Sequence, Vec<u8>)>,
    /// Facts that are durable, and that nobody has read.
    untold: VecDeque<Fact>,
    /// When the journal was opened at last, and how often at that time.
    opened: (Timestamp, u32),
    /// The last epoch that a fact began.
    epoch: Epoch,
    /// The most room that was told after each of the last two groups of this opening.
    rooms: [Option<FreeSpace>; 2],
    /// How often the journal has failed in the process that is up.
    failures: u64,
    /// How often readers of that process were told that it was opened again.
    reopenings_told: u64,
}

/// So often nobody opens a journal at one time unless something spins.
const SPINS: u32 = 20;

impl Durable {
    pub(in crate::network) const fn new() -> Self {
        Self {
            end: Sequence::FIRST,
            doubted: None,
            untold: VecDeque::new(),
            opened: (Timestamp::EPOCH, 0),
            epoch: Epoch::new(0),
            rooms: [None; 2],
            failures: 0,
            reopenings_told: 0,
        }
    }

    /// This frame is durable, as the journal says.
    pub(in crate::network) fn acknowledged(&mut self, sequence: Sequence) {
        self.end = sequence.next();
    }

    /// The journal does not know whether this frame is durable.
    pub(in crate::network) fn doubt(&mut self, sequence: Sequence, frame: &[u8]) {
        self.doubted = Some((sequence, frame.to_vec()));
    }

    /// The journal is about to be opened.
    pub(in crate::network) fn opening(&mut self, now: Timestamp) -> OracleResult {
        let (at, times) = self.opened;
        self.opened = (now, if at == now { times + 1 } else { 1 });
        self.rooms = [None; 2];
        holds(self.opened.1 < SPINS, || broken(format_args!("the journal is opened {SPINS} times at once")))
    }

    /// Whether there is such a frame.
    pub(in crate::network) const fn is_in_doubt(&self) -> bool {
        self.doubted.is_some()
    }

    /// The journal is opened, and ends here. Answers the frame in doubt when it is there.
    pub(in crate::network) fn open(&mut self, end: Sequence) -> Result<Option<Sequence>, Broken> {
        holds(end >= self.end, || {
            broken(format_args!("frame {} was acknowledged, and the journal ends at {end}", self.end.previous()))
        })?;
        match &self.doubted {
            Some((sequence, _)) if end > self.end => {
                holds(end == sequence.next(), || broken(format_args!("the journal ends at {end}, after {sequence}")))?;
                Ok(Some(*sequence))
            }
            Some(_) | None => {
                holds(end == self.end, || broken(format_args!("nobody has written the frames up to {end}")))?;
                self.doubted = None;
                Ok(None)
            }
        }
    }

    /// The frame in doubt is there.
    pub(in crate::network) fn found(&mut self, sequence: Sequence, frame: &[u8]) -> OracleResult {
        let doubted = self.doubted.take();
        self.end = sequence.next();
        let same = doubted.is_some_and(|(_, written)| written == frame);
        holds(same, || broken(format_args!("frame {sequence} is not what was written")))
    }

    /// A frame of this epoch holds these facts.
    pub(in crate::network) fn is_of_epoch(&mut self, epoch: Epoch, facts: &[Fact]) -> OracleResult {
        let begun =
            facts.iter().rev().find_map(|fact| if let Change::Epoch(begun) = fact.change { Some(begun) } else { None });
        self.epoch = begun.unwrap_or(self.epoch);
        holds(epoch == self.epoch, || {
            broken(format_args!("a frame of epoch {} holds facts of epoch {}", epoch.number(), self.epoch.number()))
        })
    }

    /// The journal says that there is so much room.
    pub(in crate::network) fn told_room(&mut self, room: FreeSpace) {
        self.rooms[1] = self.rooms[1].max(Some(room));
    }

    /// These facts are durable. They were decided when no other room was known than what was told after one of
    /// the two groups before, and new events were not to take what is kept for outcomes.
    pub(in crate::network) fn leave(&mut self, facts: &[Fact]) -> OracleResult {
        let [before, last] = self.rooms;
        self.rooms = [last, None];
        let (Some(before), Some(last)) = (before, last) else { return Ok(()) };
        let size = |fact: &Fact| if let Change::Accepted(event) = &fact.change { event_bytes(event) as u64 } else { 0 };
        let (taken, known) = (facts.iter().map(size).sum::<u64>(), before.max(last).0);
        holds(taken == 0 || taken.saturating_add(RESERVE_BYTES) <= known, || {
            broken(format_args!("events of {taken} bytes were accepted when the journal had room for {known}"))
        })
    }

    /// These facts are durable, and readers of the process that is up are to be told of them.
    pub(in crate::network) fn owe(&mut self, facts: &[Fact]) {
        self.untold.extend(facts.iter().cloned());
    }

    /// A reader was told of this fact.
    pub(in crate::network) fn told(&mut self, fact: &Fact) -> OracleResult {
        let owed = self.untold.pop_front();
        holds(owed.as_ref() == Some(fact), || {
            broken(format_args!("readers are told of {:?}, the next durable fact is {owed:?}", fact.change))
        })
    }

    /// Readers were told of all that is durable.
    pub(in crate::network) fn all_told(&self) -> OracleResult {
        holds(self.untold.is_empty(), || {
            broken(format_args!("readers are not told of {} durable facts: {:?}", self.untold.len(), self.untold))
        })
    }

    /// The journal has failed, and is to be opened again.
    pub(in crate::network) const fn failed(&mut self) {
        self.failures += 1;
    }

    /// Readers were told that the journal was opened again.
    pub(in crate::network) const fn told_of_reopening(&mut self) {
        self.reopenings_told += 1;
    }

    /// The journal is only opened again when it has failed. Want of room for a new event or a snapshot is
    /// no failure, as long as what is kept for outcomes lasts.
    /// An engine that broke may be the cause of one more.
    pub(in crate::network) fn reopened(&self, times: u64, broke: bool) -> OracleResult {
        holds(times <= self.failures + u64::from(broke), || {
            broken(format_args!("the journal was opened again {times} times, for {} failures", self.failures))
        })
    }

    /// Readers are told of each opening.
    pub(in crate::network) fn is_told_of_reopenings(&self, times: u64) -> OracleResult {
        holds(times == self.reopenings_told, || {
            broken(format_args!(
                "readers were told {} times that the journal was opened again, not {times} times",
                self.reopenings_told
            ))
        })
    }

    /// A shutdown has ended, with so many facts that are not durable.
    pub(in crate::network) fn reported(&self, unsynced: u64) -> OracleResult {
        holds(unsynced > 0 || !self.is_in_doubt(), || {
            broken("a shutdown reports that all is durable, and the last group is in doubt")
        })
    }

    /// There is another process, whose readers begin here.
    pub(in crate::network) fn forget_readers(&mut self) {
        self.untold.clear();
        (self.failures, self.reopenings_told) = (0, 0);
    }
}

/// A client was told of something that is not durable.
pub(in crate::network) fn early(number: KeyNumber, what: &str) -> Broken {
    broken(format_args!("a client was told that e{number} is {what}, which is not durable"))
}

/// A journal that no power cut may damage is not opened.
pub(in crate::network) fn refused(error: &OpenError) -> Broken {
    broken(format_args!("the journal is not opened: {error}"))
}

/// A handler was called before its start was durable.
pub(in crate::network) fn uncharged(number: KeyNumber, run: RunId) -> Broken {
    broken(format_args!("the handler has e{number}, and the start of {run} is not durable"))
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
    fn a_frame_says_of_which_epoch_its_facts_are() {
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
                durable.told_room(*room);
            }
            durable.leave(&new)
        };
        assert!(after(&[short]).is_ok(), "what was known before is unknown");
        assert!(after(&[enough, short]).is_ok() && after(&[short, enough]).is_ok());
        assert!(after(&[enough, short, short]).is_err());
    }

    #[test]
    fn a_journal_is_opened_again_for_each_failure_and_readers_are_told() {
        let mut durable = Durable::new();
        durable.failed();
        assert!(durable.reopened(1, false).is_ok() && durable.reopened(2, true).is_ok());
        assert!(durable.reopened(2, false).is_err(), "there was one failure");
        assert!(durable.is_told_of_reopenings(1).is_err(), "nobody was told");
        durable.told_of_reopening();
        assert!(durable.is_told_of_reopenings(1).is_ok());
        durable.forget_readers();
        assert!(durable.reopened(1, false).is_err() && durable.is_told_of_reopenings(0).is_ok());
    }
}
