//! Units of the times in a scenario.

use std::fmt;

/// Microseconds in a millisecond.
pub const MILLI: u64 = 1_000;

/// A duration, displayed in a suitable unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Micros(pub u64);

impl fmt::Display for Micros {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (unit, thousandths, name) = match self.0 {
            micros @ 0..1_000 => return write!(f, "{micros} µs"),
            micros @ 1_000..1_000_000 => (micros / 1_000, micros % 1_000, "ms"),
            micros => (micros / 1_000_000, micros / 1_000 % 1_000, "s"),
        };
        let rest = format!("{thousandths:03}");
        match rest.trim_end_matches('0') {
            "" => write!(f, "{unit} {name}"),
            rest => write!(f, "{unit}.{rest} {name}"),
        }
    }
}
