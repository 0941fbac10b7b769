//! The client of the simulated broker, as a source of the product would be: tags, positions, and calls that take time.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use eventful::broker::{
    Assignment, DeadLetter, DeliveryTag, IntakeAction, Message, Offsets, Partition, Unfit, UnfitMessage,
};

use super::simulated::{BrokerMessage, MessageNumber, SimulatedBroker};

/// A delivery as its client knows it.
#[derive(Debug, Clone, Copy)]
pub(super) struct BrokerDelivery {
    pub(super) number: MessageNumber,
    pub(super) delivery: u32,
    pub(super) partition: u8,
    pub(super) generation: u64,
    offset: u64,
    assignment: Option<Assignment>,
}

/// A call of the broker. It stays valid when its client is gone: the network has it.
#[derive(Debug, Clone)]
pub(super) enum BrokerCall {
    Acknowledge { number: MessageNumber, generation: u64 },
    Commit { partition: u8, generation: u64, position: u64 },
    GiveBack { number: MessageNumber, delay: Duration, generation: u64 },
    Extend { number: MessageNumber, delivery: u32 },
    Bury { number: MessageNumber, letter: Box<DeadLetter> },
}

/// The client of one consumer.
#[derive(Debug, Default)]
pub(super) struct BrokerClient {
    deliveries: BTreeMap<DeliveryTag, BrokerDelivery>,
    offsets: Offsets,
    /// The assignment of each partition of a log.
    assigned: BTreeMap<u8, Assignment>,
    /// The generation of each partition, as far as it knows.
    known: BTreeMap<u8, u64>,
    /// Revocations that its intake does not know yet.
    revocations: VecDeque<u8>,
    /// Messages that it has, and its intake does not.
    kept: VecDeque<FetchedMessage>,
    tags: u64,
}

/// A message, the number of its deliveries, and the generation of its partition.
pub(super) type FetchedMessage = (MessageNumber, u32, u64);

impl BrokerClient {
    /// Creates a client whose tags are none of those before.
    pub(super) fn after(before: &Self) -> Self {
        Self { tags: before.tags, ..Self::default() }
    }

    /// Keeps messages until its intake has room.
    pub(super) fn keep(&mut self, messages: Vec<FetchedMessage>) {
        self.kept.extend(messages);
    }

    /// Puts a message back in front of the others.
    pub(super) fn put_back(&mut self, message: FetchedMessage) {
        self.kept.push_front(message);
    }

    /// Returns whether there is something for a receive that is under way.
    pub(super) fn has_something(&self) -> bool {
        !self.kept.is_empty() || !self.revocations.is_empty()
    }

    /// Learns that a partition was taken away, and is of this generation now.
    pub(super) fn learns(&mut self, partition: u8, generation: u64) {
        let known = self.known.insert(partition, generation);
        match known.filter(|known| *known < generation) {
            Some(_) => {
                self.offsets.revoked(Partition::new(partition.into()));
                self.assigned.remove(&partition);
                self.revocations.push_back(partition);
            }
            // It had nothing of that partition, or knew.
            None => self.known.extend(known.map(|known| (partition, known.max(generation)))),
        }
    }

    /// Returns whether there is a revocation that its intake does not know.
    pub(super) fn knows_revocation(&self) -> bool {
        !self.revocations.is_empty()
    }

    /// Takes out the next revocation for its intake.
    pub(super) fn revocation(&mut self) -> Option<u8> {
        self.revocations.pop_front()
    }

    /// Takes out the next message for its intake. One of a generation that has ended is dropped, as the broker delivers it
    /// again; one of a generation that it does not know yet waits until its intake knows that the one before has ended.
    pub(super) fn next(&mut self, broker: &SimulatedBroker) -> Option<FetchedMessage> {
        while let Some(&(number, _, generation)) = self.kept.front() {
            let partition = broker.messages.get(&number)?.partition;
            if broker.partitions[usize::from(partition)].generation == generation {
                self.learns(partition, generation);
                return if self.revocations.is_empty() { self.kept.pop_front() } else { None };
            }
            self.kept.pop_front();
        }
        None
    }

    /// Takes a delivery for its intake.
    pub(super) fn take(
        &mut self,
        message: &BrokerMessage,
        (number, delivery, generation): FetchedMessage,
        is_log: bool,
    ) -> Message {
        let BrokerMessage { partition, offset, .. } = *message;
        let place = Partition::new(partition.into());
        let offsets = &mut self.offsets;
        let assignment = is_log.then(|| *self.assigned.entry(partition).or_insert_with(|| offsets.assigned(place)));
        if let Some(assignment) = assignment {
            self.offsets.taken(place, assignment, offset);
        }
        self.tags += 1;
        let tag = DeliveryTag::new(self.tags);
        self.deliveries.insert(tag, BrokerDelivery { number, delivery, partition, generation, offset, assignment });
        let unfit = || UnfitMessage { reason: Unfit::WithoutId, payload: message.payload.clone().into() };
        let content = message.event.clone().ok_or_else(unfit);
        Message { tag, partition: place, deliveries: delivery, content }
    }

    /// Returns the delivery and the call that an action of the intake is; no call when the delivery was taken away.
    pub(super) fn call(&mut self, action: &IntakeAction) -> Option<(DeliveryTag, Option<BrokerCall>)> {
        let tag = match action {
            IntakeAction::Submit { .. } | IntakeAction::AwaitDurable { .. } | IntakeAction::Abandon { .. } => {
                return None;
            }
            IntakeAction::Acknowledge { tag }
            | IntakeAction::GiveBack { tag, .. }
            | IntakeAction::Extend { tag }
            | IntakeAction::Bury { tag, .. } => *tag,
        };
        let of = *self.deliveries.get(&tag)?;
        let BrokerDelivery { number, generation, partition, .. } = of;
        if self.known.get(&partition).is_some_and(|known| *known != generation) {
            return Some((tag, None));
        }
        let call = match action {
            IntakeAction::Acknowledge { .. } => return Some((tag, self.acknowledge(of))),
            IntakeAction::GiveBack { delay, .. } => BrokerCall::GiveBack { number, delay: *delay, generation },
            IntakeAction::Extend { .. } => BrokerCall::Extend { number, delivery: of.delivery },
            IntakeAction::Bury { letter, .. } => BrokerCall::Bury { number, letter: Box::new(letter.clone()) },
            IntakeAction::Submit { .. } | IntakeAction::AwaitDurable { .. } | IntakeAction::Abandon { .. } => {
                return None;
            }
        };
        Some((tag, Some(call)))
    }

    /// Returns the call that acknowledges a delivery: of a log, the position up to which all is done with, which is sent
    /// again as long as it does not rise.
    fn acknowledge(&mut self, of: BrokerDelivery) -> Option<BrokerCall> {
        let BrokerDelivery { number, partition, generation, offset, assignment, .. } = of;
        let Some(assignment) = assignment else { return Some(BrokerCall::Acknowledge { number, generation }) };
        let place = Partition::new(partition.into());
        let risen = self.offsets.done(place, assignment, offset);
        let position = risen.or_else(|| self.offsets.position(place, assignment))?;
        Some(BrokerCall::Commit { partition, generation, position })
    }
}
