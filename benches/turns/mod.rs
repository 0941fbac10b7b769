//! Rounds of measurement: what is compared takes turns, so that a noisy minute affects all of it.

use crate::stopwatch::median;

/// Runs each of the `systems` once per round, and returns the median of each.
pub(crate) fn take_turns<const SYSTEMS: usize>(
    rounds: usize,
    systems: [&mut dyn FnMut() -> f64; SYSTEMS],
) -> [f64; SYSTEMS] {
    let mut values = [const { Vec::new() }; SYSTEMS];
    let mut systems = systems;
    for _ in 0..rounds {
        for (values, measure) in values.iter_mut().zip(&mut systems) {
            values.push(measure());
        }
    }
    values.map(median)
}
