//! The oracle of permits and workers: `free + running = limit`.

use eventful::metrics::Stats;

use super::{OracleResult, holds};
use crate::failure::Broken;

/// Checks the bounds at any time. A permit on its way back to the dispatcher counts as neither.
pub(in crate::network) fn bounded(stats: &Stats, limit: usize) -> OracleResult {
    let (free, running) = (stats.permits_free, stats.workers_running);
    let sum = free + running;
    let on_its_way = 1;
    holds(sum <= limit as u64 && sum + on_its_way >= limit as u64, || {
        broken(format_args!("{free} permits free and {running} workers, the limit is {limit}"))
    })?;
    let inflight = stats.engine.gauges.inflight;
    holds(inflight <= limit as u64, || broken(format_args!("{inflight} runs with a limit of {limit}")))
}

/// Checks the exact numbers once no work is left.
pub(in crate::network) fn at_rest(stats: &Stats, limit: usize) -> OracleResult {
    let (free, running) = (stats.permits_free, stats.workers_running);
    holds(free == limit as u64 && running == 0, || {
        broken(format_args!("at rest {free} permits are free and {running} workers run, the limit is {limit}"))
    })
}

fn broken(what: impl std::fmt::Display) -> Broken {
    Broken::new("permits", 5, what)
}
