//! One delivery, and its state.

use alloc::boxed::Box;
use core::time::Duration;

use super::super::letter::DeadReason;
use super::super::message::{Partition, UnfitMessage};
use crate::engine::{Conflict, Event, Timestamp};
use crate::node::Submitted;

/// A delivery that is not done with.
#[derive(Debug)]
pub(super) struct Delivery {
    pub(super) partition: Partition,
    pub(super) content: Result<Event, UnfitMessage>,
    pub(super) bytes: usize,
    /// The number of deliveries of its message.
    pub(super) deliveries: u32,
    pub(super) received_at: Timestamp,
    pub(super) state: DeliveryState,
    /// The time at which what is held is tried again.
    pub(super) wake_at: Option<Timestamp>,
    /// The time at which it is extended; none while an extension is under way.
    pub(super) extend_at: Option<Timestamp>,
    /// The time at which the extension that is under way was begun.
    pub(super) extending_since: Option<Timestamp>,
    /// The tries of its acknowledgement or burial that have failed.
    pub(super) failures: u32,
    /// The time under which it stands in the list of times.
    pub(super) due: Option<Timestamp>,
}

/// The state of a delivery. See the table of [`Intake`](super::Intake).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum DeliveryState {
    /// Its event is being submitted.
    Submitting,
    /// Its event is decided; the decision is not durable.
    Syncing(Verdict),
    /// Waits for the next try of this.
    Held(HeldFor),
    /// Its dead letter is being written.
    Burying(Box<DeadReason>),
    /// Its acknowledgement is under way.
    Acknowledging,
    /// Is being given back.
    GivingBack(Duration),
    /// Taken away by the broker, while work on it was under way.
    Revoked,
}

/// The decision about an event that may be acted upon once it is durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Acknowledge(Submitted),
    Bury(Conflict),
}

/// The next try of a delivery that is held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum HeldFor {
    Submit,
    Bury(Box<DeadReason>),
    Acknowledge,
    GiveBack(Duration),
}

impl Delivery {
    /// Returns whether the result of some work on it is still to be reported.
    pub(super) const fn is_under_way(&self) -> bool {
        !matches!(self.state, DeliveryState::Held(_))
    }

    /// Returns whether the broker would deliver it again before it is done with, unless it is extended. An
    /// acknowledgement that is under way ends its time anyway.
    pub(super) const fn needs_time(&self) -> bool {
        match self.state {
            DeliveryState::Submitting | DeliveryState::Syncing(_) | DeliveryState::Burying(_) => true,
            DeliveryState::Held(HeldFor::Submit | HeldFor::Bury(_)) => true,
            DeliveryState::Held(HeldFor::Acknowledge | HeldFor::GiveBack(_)) => false,
            DeliveryState::Acknowledging | DeliveryState::GivingBack(_) | DeliveryState::Revoked => false,
        }
    }

    /// Returns the next time at which something is to be done about it.
    pub(super) fn next_time(&self) -> Option<Timestamp> {
        let extend_at = self.extend_at.filter(|_| self.needs_time());
        [extend_at, self.wake_at].into_iter().flatten().min()
    }
}
