//! Policies by type of event.

use alloc::string::String;
use core::time::Duration;

use super::backoff::Backoff;
use super::patterns::{InvalidPolicy, MAX_POLICIES, Patterns, PolicyId};

/// The limits of events of some types: how many run at once, how often, and for how long.
///
/// The rest is as in [`Config`](super::Config).
///
/// ```
/// use core::time::Duration;
/// use eventful::{Config, TypePolicy};
///
/// let mut config = Config::default();
/// config.types.add("order.*", TypePolicy::new().with_concurrency(8).with_max_attempts(5))?;
/// config.types.add("mail", TypePolicy::new().with_run_timeout(Duration::from_secs(5)))?;
/// # Ok::<(), eventful::engine::InvalidPolicy>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct TypePolicy {
    /// Events of these types that run at once, or are next in line to. [`Config::concurrency`](super::Config::concurrency) bounds the runs of
    /// all types together.
    pub concurrency: Option<usize>,
    /// See [`Config::max_attempts`](super::Config::max_attempts).
    pub max_attempts: Option<u32>,
    /// See [`Config::backoff`](super::Config::backoff).
    pub backoff: Option<Backoff>,
    /// See [`Config::run_timeout`](super::Config::run_timeout).
    pub run_timeout: Option<Duration>,
    /// See [`Config::run_lifetime`](super::Config::run_lifetime).
    pub run_lifetime: Option<Duration>,
}

impl TypePolicy {
    /// A policy that changes nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same policy with this [`concurrency`](Self::concurrency).
    #[must_use]
    pub fn with_concurrency(self, concurrency: usize) -> Self {
        Self { concurrency: Some(concurrency), ..self }
    }

    /// The same policy with these [`max_attempts`](Self::max_attempts).
    #[must_use]
    pub fn with_max_attempts(self, max_attempts: u32) -> Self {
        Self { max_attempts: Some(max_attempts), ..self }
    }

    /// The same policy with this [`backoff`](Self::backoff).
    #[must_use]
    pub fn with_backoff(self, backoff: Backoff) -> Self {
        Self { backoff: Some(backoff), ..self }
    }

    /// The same policy with this [`run_timeout`](Self::run_timeout).
    #[must_use]
    pub fn with_run_timeout(self, run_timeout: Duration) -> Self {
        Self { run_timeout: Some(run_timeout), ..self }
    }

    /// The same policy with this [`run_lifetime`](Self::run_lifetime).
    #[must_use]
    pub fn with_run_lifetime(self, run_lifetime: Duration) -> Self {
        Self { run_lifetime: Some(run_lifetime), ..self }
    }

    fn validate(&self) -> Result<(), &'static str> {
        let wrong = [
            (self.concurrency == Some(0), "concurrency is zero: set it to at least 1"),
            (self.max_attempts == Some(0), "max_attempts is zero: set it to at least 1"),
            (
                self.run_timeout.is_some_and(is_too_short),
                "run_timeout is shorter than a microsecond: set it to at least 1 µs",
            ),
            (
                self.run_lifetime.is_some_and(is_too_short),
                "run_lifetime is shorter than a microsecond: set it to at least 1 µs",
            ),
            (
                self.backoff.is_some_and(|backoff| is_too_short(backoff.base)),
                "backoff.base is shorter than a microsecond: set it to at least 1 µs",
            ),
            (
                self.backoff.is_some_and(|backoff| backoff.cap < backoff.base),
                "backoff.cap is less than backoff.base: raise backoff.cap or lower backoff.base",
            ),
            (
                self.backoff.is_some_and(|backoff| backoff.jitter_percent > 100),
                "backoff.jitter_percent is above 100: lower it",
            ),
        ];
        wrong.into_iter().find(|(is_wrong, _)| *is_wrong).map_or(Ok(()), |(_, problem)| Err(problem))
    }
}

const fn is_too_short(duration: Duration) -> bool {
    duration.as_micros() == 0
}

/// The policies of an engine. No type of event fits two of them.
///
/// A pattern is a type, `order.created`, or the beginning of types with a star behind it, `order.*`. The star alone fits
/// every type; an event without type fits no pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TypePolicies {
    patterns: Patterns<TypePolicy>,
    shortest_run: Duration,
}

/// The fate of events that no pattern of [`Config::types`](super::Config::types) fits: those of other types, and those without type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Unmatched {
    /// Events run, as if there were no policies.
    #[default]
    Run,
    /// Events wait, until the engine is opened with a pattern that fits or an operator discards them. They count as
    /// pending, and hold up no others.
    Wait,
}

impl Default for TypePolicies {
    fn default() -> Self {
        Self { patterns: Patterns::default(), shortest_run: Duration::MAX }
    }
}

impl TypePolicies {
    /// The most policies that an engine has: more would be a sign that each event has a type of its own.
    pub const MAX: usize = MAX_POLICIES;

    /// Adds a policy for the types that this pattern fits.
    ///
    /// # Errors
    ///
    /// [`InvalidPolicy`] when the pattern is none, when a type fits it and an earlier one, when the policy contradicts
    /// itself, and when there are too many.
    pub fn add(&mut self, pattern: &str, policy: TypePolicy) -> Result<PolicyId, InvalidPolicy> {
        let valid = policy.validate();
        let runs = [policy.run_timeout, policy.run_lifetime].into_iter().flatten();
        let shortest = runs.fold(self.shortest_run, Duration::min);
        let added = self.patterns.add(pattern, policy, valid)?;
        self.shortest_run = shortest;
        Ok(added)
    }

    /// The policy of events of this type. The cost grows with the logarithm of the number of policies.
    pub fn find(&self, event_type: &str) -> Option<PolicyId> {
        self.patterns.find(event_type)
    }

    /// The places of all, in the order in which they were added.
    pub(super) fn ids(&self) -> impl Iterator<Item = PolicyId> + use<> {
        self.patterns.ids()
    }

    /// The policy in this place.
    pub fn policy(&self, id: PolicyId) -> Option<&TypePolicy> {
        self.patterns.policy(id)
    }

    /// The pattern of the policy in this place, as it was added.
    pub fn pattern(&self, id: PolicyId) -> Option<String> {
        self.patterns.pattern(id)
    }

    /// Patterns with their policies, in the order in which they were added.
    pub fn iter(&self) -> impl Iterator<Item = (String, &TypePolicy)> {
        self.patterns.iter()
    }

    /// The policies, to change limits that no other part of this depends on.
    pub(super) fn policies_mut(&mut self) -> impl Iterator<Item = &mut TypePolicy> {
        self.patterns.policies_mut()
    }

    /// Returns the number of policies.
    pub fn len(&self) -> usize {
        self.patterns.len()
    }

    /// Returns whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The shortest timeout or lifetime that a policy sets.
    pub(super) const fn shortest_run(&self) -> Duration {
        self.shortest_run
    }

    /// The place behind the last policy: that of the events which wait because none is theirs.
    pub(super) fn behind_the_last(&self) -> PolicyId {
        self.patterns.behind_the_last()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString as _;

    #[test]
    fn type_finds_the_one_pattern_that_fits() {
        let types = with(&["order.*", "order", "mail.sent", "mail.*.not", "m", "zebra*"]);
        assert_eq!(types.len(), 4 + 1, "a star within a pattern is refused");
        let found = |event_type: &str| types.find(event_type).and_then(|id| types.pattern(id));
        for (event_type, pattern) in [
            ("order.created", Some("order.*")),
            ("order.", Some("order.*")),
            ("order", Some("order")),
            ("orders", None),
            ("mail.sent", Some("mail.sent")),
            ("mail.sent.late", None),
            ("m", Some("m")),
            ("ma", None),
            ("zebra", Some("zebra*")),
            ("zebra-crossing", Some("zebra*")),
            ("zebr", None),
            ("", None),
        ] {
            assert_eq!(found(event_type).as_deref(), pattern, "{event_type}");
        }
    }

    #[test]
    fn star_alone_fits_every_type() {
        let types = with(&["*"]);
        assert!(types.find("anything").is_some() && types.find("").is_some());
    }

    #[test]
    fn overlapping_patterns_are_refused_in_both_orders() {
        for (one, other) in [("a*", "a.b"), ("a*", "a*"), ("a.b*", "a*"), ("a", "a"), ("*", "x"), ("*", "x*")] {
            for (first, second) in [(one, other), (other, one)] {
                let refused = with(&[first]).add(second, TypePolicy::new()).expect_err("they overlap").to_string();
                let words = alloc::format!("the policy of `{second}` overlaps with that of `{first}`");
                assert!(refused.starts_with(&words), "{refused}");
            }
        }
        assert_eq!(with(&["a.*", "a", "b*", "ab"]).len(), 4);
    }

    #[test]
    fn pattern_is_a_type_or_the_beginning_of_one() {
        for pattern in ["", "**", "*a", "a*b", "a*b*"] {
            let refused = TypePolicies::default().add(pattern, TypePolicy::new()).expect_err("no pattern").to_string();
            assert!(refused.contains("has no pattern"), "{refused}");
        }
    }

    #[test]
    fn policy_that_contradicts_itself_is_refused() {
        let backoff = Backoff::default();
        let policy = TypePolicy::new;
        for (policy, words) in [
            (policy().with_concurrency(0), "concurrency is zero"),
            (policy().with_max_attempts(0), "max_attempts is zero"),
            (policy().with_run_timeout(Duration::from_nanos(999)), "run_timeout is shorter"),
            (policy().with_run_lifetime(Duration::ZERO), "run_lifetime is shorter"),
            (policy().with_backoff(Backoff { base: Duration::ZERO, ..backoff }), "backoff.base is shorter"),
            (policy().with_backoff(Backoff { cap: Duration::ZERO, ..backoff }), "backoff.cap is less"),
            (policy().with_backoff(Backoff { jitter_percent: 101, ..backoff }), "jitter_percent is above"),
        ] {
            let refused = TypePolicies::default().add("a", policy).expect_err("it contradicts itself").to_string();
            assert!(refused.contains(words), "{refused}");
        }
    }

    #[test]
    fn policies_are_bounded() {
        let mut types = TypePolicies::default();
        for number in 0..TypePolicies::MAX {
            types.add(&number.to_string(), TypePolicy::new()).expect("there is room");
        }
        let refused = types.add("one more", TypePolicy::new()).expect_err("too many").to_string();
        assert!(refused.contains("one too many"), "{refused}");
    }

    fn with(patterns: &[&str]) -> TypePolicies {
        let mut types = TypePolicies::default();
        patterns.iter().for_each(|pattern| drop(types.add(pattern, TypePolicy::new())));
        types
    }
}
