//! Policies by name of group.

use alloc::string::String;

use super::patterns::{InvalidPolicy, Patterns, PolicyId};

/// The order and the limits of groups. Each group that the pattern fits has an order and limits of its own.
///
/// Among several shards each gets its part of the limits, and groups take turns in each; a group in order needs one shard.
///
/// ```
/// use eventful::{Config, GroupPolicy};
///
/// let mut config = Config::default();
/// config.groups.add("tenant/*", GroupPolicy::free().with_concurrency(4))?;
/// config.groups.add("account/*", GroupPolicy::fifo())?;
/// # Ok::<(), eventful::engine::InvalidPolicy>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct GroupPolicy {
    /// The order of its events.
    pub order: GroupOrder,
    /// Events of one group that run at once. Without it [`Config::concurrency`](super::Config::concurrency) is the only
    /// limit, and that of their type.
    pub concurrency: Option<usize>,
    /// Events of one group that are not terminal; more are refused, so that one group does not take the room of all
    /// others. They are refused at once, also where a submission waits for room that all share. A redrive that lets a
    /// [halted](OnFailure::Halt) group run again is not refused. Without it
    /// [`Config::max_pending`](super::Config::max_pending) is the only bound.
    pub max_pending: Option<usize>,
    /// The effect of an event that fails on those behind it, in a group in order.
    pub on_failure: OnFailure,
}

/// The order of the events of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum GroupOrder {
    /// Events may run at once, and one that is retried does not hold up the others.
    #[default]
    Free,
    /// One after the other, as they became due, and of equals the one accepted first. The next one starts when the one
    /// before is completed, failed or discarded, and waits over its retries.
    Fifo,
}

/// The effect of an event that fails on the others of its group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum OnFailure {
    /// The next one runs. A failed event that is redriven is a new arrival.
    #[default]
    Continue,
    /// None runs until the failed event is redriven, and so runs first, is discarded, or reaches the end of
    /// [`Config::failed_retention`](super::Config::failed_retention). Only for groups in order.
    ///
    /// No bound on pending events refuses the redrive, neither that of the group nor those on the count and the bytes of
    /// all: what has filled them may wait for this event. So they may be exceeded by what has failed.
    Halt,
}

impl GroupPolicy {
    /// The policy of groups whose events may run at once: the one of every group that no pattern fits.
    pub fn free() -> Self {
        Self::default()
    }

    /// The policy of groups whose events run one after the other.
    pub fn fifo() -> Self {
        Self { order: GroupOrder::Fifo, ..Self::default() }
    }

    /// The same policy with this [`concurrency`](Self::concurrency).
    #[must_use]
    pub fn with_concurrency(self, concurrency: usize) -> Self {
        Self { concurrency: Some(concurrency), ..self }
    }

    /// The same policy with this [`max_pending`](Self::max_pending).
    #[must_use]
    pub fn with_max_pending(self, max_pending: usize) -> Self {
        Self { max_pending: Some(max_pending), ..self }
    }

    /// The same policy with this [`on_failure`](Self::on_failure).
    #[must_use]
    pub fn with_on_failure(self, on_failure: OnFailure) -> Self {
        Self { on_failure, ..self }
    }

    /// Returns whether a failed event stops its group.
    pub fn halts(&self) -> bool {
        self.on_failure == OnFailure::Halt
    }

    const fn validate(&self) -> Result<(), &'static str> {
        match (self.order, self.concurrency) {
            (GroupOrder::Fifo, Some(_)) => {
                Err("concurrency is set, and events in order run one at a time: leave it out, or let the order be free")
            }
            (GroupOrder::Free, _) if matches!(self.on_failure, OnFailure::Halt) => {
                Err("on_failure is halt, and events of a free group wait for no other: let the order be fifo")
            }
            (_, Some(0)) => Err("concurrency is zero: set it to at least 1"),
            _ if matches!(self.max_pending, Some(0)) => Err("max_pending is zero: set it to at least 1"),
            (GroupOrder::Free | GroupOrder::Fifo, _) => Ok(()),
        }
    }
}

/// The policies of groups. No name of a group fits two of them; one that fits none has [`GroupPolicy::free`].
///
/// A pattern is a name, or the beginning of names with a star behind it, `tenant/*`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GroupPolicies {
    patterns: Patterns<GroupPolicy>,
}

impl GroupPolicies {
    /// Adds a policy for the groups whose names this pattern fits.
    ///
    /// # Errors
    ///
    /// [`InvalidPolicy`] when the pattern is none, when a name fits it and an earlier one, when the policy contradicts
    /// itself, and when there are too many.
    pub fn add(&mut self, pattern: &str, policy: GroupPolicy) -> Result<PolicyId, InvalidPolicy> {
        let valid = policy.validate();
        self.patterns.add(pattern, policy, valid)
    }

    /// The policy of the group of this name.
    pub fn of(&self, name: &str) -> GroupPolicy {
        self.patterns.find(name).and_then(|id| self.patterns.policy(id)).cloned().unwrap_or_default()
    }

    /// The policies, in the order in which they were added.
    pub(super) fn policies_mut(&mut self) -> impl Iterator<Item = &mut GroupPolicy> {
        self.patterns.policies_mut()
    }

    /// Patterns with their policies, in the order in which they were added.
    pub fn iter(&self) -> impl Iterator<Item = (String, &GroupPolicy)> {
        self.patterns.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString as _;

    #[test]
    fn group_has_the_policy_that_fits_its_name_or_is_free() {
        let mut policies = GroupPolicies::default();
        policies.add("a/*", GroupPolicy::fifo()).expect("the first");
        assert_eq!(policies.of("a/1"), GroupPolicy::fifo());
        assert_eq!(policies.of("b"), GroupPolicy::free());
    }

    #[test]
    fn policy_that_contradicts_itself_is_refused() {
        for (policy, words) in [
            (GroupPolicy::free().with_concurrency(0), "concurrency is zero"),
            (GroupPolicy::fifo().with_max_pending(0), "max_pending is zero"),
            (GroupPolicy::free().with_on_failure(OnFailure::Halt), "let the order be fifo"),
            (GroupPolicy::fifo().with_concurrency(1), "run one at a time"),
        ] {
            let refused = GroupPolicies::default().add("a", policy).expect_err("it contradicts itself").to_string();
            assert!(refused.contains(words), "{refused}");
        }
    }
}
