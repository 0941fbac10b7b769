//! What was acknowledged survives: each opening of the journal finds every frame that was durable,
//! and readers of facts are told of those, and only of those, that are.

use std::collections::VecDeque;

use eventful::journal::{OpenError, Sequence};
use eventful::{Fact, RunId, Timestamp};

use super::{Verdict, holds};
use crate::failure::Broken;
use crate::network::scenario::KeyNumber;

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
}

/// So often nobody opens a journal at one time unless something spins.
const SPINS: u32 = 20;

impl Durable {
    pub(in crate::network) const fn new() -> Self {
        Self { end: Sequence::FIRST, doubted: None, untold: VecDeque::new(), opened: (Timestamp::EPOCH, 0) }
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
    pub(in crate::network) fn opening(&mut self, now: Timestamp) -> Verdict {
        let (at, times) = self.opened;
        self.opened = (now, if at == now { times + 1 } else { 1 });
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
    pub(in crate::network) fn found(&mut self, sequence: Sequence, frame: &[u8]) -> Verdict {
        let doubted = self.doubted.take();
        self.end = sequence.next();
        let same = doubted.is_some_and(|(_, written)| written == frame);
        holds(same, || broken(format_args!("frame {sequence} is not what was written")))
    }

    /// These facts are durable, and readers of the process that is up are to be told of them.
    pub(in crate::network) fn owe(&mut self, facts: &[Fact]) {
        self.untold.extend(facts.iter().cloned());
    }

    /// A reader was told of this fact.
    pub(in crate::network) fn told(&mut self, fact: &Fact) -> Verdict {
        let owed = self.untold.pop_front();
        holds(owed.as_ref() == Some(fact), || {
            broken(format_args!("readers are told of {:?}, the next durable fact is {owed:?}", fact.change))
        })
    }

    /// Readers were told of all that is durable.
    pub(in crate::network) fn all_told(&self) -> Verdict {
        holds(self.untold.is_empty(), || {
            broken(format_args!("readers are not told of {} durable facts: {:?}", self.untold.len(), self.untold))
        })
    }

    /// The journal is only opened again when something has failed. A disk that is full is no failure, as
    /// long as what is kept for outcomes lasts.
    pub(in crate::network) fn reopened(times: u64, failures: u64) -> Verdict {
        holds(times <= failures, || {
            broken(format_args!("the journal was opened again {times} times, for {failures} failures"))
        })
    }

    /// A shutdown has ended, with so many facts that are not durable.
    pub(in crate::network) fn reported(&self, unsynced: u64) -> Verdict {
        holds(unsynced > 0 || !self.is_in_doubt(), || {
            broken("a shutdown reports that all is durable, and the last group is in doubt")
        })
    }

    /// There is another process, whose readers begin here.
    pub(in crate::network) fn forget_readers(&mut self) {
        self.untold.clear();
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
