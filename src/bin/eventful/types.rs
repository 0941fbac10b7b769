//! Policies by type of event, as the command line has them.

use std::time::Duration;

use eventful::engine::{InvalidPolicy, TypePolicies};
use eventful::{Backoff, Config, TypePolicy};

use crate::spans;

/// A value of `--type`: `order.*:concurrency=8,attempts=5`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TypeFlag {
    pattern: String,
    policy: TypePolicy,
    backoff: Option<Duration>,
    backoff_cap: Option<Duration>,
}

/// The settings of a policy.
const SETTINGS: &str = "concurrency, attempts, backoff, backoff-cap, timeout and lifetime";

impl TypeFlag {
    /// The policy that this text names.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        // Types may have colons; settings have none.
        let (pattern, settings) =
            text.rsplit_once(':').filter(|(pattern, _)| !pattern.is_empty()).ok_or_else(|| {
                format!(
                    "'{text}' names no policy: write a pattern, a colon and settings, as in 'order.*:concurrency=8'"
                )
            })?;
        let (policy, backoff, backoff_cap) = (TypePolicy::new(), None, None);
        let mut flag = Self { pattern: pattern.to_owned(), policy, backoff, backoff_cap };
        settings.split(',').try_for_each(|setting| flag.set(setting))?;
        TypePolicies::default().add(&flag.pattern, flag.policy.clone()).map_err(|error| error.to_string())?;
        Ok(flag)
    }

    fn set(&mut self, setting: &str) -> Result<(), String> {
        let unknown =
            || format!("'{setting}' is no setting of a policy: those are {SETTINGS}, each as in 'concurrency=8'");
        let (name, value) = setting.split_once('=').ok_or_else(unknown)?;
        let count = || value.parse().map_err(|error| format!("'{value}' is no value for {name}: {error}"));
        let span = || spans::parse(value).map_err(|error| format!("'{value}' is no value for {name}: {error}"));
        let is_new = match name {
            "concurrency" => self.policy.concurrency.replace(count()? as usize).is_none(),
            "attempts" => self.policy.max_attempts.replace(count()?).is_none(),
            "backoff" => self.backoff.replace(span()?).is_none(),
            "backoff-cap" => self.backoff_cap.replace(span()?).is_none(),
            "timeout" => self.policy.run_timeout.replace(span()?).is_none(),
            "lifetime" => self.policy.run_lifetime.replace(span()?).is_none(),
            _ => return Err(unknown()),
        };
        if is_new { Ok(()) } else { Err(format!("{name} is set twice: leave one out")) }
    }

    /// Adds the policy to a configuration, whose backoff it completes.
    pub(crate) fn add_to(&self, config: &mut Config) -> Result<(), InvalidPolicy> {
        let mut policy = self.policy.clone();
        if self.backoff.is_some() || self.backoff_cap.is_some() {
            let base = self.backoff.unwrap_or(config.backoff.base);
            let cap = self.backoff_cap.unwrap_or(config.backoff.cap);
            policy.backoff = Some(Backoff { base, cap, ..config.backoff });
        }
        let shortest = policy.run_timeout.unwrap_or(config.run_timeout);
        if policy.run_lifetime.is_none() && shortest > config.run_lifetime {
            policy.run_lifetime = Some(shortest);
        }
        config.types.add(&self.pattern, policy).map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flag_sets_every_part_of_a_policy() {
        let text = "a:b.*:concurrency=8,attempts=5,backoff=2s,backoff-cap=1m,timeout=20m,lifetime=30m";
        let mut config = Config::default();
        TypeFlag::parse(text).expect("a policy").add_to(&mut config).expect("it is the first");
        let backoff = Backoff { base: Duration::from_secs(2), cap: Duration::from_secs(60), ..config.backoff };
        let policy = TypePolicy::new().with_concurrency(8).with_max_attempts(5).with_backoff(backoff);
        let policy = policy.with_run_timeout(Duration::from_secs(1200)).with_run_lifetime(Duration::from_secs(1800));
        assert_eq!(config.types.iter().collect::<Vec<_>>(), [("a:b.*".to_owned(), &policy)]);
    }

    #[test]
    fn long_timeout_makes_the_lifetime_as_long() {
        let mut config = Config::default();
        TypeFlag::parse("a:timeout=2h").expect("a policy").add_to(&mut config).expect("it is the first");
        assert_eq!(config.validate(), Ok(()));
    }

    #[test]
    fn flag_that_names_no_policy_says_what_is_wrong() {
        for (text, words) in [
            ("order.*", "names no policy"),
            (":concurrency=8", "names no policy"),
            ("a:", "'' is no setting"),
            ("a:speed=1", "those are concurrency, attempts"),
            ("a:concurrency", "'concurrency' is no setting"),
            ("a:concurrency=many", "'many' is no value for concurrency"),
            ("a:timeout=soon", "'soon' is no value for timeout"),
            ("a:attempts=1,attempts=2", "attempts is set twice"),
            ("a:concurrency=0", "concurrency is zero"),
            ("a*b:concurrency=1", "has no pattern"),
        ] {
            let refused = TypeFlag::parse(text).expect_err(text);
            assert!(refused.contains(words), "{text}: {refused}");
        }
    }
}
