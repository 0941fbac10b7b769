//! Why a step ends before its end.

use crate::failure::Broken;

/// Why a step ends early.
#[derive(Debug)]
pub(super) enum Stop {
    /// A promise is broken.
    Broken(Broken),
    /// A call of the node has panicked, as a fault has it.
    Panicked,
}

impl From<Broken> for Stop {
    fn from(broken: Broken) -> Self {
        Self::Broken(broken)
    }
}
