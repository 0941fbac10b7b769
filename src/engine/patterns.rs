//! Policies by pattern: no text fits two of them.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

/// The most policies of a kind that an engine has.
pub(super) const MAX_POLICIES: usize = 10_000;

/// Policies of one kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Patterns<P> {
    /// In the order in which they were added.
    policies: Vec<PatternPolicy<P>>,
    /// The policies by the text of their patterns, without the star.
    sorted: Vec<PolicyId>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct PatternPolicy<P> {
    /// Without the star.
    text: Box<str>,
    has_star: bool,
    policy: P,
}

/// The place of a policy among those of its kind, in the order in which they were added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PolicyId(u16);

/// The reason for which a policy was not added.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the policy of `{pattern}` {problem}")]
pub struct InvalidPolicy {
    pattern: Box<str>,
    problem: Box<str>,
}

impl PolicyId {
    /// Its number; the first is 0.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

impl<P> Default for Patterns<P> {
    fn default() -> Self {
        Self { policies: Vec::new(), sorted: Vec::new() }
    }
}

impl<P> Patterns<P> {
    /// Adds a policy that is valid, or not for this reason.
    pub(super) fn add(&mut self, pattern: &str, policy: P, valid: Result<(), &str>) -> Result<PolicyId, InvalidPolicy> {
        let refuse = |problem: String| Err(InvalidPolicy { pattern: pattern.into(), problem: problem.into() });
        let (text, has_star) = match pattern.strip_suffix('*') {
            Some(text) => (text, true),
            None => (pattern, false),
        };
        if pattern.is_empty() || text.contains('*') {
            return refuse("has no pattern: write a whole text, or the beginning of one with a star at its end".into());
        }
        if let Err(problem) = valid {
            return refuse(alloc::format!("contradicts itself: {problem}"));
        }
        let added = PatternPolicy { text: text.into(), has_star, policy };
        // A scan of all is enough: policies are added before the start only.
        if let Some(other) = self.policies.iter().find(|other| other.overlaps(&added)) {
            return refuse(alloc::format!("overlaps with that of `{other}`: let each text fit one pattern"));
        }
        let number = u16::try_from(self.policies.len()).ok().filter(|_| self.policies.len() < MAX_POLICIES);
        let Some(id) = number.map(PolicyId) else {
            return refuse(alloc::format!("is one too many: an engine has {MAX_POLICIES} at most"));
        };
        let at = self.sorted.partition_point(|other| self.policies[other.index()].text < added.text);
        self.sorted.insert(at, id);
        self.policies.push(added);
        Ok(id)
    }

    /// The policy whose pattern this text fits.
    pub(super) fn find(&self, text: &str) -> Option<PolicyId> {
        // As no two overlap, the one that fits is the last whose text is not after this one.
        let after = self.sorted.partition_point(|id| *self.policies[id.index()].text <= *text);
        let id = *self.sorted.get(after.checked_sub(1)?)?;
        self.policies[id.index()].fits(text).then_some(id)
    }

    pub(super) fn ids(&self) -> impl Iterator<Item = PolicyId> + use<P> {
        (0..self.behind_the_last().0).map(PolicyId)
    }

    pub(super) fn policy(&self, id: PolicyId) -> Option<&P> {
        self.policies.get(id.index()).map(|found| &found.policy)
    }

    pub(super) fn pattern(&self, id: PolicyId) -> Option<String> {
        self.policies.get(id.index()).map(|found| alloc::format!("{found}"))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (String, &P)> {
        self.policies.iter().map(|found| (alloc::format!("{found}"), &found.policy))
    }

    pub(super) fn policies_mut(&mut self) -> impl Iterator<Item = &mut P> {
        self.policies.iter_mut().map(|found| &mut found.policy)
    }

    pub(super) fn len(&self) -> usize {
        self.policies.len()
    }

    pub(super) fn behind_the_last(&self) -> PolicyId {
        // At most `MAX_POLICIES`, which fits.
        PolicyId(u16::try_from(self.policies.len()).unwrap_or(u16::MAX))
    }
}

impl<P> PatternPolicy<P> {
    fn fits(&self, text: &str) -> bool {
        if self.has_star { text.starts_with(&*self.text) } else { *text == *self.text }
    }

    fn overlaps(&self, other: &Self) -> bool {
        match (self.has_star, other.has_star) {
            (true, true) => self.fits(&other.text) || other.fits(&self.text),
            (true, false) => self.fits(&other.text),
            (false, _) => other.fits(&self.text),
        }
    }
}

impl<P> fmt::Display for PatternPolicy<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.text, if self.has_star { "*" } else { "" })
    }
}
