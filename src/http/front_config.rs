//! How a front is set up.

use std::vec::Vec;

use super::access::Access;
use super::limits::Limits;
use super::sources::Source;

/// How a front is set up: what clients may take, who may call what, and who sends in a way of their own.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct FrontConfig {
    /// What clients may take.
    pub limits: Limits,
    /// Senders that are received from at `/in/NAME`. Of two with one name the last one counts.
    pub sources: Vec<Source>,
    /// Who may call what. All by default.
    pub access: Access,
}

impl From<Limits> for FrontConfig {
    fn from(limits: Limits) -> Self {
        Self { limits, ..Self::default() }
    }
}
