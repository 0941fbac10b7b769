//! Numbers that name a run, a ticket and an acceptance.

use core::fmt;
use core::num::NonZeroU64;

/// One opening of the engine. Each open raises it, so that no run is named twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Epoch(u64);

impl Epoch {
    /// The epoch with this number.
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// Its number.
    pub const fn number(self) -> u64 {
        self.0
    }
}

/// The fence of one run: every outcome names its run, and only the current one counts.
///
/// Ordered by epoch, then by an engine-wide rising number; never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RunId {
    epoch: Epoch,
    number: u64,
}

impl RunId {
    /// The run with this number in this epoch.
    pub const fn new(epoch: Epoch, number: u64) -> Self {
        Self { epoch, number }
    }

    /// The opening of the engine in which it started.
    pub const fn epoch(self) -> Epoch {
        self.epoch
    }

    /// Its number, engine-wide and rising within its epoch.
    pub const fn number(self) -> u64 {
        self.number
    }
}

/// Epoch and number, `1700000000000000-42`.
impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.epoch.0, self.number)
    }
}

/// One entry of the channel: a number that rises with each ticket sent.
///
/// The engine knows which record it is for, so a ticket cannot name a foreign record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ticket(u64);

impl Ticket {
    /// The ticket with this number.
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// Its number.
    pub const fn number(self) -> u64 {
        self.0
    }
}

/// The place of an event in the order in which events were accepted, from 1 on. Never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Seq(NonZeroU64);

impl Seq {
    /// The place with this number; 0 is none.
    pub const fn new(number: u64) -> Option<Self> {
        match NonZeroU64::new(number) {
            Some(number) => Some(Self(number)),
            None => None,
        }
    }

    /// Its number.
    pub const fn number(self) -> u64 {
        self.0.get()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString as _;

    #[test]
    fn run_is_shown_by_its_epoch_and_its_number() {
        let run = RunId::new(Epoch::new(1_700_000_000_000_000), 42);
        assert_eq!((run.epoch().number(), run.number()), (1_700_000_000_000_000, 42));
        assert_eq!(run.to_string(), "1700000000000000-42");
    }
}
