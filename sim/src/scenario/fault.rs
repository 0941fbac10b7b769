//! What goes wrong.

use serde::{Deserialize, Serialize};

use super::{Behaviour, EventNumber, snake_case};

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
    /// The process dies and starts again, with nothing in its memory.
    Restart {
        /// When.
        at: u64,
        /// How long it is down.
        lasts: u64,
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

/// The kinds of faults, as probes count them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "each is the fault of the same name")]
pub enum FaultKind {
    ChannelFull,
    ChannelFullForGood,
    CapacityOne,
    ReceiverDropped,
    TicketLostMiddle,
    TicketLostTail,
    TicketLostAll,
    MarkerLost,
    TicketTwice,
    TicketLate,
    DispatcherStalled,
    DispatcherDies,
    SweeperDies,
    SweepsDelayed,
    WorkersStalled,
    ClientsStalled,
    Swizzle,
    HandlerFails,
    PanicBefore,
    PanicAfter,
    Hang,
    Deaf,
    Stuck,
    Late,
    ReportsTwice,
    ReportsForeign,
    Poison,
    AllFail,
    ClientRetries,
    ClientChangesPayload,
    ClientRacesItself,
    ClientHangsUp,
    ClockForward,
    ClockBack,
    ProcessPauses,
    Shutdown,
    ShutdownTwice,
    ShutdownInBacklog,
    Restart,
    OverloadByCount,
    OverloadByBytes,
}

impl FaultKind {
    /// Every kind.
    pub const ALL: [Self; 41] = [
        Self::ChannelFull,
        Self::ChannelFullForGood,
        Self::CapacityOne,
        Self::ReceiverDropped,
        Self::TicketLostMiddle,
        Self::TicketLostTail,
        Self::TicketLostAll,
        Self::MarkerLost,
        Self::TicketTwice,
        Self::TicketLate,
        Self::DispatcherStalled,
        Self::DispatcherDies,
        Self::SweeperDies,
        Self::SweepsDelayed,
        Self::WorkersStalled,
        Self::ClientsStalled,
        Self::Swizzle,
        Self::HandlerFails,
        Self::PanicBefore,
        Self::PanicAfter,
        Self::Hang,
        Self::Deaf,
        Self::Stuck,
        Self::Late,
        Self::ReportsTwice,
        Self::ReportsForeign,
        Self::Poison,
        Self::AllFail,
        Self::ClientRetries,
        Self::ClientChangesPayload,
        Self::ClientRacesItself,
        Self::ClientHangsUp,
        Self::ClockForward,
        Self::ClockBack,
        Self::ProcessPauses,
        Self::Shutdown,
        Self::ShutdownTwice,
        Self::ShutdownInBacklog,
        Self::Restart,
        Self::OverloadByCount,
        Self::OverloadByBytes,
    ];

    /// Its name in snake case.
    pub fn name(self) -> String {
        snake_case(&format!("{self:?}"))
    }
}

impl Fault {
    /// When it begins; absent when it waits for an attempt.
    pub const fn at(&self) -> Option<u64> {
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
            | Self::ProcessPauses { at, .. }
            | Self::Shutdown { at, .. }
            | Self::Restart { at, .. } => Some(at),
            Self::Handler { .. } | Self::Poison { .. } => None,
        }
    }
}
