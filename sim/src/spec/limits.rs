//! The bounds of an event's runs, found by a search through every policy.

use std::time::Duration;

use eventful::{Backoff, Config, Event, GroupPolicy, TypePolicy, Unmatched};

/// The bounds of one event's runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventLimits {
    /// The number of charged starts after which it has failed.
    pub max_attempts: u32,
    /// The wait between attempts.
    pub backoff: Backoff,
    /// The longest time of a run without a heartbeat.
    pub run_timeout: Duration,
    /// The longest time of a run with heartbeats.
    pub run_lifetime: Duration,
}

impl EventLimits {
    /// Returns the bounds of an event of this type.
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

/// Returns the number of the policy of this type, and the policy.
///
/// # Panics
///
/// If two policies fit, which a configuration does not allow.
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

/// Returns the policy of a group.
///
/// # Panics
///
/// When two policies fit it, which a configuration does not allow.
pub fn group_policy_of(config: &Config, group: &str) -> GroupPolicy {
    let fits = |pattern: &str| match pattern.split_once('*') {
        Some((beginning, _)) => group.strip_prefix(beginning).is_some(),
        None => group == pattern,
    };
    let mut found = config.groups.iter().filter(|(pattern, _)| fits(pattern));
    let first = found.next().map(|(_, policy)| policy.clone());
    assert!(found.next().is_none(), "two policies fit {group}");
    first.unwrap_or_default()
}

/// Returns the gate of an event, by number, and its limit: the number of its policy, or one of its own if it waits
/// because it has none.
pub fn gate_of(config: &Config, event: &Event) -> Option<(usize, usize)> {
    match policy_of(config, event.event_type()) {
        Some((number, policy)) => Some((number, policy.concurrency.unwrap_or(usize::MAX))),
        None if config.unmatched == Unmatched::Wait => Some((usize::MAX, 0)),
        None => None,
    }
}
