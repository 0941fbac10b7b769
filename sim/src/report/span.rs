//! Faults that last.

use crate::scenario::Fault;

/// A time in which some parts do not work as they should.
#[derive(Debug)]
pub(super) struct Span {
    /// What the entry says with which it begins.
    pub(super) note: String,
    /// For how long, in microseconds.
    pub(super) lasts: u64,
    pub(super) name: &'static str,
    /// The lanes of the parts, by name or by kind.
    pub(super) disturbs: Vec<String>,
}

impl Span {
    /// The time in which a fault lasts, if it does.
    pub(super) fn of(fault: &Fault) -> Option<Self> {
        let (lasts, name, parts): (u64, &str, &[&str]) = match *fault {
            Fault::ChannelFull { lasts, .. } => (lasts.unwrap_or(u64::MAX), "full", &["channel"]),
            Fault::ReceiverDropped { unnoticed, .. } => (unnoticed, "no receiver", &["channel"]),
            Fault::DispatcherStalled { lasts, .. } => (lasts, "stalled", &["dispatcher"]),
            Fault::DispatcherDies { lasts, .. } => (lasts, "dead", &["dispatcher"]),
            Fault::SweeperDies { lasts, .. } => (lasts, "dead", &["sweeper"]),
            Fault::SweepsDelayed { lasts, .. } => (lasts, "late", &["sweeper"]),
            Fault::WorkersStalled { lasts, .. } => (lasts, "stalled", &["worker"]),
            Fault::ClientsStalled { lasts, .. } => (lasts, "stalled", &["client"]),
            Fault::AllFail { lasts, .. } => (lasts.unwrap_or(u64::MAX), "all fail", &["worker"]),
            Fault::Restart { lasts, .. } | Fault::PowerCut { lasts, .. } => {
                (lasts, "down", &["engine", "channel", "dispatcher", "worker", "sweeper", "journal"])
            }
            Fault::JournalStalled { lasts, .. } => (lasts, "stalled", &["journal"]),
            Fault::DiskFull { lasts, .. } => (lasts, "full", &["journal"]),
            Fault::TicketLost { .. }
            | Fault::MarkerLost { .. }
            | Fault::TicketTwice { .. }
            | Fault::Handler { .. }
            | Fault::Poison { .. }
            | Fault::ClockForward { .. }
            | Fault::ClockBack { .. }
            | Fault::ClockOff { .. }
            | Fault::ProcessPauses { .. }
            | Fault::TicketLate { .. }
            | Fault::DiesWriting { .. }
            | Fault::SnapshotRots { .. }
            | Fault::DiskFails { .. }
            | Fault::Shutdown { .. } => return None,
        };
        let disturbs = parts.iter().map(|part| (*part).to_owned()).collect();
        Some(Self { note: fault.to_string(), lasts, name, disturbs })
    }
}
