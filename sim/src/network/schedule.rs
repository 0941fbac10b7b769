//! The schedule of faults: those that are still to come, and those that are there.

use std::time::Duration;

use super::clock::{TICK, ms};
use super::inside::Inside;
use super::scenario::{NetworkFault, NetworkFaultKind};
use super::tier::NetworkScenario;
use crate::seeded_rng::{SeededRng, Stream};

/// The faults of a run, and the next process of the server.
#[derive(Debug)]
pub(super) struct Faults {
    /// The next one last.
    pub(super) ahead: Vec<NetworkFault>,
    pub(super) present: Vec<(Duration, NetworkFaultKind)>,
    /// When there will be another process of the server.
    pub(super) restart_at: Option<Duration>,
    /// How long after its end the next process follows the one that is up.
    pub(super) down: Duration,
    /// When all faults end.
    pub(super) heal_at: Duration,
    pub(super) healed: bool,
    pub(super) delay: Duration,
    /// The process dies when the disk has stopped, with the machine or without.
    pub(super) dying: Option<Power>,
    /// What power cuts leave.
    pub(super) cuts: Stream,
}

/// What becomes of the machine when a process dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Power {
    Stays,
    Fails,
}

/// How soon a process is restarted that nobody has ended on purpose.
const RESTART: Duration = Duration::from_millis(20);

impl Faults {
    pub(super) fn new(scenario: &NetworkScenario) -> Self {
        let mut ahead = scenario.faults.clone();
        ahead.sort_by_key(|fault| std::cmp::Reverse(fault.at_ms));
        let ends = scenario.faults.iter().map(|fault| ms(fault.at_ms) + length(&fault.kind));
        let asked = scenario.operations.iter().map(|request| ms(request.at_ms));
        let heal_at = ends.chain(asked).max().unwrap_or_default() + TICK;
        let delay = ms(scenario.setup.latency_ms) / 4;
        let cuts = SeededRng::of(scenario.seed).stream("power cuts");
        Self {
            ahead,
            present: Vec::new(),
            restart_at: None,
            down: RESTART,
            heal_at,
            healed: false,
            delay,
            dying: None,
            cuts,
        }
    }

    /// Whether all have ended, and there is a server.
    pub(super) const fn are_over(&self) -> bool {
        self.healed && self.restart_at.is_none()
    }

    /// Whether another process is to be started.
    pub(super) const fn awaits_restart(&self) -> bool {
        self.restart_at.is_some()
    }

    /// The process that was up is not any more.
    pub(super) fn server_ended(&mut self, now: Duration) {
        self.restart_at = Some(now + if self.healed { Duration::ZERO } else { self.down });
        self.dying = None;
        self.down = RESTART;
    }
}

/// How long a fault lasts that ends by itself.
fn length(kind: &NetworkFaultKind) -> Duration {
    match kind {
        NetworkFaultKind::Link { for_ms, .. }
        | NetworkFaultKind::Pause { for_ms }
        | NetworkFaultKind::DiskFull { for_ms }
        | NetworkFaultKind::DiskBlocks { for_ms }
        | NetworkFaultKind::DiskGone { for_ms } => ms(*for_ms),
        NetworkFaultKind::Inside(Inside::Submitters { for_ms, .. }) => ms(*for_ms),
        NetworkFaultKind::Outage { .. }
        | NetworkFaultKind::Disturb { .. }
        | NetworkFaultKind::Disk { .. }
        | NetworkFaultKind::Inside(Inside::UnpolledStart) => Duration::ZERO,
    }
}
