//! Configurations whose limits are soon reached.

use std::num::NonZeroUsize;
use std::ops::RangeInclusive;
use std::time::Duration;

use eventful::{Backoff, Config, engine::FailedOverflow};
use proptest::prelude::*;

/// Small configurations: a few events fill every bound, a few milliseconds pass every deadline.
pub fn configs() -> impl Strategy<Value = Config> {
    let base = (any::<u64>(), counts(1..=4), counts(1..=4)).prop_map(|(seed, channel_capacity, sweep_batch)| {
        let mut config = Config::default();
        (config.seed, config.channel_capacity, config.sweep_batch) = (Some(seed), channel_capacity, sweep_batch);
        config
    });
    base.prop_flat_map(with_attempts).prop_flat_map(with_runs).prop_flat_map(with_bounds).prop_flat_map(with_upkeep)
}

fn with_attempts(base: Config) -> impl Strategy<Value = Config> {
    let limits = (1..=4_u32, 0..=2_u32, 0..=1_u32);
    let waits = (millis(0..=60), millis(0..=60));
    (limits, waits, backoffs()).prop_map(move |(limits, waits, backoff)| {
        let mut config = base.clone();
        (config.max_attempts, config.max_snoozes, config.max_refunds) = limits;
        (config.max_retry_after, config.max_snooze) = waits;
        config.backoff = backoff;
        config
    })
}

fn backoffs() -> impl Strategy<Value = Backoff> {
    (micros(1..=20_000), micros(0..=80_000), 0..=100_u8).prop_map(|(base, more, jitter_percent)| Backoff {
        base,
        cap: base + more,
        jitter_percent,
    })
}

fn with_runs(base: Config) -> impl Strategy<Value = Config> {
    (millis(1..=40), millis(0..=80)).prop_map(move |(run_timeout, more)| {
        let mut config = base.clone();
        (config.run_timeout, config.run_lifetime) = (run_timeout, run_timeout + more);
        config
    })
}

fn with_bounds(base: Config) -> impl Strategy<Value = Config> {
    let counts = (1..=8_usize, 0..=4_usize);
    let bytes = (30..=90_usize, 0..=200_usize);
    (counts, bytes, millis(1..=20)).prop_map(move |((pending, more), (event, more_bytes), overload_retry_after)| {
        let mut config = base.clone();
        (config.max_pending, config.max_records) = (pending, pending + more);
        (config.max_event_bytes, config.max_bytes) = (event, event + more_bytes);
        config.max_failed_bytes = event + more_bytes / 2;
        config.overload_retry_after = overload_retry_after;
        config
    })
}

fn with_upkeep(base: Config) -> impl Strategy<Value = Config> {
    let failed = (proptest::option::of(millis(1..=300)), any::<bool>());
    let waits = (millis(1..=300), millis(1..=20), millis(2..=60));
    (waits, failed).prop_map(move |((retention, sweep_interval, stuck_after), (failed_retention, drops))| {
        let mut config = base.clone();
        (config.retention, config.failed_retention) = (retention, failed_retention);
        config.failed_overflow = if drops { FailedOverflow::DropOldest } else { FailedOverflow::Refuse };
        (config.sweep_interval, config.stuck_after) = (sweep_interval, stuck_after);
        config
    })
}

fn counts(range: RangeInclusive<usize>) -> impl Strategy<Value = NonZeroUsize> {
    range.prop_map(|count| NonZeroUsize::new(count).unwrap_or(NonZeroUsize::MIN))
}

fn millis(range: RangeInclusive<u64>) -> impl Strategy<Value = Duration> {
    range.prop_map(Duration::from_millis)
}

fn micros(range: RangeInclusive<u64>) -> impl Strategy<Value = Duration> {
    range.prop_map(Duration::from_micros)
}
