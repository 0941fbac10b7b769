//! What goes wrong.

use serde::{Deserialize, Serialize};

use super::{Behaviour, EventNumber};
use crate::disk::Ailment;
use crate::tier::Part;
use crate::trace::Span;

/// Something that goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// When it begins, in microseconds since the start. What goes wrong with handlers waits for them instead.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub at: u64,
    /// What it is.
    #[serde(flatten)]
    pub what: Injection,
}

/// What goes wrong. Durations are microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "fault", rename_all = "snake_case", deny_unknown_fields)]
pub enum Injection {
    /// No ticket gets into the channel: it says that it is full.
    ChannelFull {
        /// For how long; for good when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        lasts: Option<u64>,
    },
    /// The channel's receiver is gone. The next send fails, then a new channel takes its place.
    ReceiverDropped {
        /// How long until somebody notices that did not try to send.
        unnoticed: u64,
    },
    /// A ticket vanishes from the channel.
    TicketLost {
        /// Which one.
        which: Loss,
    },
    /// The next marker that is sent vanishes.
    MarkerLost,
    /// The next ticket that is presented is presented once more.
    TicketTwice,
    /// The next ticket that is taken is presented late.
    TicketLate {
        /// How late.
        by: u64,
        /// Whether it is the next marker, and no other ticket.
        #[serde(default)]
        marker: bool,
    },
    /// The dispatcher takes no ticket.
    DispatcherStalled {
        /// For how long.
        lasts: u64,
    },
    /// The dispatcher dies holding a permit, and with it its channel.
    DispatcherDies {
        /// How long until a new one starts.
        lasts: u64,
    },
    /// The sweeper dies.
    SweeperDies {
        /// How long until a new one starts.
        lasts: u64,
    },
    /// Every sweep comes late.
    SweepsDelayed {
        /// For how long.
        lasts: u64,
        /// How late.
        by: u64,
    },
    /// Workers make no step.
    WorkersStalled {
        /// For how long.
        lasts: u64,
    },
    /// Clients make no step.
    ClientsStalled {
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
        /// For how long; for good when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        lasts: Option<u64>,
    },
    /// The clock that the engine is told steps forward.
    ClockForward {
        /// How far.
        by: u64,
    },
    /// The clock that the engine is told steps back.
    ClockBack {
        /// How far.
        by: u64,
    },
    /// The machine's clock is off when the process starts again, and not before.
    ClockOff {
        /// How far; not at all when it is zero.
        by: u64,
        /// Whether it is behind, and not ahead.
        behind: bool,
    },
    /// The whole process stands still.
    ProcessPauses {
        /// For how long.
        lasts: u64,
    },
    /// Somebody asks for a shutdown.
    Shutdown {
        /// How long it may drain.
        timeout: u64,
    },
    /// The process dies and starts again, with nothing in its memory but what a journal gives back.
    Restart {
        /// How long it is down.
        lasts: u64,
    },
    /// The power fails. Of what was not synced some is left.
    PowerCut {
        /// How long it is down.
        lasts: u64,
    },
    /// The process dies in the middle of what it asks of the disk.
    DiesWriting {
        /// Changes of the disk that it still gets done.
        after: u64,
        /// Whether the power fails too.
        power: bool,
        /// How long it is down.
        lasts: u64,
    },
    /// The writer of the journal makes no step, as when a sync takes its time.
    JournalStalled {
        /// For how long.
        lasts: u64,
    },
    /// A bit of the newest snapshot is another one from now on, and the store finds that out when it is
    /// read. Nothing happens when there is no other sound way back.
    SnapshotRots,
    /// The next call of the disk that can be struck by it goes wrong.
    DiskFails {
        /// How.
        how: Ailment,
    },
    /// Somebody else fills the disk.
    DiskFull {
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

impl Injection {
    /// The fault that begins at this time.
    pub const fn at(self, at: u64) -> Fault {
        Fault { at, what: self }
    }
}

impl Part for Fault {
    fn at(&self) -> Option<u64> {
        let is_of_handlers = matches!(self.what, Injection::Handler { .. } | Injection::Poison { .. });
        (!is_of_handlers).then_some(self.at)
    }

    fn words(&self) -> String {
        self.what.to_string()
    }

    fn span(&self) -> Option<Span> {
        let (lasts, name, parts): (u64, &'static str, &[&str]) = match self.what {
            Injection::ChannelFull { lasts, .. } => (lasts.unwrap_or(u64::MAX), "full", &["channel"]),
            Injection::ReceiverDropped { unnoticed, .. } => (unnoticed, "no receiver", &["channel"]),
            Injection::DispatcherStalled { lasts, .. } => (lasts, "stalled", &["dispatcher"]),
            Injection::DispatcherDies { lasts, .. } => (lasts, "dead", &["dispatcher"]),
            Injection::SweeperDies { lasts, .. } => (lasts, "dead", &["sweeper"]),
            Injection::SweepsDelayed { lasts, .. } => (lasts, "late", &["sweeper"]),
            Injection::WorkersStalled { lasts, .. } => (lasts, "stalled", &["worker"]),
            Injection::ClientsStalled { lasts, .. } => (lasts, "stalled", &["client"]),
            Injection::AllFail { lasts, .. } => (lasts.unwrap_or(u64::MAX), "all fail", &["worker"]),
            Injection::Restart { lasts, .. } | Injection::PowerCut { lasts, .. } => {
                (lasts, "down", &["engine", "channel", "dispatcher", "worker", "sweeper", "journal"])
            }
            Injection::JournalStalled { lasts, .. } => (lasts, "stalled", &["journal"]),
            Injection::DiskFull { lasts, .. } => (lasts, "full", &["journal"]),
            Injection::TicketLost { .. }
            | Injection::MarkerLost
            | Injection::TicketTwice
            | Injection::Handler { .. }
            | Injection::Poison { .. }
            | Injection::ClockForward { .. }
            | Injection::ClockBack { .. }
            | Injection::ClockOff { .. }
            | Injection::ProcessPauses { .. }
            | Injection::TicketLate { .. }
            | Injection::DiesWriting { .. }
            | Injection::SnapshotRots
            | Injection::DiskFails { .. }
            | Injection::Shutdown { .. } => return None,
        };
        Some(Span::new(self.words(), lasts, name, parts))
    }
}

/// Most of what goes wrong with handlers says nothing of a time.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
const fn is_zero(at: &u64) -> bool {
    *at == 0
}
