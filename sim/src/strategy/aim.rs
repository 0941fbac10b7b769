//! Tickets, runs and keys to name: those that are there, those that were, and those that never were.

use eventful::{
    Key, Status,
    engine::{Epoch, RunId, Ticket},
};
use proptest::prelude::*;

use super::events::key;
use crate::spec::model::Model;

/// The ticket that a move names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TicketAim {
    /// One that is in the channel, counted from the oldest, around the end.
    InChannel(usize),
    /// The newest in the channel.
    Newest,
    /// One that is not after the last sent, so many before it.
    Sent(u64),
    /// One that was never sent.
    Future(u64),
}

impl TicketAim {
    /// Mostly the oldest ticket in the channel, as an undisturbed dispatcher takes it.
    pub fn strategy() -> impl Strategy<Value = Self> {
        prop_oneof![
            12 => Just(Self::InChannel(0)),
            4 => (0..5_usize).prop_map(Self::InChannel),
            1 => Just(Self::Newest),
            2 => (0..6_u64).prop_map(Self::Sent),
            1 => (1..3_u64).prop_map(Self::Future),
        ]
    }

    /// The ticket that this is for an engine in the state of `model`.
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

/// The run that a move names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunAim {
    /// One that is in flight, counted from the oldest, around the end.
    InFlight(usize),
    /// One that was started, so many before the last.
    Started(u64),
    /// One that was never started.
    Future(u64),
    /// One of another opening of the engine.
    Foreign(u64),
}

impl RunAim {
    /// Mostly a run in flight.
    pub fn strategy() -> impl Strategy<Value = Self> {
        prop_oneof![
            12 => (0..4_usize).prop_map(Self::InFlight),
            2 => (0..4_u64).prop_map(Self::Started),
            1 => (1..3_u64).prop_map(Self::Future),
            1 => (0..4_u64).prop_map(Self::Foreign),
        ]
    }

    /// The run that this is for an engine in the state of `model`.
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

/// The event that an operator names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyAim {
    /// The one whose key has this number.
    Number(u8),
    /// One that has failed, counted from the first key, around the end.
    Failed(usize),
}

impl KeyAim {
    /// Any key, or the key of an event that has failed.
    pub fn strategy() -> impl Strategy<Value = Self> {
        prop_oneof![(0..10_u8).prop_map(Self::Number), (0..4_usize).prop_map(Self::Failed)]
    }

    /// The key that this is for an engine in the state of `model`.
    pub fn resolve(self, model: &Model) -> Key {
        let failed: Vec<&Key> = model.records_with(Status::Failed).collect();
        match self {
            Self::Number(number) => key(number),
            Self::Failed(at) if failed.is_empty() => key(u8::try_from(at).unwrap_or_default()),
            Self::Failed(at) => failed[at % failed.len()].clone(),
        }
    }
}
