//! The clock of the benchmarks, and the median of its measurements.
#![allow(dead_code, reason = "each bench uses its own part of it")]

use std::time::{Duration, Instant};

/// The one clock of the benchmarks.
#[expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]
pub(crate) fn clock() -> Instant {
    Instant::now()
}

/// Returns the time that `work` takes.
pub(crate) fn time(work: impl FnOnce()) -> Duration {
    let began = clock();
    work();
    clock() - began
}

/// Returns the median. Zero for no values.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}
