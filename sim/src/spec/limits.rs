//! What bounds the runs of an event: found by trying every policy.

use std::time::Duration;

use eventful::{Backoff, Config, Event, TypePolicy, Unmatched};

/// What bounds the runs of one event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventLimits {
    /// Charged starts after which it has failed.
    pub max_attempts: u32,
    /// The wait between them.
    pub backoff: Backoff,
    /// How long a run may last without a heartbeat.
    pub run_timeout: Duration,
    /// How long it may last with heartbeats.
    pub run_lifetime: Duration,
}

impl EventLimits {
    /// Those of an event of this type.
    pub fn of(config: &Config, event_type: Option<&str>) -> Self {
        let none = TypePolicy::new();
        let policy = policy_of(config, event_type).map_or(&none, |(_, policy)| policy);
        Self {
            max_attempts: policy.max_attempts.unwrap_or(config.max_attempts),
            backoff: policy.backoff.unwrap_or(config.backoff),
            run_timeout: policy.run_timeout.unwrap_or(config.run_timeout),
            run_lifetime: policy.run_lifetime.unwrap_or(config.run_lifetime),
        }
    }
}

/// The number of the policy of this type, and the policy.
///
/// # Panics
///
/// When two policies fit it, which a configuration does not allow.
pub fn policy_of<'c>(config: &'c Config, event_type: Option<&str>) -> Option<(usize, &'c TypePolicy)> {
    let event_type = event_type?;
    let fits = |pattern: &str| match pattern.split_once('*') {
        Some((beginning, _)) => event_type.strip_prefix(beginning).is_some(),
        None => event_type == pattern,
    };
    let found = config.types.iter().enumerate().filter(|(_, (pattern, _))| fits(pattern));
    let mut found = found.map(|(number, (_, policy))| (number, policy));
    let first = found.next();
    assert!(found.next().is_none(), "two policies fit {event_type}");
    first
}

/// The gate that an event has to pass, by number, and how many it lets through at once: the number of its policy, or one
/// of its own when it waits because it has none.
pub fn gate_of(config: &Config, event: &Event) -> Option<(usize, usize)> {
    match policy_of(config, event.event_type()) {
        Some((number, policy)) => Some((number, policy.concurrency.unwrap_or(usize::MAX))),
        None if config.unmatched == Unmatched::Wait => Some((usize::MAX, 0)),
        None => None,
    }
}
