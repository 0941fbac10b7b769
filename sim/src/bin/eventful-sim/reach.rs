//! What has fired, of either tier.

use eventful_sim::probe::Probes;
use eventful_sim::scenario::FaultKind;

/// What has fired in the runs so far.
#[derive(Debug, Clone, Default)]
pub(crate) struct Reach {
    pub(crate) core: Probes,
}

impl Reach {
    /// Adds what has fired elsewhere.
    pub(crate) fn add(&mut self, other: &Self) {
        self.core.add(&other.core);
    }

    /// How many faults have had their effects.
    pub(crate) fn faults(&self) -> u64 {
        self.core.faults()
    }

    /// How often each kind of fault has had its effect.
    pub(crate) fn by_kind(&self) -> Vec<(String, u64)> {
        FaultKind::ALL.into_iter().map(|kind| (kind.name(), self.core.count(kind))).collect()
    }

    /// How many probes there are.
    pub(crate) fn total() -> usize {
        Probes::total()
    }

    /// The probes that have not fired.
    pub(crate) fn missing(&self) -> Vec<String> {
        self.core.missing()
    }
}
