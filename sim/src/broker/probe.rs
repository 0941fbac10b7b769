//! The points that runs must reach: the faults, and what follows from them.

use super::scenario::BrokerFaultKind;
use crate::tier::Countable;

/// A point of the broker tier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum BrokerProbe {
    ConfirmationsLost,
    CallsLost,
    DeliveredTwice,
    Reordered,
    Slow,
    Unreachable,
    Revoked,
    Crash,
    ConsumerRestarts,
    Shutdown,
    JournalFails,
    JournalStalls,
    HandlersStall,
    Accepted,
    Duplicate,
    Conflict,
    TooLarge,
    WithoutId,
    Overloaded,
    Unknown,
    ShuttingDown,
    GivenBack,
    Extended,
    Expired,
    Redelivered,
    Abandoned,
    RevokedUnderWay,
    AcknowledgedAgain,
    LetterAgain,
    LateCommit,
}

impl BrokerProbe {
    /// The number of faults, which come first.
    pub(super) const FAULTS: usize = 13;

    /// Every probe with its name, in their order.
    const NAMED: [(Self, &'static str); 30] = [
        (Self::ConfirmationsLost, "confirmations lost"),
        (Self::CallsLost, "calls lost"),
        (Self::DeliveredTwice, "delivered twice"),
        (Self::Reordered, "reordered"),
        (Self::Slow, "slow calls"),
        (Self::Unreachable, "unreachable"),
        (Self::Revoked, "revoked"),
        (Self::Crash, "crash"),
        (Self::ConsumerRestarts, "consumer restarts"),
        (Self::Shutdown, "shutdown"),
        (Self::JournalFails, "journal fails"),
        (Self::JournalStalls, "journal stalls"),
        (Self::HandlersStall, "handlers stall"),
        (Self::Accepted, "an event is accepted"),
        (Self::Duplicate, "an event is a duplicate"),
        (Self::Conflict, "an event is in conflict"),
        (Self::TooLarge, "an event is too large"),
        (Self::WithoutId, "a message has no id"),
        (Self::Overloaded, "the engine has no room"),
        (Self::Unknown, "durability is unknown"),
        (Self::ShuttingDown, "the engine is shutting down"),
        (Self::GivenBack, "a message is given back"),
        (Self::Extended, "a delivery is extended"),
        (Self::Expired, "a delivery expires"),
        (Self::Redelivered, "a message is delivered again"),
        (Self::Abandoned, "a delivery is abandoned"),
        (Self::RevokedUnderWay, "a delivery is revoked while work on it is under way"),
        (Self::AcknowledgedAgain, "an acknowledgement is repeated"),
        (Self::LetterAgain, "a dead letter is written again"),
        (Self::LateCommit, "a commit comes after a revocation"),
    ];

    /// Every probe, in their order.
    pub(super) const ALL: [Self; 30] = {
        let mut all = [Self::ConfirmationsLost; 30];
        let mut at = 0;
        while at < all.len() {
            all[at] = Self::NAMED[at].0;
            at += 1;
        }
        all
    };

    pub(super) const fn name(self) -> &'static str {
        Self::NAMED[self as usize].1
    }

    /// The probe of a kind of fault.
    pub(super) const fn of(fault: BrokerFaultKind) -> Self {
        match fault {
            BrokerFaultKind::ConfirmationsLost { .. } => Self::ConfirmationsLost,
            BrokerFaultKind::CallsLost { .. } => Self::CallsLost,
            BrokerFaultKind::DeliveredTwice { .. } => Self::DeliveredTwice,
            BrokerFaultKind::Reordered { .. } => Self::Reordered,
            BrokerFaultKind::Slow { .. } => Self::Slow,
            BrokerFaultKind::Unreachable { .. } => Self::Unreachable,
            BrokerFaultKind::Revoked { .. } => Self::Revoked,
            BrokerFaultKind::Crash { .. } => Self::Crash,
            BrokerFaultKind::ConsumerRestarts => Self::ConsumerRestarts,
            BrokerFaultKind::Shutdown { .. } => Self::Shutdown,
            BrokerFaultKind::JournalFails => Self::JournalFails,
            BrokerFaultKind::JournalStalls { .. } => Self::JournalStalls,
            BrokerFaultKind::HandlersStall { .. } => Self::HandlersStall,
        }
    }
}

impl Countable for BrokerProbe {
    fn number(self) -> usize {
        self as usize
    }
}
