//! Units of the times in a scenario.

/// Microseconds in a millisecond.
pub const MILLI: u64 = 1_000;
