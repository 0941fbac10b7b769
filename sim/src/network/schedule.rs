//! The schedule of faults: those still to come, and those in effect.

use std::time::Duration;

use super::clock::{TICK, ms};
use super::inside::Inside;
use super::scenario::{NetworkFault, NetworkFaultKind};
use super::tier::NetworkScenario;
use crate::seeded_rng::{SeededRng, Stream};

/// The faults of a run, and the next process of the server.
#[derive(Debug)]
pub(super) struct Faults {
    /// Faults still to come, the next one last.
    pub(super) ahead: Vec<NetworkFault>,
    pub(super) present: Vec<(Duration, NetworkFaultKind)>,
    /// The time at which another process of the server starts.
    pub(super) restart_at: Option<Duration>,
    /// The time between the end of the current process and the start of the next one.
    pub(super) down: Duration,
    /// The time at which all faults end.
    pub(super) heal_at: Duration,
    pub(super) healed: bool,
    pub(super) delay: Duration,
    /// Set if the process dies once the disk has stopped, with the machine or without.
    pub(super) dying: Option<Power>,
    /// The source of randomness for what power cuts leave.
    pub(super) cuts: Stream,
}

/// The state of the machine after a process dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Power {
    Stays,
    Fails,
}

/// The time until a process is restarted that no fault has ended: some ticks, so that clients meet its absence.
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

    /// Returns whether all faults have ended, and no restart is due.
    pub(super) const fn have_ended(&self) -> bool {
        self.healed && self.restart_at.is_none()
    }

    /// Returns whether another process is to be started.
    pub(super) const fn awaits_restart(&self) -> bool {
        self.restart_at.is_some()
    }

    /// Schedules the restart of a process that has ended.
    pub(super) fn server_ended(&mut self, now: Duration) {
        self.restart_at = Some(now + if self.healed { Duration::ZERO } else { self.down });
        self.dying = None;
        self.down = RESTART;
    }
}

/// Returns the duration of a fault that ends by itself.
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
