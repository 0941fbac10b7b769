//! A broken promise.

use std::borrow::Cow;
use std::fmt;

/// A promise of the README, by its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Promise(pub u8);

impl fmt::Display for Promise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "P{}", self.0)
    }
}

/// A violation that an oracle has found.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{promise} is broken, says oracle `{oracle}`: {what}")]
pub struct Broken {
    /// The oracle's name, as the table of its tier has it.
    pub oracle: Cow<'static, str>,
    /// The promise that does not hold.
    pub promise: Promise,
    /// The description of the violation.
    pub what: String,
}

impl Broken {
    /// Creates a violation of `promise`, found by `oracle`.
    #[cold]
    pub fn new(oracle: &'static str, promise: u8, what: impl fmt::Display) -> Self {
        Self { oracle: Cow::Borrowed(oracle), promise: Promise(promise), what: what.to_string() }
    }

    /// Returns whether both have the same promise and the same oracle.
    pub fn is_like(&self, other: &Self) -> bool {
        self.oracle == other.oracle && self.promise == other.promise
    }
}

/// Returns an error unless the condition holds.
pub(crate) fn holds(it_is_so: bool, broken: impl FnOnce() -> Broken) -> Result<(), Broken> {
    if it_is_so { Ok(()) } else { Err(broken()) }
}
