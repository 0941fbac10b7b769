//! Units of the times in a scenario.

/// Microseconds in a millisecond.
pub(super) const MILLI: u64 = 1_000;
