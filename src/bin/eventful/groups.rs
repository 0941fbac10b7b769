//! Policies by name of group, as the command line has them.

use eventful::engine::{GroupOrder, GroupPolicies, InvalidPolicy, OnFailure};
use eventful::{Config, GroupPolicy};

/// A value of `--group`: `account/*:order=fifo`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct GroupFlag {
    pattern: String,
    policy: GroupPolicy,
}

impl GroupFlag {
    /// The policy that this text names.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        // Names may have colons; settings have none.
        let (pattern, settings) =
            text.rsplit_once(':').filter(|(pattern, _)| !pattern.is_empty()).ok_or_else(|| {
                format!("'{text}' names no policy: write a pattern, a colon and settings, as in 'account/*:order=fifo'")
            })?;
        let (mut order, mut concurrency, mut max_pending, mut on_failure) = (None, None, None, None);
        for setting in settings.split(',') {
            let is_new = match setting.split_once('=') {
                Some(("order", "free")) => order.replace(GroupOrder::Free).is_none(),
                Some(("order", "fifo")) => order.replace(GroupOrder::Fifo).is_none(),
                Some(("on-failure", "continue")) => on_failure.replace(OnFailure::Continue).is_none(),
                Some(("on-failure", "halt")) => on_failure.replace(OnFailure::Halt).is_none(),
                Some(("concurrency", value)) => concurrency.replace(count("concurrency", value)?).is_none(),
                Some(("max-pending", value)) => max_pending.replace(count("max-pending", value)?).is_none(),
                _ => {
                    let known = "order=free|fifo, on-failure=continue|halt, concurrency=N and max-pending=N";
                    return Err(format!("'{setting}' is no setting of a policy: those are {known}"));
                }
            };
            if !is_new {
                return Err(format!("'{setting}' is set twice: leave one out"));
            }
        }
        let mut policy = GroupPolicy::free();
        (policy.order, policy.concurrency, policy.max_pending) = (order.unwrap_or_default(), concurrency, max_pending);
        policy.on_failure = on_failure.unwrap_or_default();
        GroupPolicies::default().add(pattern, policy.clone()).map_err(|error| error.to_string())?;
        Ok(Self { pattern: pattern.to_owned(), policy })
    }

    /// Adds the policy to a configuration.
    pub(crate) fn add_to(&self, config: &mut Config) -> Result<(), InvalidPolicy> {
        config.groups.add(&self.pattern, self.policy.clone()).map(drop)
    }
}

fn count(name: &str, value: &str) -> Result<usize, String> {
    let count = value.parse::<u32>().map_err(|error| format!("'{value}' is no value for {name}: {error}"))?;
    Ok(count as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flag_sets_order_or_limit() {
        let policy = |text| GroupFlag::parse(text).expect("a policy").policy;
        assert_eq!(policy("a:b/*:order=fifo"), GroupPolicy::fifo());
        assert_eq!(policy("a:order=free,concurrency=3"), GroupPolicy::free().with_concurrency(3));
        let halting = GroupPolicy::fifo().with_on_failure(OnFailure::Halt);
        assert_eq!(policy("a:order=fifo,on-failure=halt"), halting);
        assert_eq!(policy("a:max-pending=9"), GroupPolicy::free().with_max_pending(9));
        let flag = GroupFlag::parse("a:b/*:order=fifo").expect("a policy");
        let mut config = Config::default();
        flag.add_to(&mut config).expect("the first");
        assert_eq!(config.groups.of("a:b/1"), GroupPolicy::fifo());
        assert!(flag.add_to(&mut config).is_err(), "it overlaps with itself");
    }

    #[test]
    fn flag_that_names_no_policy_says_what_is_wrong() {
        for (text, words) in [
            ("tenant/*", "names no policy"),
            ("a:", "'' is no setting"),
            ("a:order=lifo", "those are order=free|fifo"),
            ("a:on-failure=halt", "let the order be fifo"),
            ("a:concurrency=many", "'many' is no value"),
            ("a:max-pending=0", "max_pending is zero"),
            ("a:concurrency=0", "concurrency is zero"),
            ("a:order=fifo,order=free", "is set twice"),
            ("a:order=fifo,concurrency=2", "run one at a time"),
        ] {
            let refused = GroupFlag::parse(text).expect_err(text);
            assert!(refused.contains(words), "{text}: {refused}");
        }
    }
}
