//! Messages and calls between the intake and the broker.

use eventful::broker::{CallOutcome, DeliveryTag, Room};

use super::client::BrokerCall;
use super::host::time;
use super::parts::BrokerStep;
use super::probe::BrokerProbe;
use super::run::BrokerRun;
use super::simulated::MessageNumber;
use crate::failure::Broken;

/// The time after which an empty broker is asked again.
const ASK_AGAIN: u64 = 5_000;

impl BrokerRun<'_> {
    /// The request for messages is at the broker.
    pub(super) fn fetch(&mut self, life: u32, room: Room) {
        if life != self.life {
            return;
        }
        let back = self.now + self.delay();
        if self.now < self.until.unreachable {
            return self.at(back, BrokerStep::Deliver(life, None));
        }
        let fetched = self.broker.fetch(self.now, room);
        match fetched.is_empty() {
            true => self.at(self.now + ASK_AGAIN, BrokerStep::Fetch(life, room)),
            false => self.at(back, BrokerStep::Deliver(life, Some(fetched))),
        }
    }

    /// Messages are at the client.
    pub(super) fn deliver(
        &mut self,
        life: u32,
        delivered: Option<Vec<(MessageNumber, u32, u64)>>,
    ) -> Result<(), Broken> {
        if life != self.life {
            return Ok(());
        }
        self.is_receiving = false;
        let Some(intake) = &mut self.intake else { return Ok(()) };
        let Some(delivered) = delivered else {
            intake.receive_failed(time(self.now));
            return Ok(());
        };
        for delivery in delivered {
            let Some(message) = self.client.take(&self.broker, delivery) else { continue };
            let (number, deliveries, _) = delivery;
            if deliveries > 1 {
                self.probes.fire(BrokerProbe::Redelivered);
            }
            if message.content.is_err() {
                self.probes.fire(BrokerProbe::WithoutId);
            }
            if let Some(known) = self.broker.messages.get(&number) {
                self.oracle.received(self.now, message.tag, number, known)?;
            }
            intake.received(time(self.now), message);
        }
        Ok(())
    }

    /// Sends a call. It is lost, or arrives; and so is its confirmation.
    pub(super) fn send(&mut self, tag: DeliveryTag, call: BrokerCall) {
        let since = self.now;
        let is_lost = self.now < self.until.unreachable || take_one(&mut self.lost.calls);
        if is_lost {
            let at = self.now + self.setup.call_timeout;
            return self.at(at, BrokerStep::Return(self.life, tag, call, since, CallOutcome::Failed));
        }
        let at = self.now + self.delay();
        self.at(at, BrokerStep::Arrive(self.life, tag, call, since));
    }

    /// A call is at the broker, which does it.
    pub(super) fn arrive(&mut self, life: u32, tag: DeliveryTag, call: BrokerCall, since: u64) -> Result<(), Broken> {
        let is_done = self.serve(&call)?;
        let timeout = since + self.setup.call_timeout;
        let back = self.now + self.delay();
        let comes = back <= timeout && self.now >= self.until.unreachable && !take_one(&mut self.lost.confirmations);
        let outcome = if is_done && comes { CallOutcome::Confirmed } else { CallOutcome::Failed };
        let at = if comes { back } else { timeout.max(self.now) };
        self.at(at, BrokerStep::Return(life, tag, call, since, outcome));
        Ok(())
    }

    /// Returns whether the broker did what the call asks for.
    fn serve(&mut self, call: &BrokerCall) -> Result<bool, Broken> {
        let broker = &mut self.broker;
        let is_of = |number: &MessageNumber, generation: u64| {
            let partition = broker.messages.get(number).map_or(0, |message| usize::from(message.partition));
            broker.partitions[partition].generation == generation
        };
        match call {
            BrokerCall::Acknowledge { number, generation } if is_of(number, *generation) => {
                broker.acknowledge(*number);
                self.oracle.judge_acknowledged(*number, &self.broker)?;
            }
            BrokerCall::GiveBack { number, delay, generation } if is_of(number, *generation) => {
                let at = self.now + u64::try_from(delay.as_micros()).unwrap_or(u64::MAX);
                broker.show_at(*number, at);
                self.probes.fire(BrokerProbe::GivenBack);
            }
            BrokerCall::Acknowledge { .. } | BrokerCall::GiveBack { .. } => return Ok(false),
            BrokerCall::Commit { partition, generation, position } => {
                let Some(passed) = broker.commit(*partition, *generation, *position) else {
                    self.probes.fire(BrokerProbe::LateCommit);
                    return Ok(false);
                };
                passed.iter().try_for_each(|number| self.oracle.judge_acknowledged(*number, &self.broker))?;
            }
            BrokerCall::Extend { number, delivery } => {
                let is_current = broker.messages.get(number).is_some_and(|message| message.deliveries == *delivery);
                if is_current && !broker.has_expired(self.now, *number) {
                    let until = broker.extended(self.now);
                    broker.show_at(*number, until);
                    self.probes.fire(BrokerProbe::Extended);
                } else {
                    self.probes.fire(BrokerProbe::Expired);
                }
            }
            BrokerCall::Bury { number, letter } => {
                let letters = broker.letters.entry(*number).or_default();
                letters.push((**letter).clone());
                if letters.len() > 1 {
                    self.probes.fire(BrokerProbe::LetterAgain);
                }
            }
        }
        Ok(true)
    }

    /// The intake learns what became of a call.
    pub(super) fn came_back(
        &mut self,
        life: u32,
        tag: DeliveryTag,
        call: &BrokerCall,
        since: u64,
        outcome: CallOutcome,
    ) -> Result<(), Broken> {
        let Some(intake) = self.intake.as_mut().filter(|_| life == self.life) else { return Ok(()) };
        let (now, is_confirmed) = (time(self.now), outcome == CallOutcome::Confirmed);
        match call {
            BrokerCall::Acknowledge { .. } | BrokerCall::Commit { .. } => {
                if is_confirmed {
                    self.oracle.done(tag);
                } else {
                    self.probes.fire(BrokerProbe::AcknowledgedAgain);
                }
                intake.acknowledged(now, tag, outcome);
            }
            BrokerCall::GiveBack { .. } => {
                self.oracle.given_back(tag, is_confirmed);
                intake.given_back(now, tag, outcome);
            }
            BrokerCall::Extend { .. } => {
                self.oracle.extended(self.now, since, tag, is_confirmed);
                intake.extended(now, tag, outcome);
            }
            BrokerCall::Bury { .. } => intake.buried(now, tag, outcome),
        }
        Ok(())
    }
}

fn take_one(count: &mut u16) -> bool {
    let is_left = *count > 0;
    *count -= u16::from(is_left);
    is_left
}
