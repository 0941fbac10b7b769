//! Critical times for steps.

use eventful::Timestamp;
use proptest::prelude::*;

use crate::spec::model::Model;

/// The choice of a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// The time of the last step.
    Still,
    /// A time this many microseconds after the last step.
    Later(u64),
    /// A time this many microseconds before the last step, as after a clock was set back.
    Before(u64),
    /// The next deadline, this many microseconds off; the last time if there is none.
    Deadline(i64),
    /// The next end of a retention, this many microseconds off; the last time if there is none.
    Expiry(i64),
}

impl When {
    /// Returns a strategy for times that stand still, advance, jump, go back, and meet deadlines to the microsecond.
    pub fn strategy() -> impl Strategy<Value = Self> {
        prop_oneof![
            8 => Just(Self::Still),
            4 => (1..5_000_u64).prop_map(Self::Later),
            1 => (5_000..400_000_u64).prop_map(Self::Later),
            1 => (1..1_000_000_u64).prop_map(Self::Before),
            4 => (-1..=1_i64).prop_map(Self::Deadline),
            1 => (-1..=1_i64).prop_map(Self::Expiry),
        ]
    }

    /// Returns the time for an engine in the state of `model`.
    pub fn resolve(self, model: &Model) -> Timestamp {
        let now = model.now.as_micros();
        let micros = match self {
            Self::Still => now,
            Self::Later(micros) => now.saturating_add(micros),
            Self::Before(micros) => now.saturating_sub(micros),
            Self::Deadline(off) => near(model.next_deadline().map(|deadline| deadline.at), off, now),
            Self::Expiry(off) => near(model.next_expiry(), off, now),
        };
        Timestamp::from_micros(micros)
    }
}

fn near(at: Option<Timestamp>, off: i64, now: u64) -> u64 {
    at.map_or(now, |at| at.as_micros().saturating_add_signed(off))
}
