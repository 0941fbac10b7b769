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

/// What an oracle has seen that should not be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{promise} is broken, says oracle `{oracle}`: {what}")]
pub struct Broken {
    /// The oracle's name: that of its file.
    pub oracle: Cow<'static, str>,
    /// The promise that does not hold.
    pub promise: Promise,
    /// What happened, in a sentence.
    pub what: String,
}

impl Broken {
    /// What `oracle` has to say about `promise`.
    #[cold]
    pub fn new(oracle: &'static str, promise: u8, what: impl fmt::Display) -> Self {
        Self { oracle: Cow::Borrowed(oracle), promise: Promise(promise), what: what.to_string() }
    }

    /// Whether it is the same promise in the eyes of the same oracle.
    pub fn is_like(&self, other: &Self) -> bool {
        self.oracle == other.oracle && self.promise == other.promise
    }
}

/// Nothing is broken when this is so.
pub(crate) fn holds(it_is_so: bool, broken: impl FnOnce() -> Broken) -> Result<(), Broken> {
    if it_is_so { Ok(()) } else { Err(broken()) }
}
