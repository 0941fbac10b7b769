//! What has fired, of any tier.

use eventful_sim::disk::{DiskFault, DiskProbes};
use eventful_sim::network::{ANSWERS, Coverage, FAULTS};
use eventful_sim::probe::Probes;
use eventful_sim::scenario::FaultKind;

use crate::options::Tier;

/// What has fired in the runs of a tier so far.
#[derive(Debug)]
pub(crate) struct Reach {
    tier: Tier,
    pub(crate) core: Probes,
    pub(crate) network: Coverage,
    pub(crate) disk: DiskProbes,
}

impl Reach {
    /// Nothing so far.
    pub(crate) fn of(tier: Tier) -> Self {
        Self { tier, core: Probes::default(), network: Coverage::default(), disk: DiskProbes::default() }
    }

    /// Adds what has fired elsewhere.
    pub(crate) fn add(&mut self, other: &Self) {
        self.core.add(&other.core);
        self.network.merge(&other.network);
        self.disk.add(&other.disk);
    }

    /// How often each kind of fault has had its effect.
    pub(crate) fn by_kind(&self) -> Vec<(String, u64)> {
        match self.tier {
            Tier::Core => FaultKind::ALL.into_iter().map(|kind| (kind.name(), self.core.count(kind))).collect(),
            Tier::Turmoil => FAULTS.iter().map(|name| ((*name).to_owned(), self.network.count(name))).collect(),
            Tier::Disk => DiskFault::ALL.into_iter().map(|fault| (fault.name(), self.disk.of(fault))).collect(),
        }
    }

    /// How many faults have had their effects.
    pub(crate) fn faults(&self) -> u64 {
        match self.tier {
            Tier::Core => self.core.faults(),
            Tier::Turmoil => FAULTS.iter().map(|name| self.network.count(name)).sum(),
            Tier::Disk => DiskFault::ALL.into_iter().map(|fault| self.disk.of(fault)).sum(),
        }
    }

    /// How many probes there are.
    pub(crate) fn total(&self) -> usize {
        match self.tier {
            Tier::Core => self.core.total(),
            Tier::Turmoil => FAULTS.len() + ANSWERS.len(),
            Tier::Disk => DiskFault::ALL.len(),
        }
    }

    /// The probes that have not fired.
    pub(crate) fn missing(&self) -> Vec<String> {
        match self.tier {
            Tier::Core => self.core.missing(),
            Tier::Turmoil => self.network.missing().into_iter().map(str::to_owned).collect(),
            Tier::Disk => self.disk.missing().into_iter().map(DiskFault::name).collect(),
        }
    }
}
