//! Configurations whose limits are soon reached.

use std::num::NonZeroUsize;
use std::ops::RangeInclusive;
use std::time::Duration;

use eventful::{
    Backoff, Config, GroupPolicy, TypePolicy, Unmatched,
    engine::{FailedOverflow, GroupPolicies, OnFailure, TypePolicies},
};
use proptest::prelude::*;

/// Returns small configurations: a few events fill every bound, a few milliseconds pass every deadline.
pub fn configs() -> impl Strategy<Value = Config> {
    let base = (any::<u64>(), counts(1..=4), counts(1..=4)).prop_map(|(seed, channel_capacity, sweep_batch)| {
        let mut config = Config::default();
        (config.seed, config.channel_capacity, config.sweep_batch) = (Some(seed), channel_capacity, sweep_batch);
        config
    });
    let bounded = base.prop_flat_map(with_attempts).prop_flat_map(with_runs).prop_flat_map(with_bounds);
    bounded.prop_flat_map(with_upkeep).prop_flat_map(with_types).prop_flat_map(with_groups)
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
    let follow_ups = (0..=3_usize, self::counts(1..=2));
    (counts, bytes, millis(1..=20), follow_ups).prop_map(move |(counts, bytes, overload_retry_after, follow_ups)| {
        let ((pending, more), (event, more_bytes)) = (counts, bytes);
        let mut config = base.clone();
        (config.max_follow_ups, config.concurrency) = follow_ups;
        (config.max_pending, config.max_records) = (pending, pending + more);
        (config.max_event_bytes, config.max_bytes) = (event, event + more_bytes);
        config.max_failed_bytes = event + more_bytes / 2;
        config.overload_retry_after = overload_retry_after;
        config
    })
}

/// Adds policies for two types, for one, or for none; a star fits one type or both.
fn with_types(base: Config) -> impl Strategy<Value = Config> {
    let patterns = prop_oneof![
        2 => Just(&[][..]),
        2 => Just(&["a.*", "c"][..]),
        1 => Just(&["c", "a.b"][..]),
        1 => Just(&["*"][..]),
        1 => Just(&["a*"][..]),
    ];
    let policies = [policies(), policies()];
    (patterns, policies, proptest::bool::weighted(0.2)).prop_map(move |(patterns, policies, waits)| {
        let mut config = base.clone();
        config.types = TypePolicies::default();
        for (pattern, (concurrency, attempts, timeout, backoff)) in patterns.iter().zip(policies) {
            let mut policy = TypePolicy::new();
            (policy.concurrency, policy.max_attempts, policy.backoff) = (concurrency, attempts, backoff);
            policy.run_timeout = timeout;
            policy.run_lifetime = timeout.map(|timeout| timeout * 2).filter(|_| backoff.is_none());
            // The lifetime of the configuration must not be less than the timeout of the policy.
            if policy.run_lifetime.is_none() && timeout > Some(config.run_lifetime) {
                policy.run_timeout = None;
            }
            config.types.add(pattern, policy).expect("policies that fit each other");
        }
        config.unmatched = if waits && !patterns.is_empty() { Unmatched::Wait } else { Unmatched::Run };
        config
    })
}

/// Policies for two groups, for one, or for none.
fn with_groups(base: Config) -> impl Strategy<Value = Config> {
    let policy = prop_oneof![
        2 => Just(GroupPolicy::fifo()),
        1 => Just(GroupPolicy::fifo().with_on_failure(OnFailure::Halt)),
        2 => (1..=2_usize).prop_map(|limit| GroupPolicy::free().with_concurrency(limit)),
        1 => Just(GroupPolicy::free()),
    ];
    let patterns =
        prop_oneof![1 => Just(&[][..]), 2 => Just(&["g/*"][..]), 1 => Just(&["h"][..]), 1 => Just(&["*"][..])];
    let most = prop_oneof![2 => Just(None), 1 => (1..=3_usize).prop_map(Some)];
    (patterns, policy, most).prop_map(move |(patterns, mut policy, most)| {
        policy.max_pending = most;
        let mut config = base.clone();
        config.groups = GroupPolicies::default();
        for pattern in patterns {
            config.groups.add(pattern, policy.clone()).expect("policies that fit each other");
        }
        config
    })
}

type DrawnPolicy = (Option<usize>, Option<u32>, Option<Duration>, Option<Backoff>);

fn policies() -> impl Strategy<Value = DrawnPolicy> {
    let concurrency = prop_oneof![1 => Just(None), 3 => (1..=2_usize).prop_map(Some)];
    let attempts = proptest::option::of(1..=4_u32);
    let timeout = proptest::option::of(millis(1..=40));
    (concurrency, attempts, timeout, proptest::option::of(backoffs()))
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
