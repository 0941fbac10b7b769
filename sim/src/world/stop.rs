//! The reasons why a step ends early.

use crate::failure::Broken;

/// The reason why a step ends early.
#[derive(Debug)]
pub(super) enum Stop {
    /// A promise is broken.
    Broken(Broken),
    /// A call of the node has panicked, as a fault injected.
    Panicked,
}

impl From<Broken> for Stop {
    fn from(broken: Broken) -> Self {
        Self::Broken(broken)
    }
}
