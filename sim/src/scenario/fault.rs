//! What goes wrong.

use serde::{Deserialize, Serialize};

use super::{Behaviour, EventNumber};
use crate::disk::Ailment;
use crate::tier::Part;
use crate::trace::Span;

/// Something that goes wrong. Times are microseconds since the start, durations microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "fault", rename_all = "snake_case", deny_unknown_fields)]
pub enum Fault {
    /// No ticket gets into the channel: it says that it is full.
    ChannelFull {
        /// From when on.
        at: u64,
        /// For how long; for good when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        lasts: Option<u64>,
    },
    /// The channel's receiver is gone. The next send fails, then a new channel takes its place.
    ReceiverDropped {
        /// When.
        at: u64,
        /// How long until somebody notices that did not try to send.
        unnoticed: u64,
    },
    /// A ticket vanishes from the channel.
    TicketLost {
        /// When.
        at: u64,
        /// Which one.
        which: Loss,
    },
    /// The next marker that is sent vanishes.
    MarkerLost {
        /// From when on.
        at: u64,
    },
    /// The next ticket that is presented is presented once more.
    TicketTwice {
        /// From when on.
        at: u64,
    },
    /// The next ticket that is taken is presented late.
    TicketLate {
        /// From when on.
        at: u64,
        /// How late.
        by: u64,
        /// Whether it is the next marker, and no other ticket.
        #[serde(default)]
        marker: bool,
    },
    /// The dispatcher takes no ticket.
    DispatcherStalled {
        /// From when on.
        at: u64,
        /// For how long.
        lasts: u64,
    },
    /// The dispatcher dies holding a permit, and with it its channel.
    DispatcherDies {
        /// When.
        at: u64,
        /// How long until a new one starts.
        lasts: u64,
    },
    /// The sweeper dies.
    SweeperDies {
        /// When.
        at: u64,
        /// How long until a new one starts.
        lasts: u64,
    },
    /// Every sweep comes late.
    SweepsDelayed {
        /// From when on.
        at: u64,
        /// For how long.
        lasts: u64,
        /// How late.
        by: u64,
    },
    /// Workers make no step.
    WorkersStalled {
        /// From when on.
        at: u64,
        /// For how long.
        lasts: u64,
    },
    /// Clients make no step.
    ClientsStalled {
        /// From when on.
        at: u64,
        /// For how long.
        lasts: u64,
    },
    /// A handler does not simply succeed in one attempt.
    Handler {
        /// At which event.
        event: EventNumber,
        /// In which attempt, counted from 1.
        attempt: u32,
        /// What it does.
        does: Behaviour,
    },
    /// Every handler of this event panics, for good.
    Poison {
        /// Which event.
        event: EventNumber,
    },
    /// Every handler that ends meanwhile fails, as when what they all need is down.
    AllFail {
        /// From when on.
        at: u64,
        /// For how long; for good when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        lasts: Option<u64>,
    },
    /// The clock that the engine is told steps forward.
    ClockForward {
        /// When.
        at: u64,
        /// How far.
        by: u64,
    },
    /// The clock that the engine is told steps back.
    ClockBack {
        /// When.
        at: u64,
        /// How far.
        by: u64,
    },
    /// The machine's clock is off when the process starts again, and not before.
    ClockOff {
        /// From when on.
        at: u64,
        /// How far; not at all when it is zero.
        by: u64,
        /// Whether it is behind, and not ahead.
        behind: bool,
    },
    /// The whole process stands still.
    ProcessPauses {
        /// When.
        at: u64,
        /// For how long.
        lasts: u64,
    },
    /// Somebody asks for a shutdown.
    Shutdown {
        /// When.
        at: u64,
        /// How long it may drain.
        timeout: u64,
    },
    /// The process dies and starts again, with nothing in its memory but what a journal gives back.
    Restart {
        /// When.
        at: u64,
        /// How long it is down.
        lasts: u64,
    },
    /// The power fails. Of what was not synced some is left.
    PowerCut {
        /// When.
        at: u64,
        /// How long it is down.
        lasts: u64,
    },
    /// The process dies in the middle of what it asks of the disk.
    DiesWriting {
        /// From when on.
        at: u64,
        /// Changes of the disk that it still gets done.
        after: u64,
        /// Whether the power fails too.
        power: bool,
        /// How long it is down.
        lasts: u64,
    },
    /// The writer of the journal makes no step, as when a sync takes its time.
    JournalStalled {
        /// From when on.
        at: u64,
        /// For how long.
        lasts: u64,
    },
    /// A bit of the newest snapshot is another one from now on, and the store finds that out when it is
    /// read. Nothing happens when there is no other sound way back.
    SnapshotRots {
        /// When.
        at: u64,
    },
    /// The next call of the disk that can be struck by it goes wrong.
    DiskFails {
        /// From when on.
        at: u64,
        /// How.
        how: Ailment,
    },
    /// Somebody else fills the disk.
    DiskFull {
        /// When.
        at: u64,
        /// For how long.
        lasts: u64,
        /// Bytes that are left.
        left: u64,
    },
}

/// Which ticket of the channel is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Loss {
    /// One with another behind it.
    Middle,
    /// The last one.
    Tail,
    /// All of them, without the channel.
    All,
}

impl Part for Fault {
    fn at(&self) -> Option<u64> {
        match *self {
            Self::ChannelFull { at, .. }
            | Self::ReceiverDropped { at, .. }
            | Self::TicketLost { at, .. }
            | Self::MarkerLost { at }
            | Self::TicketTwice { at }
            | Self::TicketLate { at, .. }
            | Self::DispatcherStalled { at, .. }
            | Self::DispatcherDies { at, .. }
            | Self::SweeperDies { at, .. }
            | Self::SweepsDelayed { at, .. }
            | Self::WorkersStalled { at, .. }
            | Self::ClientsStalled { at, .. }
            | Self::AllFail { at, .. }
            | Self::ClockForward { at, .. }
            | Self::ClockBack { at, .. }
            | Self::ClockOff { at, .. }
            | Self::ProcessPauses { at, .. }
            | Self::Shutdown { at, .. }
            | Self::Restart { at, .. }
            | Self::PowerCut { at, .. }
            | Self::DiesWriting { at, .. }
            | Self::JournalStalled { at, .. }
            | Self::DiskFails { at, .. }
            | Self::SnapshotRots { at }
            | Self::DiskFull { at, .. } => Some(at),
            Self::Handler { .. } | Self::Poison { .. } => None,
        }
    }

    fn words(&self) -> String {
        self.to_string()
    }

    fn span(&self) -> Option<Span> {
        let (lasts, name, parts): (u64, &'static str, &[&str]) = match *self {
            Self::ChannelFull { lasts, .. } => (lasts.unwrap_or(u64::MAX), "full", &["channel"]),
            Self::ReceiverDropped { unnoticed, .. } => (unnoticed, "no receiver", &["channel"]),
            Self::DispatcherStalled { lasts, .. } => (lasts, "stalled", &["dispatcher"]),
            Self::DispatcherDies { lasts, .. } => (lasts, "dead", &["dispatcher"]),
            Self::SweeperDies { lasts, .. } => (lasts, "dead", &["sweeper"]),
            Self::SweepsDelayed { lasts, .. } => (lasts, "late", &["sweeper"]),
            Self::WorkersStalled { lasts, .. } => (lasts, "stalled", &["worker"]),
            Self::ClientsStalled { lasts, .. } => (lasts, "stalled", &["client"]),
            Self::AllFail { lasts, .. } => (lasts.unwrap_or(u64::MAX), "all fail", &["worker"]),
            Self::Restart { lasts, .. } | Self::PowerCut { lasts, .. } => {
                (lasts, "down", &["engine", "channel", "dispatcher", "worker", "sweeper", "journal"])
            }
            Self::JournalStalled { lasts, .. } => (lasts, "stalled", &["journal"]),
            Self::DiskFull { lasts, .. } => (lasts, "full", &["journal"]),
            Self::TicketLost { .. }
            | Self::MarkerLost { .. }
            | Self::TicketTwice { .. }
            | Self::Handler { .. }
            | Self::Poison { .. }
            | Self::ClockForward { .. }
            | Self::ClockBack { .. }
            | Self::ClockOff { .. }
            | Self::ProcessPauses { .. }
            | Self::TicketLate { .. }
            | Self::DiesWriting { .. }
            | Self::SnapshotRots { .. }
            | Self::DiskFails { .. }
            | Self::Shutdown { .. } => return None,
        };
        Some(Span::new(self.words(), lasts, name, parts))
    }
}
