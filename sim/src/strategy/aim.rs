//! Tickets, runs and keys that a step names: existing ones, former ones, and ones that never existed.

use eventful::{
    Key, Status, Timestamp,
    engine::{Epoch, RunId, ScheduleName, Ticket},
};
use proptest::prelude::*;

use super::events::{key, schedule};
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

/// The choice of an instant of a schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TickAim {
    schedule: u8,
    from: TickOrigin,
    micros: u64,
}

/// The time from which an instant is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TickOrigin {
    /// So long before now.
    Before,
    /// So long after now: it has not come.
    After,
    /// So long after what was decided last.
    Decided,
}

impl TickAim {
    /// Returns a strategy: mostly the time of now, or soon after what was decided last. Two of three schedules may be there.
    pub fn strategy() -> impl Strategy<Value = Self> {
        let from = prop_oneof![
            4 => Just((TickOrigin::Before, 1_u64)),
            2 => Just((TickOrigin::Before, 20_000)),
            1 => Just((TickOrigin::After, 10_000)),
            3 => Just((TickOrigin::Decided, 3)),
        ];
        let schedules = prop_oneof![4 => Just(0_u8), 2 => Just(1), 1 => Just(2)];
        (schedules, from, any::<u64>()).prop_map(|(schedule, (from, most), drawn)| Self {
            schedule,
            from,
            micros: drawn % most,
        })
    }

    /// Returns whether its schedule may be there, and is not.
    pub(super) fn lacks_schedule(self, model: &Model) -> bool {
        self.schedule < 2 && !model.expected.schedules.contains_key(&schedule(self.schedule))
    }

    /// Returns the schedules that are there, and its own.
    pub(super) fn schedules(self, model: &Model) -> Vec<ScheduleName> {
        model.expected.schedules.keys().cloned().chain([schedule(self.schedule)]).collect()
    }

    /// Returns the schedule and the instant for an engine in the state of `model`.
    pub fn resolve(self, model: &Model) -> (ScheduleName, Timestamp) {
        let (name, now) = (schedule(self.schedule), model.now.as_micros());
        let decided = || model.expected.schedules.get(&name).map_or(now, |cursor| cursor.decided.as_micros());
        let micros = match self.from {
            TickOrigin::Before => now - self.micros,
            TickOrigin::After => now + 1 + self.micros,
            TickOrigin::Decided => decided() + self.micros,
        };
        (name, Timestamp::from_micros(micros))
    }
}
