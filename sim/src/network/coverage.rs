//! What a run has reached: each fault, and each answer that matters, by name.

use super::inside::Inside;
use super::journal::DiskTrouble;
use super::scenario::{Disturbance, FaultKind, Outage, Trouble};
use crate::tier::{Probe, Probes};

impl Probe for &str {
    /// Of a name that is on no list there is a number of its own.
    fn number(self) -> usize {
        names().position(|name| name == self).unwrap_or(FAULTS.len() + ANSWERS.len() + OTHERS.len())
    }
}

/// The names of all probes, by their numbers.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    FAULTS.into_iter().chain(ANSWERS).chain(OTHERS)
}

impl Probes {
    /// Counts one.
    pub(super) fn reach(&mut self, name: &'static str) {
        self.fire(name);
    }
}

/// The kinds of faults. Enough runs together must have reached each.
pub const FAULTS: [&str; 62] = [
    "link partitioned",
    "link partitioned to the server",
    "link partitioned to the client",
    "link on hold",
    "link slow",
    "link lossy",
    "server crashed",
    "server shut down",
    "server shut down twice",
    "server shut down, nobody waiting",
    "server restarted",
    "operator paused",
    "channel full",
    "receiver dropped at send",
    "ticket lost",
    "receiver dropped at take",
    "dispatcher panicked",
    "sweeper panicked",
    "worker panicked at start",
    "worker panicked before settle",
    "worker panicked after settle",
    "shutdown panicked",
    "engine broken at send",
    "engine broken at take",
    "yield at dispatch",
    "yield at start",
    "yield before settle",
    "yield after settle",
    "yield at sweep",
    "yield at drain",
    "handler retries",
    "handler retries later",
    "handler fails for good",
    "handler snoozes",
    "handler runs short",
    "handler panics",
    "handler panics at call",
    "handler hangs",
    "handler beats for ever",
    "handler leaves a task",
    "client hangs up",
    "client sends half",
    "client closes its sending side",
    "client sends all before it reads",
    "power cut",
    "crashed while writing",
    "power cut while writing",
    "disk full",
    "disk blocked",
    "disk gone",
    "short write",
    "write failed",
    "no space for a write",
    "read failed",
    "sync failed",
    "sync failed and dropped",
    "journal stalled",
    "writer panicked",
    "yield at write",
    "start refused by the disk",
    "start dropped before it was polled",
    "submitters in the process",
];

/// The probe of a writer that meets a disk which does not respond.
pub(super) const BLOCKED: &str = "disk blocked";

/// The answers and turns of a run that matter. Enough runs together must have reached each.
pub const ANSWERS: [&str; 34] = [
    "told accepted",
    "told duplicate",
    "told conflict",
    "told overloaded",
    "told shutting down",
    "told broken",
    "told of a record",
    "told of no record",
    "told redriven",
    "told discarded",
    "told not failed",
    "told completed",
    "no answer in time",
    "connection refused or cut",
    "sent again",
    "forgotten",
    "forgotten many at once",
    "run abandoned by its handler",
    "shutdown left events",
    "told that answers were not read",
    "told unknown",
    "told of a record that is not durable",
    "not ready for a disk",
    "told reopening",
    "told journal down",
    "told not ready",
    "refused for want of disk",
    "journal opened again",
    "group in doubt was kept",
    "group in doubt was lost",
    "snapshot made",
    "run crashed at opening",
    "submitter waited for room",
    "end waited for",
];

/// What need not be reached.
const OTHERS: [&str; 2] = ["unavailable", "sync lied"];

/// The probe of a kind of fault.
pub(super) const fn fault(kind: &FaultKind) -> &'static str {
    match kind {
        FaultKind::Link { trouble, .. } => link(*trouble),
        FaultKind::Outage { outage, .. } => match outage {
            Outage::Crash => "server crashed",
            Outage::PowerCut => "power cut",
            Outage::CrashWriting { power: false, .. } => "crashed while writing",
            Outage::CrashWriting { power: true, .. } => "power cut while writing",
            Outage::Shutdown { .. } => "server shut down",
            Outage::ShutdownTwice { .. } => "server shut down twice",
            Outage::ShutdownUnawaited { .. } => "server shut down, nobody waiting",
        },
        FaultKind::Disturb { disturbance, .. } => disturb(*disturbance),
        FaultKind::Pause { .. } => "operator paused",
        FaultKind::Disk { trouble, .. } => disk(*trouble),
        FaultKind::DiskFull { .. } => "disk full",
        FaultKind::Inside(Inside::UnpolledStart) => "start dropped before it was polled",
        FaultKind::Inside(Inside::Submitters { .. }) => "submitters in the process",
        FaultKind::DiskBlocks { .. } => BLOCKED,
        FaultKind::DiskGone { .. } => "disk gone",
    }
}

/// The probe of what a disk does.
pub(super) const fn disk(trouble: DiskTrouble) -> &'static str {
    match trouble {
        DiskTrouble::ShortWrite => "short write",
        DiskTrouble::WriteFails => "write failed",
        DiskTrouble::NoSpace => "no space for a write",
        DiskTrouble::ReadFails => "read failed",
        DiskTrouble::SyncFails => "sync failed",
        DiskTrouble::SyncDrops => "sync failed and dropped",
        DiskTrouble::SyncLies => "sync lied",
    }
}

const fn link(trouble: Trouble) -> &'static str {
    match trouble {
        Trouble::Partition => "link partitioned",
        Trouble::PartitionToServer => "link partitioned to the server",
        Trouble::PartitionToClient => "link partitioned to the client",
        Trouble::Hold => "link on hold",
        Trouble::Slow { .. } => "link slow",
        Trouble::Loss { .. } => "link lossy",
    }
}

/// The probe of a disturbance of the adapter.
pub(super) const fn disturb(disturbance: Disturbance) -> &'static str {
    match disturbance {
        Disturbance::ChannelFull => "channel full",
        Disturbance::ReceiverDroppedAtSend => "receiver dropped at send",
        Disturbance::TicketLost => "ticket lost",
        Disturbance::ReceiverDroppedAtTake => "receiver dropped at take",
        Disturbance::DispatcherPanics => "dispatcher panicked",
        Disturbance::SweeperPanics => "sweeper panicked",
        Disturbance::WorkerPanicsAtStart => "worker panicked at start",
        Disturbance::WorkerPanicsBeforeSettle => "worker panicked before settle",
        Disturbance::WorkerPanicsAfterSettle => "worker panicked after settle",
        Disturbance::ShutdownPanics => "shutdown panicked",
        Disturbance::EngineBreaksAtSend => "engine broken at send",
        Disturbance::EngineBreaksAtTake => "engine broken at take",
        Disturbance::JournalStalls => "journal stalled",
        Disturbance::WriterPanics => "writer panicked",
    }
}
