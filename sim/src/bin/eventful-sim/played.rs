//! What a run of any tier came to.

use eventful_sim::failure::Broken;

/// The result of a run.
#[derive(Debug, Clone)]
pub(crate) struct Played {
    pub(crate) broken: Option<Broken>,
    pub(crate) hash: u64,
    /// Of the core tier only.
    pub(crate) steps: Option<u32>,
    pub(crate) virtual_micros: u64,
}
