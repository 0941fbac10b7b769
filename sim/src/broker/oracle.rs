//! The promises of an intake, checked with what the broker and the journal really have.
//!
//! | oracle | promise |
//! |---|---|
//! | `durable` | what is acknowledged is durably accepted, with this payload, or among the dead letters |
//! | `revoked` | nothing is said about a delivery that was taken away, or is done with |
//! | `give back` | a message goes back with a delay, and only after it was held for long, or at the end |
//! | `letters` | a dead letter has the payload, its digest and, of a conflict, the durable one |
//! | `in flight` | no more messages and bytes are in flight than is allowed |
//! | `backpressure` | nothing is received while the engine has no room |
//! | `extension` | a delivery is extended before its time ends |
//! | `once` | an event is accepted once |
//! | `drained` | the end comes in time, and leaves nothing |
//! | `liveness` | every message is acknowledged once faults have ended |

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use eventful::broker::{DeadLetter, DeadReason, DeliveryTag, Intake, IntakeAction, Terms};
use eventful::engine::facts::{Change, Fact};
use eventful::{Digest, Key};

use super::scenario::BrokerSetup;
use super::simulated::{BrokerMessage, MessageNumber, SimulatedBroker};
use crate::failure::{Broken, holds};

/// A delivery as the oracles know it.
#[derive(Debug)]
struct LiveDelivery {
    number: MessageNumber,
    partition: u8,
    bytes: usize,
    received_at: u64,
    /// The time at which its extension is due.
    extend_by: Option<u64>,
    is_extending: bool,
    is_acknowledged: bool,
}

/// The knowledge of the oracles.
#[derive(Debug)]
pub(super) struct BrokerOracle {
    setup: BrokerSetup,
    terms: Terms,
    /// The payloads that are durably accepted.
    durable: BTreeMap<Key, Digest>,
    live: BTreeMap<DeliveryTag, LiveDelivery>,
    /// The deliveries of which nothing may be said any more.
    ended: BTreeSet<DeliveryTag>,
    /// The time before which nothing may be received.
    full_until: u64,
    drained_by: Option<u64>,
}

/// The time by which an action may come late: steps of one time are in some order.
const SLACK: u64 = 1_000;

impl BrokerOracle {
    pub(super) fn new(setup: BrokerSetup, terms: Terms) -> Self {
        let (durable, live, ended) = Default::default();
        Self { setup, terms, durable, live, ended, full_until: 0, drained_by: None }
    }

    /// Begins with another intake, as the one before has ended or died.
    pub(super) fn begin(&mut self) {
        self.ended.extend(std::mem::take(&mut self.live).into_keys());
        (self.full_until, self.drained_by) = (0, None);
    }

    pub(super) fn became_durable(&mut self, facts: &[Fact]) -> Result<(), Broken> {
        for fact in facts {
            let Change::Accepted(event) = &fact.change else { continue };
            let before = self.durable.insert(event.key().clone(), *event.digest());
            holds(before.is_none(), || Broken::new("once", 2, format_args!("{} is accepted twice", event.key())))?;
        }
        Ok(())
    }

    pub(super) fn received(
        &mut self,
        now: u64,
        tag: DeliveryTag,
        number: MessageNumber,
        message: &BrokerMessage,
    ) -> Result<(), Broken> {
        let extend_by = self.terms.ack_wait().map(|wait| now + half(wait));
        let bytes = message.size_bytes();
        let partition = message.partition;
        let live = LiveDelivery {
            number,
            partition,
            bytes,
            received_at: now,
            extend_by,
            is_extending: false,
            is_acknowledged: false,
        };
        self.live.insert(tag, live);
        let (most, limit) = (usize::from(self.setup.max_in_flight), self.setup.max_in_flight_bytes as usize);
        let is_draining = self.drained_by.is_some();
        let bytes: usize = self.live.values().map(|live| live.bytes).sum();
        let largest = self.live.values().map(|live| live.bytes).max().unwrap_or_default();
        holds(is_draining || self.live.len() <= most, || {
            Broken::new("in flight", 9, format_args!("{} messages are in flight, {most} may be", self.live.len()))
        })?;
        holds(is_draining || bytes <= limit + largest, || {
            Broken::new("in flight", 9, format_args!("{bytes} bytes are in flight, {limit} may be"))
        })
    }

    /// Checks the intake's own count.
    pub(super) fn judge(&self, now: u64, intake: &Intake) -> Result<(), Broken> {
        let counted: usize = self.live.values().map(|live| live.bytes).sum();
        holds(intake.in_flight() >= self.live.len() && intake.in_flight_bytes() >= counted, || {
            let (messages, bytes) = (intake.in_flight(), intake.in_flight_bytes());
            let live = self.live.len();
            let what =
                format_args!("{live} messages with {counted} bytes are open, the intake says {messages}, {bytes}");
            Broken::new("in flight", 9, what)
        })?;
        let late =
            self.live.iter().find(|(_, live)| live.extend_by.is_some_and(|by| !live.is_extending && now > by + SLACK));
        holds(late.is_none(), || {
            let number = late.map_or(0, |(_, live)| live.number);
            Broken::new("extension", 1, format_args!("the delivery of message {number} was not extended in time"))
        })?;
        let ends_late = self.drained_by.filter(|by| now > by + SLACK && !intake.is_drained());
        holds(ends_late.is_none(), || Broken::new("drained", 6, "an intake that ends waits longer than its timeout"))
    }

    /// Checks the end of the intake: what was received is done with.
    pub(super) fn judge_drained(&self) -> Result<(), Broken> {
        holds(self.live.is_empty(), || {
            let left: Vec<_> = self.live.values().map(|live| live.number).collect();
            Broken::new("drained", 6, format_args!("an intake has ended, and said nothing about messages {left:?}"))
        })
    }

    pub(super) fn drains(&mut self, now: u64) {
        self.drained_by.get_or_insert(now + self.setup.drain_timeout);
    }

    /// Notes that the engine had no room, and asked for this much time.
    pub(super) fn overloaded(&mut self, now: u64, retry_after: Duration) {
        let delay = micros(retry_after).clamp(self.setup.retry_delay, MOST_DELAY);
        self.full_until = self.full_until.max(now + delay);
    }

    pub(super) fn receives(&self, now: u64) -> Result<(), Broken> {
        holds(now >= self.full_until && self.drained_by.is_none(), || {
            Broken::new(
                "backpressure",
                9,
                "messages are received although the engine has no room, or the end has begun",
            )
        })
    }

    /// Checks what the intake says about a delivery.
    pub(super) fn says(&mut self, now: u64, action: &IntakeAction, broker: &SimulatedBroker) -> Result<(), Broken> {
        let tag = match action {
            IntakeAction::Submit { .. } | IntakeAction::AwaitDurable { .. } => return Ok(()),
            IntakeAction::Acknowledge { tag }
            | IntakeAction::GiveBack { tag, .. }
            | IntakeAction::Extend { tag }
            | IntakeAction::Bury { tag, .. }
            | IntakeAction::Abandon { tag } => tag,
        };
        let Some(live) = self.live.get_mut(tag).filter(|_| !self.ended.contains(tag)) else {
            return Err(Broken::new("revoked", 1, format_args!("{action:?} is about a delivery that has ended")));
        };
        let number = live.number;
        match action {
            IntakeAction::Acknowledge { .. } => {
                (live.extend_by, live.is_acknowledged) = (None, true);
                self.judge_acknowledged(number, broker)
            }
            IntakeAction::GiveBack { delay, .. } => {
                live.extend_by = None;
                let held = now + micros(*delay) - live.received_at;
                let is_due = held + SLACK > self.setup.max_hold || self.drained_by.is_some();
                let is_later = micros(*delay) >= self.setup.retry_delay;
                holds(is_due && is_later && self.terms != Terms::Log, || {
                    let what = format_args!("message {number} goes back with a delay of {delay:?} when {held} µs old");
                    Broken::new("give back", 9, what)
                })
            }
            IntakeAction::Extend { .. } => {
                live.is_extending = true;
                Ok(())
            }
            IntakeAction::Bury { letter, .. } => self.judge_letter(number, letter, broker),
            IntakeAction::Abandon { .. } => {
                // Its acknowledgement was tried, and its time brings it back.
                let is_left = live.is_acknowledged && self.terms.ack_wait().is_some();
                let is_due = self.drained_by.is_some() || is_left;
                self.done(*tag);
                holds(is_due, || Broken::new("liveness", 1, format_args!("message {number} is given up for no reason")))
            }
            IntakeAction::Submit { .. } | IntakeAction::AwaitDurable { .. } => Ok(()),
        }
    }

    pub(super) fn extended(&mut self, now: u64, since: u64, tag: DeliveryTag, is_confirmed: bool) {
        let (wait, retry) = (self.terms.ack_wait(), self.setup.retry_delay);
        let Some(live) = self.live.get_mut(&tag) else { return };
        live.is_extending = false;
        if live.extend_by.is_some() {
            // An extension that comes back late is due again at once.
            live.extend_by = wait.map(|wait| if is_confirmed { (since + half(wait)).max(now) } else { now + retry });
        }
    }

    /// Ends a delivery that was given back, unless its broker would keep it.
    pub(super) fn given_back(&mut self, tag: DeliveryTag, is_confirmed: bool) {
        if is_confirmed || self.terms.ack_wait().is_some() {
            self.done(tag);
        }
    }

    /// Ends a delivery.
    pub(super) fn done(&mut self, tag: DeliveryTag) {
        if self.live.remove(&tag).is_some() {
            self.ended.insert(tag);
        }
    }

    /// Ends the deliveries of a partition. Returns how many there were.
    pub(super) fn revoked(&mut self, partition: u8) -> usize {
        let of_it = |live: &LiveDelivery| live.partition == partition;
        let tags: Vec<_> = self.live.iter().filter(|(_, live)| of_it(live)).map(|(tag, _)| *tag).collect();
        tags.iter().for_each(|tag| self.done(*tag));
        tags.len()
    }

    /// Checks that a message may be gone from the broker.
    pub(super) fn judge_acknowledged(&self, number: MessageNumber, broker: &SimulatedBroker) -> Result<(), Broken> {
        let Some(message) = broker.messages.get(&number) else { return Ok(()) };
        let is_durable =
            message.event.as_ref().is_some_and(|event| self.durable.get(event.key()) == Some(event.digest()));
        holds(is_durable || broker.letters.contains_key(&number), || {
            let what = format_args!("message {number} is acknowledged, but neither durable nor a dead letter");
            Broken::new("durable", 10, what)
        })
    }

    fn judge_letter(&self, number: MessageNumber, letter: &DeadLetter, broker: &SimulatedBroker) -> Result<(), Broken> {
        let Some(message) = broker.messages.get(&number) else { return Ok(()) };
        let BrokerMessage { event, payload, .. } = message;
        let key = event.as_ref().map(eventful::Event::key);
        let stored = key.and_then(|key| self.durable.get(key));
        let is_right = match &letter.reason {
            DeadReason::Conflict(conflict) => Some(&conflict.stored) == stored && stored != Some(&letter.digest),
            DeadReason::TooLarge { limit_bytes } => {
                let size = event.as_ref().map_or(0, eventful::Event::size_bytes);
                size > *limit_bytes && *limit_bytes == self.setup.max_event_bytes as usize
            }
            DeadReason::Unfit(_) => event.is_none(),
        };
        let is_whole = letter.payload == *payload && letter.digest == Digest::of(payload) && letter.key.as_ref() == key;
        holds(is_right && is_whole, || {
            Broken::new("letters", 2, format_args!("the dead letter of message {number} is wrong: {letter:?}"))
        })
    }
}

/// The longest delay of an intake, by default.
const MOST_DELAY: u64 = 30_000_000;

fn half(wait: Duration) -> u64 {
    (micros(wait) / 2).max(1_000)
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
