//! The faults of a scenario.

use serde::{Deserialize, Serialize};

use super::{Behaviour, EventNumber};
use crate::disk::Ailment;
use crate::tier::ScenarioPart;
use crate::trace::OutageSpan;

/// A fault of a scenario.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CoreFault {
    /// The time at which it begins, in microseconds since the start. Faults of handlers wait for these instead.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub at: u64,
    /// The kind of fault.
    #[serde(flatten)]
    pub what: Injection,
}

/// The kind of a fault. Durations are microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "fault", rename_all = "snake_case", deny_unknown_fields)]
#[allow(missing_docs, reason = "the docs of the variants name the fields")]
pub enum Injection {
    /// No ticket gets into the channel, which reports that it is full: without end if `lasts` is absent.
    ChannelFull {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        lasts: Option<u64>,
    },
    /// The channel's receiver is dropped. A new channel takes its place when the next send fails, or after
    /// `unnoticed`.
    ReceiverDropped { unnoticed: u64 },
    /// A ticket disappears from the channel.
    TicketLost { which: Loss },
    /// The next marker that is sent disappears.
    MarkerLost,
    /// The next ticket that is presented is presented once more.
    TicketTwice,
    /// The next ticket that is taken is presented late; with `marker`, the next marker and no other ticket.
    TicketLate {
        by: u64,
        #[serde(default)]
        marker: bool,
    },
    /// The dispatcher takes no ticket.
    DispatcherStalled { lasts: u64 },
    /// The dispatcher dies holding a permit, and with it its channel. A new one starts after `lasts`.
    DispatcherDies { lasts: u64 },
    /// The sweeper dies. A new one starts after `lasts`.
    SweeperDies { lasts: u64 },
    /// Every sweep comes late.
    SweepsDelayed { lasts: u64, by: u64 },
    /// Workers make no step.
    WorkersStalled { lasts: u64 },
    /// Clients make no step.
    ClientsStalled { lasts: u64 },
    /// A handler has this behaviour in one attempt of an event; attempts count from 1.
    Handler { event: EventNumber, attempt: u32, does: Behaviour },
    /// Every handler of this event panics, in each attempt.
    Poison { event: EventNumber },
    /// Every handler that ends meanwhile fails, as if a common dependency were down: without end if `lasts` is absent.
    AllFail {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        lasts: Option<u64>,
    },
    /// The node's clock steps forward.
    ClockForward { by: u64 },
    /// The machine's clock steps back: the node's clock stands still until the machine's has caught up.
    ClockBack { by: u64 },
    /// The machine's clock is wrong when the process starts again, and not before; right again if `by` is zero.
    ClockOff { by: u64, behind: bool },
    /// The whole process is suspended.
    ProcessPauses { lasts: u64 },
    /// A shutdown is asked for, which may drain for `timeout`.
    Shutdown { timeout: u64 },
    /// The same, but only while the journal is being opened again.
    ShutdownAmidOpening { timeout: u64 },
    /// The process dies and starts again, with nothing in memory but what a journal recovers.
    Restart { lasts: u64 },
    /// The power fails. Unsynced bytes survive in part.
    PowerCut { lasts: u64 },
    /// The process dies while it writes to the disk, `after` this many more changes; with `power`, the power fails
    /// too.
    DiesWriting { after: u64, power: bool, lasts: u64 },
    /// The writer of the journal makes no step, as during a slow sync.
    JournalStalled { lasts: u64 },
    /// A bit of the newest snapshot flips, and the store detects that when it is read. Does nothing if there is no
    /// other way to recover.
    SnapshotRots,
    /// The next call of the disk that this fault can strike fails.
    DiskFails { how: Ailment },
    /// The directory of the journal is missing.
    DiskGone { lasts: u64 },
    /// Another process opens the journal: this one can no longer write.
    Fenced,
    /// The next call that sends a ticket, or the next that takes one, panics, and leaves the node broken.
    NodePanics { sending: bool },
    /// Another program fills the disk, but for the bytes that are `left`.
    DiskFull { lasts: u64, left: u64 },
}

/// The ticket of the channel that is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Loss {
    /// A ticket with another behind it.
    Middle,
    /// The last ticket.
    Tail,
    /// All tickets, without the channel.
    All,
}

impl Injection {
    /// Returns the fault that begins at this time.
    pub const fn at(self, at: u64) -> CoreFault {
        CoreFault { at, what: self }
    }
}

impl ScenarioPart for CoreFault {
    fn at(&self) -> Option<u64> {
        let is_of_handlers = matches!(self.what, Injection::Handler { .. } | Injection::Poison { .. });
        (!is_of_handlers).then_some(self.at)
    }

    fn words(&self) -> String {
        self.what.to_string()
    }

    fn span(&self) -> Option<OutageSpan> {
        #[expect(clippy::wildcard_enum_match_arm, reason = "the others do not last, or show in no lane")]
        let (lasts, name, parts): (u64, &'static str, &[&str]) = match self.what {
            Injection::ChannelFull { lasts } => (lasts.unwrap_or(u64::MAX), "full", &["channel"]),
            Injection::ReceiverDropped { unnoticed } => (unnoticed, "no receiver", &["channel"]),
            Injection::DispatcherStalled { lasts } => (lasts, "stalled", &["dispatcher"]),
            Injection::DispatcherDies { lasts } => (lasts, "dead", &["dispatcher"]),
            Injection::SweeperDies { lasts } => (lasts, "dead", &["sweeper"]),
            Injection::SweepsDelayed { lasts, .. } => (lasts, "late", &["sweeper"]),
            Injection::WorkersStalled { lasts } => (lasts, "stalled", &["worker"]),
            Injection::ClientsStalled { lasts } => (lasts, "stalled", &["client"]),
            Injection::AllFail { lasts } => (lasts.unwrap_or(u64::MAX), "all fail", &["worker"]),
            Injection::Restart { lasts } | Injection::PowerCut { lasts } => {
                (lasts, "down", &["engine", "channel", "dispatcher", "worker", "sweeper", "journal"])
            }
            Injection::JournalStalled { lasts } => (lasts, "stalled", &["journal"]),
            Injection::DiskFull { lasts, .. } => (lasts, "full", &["journal"]),
            Injection::DiskGone { lasts } => (lasts, "gone", &["journal"]),
            _ => return None,
        };
        Some(OutageSpan::new(self.words(), lasts, name, parts))
    }
}

/// Returns whether the time is left out of a file, as most faults of handlers have none.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
const fn is_zero(at: &u64) -> bool {
    *at == 0
}
