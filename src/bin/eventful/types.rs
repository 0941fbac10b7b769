//! Policies by type of event, as the command line has them.

use std::time::Duration;

use clap::{Args, ValueEnum};
use eventful::engine::{InvalidPolicy, TypePolicies};
use eventful::{Backoff, Config, Event, Failure, TypePolicy, Unmatched};

use crate::spans;

/// Options for types of events.
#[derive(Debug, Args)]
pub(crate) struct TypeOptions {
    /// A policy for the types of events that a pattern fits, 'order.*:concurrency=8,attempts=5'; settings are concurrency,
    /// attempts, backoff, backoff-cap, timeout and lifetime. Can be given more than once
    #[arg(long = "type", env = "EVENTFUL_TYPES", value_delimiter = ';', value_parser = TypeFlag::parse, value_name = "PATTERN:SETTINGS")]
    pub(crate) policies: Vec<TypeFlag>,
    /// The fate of events whose type no policy fits, and of those without type
    #[arg(long, env = "EVENTFUL_UNMATCHED", value_enum, default_value_t = UnmatchedFlag::default(), value_name = "FATE")]
    pub(crate) unmatched: UnmatchedFlag,
}

/// A value of `--type`: `order.*:concurrency=8,attempts=5`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TypeFlag {
    pattern: String,
    policy: TypePolicy,
    backoff: Option<Duration>,
    backoff_cap: Option<Duration>,
}

/// The fate of events whose type no policy fits: a value of `--unmatched`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum UnmatchedFlag {
    /// Handled as all others, without limits of a type
    #[default]
    Default,
    /// Kept until a server is started with a policy for them, or an operator discards them
    Wait,
    /// Failed when their turn comes; they can be redriven
    Fail,
}

impl UnmatchedFlag {
    /// Sets the fate in a configuration that has all its policies.
    ///
    /// # Errors
    ///
    /// Without a policy every event would fail.
    pub(crate) fn set(self, config: &mut Config) -> Result<(), String> {
        if self == Self::Wait {
            config.unmatched = Unmatched::Wait;
        }
        match self == Self::Fail && config.types.is_empty() {
            true => Err("unmatched is fail, and without a policy every event would fail: add one with --type".into()),
            false => Ok(()),
        }
    }

    /// Fails an event that no policy fits, when it is to.
    ///
    /// # Errors
    ///
    /// [`Failure`]
    pub(crate) fn refuse(self, event: &Event, types: &TypePolicies) -> Result<(), Failure> {
        match event.event_type() {
            _ if self != Self::Fail => Ok(()),
            Some(event_type) if types.find(event_type).is_some() => Ok(()),
            Some(event_type) => Err(Failure::permanent(format_args!(
                "no policy fits type {event_type:?}, and such events fail: add one with --type, then redrive the event"
            ))),
            None => Err(Failure::permanent("the event has no type, and events that no policy fits fail: discard it")),
        }
    }
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
        // Added to none, so that a mistake is reported as one of this flag.
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
        // A long timeout raises the lifetime, which must not be less.
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
    fn event_that_no_policy_fits_fails_where_that_is_chosen() {
        let mut config = Config::default();
        assert_eq!(UnmatchedFlag::Default.set(&mut config), Ok(()));
        assert!(UnmatchedFlag::Fail.set(&mut config).is_err_and(|error| error.contains("add one with --type")));
        TypeFlag::parse("mail:attempts=2").expect("a policy").add_to(&mut config).expect("it is the first");
        assert_eq!(UnmatchedFlag::Fail.set(&mut config), Ok(()));
        assert_eq!(config.unmatched, Unmatched::Run, "they start, and the handler fails them");

        let plain = Event::with_id("a", "").expect("an event");
        let typed = |name| plain.clone().with_type(name).expect("a short type");
        let types = config.types.clone();
        let refuse = |flag: UnmatchedFlag, event: &Event| flag.refuse(event, &types).map_err(|why| why.to_string());
        assert_eq!(refuse(UnmatchedFlag::Fail, &typed("mail")), Ok(()));
        assert!(refuse(UnmatchedFlag::Fail, &typed("fax")).is_err_and(|error| error.contains("fits type \"fax\"")));
        assert!(refuse(UnmatchedFlag::Fail, &plain).is_err_and(|error| error.contains("has no type")));
        assert_eq!(refuse(UnmatchedFlag::Default, &plain), Ok(()));
        UnmatchedFlag::Wait.set(&mut config).expect("there is a policy");
        assert_eq!((config.unmatched, refuse(UnmatchedFlag::Wait, &plain)), (Unmatched::Wait, Ok(())));
    }

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
