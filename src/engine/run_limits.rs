//! The limits of the runs of an event: its policy, and the configuration where that is silent.

use core::time::Duration;

use super::backoff::Backoff;
use super::config::Config;
use super::patterns::PolicyId;
use super::types::Unmatched;

/// The limits of the runs of one event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RunLimits {
    pub(super) max_attempts: u32,
    pub(super) backoff: Backoff,
    pub(super) run_timeout: Duration,
    pub(super) run_lifetime: Duration,
}

impl Config {
    /// The policy of an event of this type; absent when it runs without one.
    pub(super) fn policy_of(&self, event_type: Option<&str>) -> Option<PolicyId> {
        match event_type.and_then(|event_type| self.types.find(event_type)) {
            None if self.unmatched == Unmatched::Wait => Some(self.types.behind_the_last()),
            found => found,
        }
    }

    /// The limits of the runs of an event with this policy.
    pub(super) fn run_limits(&self, policy: Option<PolicyId>) -> RunLimits {
        let Self { max_attempts, backoff, run_timeout, run_lifetime, .. } = *self;
        match policy.and_then(|id| self.types.policy(id)) {
            None => RunLimits { max_attempts, backoff, run_timeout, run_lifetime },
            Some(policy) => RunLimits {
                max_attempts: policy.max_attempts.unwrap_or(max_attempts),
                backoff: policy.backoff.unwrap_or(backoff),
                run_timeout: policy.run_timeout.unwrap_or(run_timeout),
                run_lifetime: policy.run_lifetime.unwrap_or(run_lifetime),
            },
        }
    }

    /// The limits of events without policy, and those of each policy.
    pub(super) fn all_run_limits(&self) -> impl Iterator<Item = RunLimits> {
        core::iter::once(None).chain(self.types.ids().map(Some)).map(|id| self.run_limits(id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::TypePolicy;

    #[test]
    fn what_a_policy_does_not_set_is_as_in_the_configuration() {
        let mut config = Config::default();
        let id = config.types.add("a", TypePolicy::new().with_max_attempts(2)).expect("a policy");
        assert_eq!(config.run_limits(Some(id)), RunLimits { max_attempts: 2, ..config.run_limits(None) });
        assert_eq!(config.run_limits(config.policy_of(Some("b"))), config.run_limits(None));
    }
}
