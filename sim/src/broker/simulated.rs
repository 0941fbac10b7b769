//! The simulated broker: a queue, or a log.

use std::collections::BTreeMap;

use eventful::broker::{DeadLetter, Room};
use eventful::{Event, Key};

use super::scenario::{BrokerKind, BrokerSetup, PublishedMessage};
use crate::seeded_rng::Stream;

/// The number of a message, in the order of the scenario.
pub(super) type MessageNumber = usize;

/// A message as the broker has it.
#[derive(Debug)]
pub(super) struct BrokerMessage {
    pub(super) event: Option<Event>,
    pub(super) payload: Vec<u8>,
    pub(super) partition: u8,
    /// Its place in its partition.
    pub(super) offset: u64,
    pub(super) deliveries: u32,
    /// The time from which it can be delivered.
    visible_at: u64,
    /// True once it is acknowledged. Of a log, the position is what counts.
    is_gone: bool,
}

impl BrokerMessage {
    /// Returns the bytes that it takes of the bound on messages in flight.
    pub(super) fn size_bytes(&self) -> usize {
        self.event.as_ref().map_or(self.payload.len(), Event::size_bytes)
    }
}

/// The position of a consumer in a partition of a log.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct PartitionState {
    /// Raised with each revocation: commits of an older one are refused.
    pub(super) generation: u64,
    /// The offset of the next message to deliver.
    next: u64,
    pub(super) committed: u64,
    /// The time until which others have it.
    taken_until: u64,
}

/// The broker.
#[derive(Debug)]
pub(super) struct SimulatedBroker {
    kind: BrokerKind,
    pub(super) messages: BTreeMap<MessageNumber, BrokerMessage>,
    pub(super) partitions: Vec<PartitionState>,
    pub(super) letters: BTreeMap<MessageNumber, Vec<DeadLetter>>,
    /// The number of messages that are to be delivered twice.
    pub(super) twice: u16,
    pub(super) reordered_until: u64,
    order: Stream,
}

impl SimulatedBroker {
    pub(super) fn new(setup: &BrokerSetup, order: Stream) -> Self {
        Self {
            kind: setup.kind,
            messages: BTreeMap::new(),
            partitions: vec![PartitionState::default(); usize::from(setup.partitions())],
            letters: BTreeMap::new(),
            twice: 0,
            reordered_until: 0,
            order,
        }
    }

    pub(super) const fn is_log(&self) -> bool {
        matches!(self.kind, BrokerKind::Log { .. })
    }

    pub(super) fn publish(&mut self, number: MessageNumber, message: &PublishedMessage) {
        let payload = vec![message.payload; message.bytes as usize];
        let key = message.id.and_then(|id| Key::new("", &format!("id-{id}")).ok());
        let event = key.map(|key| Event::new(key, payload.clone()));
        // By its id, or by turns.
        let place = message.id.map_or(number, usize::from) % self.partitions.len();
        let partition = u8::try_from(place).unwrap_or(0);
        let offset = self.messages.values().filter(|message| message.partition == partition).count() as u64;
        let visible_at = message.at;
        let message = BrokerMessage { event, payload, partition, offset, deliveries: 0, visible_at, is_gone: false };
        self.messages.insert(number, message);
    }

    /// Delivers messages for which there is room. Each is there with the number of its deliveries and the generation
    /// of its partition.
    pub(super) fn fetch(&mut self, now: u64, room: Room) -> Vec<(MessageNumber, u32, u64)> {
        let mut ready: Vec<_> = self.ready(now);
        if now < self.reordered_until && !self.is_log() {
            for at in (1..ready.len()).rev() {
                ready.swap(at, self.order.index(at + 1));
            }
        }
        let (mut taken, mut bytes) = (Vec::new(), 0);
        for number in ready {
            let Some(message) = self.messages.get_mut(&number) else { continue };
            bytes += message.size_bytes();
            if taken.len() >= room.messages || (bytes > room.bytes && !taken.is_empty()) {
                break;
            }
            message.deliveries += 1;
            if let BrokerKind::Queue { ack_wait } = self.kind {
                message.visible_at = ack_wait.map_or(u64::MAX, |wait| now + wait);
            }
            let state = &mut self.partitions[usize::from(message.partition)];
            state.next = state.next.max(message.offset + 1);
            let delivery = (number, message.deliveries, state.generation);
            taken.push(delivery);
            let repeats = self.twice > 0 && taken.len() < room.messages;
            if repeats && bytes * 2 <= room.bytes {
                self.twice -= 1;
                taken.push(delivery);
                bytes *= 2;
            }
        }
        taken
    }

    fn ready(&self, now: u64) -> Vec<MessageNumber> {
        let is_ready = |message: &BrokerMessage| {
            let state = self.partitions[usize::from(message.partition)];
            match self.kind {
                BrokerKind::Queue { .. } => !message.is_gone && message.visible_at <= now,
                BrokerKind::Log { .. } => message.offset >= state.next,
            }
        };
        let is_ours = |message: &BrokerMessage| self.partitions[usize::from(message.partition)].taken_until <= now;
        let ready = self.messages.iter().filter(|(_, message)| is_ready(message) && is_ours(message));
        let mut ready: Vec<_> = ready.map(|(number, message)| (message.offset, *number)).collect();
        ready.sort_unstable();
        ready.into_iter().map(|(_, number)| number).collect()
    }

    /// Returns whether this delivery has ended without a word of its consumer.
    pub(super) fn has_expired(&self, now: u64, number: MessageNumber) -> bool {
        let message = self.messages.get(&number);
        message.is_some_and(|message| !self.is_log() && !message.is_gone && message.visible_at <= now)
    }

    /// Removes a message of a queue.
    pub(super) fn acknowledge(&mut self, number: MessageNumber) {
        self.messages.get_mut(&number).into_iter().for_each(|message| message.is_gone = true);
    }

    /// Commits a position of a log. Returns the messages that it passes; none if the partition was revoked since.
    pub(super) fn commit(&mut self, partition: u8, generation: u64, position: u64) -> Option<Vec<MessageNumber>> {
        let state = &mut self.partitions[usize::from(partition)];
        if state.generation != generation {
            return None;
        }
        let before = state.committed;
        state.committed = before.max(position);
        let is_passed =
            |message: &BrokerMessage| message.partition == partition && (before..position).contains(&message.offset);
        Some(self.messages.iter().filter(|(_, message)| is_passed(message)).map(|(number, _)| *number).collect())
    }

    /// Makes a message of a queue visible at this time.
    pub(super) fn show_at(&mut self, number: MessageNumber, at: u64) {
        self.messages.get_mut(&number).into_iter().for_each(|message| message.visible_at = at);
    }

    /// Returns the time of a delivery that is extended now.
    pub(super) fn extended(&self, now: u64) -> u64 {
        match self.kind {
            BrokerKind::Queue { ack_wait: Some(wait) } => now + wait,
            BrokerKind::Queue { ack_wait: None } | BrokerKind::Log { .. } => u64::MAX,
        }
    }

    /// Ends all deliveries of a connection: those of a queue that has no `ack_wait`, and of every partition of a log.
    pub(super) fn disconnect(&mut self, now: u64) {
        match self.kind {
            BrokerKind::Queue { ack_wait: Some(_) } => {}
            BrokerKind::Queue { ack_wait: None } => {
                self.messages.values_mut().for_each(|message| message.visible_at = message.visible_at.min(now));
            }
            BrokerKind::Log { .. } => {
                (0..self.partitions.len()).for_each(|partition| self.revoke(partition, now));
            }
        }
    }

    /// Takes a partition away until a time.
    pub(super) fn revoke(&mut self, partition: usize, until: u64) {
        let Some(state) = self.partitions.get_mut(partition) else { return };
        state.generation += 1;
        state.next = state.committed;
        state.taken_until = state.taken_until.max(until);
        if !self.is_log() {
            self.messages.values_mut().for_each(|message| message.visible_at = message.visible_at.min(until));
        }
    }

    /// Returns whether every message was acknowledged.
    pub(super) fn is_done(&self) -> bool {
        self.left().next().is_none()
    }

    /// Returns the messages that are not acknowledged.
    pub(super) fn left(&self) -> impl Iterator<Item = MessageNumber> + '_ {
        let is_left = |message: &BrokerMessage| match self.is_log() {
            true => message.offset >= self.partitions[usize::from(message.partition)].committed,
            false => !message.is_gone,
        };
        self.messages.iter().filter(move |(_, message)| is_left(message)).map(|(number, _)| *number)
    }
}
