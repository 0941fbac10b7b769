//! Tickets, runs and keys that a step names: existing ones, former ones, and ones that never existed.

use eventful::{
    Key, Status,
    engine::{Epoch, RunId, Ticket},
};
use proptest::prelude::*;

use super::events::key;
use crate::spec::model::Model;

/// The choice of a ticket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TicketAim {
    /// A ticket in the channel, counted from the oldest, modulo their number.
    InChannel(usize),
    /// The newest ticket in the channel.
    Newest,
    /// A ticket this many before the last sent, or this one.
    Sent(u64),
    /// A ticket that was never sent.
    Future(u64),
}

impl TicketAim {
    /// Returns a strategy: mostly the oldest ticket in the channel, as an undisturbed dispatcher takes it.
    pub fn strategy() -> impl Strategy<Value = Self> {
        prop_oneof![
            12 => Just(Self::InChannel(0)),
            4 => (0..5_usize).prop_map(Self::InChannel),
            1 => Just(Self::Newest),
            2 => (0..6_u64).prop_map(Self::Sent),
            1 => (1..3_u64).prop_map(Self::Future),
        ]
    }

    /// Returns the ticket for an engine in the state of `model`.
    pub fn resolve(self, model: &Model) -> Ticket {
        let entries = &model.channel.entries;
        let last = model.channel.last_sent;
        let number = match self {
            Self::InChannel(_) | Self::Newest if entries.is_empty() => last,
            Self::InChannel(at) => entries[at % entries.len()].number,
            Self::Newest => entries[entries.len() - 1].number,
            Self::Sent(before) => last.saturating_sub(before),
            Self::Future(after) => last.saturating_add(after),
        };
        Ticket::new(number)
    }
}

/// The choice of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunAim {
    /// A run in flight, counted from the oldest, modulo their number.
    InFlight(usize),
    /// A run that was started, this many before the last.
    Started(u64),
    /// A run that was never started.
    Future(u64),
    /// A run of another opening of the engine.
    Foreign(u64),
}

impl RunAim {
    /// Returns a strategy: mostly a run in flight.
    pub fn strategy() -> impl Strategy<Value = Self> {
        prop_oneof![
            12 => (0..4_usize).prop_map(Self::InFlight),
            2 => (0..4_u64).prop_map(Self::Started),
            1 => (1..3_u64).prop_map(Self::Future),
            1 => (0..4_u64).prop_map(Self::Foreign),
        ]
    }

    /// Returns the run for an engine in the state of `model`.
    pub fn resolve(self, model: &Model) -> RunId {
        let (inflight, epoch) = (&model.expected.inflight, model.epoch());
        let foreign = Epoch::new(epoch.number() + 1);
        match self {
            Self::InFlight(_) if inflight.is_empty() => RunId::new(epoch, model.runs),
            Self::InFlight(at) => inflight[at % inflight.len()].0,
            Self::Started(before) => RunId::new(epoch, model.runs.saturating_sub(before)),
            Self::Future(after) => RunId::new(epoch, model.runs + after),
            Self::Foreign(before) => RunId::new(foreign, model.runs.saturating_sub(before)),
        }
    }
}

/// The choice of an event by an operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyAim {
    /// The event whose key has this number.
    Number(u8),
    /// An event that has failed, counted from the first key, modulo their number.
    Failed(usize),
}

impl KeyAim {
    /// Returns a strategy: any key, or the key of an event that has failed.
    pub fn strategy() -> impl Strategy<Value = Self> {
        prop_oneof![(0..10_u8).prop_map(Self::Number), (0..4_usize).prop_map(Self::Failed)]
    }

    /// Returns the key for an engine in the state of `model`.
    pub fn resolve(self, model: &Model) -> Key {
        let failed: Vec<&Key> = model.records_with(Status::Failed).collect();
        match self {
            Self::Number(number) => key(number),
            Self::Failed(at) if failed.is_empty() => key(u8::try_from(at).unwrap_or_default()),
            Self::Failed(at) => failed[at % failed.len()].clone(),
        }
    }
}
