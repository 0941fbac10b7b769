//! What a run has reached: each fault, and each answer that matters, by name.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use super::scenario::{FaultKind, Outage};
use crate::spelling::variant;
use crate::tier::{Probe, Probes};

/// The kinds of faults, one a line. Enough runs together must have reached each.
pub(super) const FAULTS: &str = include_str!("faults.txt");

/// The answers and turns of a run that matter, one a line. Enough runs together must have reached each.
pub(super) const ANSWERS: &str = include_str!("answers.txt");

static NUMBERS: LazyLock<BTreeMap<&str, usize>> =
    LazyLock::new(|| FAULTS.lines().chain(ANSWERS.lines()).zip(0..).collect());

impl Probe for &str {
    /// Names that are on no list share the number after the last.
    fn number(self) -> usize {
        NUMBERS.get(self).copied().unwrap_or(NUMBERS.len())
    }
}

impl Probes {
    /// Counts one.
    pub(super) fn reach(&mut self, name: &str) {
        self.fire(name);
    }
}

/// The probe of a kind of fault.
pub(super) fn fault(kind: &FaultKind) -> String {
    match kind {
        FaultKind::Link { trouble, .. } => variant(trouble, ' '),
        FaultKind::Outage { outage: Outage::CrashWriting { power: true, .. }, .. } => "power cut writing".to_owned(),
        FaultKind::Outage { outage, .. } => variant(outage, ' '),
        FaultKind::Disturb { disturbance, .. } => variant(disturbance, ' '),
        FaultKind::Disk { trouble, .. } => variant(trouble, ' '),
        FaultKind::Inside(inside) => variant(inside, ' '),
        FaultKind::Pause { .. }
        | FaultKind::DiskFull { .. }
        | FaultKind::DiskBlocks { .. }
        | FaultKind::DiskGone { .. } => variant(kind, ' '),
    }
}
