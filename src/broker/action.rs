//! The outputs of an intake, and its counts.

use core::time::Duration;

use super::letter::DeadLetter;
use super::message::DeliveryTag;
use crate::engine::{Event, Key};
use crate::node::{Lsn, Unavailable};

/// Work for the driver of an [`Intake`](super::Intake). Each but [`Abandon`](Self::Abandon) is owed the result that it
/// names.
///
/// Exhaustive on purpose: a driver must do all of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IntakeAction {
    /// Submit the event to the engine, and do not wait for room. Report [`decided`](super::Intake::decided).
    Submit {
        /// The delivery.
        tag: DeliveryTag,
        /// The event.
        event: Event,
    },
    /// Wait until the LSN is durable, as long as a result may wait. Report [`durable`](super::Intake::durable).
    AwaitDurable {
        /// The delivery.
        tag: DeliveryTag,
        /// The key of its event, which decides the engine.
        key: Key,
        /// The LSN.
        lsn: Lsn,
    },
    /// Acknowledge the delivery. Report [`acknowledged`](super::Intake::acknowledged) once the broker has confirmed.
    Acknowledge {
        /// The delivery.
        tag: DeliveryTag,
    },
    /// Give the message back, to be delivered again after the delay. Report [`given_back`](super::Intake::given_back).
    GiveBack {
        /// The delivery.
        tag: DeliveryTag,
        /// The delay, never 0.
        delay: Duration,
    },
    /// Extend the time that the delivery has. Report [`extended`](super::Intake::extended).
    Extend {
        /// The delivery.
        tag: DeliveryTag,
    },
    /// Put the message aside, where it survives. Report [`buried`](super::Intake::buried) once it is there.
    Bury {
        /// The delivery.
        tag: DeliveryTag,
        /// The letter.
        letter: DeadLetter,
    },
    /// Forget the delivery: nothing more is said to the broker about it, and nothing is reported.
    Abandon {
        /// The delivery.
        tag: DeliveryTag,
    },
}

/// The counts of an intake since its start; all of them only rise.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct IntakeCounts {
    /// Deliveries that were received.
    pub received: u64,
    /// Those of messages that the broker had delivered before.
    pub redelivered: u64,
    /// Events that were new.
    pub accepted: u64,
    /// Events that had been accepted before, be it by a submission whose outcome was not known to be durable.
    pub duplicates: u64,
    /// Dead letters that were put aside.
    pub dead_letters: u64,
    /// Deliveries that the broker has confirmed to be acknowledged.
    pub acknowledged: u64,
    /// Deliveries that were given back.
    pub given_back: u64,
    /// Deliveries that were abandoned, or taken away by the broker.
    pub abandoned: u64,
    /// Times that a message had to wait, as the engine had no room for it or was not available.
    pub held: u64,
    /// Extensions of deliveries.
    pub extended: u64,
    /// Calls of the source that failed.
    pub failures: u64,
}

#[cfg(feature = "tokio")]
impl IntakeCounts {
    /// Returns the sums.
    pub(super) const fn plus(&self, other: &Self) -> Self {
        Self {
            received: self.received + other.received,
            redelivered: self.redelivered + other.redelivered,
            accepted: self.accepted + other.accepted,
            duplicates: self.duplicates + other.duplicates,
            dead_letters: self.dead_letters + other.dead_letters,
            acknowledged: self.acknowledged + other.acknowledged,
            given_back: self.given_back + other.given_back,
            abandoned: self.abandoned + other.abandoned,
            held: self.held + other.held,
            extended: self.extended + other.extended,
            failures: self.failures + other.failures,
        }
    }
}

/// The reason why an intake has ended by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IntakeEnd {
    /// The engine is shutting down.
    ShuttingDown,
    /// The engine will not be available without a restart.
    Unavailable(Unavailable),
}
