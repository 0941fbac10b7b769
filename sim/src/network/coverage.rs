//! Coverage of a run: each fault and each significant response that it reached, by name.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use super::scenario::{NetworkFaultKind, Outage};
use crate::spelling::variant;
use crate::tier::{Countable, Probes};

/// The kinds of faults, one a line. Enough runs together must reach each of them.
pub(super) const FAULTS: &str = include_str!("faults.txt");

/// The responses and events of a run that matter, one a line. Enough runs together must reach each of them.
pub(super) const RESPONSES: &str = include_str!("responses.txt");

static NUMBERS: LazyLock<BTreeMap<&str, usize>> =
    LazyLock::new(|| FAULTS.lines().chain(RESPONSES.lines()).zip(0..).collect());

impl Countable for &str {
    /// Returns the number of a name. Names that are on no list share the number after the last.
    fn number(self) -> usize {
        NUMBERS.get(self).copied().unwrap_or(NUMBERS.len())
    }
}

impl Probes {
    /// Counts that the run reached this point.
    pub(super) fn reach(&mut self, name: &str) {
        self.fire(name);
    }
}

/// Returns the name of the probe of a kind of fault.
pub(super) fn fault(kind: &NetworkFaultKind) -> String {
    match kind {
        NetworkFaultKind::Link { trouble, .. } => variant(trouble, ' '),
        NetworkFaultKind::Outage { outage: Outage::CrashWriting { power: true, .. }, .. } => {
            "power cut writing".to_owned()
        }
        NetworkFaultKind::Outage { outage, .. } => variant(outage, ' '),
        NetworkFaultKind::Disturb { disturbance, .. } => variant(disturbance, ' '),
        NetworkFaultKind::Disk { trouble, .. } => variant(trouble, ' '),
        NetworkFaultKind::Inside(inside) => variant(inside, ' '),
        NetworkFaultKind::Pause { .. }
        | NetworkFaultKind::DiskFull { .. }
        | NetworkFaultKind::DiskBlocks { .. }
        | NetworkFaultKind::DiskGone { .. } => variant(kind, ' '),
    }
}
