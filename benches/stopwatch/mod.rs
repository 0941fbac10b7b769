//! The clock of the benchmarks, and the middle of what it says.
#![allow(dead_code, reason = "each bench uses its own part of it")]

use std::time::{Duration, Instant};

/// The one clock of the benchmarks.
#[expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]
pub(crate) fn clock() -> Instant {
    Instant::now()
}

/// How long `work` takes.
pub(crate) fn time(work: impl FnOnce()) -> Duration {
    let began = clock();
    work();
    clock() - began
}

/// The middle one. Zero for no values.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}
