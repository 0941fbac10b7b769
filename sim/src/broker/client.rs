//! The client of the simulated broker, as a source of the product would be: tags, positions, and calls that take time.

use std::collections::BTreeMap;
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
    /// The assignment of each partition of a log, with its generation.
    assigned: BTreeMap<u8, (Assignment, u64)>,
    tags: u64,
}

impl BrokerClient {
    /// Creates a client whose tags are none of those before.
    pub(super) fn after(before: &Self) -> Self {
        Self { tags: before.tags, ..Self::default() }
    }

    /// Takes a delivery. One of a generation that has ended is dropped, as the broker delivers it again.
    pub(super) fn take(
        &mut self,
        broker: &SimulatedBroker,
        (number, delivery, generation): (MessageNumber, u32, u64),
    ) -> Option<Message> {
        let message = broker.messages.get(&number)?;
        let BrokerMessage { partition, offset, .. } = *message;
        if broker.partitions[usize::from(partition)].generation != generation {
            return None;
        }
        let assignment = broker.is_log().then(|| self.assignment(partition, generation));
        if let Some(assignment) = assignment {
            self.offsets.taken(Partition::new(partition.into()), assignment, offset);
        }
        self.tags += 1;
        let tag = DeliveryTag::new(self.tags);
        self.deliveries.insert(tag, BrokerDelivery { number, delivery, partition, generation, offset, assignment });
        let unfit = || UnfitMessage { reason: Unfit::WithoutId, payload: message.payload.clone().into() };
        let content = message.event.clone().ok_or_else(unfit);
        Some(Message { tag, partition: Partition::new(partition.into()), deliveries: delivery, content })
    }

    fn assignment(&mut self, partition: u8, generation: u64) -> Assignment {
        match self.assigned.get(&partition) {
            Some((assignment, of)) if *of == generation => *assignment,
            Some(_) | None => {
                let assignment = self.offsets.assigned(Partition::new(partition.into()));
                self.assigned.insert(partition, (assignment, generation));
                assignment
            }
        }
    }

    /// Ends a partition.
    pub(super) fn revoked(&mut self, partition: u8) {
        self.offsets.revoked(Partition::new(partition.into()));
        self.assigned.remove(&partition);
    }

    /// Returns the call that an action of the intake is; none if it is no call, or there is nothing to say.
    pub(super) fn call(&mut self, action: &IntakeAction) -> Option<(DeliveryTag, BrokerCall)> {
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
        let BrokerDelivery { number, generation, .. } = of;
        let call = match action {
            IntakeAction::Acknowledge { .. } => self.acknowledge(of)?,
            IntakeAction::GiveBack { delay, .. } => BrokerCall::GiveBack { number, delay: *delay, generation },
            IntakeAction::Extend { .. } => BrokerCall::Extend { number, delivery: of.delivery },
            IntakeAction::Bury { letter, .. } => BrokerCall::Bury { number, letter: Box::new(letter.clone()) },
            IntakeAction::Submit { .. } | IntakeAction::AwaitDurable { .. } | IntakeAction::Abandon { .. } => {
                return None;
            }
        };
        Some((tag, call))
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
