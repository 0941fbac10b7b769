//! Units of the times in a scenario.

/// Microseconds in a millisecond.
pub(crate) const MILLI: u64 = 1_000;
