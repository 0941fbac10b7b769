//! The intake: decides about each delivery of a broker, without clock and I/O.
//!
//! | file | part |
//! |---|---|
//! | `delivery` | one delivery, and its state |
//! | `results` | the results of what the driver does |
//! | `timing` | pauses, extensions, tries, the end |

mod delivery;
mod results;
mod timing;

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::time::Duration;

use super::action::{IntakeAction, IntakeCounts, IntakeEnd};
use super::config::IntakeConfig;
use super::letter::{DeadLetter, DeadReason};
use super::message::{DeliveryTag, Message, Partition, Room, Terms};
use crate::engine::Timestamp;
use delivery::{Delivery, DeliveryState, HeldFor};

pub use results::CallOutcome;

/// Decides what becomes of each delivery: submit, wait until durable, acknowledge; a dead letter for what will never be an
/// event; and nothing more than the bounds allow in flight.
///
/// A driver calls the methods with the time, then takes the [`actions`](Self::actions) and performs them in any order; it
/// receives from the broker as long as there is [`room`](Self::room), and calls [`tick`](Self::tick) by the
/// [`next_deadline`](Self::next_deadline). It is the same code that `consume` and the simulator drive.
///
/// | state of a delivery | meaning | left when |
/// |---|---|---|
/// | submitting | its event is given to the engine | decided: syncing; or, if there is nothing to wait for, as durable. No room, not available: held. Shutting down: given back |
/// | syncing | accepted, duplicate or conflict, and not durable yet | durable: acknowledging, or burying a conflict. Unknown: held |
/// | burying | its dead letter is being written | written: acknowledging. Failed: held |
/// | acknowledging | the acknowledgement is under way | confirmed, or taken away before: gone. Failed: held |
/// | held | waits for the next try of what it has failed in | time: tried again. Longer than `max_hold` in a queue: given back; if it only lacks its acknowledgement, left to its `ack_wait` |
/// | giving back | is being given back, with a delay | confirmed: gone. Failed: gone if its `ack_wait` brings it back, else held |
/// | revoked | the broker took it away while work on it was under way | the result of that work: gone |
///
/// While it is submitting, syncing, burying or held before its acknowledgement, a delivery is extended at half of the
/// `ack_wait`. Deliveries of a revoked partition are never acknowledged, given back or extended. A call that finds its
/// delivery taken away ends it in the same way.
#[derive(Debug)]
pub struct Intake {
    config: IntakeConfig,
    terms: Terms,
    deliveries: BTreeMap<DeliveryTag, Delivery>,
    /// The times at which something is to be done, and about which delivery.
    times: BTreeSet<(Timestamp, DeliveryTag)>,
    bytes: usize,
    out: Vec<IntakeAction>,
    /// The time before which nothing is received.
    paused_until: Timestamp,
    /// Tries to receive that have failed, in a row.
    receive_failures: u32,
    /// The time at which an intake that ends gives up what is in flight.
    drained_by: Option<Timestamp>,
    end: Option<IntakeEnd>,
    counts: IntakeCounts,
}

impl Intake {
    /// Creates an intake for a broker that delivers on these terms.
    pub fn new(config: IntakeConfig, terms: Terms) -> Self {
        Self {
            config,
            terms,
            deliveries: BTreeMap::new(),
            times: BTreeSet::new(),
            bytes: 0,
            out: Vec::new(),
            paused_until: Timestamp::EPOCH,
            receive_failures: 0,
            drained_by: None,
            end: None,
            counts: IntakeCounts::default(),
        }
    }

    /// Returns the messages to receive now; none while there is no room, the engine has none, or the intake ends. One
    /// receive at a time is under way, and none while this is none: it is dropped, and loses nothing.
    pub fn room(&self, now: Timestamp) -> Option<Room> {
        if self.drained_by.is_some() || now < self.paused_until {
            return None;
        }
        let messages = self.config.max_in_flight.get().saturating_sub(self.deliveries.len());
        let bytes = self.config.max_in_flight_bytes.get().saturating_sub(self.bytes);
        (messages > 0 && bytes > 0).then_some(Room { messages, bytes })
    }

    /// Takes a delivery.
    pub fn received(&mut self, now: Timestamp, message: Message) {
        let bytes = message.size_bytes();
        let Message { tag, partition, deliveries, content } = message;
        self.counts.received += 1;
        self.counts.redelivered += u64::from(deliveries > 1);
        let mut delivery = Delivery {
            partition,
            content,
            bytes,
            deliveries,
            received_at: now,
            state: DeliveryState::Held(HeldFor::Submit),
            wake_at: None,
            extend_at: self.extension(now),
            extending_since: None,
            failures: 0,
            due: None,
        };
        if let Err(unfit) = &delivery.content {
            delivery.state = DeliveryState::Held(HeldFor::Bury(DeadReason::Unfit(unfit.reason.clone()).into()));
        }
        self.bytes = self.bytes.saturating_add(bytes);
        if let Some(before) = self.deliveries.insert(tag, delivery) {
            // A source that repeats a tag breaks its contract: the counts stay right all the same.
            self.forget(tag, &before);
        }
        match self.drained_by {
            None => self.try_again(now, tag),
            Some(_) => self.leave(tag),
        }
    }

    /// Takes the deliveries of a partition away: the broker gives them to others, or has closed the channel that they
    /// came on. The driver says nothing more about them to the broker, not even what is in `actions` already.
    pub fn revoked(&mut self, partition: Partition) {
        let of_it = |delivery: &Delivery| delivery.partition == partition;
        let tags = self.deliveries.iter().filter(|(_, delivery)| of_it(delivery)).map(|(tag, _)| *tag);
        let tags: BTreeSet<_> = tags.collect();
        // Submissions may be carried out, as they are safe; what speaks to the broker must not.
        let mut unsaid = BTreeSet::new();
        self.out.retain(|action| match action {
            IntakeAction::Submit { .. } | IntakeAction::AwaitDurable { .. } | IntakeAction::Abandon { .. } => true,
            IntakeAction::Extend { tag } => !tags.contains(tag),
            IntakeAction::Acknowledge { tag } | IntakeAction::GiveBack { tag, .. } | IntakeAction::Bury { tag, .. } => {
                let is_of_it = tags.contains(tag);
                if is_of_it {
                    unsaid.insert(*tag);
                }
                !is_of_it
            }
        });
        tags.into_iter().for_each(|tag| self.take_away(tag, unsaid.contains(&tag)));
    }

    /// Ends a delivery that the broker has taken away, once the work on it that is under way has ended. `is_unsaid`: that
    /// work was only in `actions`, and is not done.
    fn take_away(&mut self, tag: DeliveryTag, is_unsaid: bool) {
        let Some(delivery) = self.deliveries.get_mut(&tag) else { return };
        let is_under_way = delivery.is_under_way() && !is_unsaid;
        if delivery.state != DeliveryState::Revoked {
            self.counts.abandoned += 1;
        }
        delivery.state = DeliveryState::Revoked;
        (delivery.wake_at, delivery.extend_at) = (None, None);
        match is_under_way {
            true => self.schedule(tag),
            false => self.remove(tag),
        }
    }

    /// Takes out what is to be done, in the order in which it was decided.
    pub fn actions(&mut self) -> Vec<IntakeAction> {
        core::mem::take(&mut self.out)
    }

    /// Returns the number of deliveries in flight.
    pub fn in_flight(&self) -> usize {
        self.deliveries.len()
    }

    /// Returns the bytes of the deliveries in flight.
    pub const fn in_flight_bytes(&self) -> usize {
        self.bytes
    }

    /// Returns the counts.
    pub const fn counts(&self) -> &IntakeCounts {
        &self.counts
    }

    /// Returns the reason why it ends, when the engine is that.
    pub const fn end(&self) -> Option<IntakeEnd> {
        self.end
    }

    /// Carries out what a held delivery waits for.
    fn try_again(&mut self, now: Timestamp, tag: DeliveryTag) {
        let Some(delivery) = self.deliveries.get_mut(&tag) else { return };
        let DeliveryState::Held(held) = &delivery.state else { return };
        match (held.clone(), &delivery.content) {
            (HeldFor::Submit, Ok(event)) => {
                self.out.push(IntakeAction::Submit { tag, event: event.clone() });
                self.set(tag, DeliveryState::Submitting);
            }
            (HeldFor::Bury(reason), _) => self.bury(tag, *reason),
            (HeldFor::Acknowledge, _) => self.acknowledge(tag),
            (HeldFor::GiveBack(delay), _) => self.give_back(tag, delay),
            // Only an event is ever held for a submission.
            (HeldFor::Submit, Err(_)) => self.leave_held(now, tag),
        }
    }

    fn acknowledge(&mut self, tag: DeliveryTag) {
        self.out.push(IntakeAction::Acknowledge { tag });
        self.set(tag, DeliveryState::Acknowledging);
    }

    fn bury(&mut self, tag: DeliveryTag, reason: DeadReason) {
        let Some(delivery) = self.deliveries.get(&tag) else { return };
        let letter = match (&delivery.content, reason.clone()) {
            (Ok(event), reason) => DeadLetter::of_event(event, reason, delivery.deliveries),
            (Err(unfit), _) => DeadLetter::of_payload(&unfit.payload, unfit.reason.clone(), delivery.deliveries),
        };
        self.out.push(IntakeAction::Bury { tag, letter });
        self.set(tag, DeliveryState::Burying(reason.into()));
    }

    /// Gives a delivery of a queue back, and leaves one of a log: its position is not committed.
    fn leave(&mut self, tag: DeliveryTag) {
        let delay = self.config.delay(self.config.retry_delay);
        self.give_back(tag, delay);
    }

    fn give_back(&mut self, tag: DeliveryTag, delay: Duration) {
        match self.terms {
            Terms::Queue { .. } => {
                self.out.push(IntakeAction::GiveBack { tag, delay });
                self.set(tag, DeliveryState::GivingBack(delay));
            }
            Terms::Log => self.abandon(tag),
        }
    }

    fn abandon(&mut self, tag: DeliveryTag) {
        // The broker's source has forgotten what it took away.
        if self.deliveries.get(&tag).is_some_and(|delivery| delivery.state != DeliveryState::Revoked) {
            self.counts.abandoned += 1;
            self.out.push(IntakeAction::Abandon { tag });
        }
        self.remove(tag);
    }

    fn set(&mut self, tag: DeliveryTag, state: DeliveryState) {
        if let Some(delivery) = self.deliveries.get_mut(&tag) {
            delivery.state = state;
            delivery.wake_at = None;
        }
        self.schedule(tag);
    }

    /// Puts a delivery into the list of times, under its next one.
    fn schedule(&mut self, tag: DeliveryTag) {
        let Some(delivery) = self.deliveries.get_mut(&tag) else { return };
        let next = delivery.next_time();
        if next != delivery.due {
            if let Some(due) = delivery.due {
                self.times.remove(&(due, tag));
            }
            delivery.due = next;
            self.times.extend(next.map(|at| (at, tag)));
        }
    }

    fn remove(&mut self, tag: DeliveryTag) {
        if let Some(delivery) = self.deliveries.remove(&tag) {
            self.forget(tag, &delivery);
        }
    }

    fn forget(&mut self, tag: DeliveryTag, delivery: &Delivery) {
        self.bytes = self.bytes.saturating_sub(delivery.bytes);
        if let Some(due) = delivery.due {
            self.times.remove(&(due, tag));
        }
    }
}
