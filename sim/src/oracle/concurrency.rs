//! P5: free permits and running workers add up to the limit.

use eventful::engine::Engine;

use crate::failure::Broken;

/// Checks a node between two steps. `dropped` are runs whose handlers were dropped by a shutdown that has not recorded
/// it yet. A node that broke in the middle of a start has given out permits that no worker came to hold.
///
/// # Errors
///
/// [`Broken`] if the promise does not hold.
pub(crate) fn judge_permits(
    engine: &Engine,
    (free, workers): (usize, usize),
    dropped: usize,
    is_broken: bool,
) -> Result<(), Broken> {
    let limit = engine.config().concurrency.get();
    let inflight = engine.gauges().inflight as usize;
    let adds_up = free + workers == limit || is_broken && free + workers < limit;
    match adds_up && inflight <= workers + dropped {
        true => Ok(()),
        false => {
            let what = format!(
                "{free} free permits, {workers} workers, {inflight} runs in flight ({dropped} dropped), limit {limit}"
            );
            Err(Broken::new("concurrency", 5, what))
        }
    }
}
