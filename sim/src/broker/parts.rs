//! The steps of a run, its faults that are under way, and its intake.

use std::num::NonZeroUsize;
use std::time::Duration;

use eventful::broker::{CallOutcome, DeliveryTag, Intake, IntakeConfig, Room, Terms};

use super::client::{BrokerCall, FetchedMessage};
use super::host::HostWork;
use super::scenario::{BrokerKind, BrokerSetup};

/// Something that happens at a time.
#[derive(Debug, Clone)]
pub(super) enum BrokerStep {
    Publish(usize),
    Fault(usize),
    /// The request for messages reaches the broker.
    Fetch(u32, Room),
    /// Messages reach the client; none when there was no connection.
    Deliver(u32, Option<Vec<FetchedMessage>>),
    /// A call reaches the broker, and its caller learns of it, or not.
    Arrive(u32, DeliveryTag, BrokerCall, u64),
    Return(u32, DeliveryTag, BrokerCall, u64, CallOutcome),
    /// The client learns that a partition was taken away, and is of this generation now.
    Revoked(u32, u8, u64),
    Work(u32, HostWork),
    Start,
}

/// Calls that are still to be lost.
#[derive(Debug, Default)]
pub(super) struct LostCalls {
    pub(super) calls: u16,
    pub(super) confirmations: u16,
    pub(super) appends: u16,
}

/// The times at which faults end.
#[derive(Debug, Default)]
pub(super) struct FaultTimes {
    pub(super) slow: u64,
    pub(super) unreachable: u64,
    pub(super) journal: u64,
    pub(super) handlers: u64,
}

/// Returns the terms of the broker.
pub(super) fn terms(setup: &BrokerSetup) -> Terms {
    match setup.kind {
        BrokerKind::Queue { ack_wait } => Terms::Queue { ack_wait: ack_wait.map(Duration::from_micros) },
        BrokerKind::Log { .. } => Terms::Log,
    }
}

/// Returns an intake that has just begun.
pub(super) fn fresh_intake(setup: &BrokerSetup) -> Intake {
    let micros = Duration::from_micros;
    let mut config = IntakeConfig::default();
    config.max_in_flight = NonZeroUsize::new(setup.max_in_flight.into()).unwrap_or(NonZeroUsize::MIN);
    config.max_in_flight_bytes = NonZeroUsize::new(setup.max_in_flight_bytes as usize).unwrap_or(NonZeroUsize::MIN);
    config.retry_delay = micros(setup.retry_delay);
    config.max_hold = micros(setup.max_hold);
    config.drain_timeout = micros(setup.drain_timeout);
    config.call_timeout = micros(setup.call_timeout);
    Intake::new(config, terms(setup))
}
