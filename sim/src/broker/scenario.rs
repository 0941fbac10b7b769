//! Scenarios of an intake between a broker and an engine, both with faults.

use serde::{Deserialize, Serialize};

use crate::tier::{Scenario, ScenarioPart};
use crate::trace::OutageSpan;

/// The broker tier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BrokerTier {}

/// A scenario of messages that become events.
pub type BrokerScenario = Scenario<BrokerTier>;

/// The kind of a broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum BrokerKind {
    /// A queue. Without an `ack_wait` messages come again when the connection ends.
    Queue {
        /// The time of a delivery, in microseconds.
        ack_wait: Option<u64>,
    },
    /// A log with this many partitions.
    Log {
        /// The number of partitions.
        partitions: u8,
    },
}

/// The settings of a scenario. Times are in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BrokerSetup {
    /// The kind of the broker.
    pub kind: BrokerKind,
    /// The bound on messages in flight.
    pub max_in_flight: u16,
    /// The bound on their bytes.
    pub max_in_flight_bytes: u32,
    /// The bound of the engine on pending events.
    pub max_pending: u16,
    /// The bound on the bytes of one event.
    pub max_event_bytes: u32,
    /// The least time until a try is repeated.
    pub retry_delay: u64,
    /// The longest time for which a message is held.
    pub max_hold: u64,
    /// The longest time for which the end of an intake waits.
    pub drain_timeout: u64,
    /// The longest time for a call of the broker.
    pub call_timeout: u64,
    /// The longest time that a call takes on its way, there or back.
    pub latency: u64,
    /// The longest time for an append to the journal.
    pub sync: u64,
    /// The longest time for a handler.
    pub handler: u64,
}

/// A message that is published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PublishedMessage {
    /// The time, in microseconds since the start.
    pub at: u64,
    /// The number of its id; none if it has no id.
    pub id: Option<u16>,
    /// The number of its payload: messages with equal ids and other payloads are in conflict.
    pub payload: u8,
    /// The bytes of its payload.
    pub bytes: u32,
}

/// A fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BrokerFault {
    /// The time, in microseconds since the start.
    pub at: u64,
    /// The kind.
    pub kind: BrokerFaultKind,
}

/// The kind of a fault. Times are in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum BrokerFaultKind {
    /// The next calls have their effect, and their confirmations are lost.
    ConfirmationsLost {
        /// The number of calls.
        calls: u16,
    },
    /// The next calls do not reach the broker.
    CallsLost {
        /// The number of calls.
        calls: u16,
    },
    /// The next messages are delivered twice at once.
    DeliveredTwice {
        /// The number of messages.
        messages: u16,
    },
    /// Messages come in any order.
    Reordered {
        /// The duration.
        lasts: u64,
    },
    /// Calls take long.
    Slow {
        /// The duration.
        lasts: u64,
    },
    /// There is no connection to the broker.
    Unreachable {
        /// The duration.
        lasts: u64,
    },
    /// Another consumer gets a partition.
    Revoked {
        /// The partition; of a queue its only one.
        partition: u8,
        /// The duration.
        lasts: u64,
    },
    /// The process dies, and starts again.
    Crash {
        /// The time until it starts.
        lasts: u64,
    },
    /// The consumer is drained, and another one started.
    ConsumerRestarts,
    /// The engine shuts down, and the process starts again.
    Shutdown {
        /// The time until it starts.
        lasts: u64,
    },
    /// The append that is under way, or the next one, fails with an unknown outcome.
    JournalFails,
    /// Appends take long.
    JournalStalls {
        /// The duration.
        lasts: u64,
    },
    /// Handlers do not end.
    HandlersStall {
        /// The duration.
        lasts: u64,
    },
}

impl BrokerFaultKind {
    /// Returns its duration; 0 if it has none.
    pub(super) const fn lasts(self) -> u64 {
        match self {
            Self::Reordered { lasts }
            | Self::Slow { lasts }
            | Self::Unreachable { lasts }
            | Self::Revoked { lasts, .. }
            | Self::Crash { lasts }
            | Self::Shutdown { lasts }
            | Self::JournalStalls { lasts }
            | Self::HandlersStall { lasts } => lasts,
            Self::ConfirmationsLost { .. }
            | Self::CallsLost { .. }
            | Self::DeliveredTwice { .. }
            | Self::ConsumerRestarts
            | Self::JournalFails => 0,
        }
    }
}

impl BrokerSetup {
    /// Returns the number of partitions.
    pub(super) const fn partitions(&self) -> u8 {
        match self.kind {
            BrokerKind::Queue { .. } => 1,
            BrokerKind::Log { partitions } => partitions,
        }
    }
}

impl ScenarioPart for PublishedMessage {
    fn at(&self) -> Option<u64> {
        Some(self.at)
    }

    fn words(&self) -> String {
        let Self { id, payload, bytes, .. } = self;
        match id {
            Some(id) => format!("publish id {id} with payload {payload} of {bytes} bytes"),
            None => format!("publish payload {payload} of {bytes} bytes without an id"),
        }
    }
}

impl ScenarioPart for BrokerFault {
    fn at(&self) -> Option<u64> {
        Some(self.at)
    }

    fn words(&self) -> String {
        format!("{:?}", self.kind)
    }

    fn span(&self) -> Option<OutageSpan> {
        let lasts = self.kind.lasts();
        (lasts > 0).then(|| OutageSpan::new(self.words(), lasts, "fault", &["world"]))
    }
}
