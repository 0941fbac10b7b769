//! The configuration of a front.

use std::vec::Vec;

use super::access::Access;
use super::limits::Limits;
use super::sources::Source;
use super::targets::Targets;

/// The configuration of a front: what clients may use, who may call what, and who sends in a form of their own.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct FrontConfig {
    /// Limits on what clients may use.
    pub limits: Limits,
    /// Senders that are received from at `/in/NAME`. Of two with one name the last one counts.
    pub sources: Vec<Source>,
    /// Tokens and roles. All calls are open by default.
    pub access: Access,
    /// Targets of the handler, to be shown and operated. None by default.
    pub targets: Option<Targets>,
}

impl From<Limits> for FrontConfig {
    fn from(limits: Limits) -> Self {
        Self { limits, ..Self::default() }
    }
}
