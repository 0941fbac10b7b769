//! Messages and calls between the intake and the broker.

use eventful::broker::{CallOutcome, DeliveryTag, IntakeAction, Room};

use super::client::{BrokerCall, FetchedMessage};
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
        match fetched.is_empty() && !self.client.has_something() {
            true => self.at(self.now + ASK_AGAIN, BrokerStep::Fetch(life, room)),
            false => self.at(back, BrokerStep::Deliver(life, Some(fetched))),
        }
    }

    /// Messages are at the client.
    pub(super) fn deliver(&mut self, life: u32, delivered: Option<Vec<FetchedMessage>>) -> Result<(), Broken> {
        if life != self.life {
            return Ok(());
        }
        self.is_receiving = false;
        match (delivered, &mut self.intake) {
            (Some(delivered), _) => self.client.keep(delivered),
            // A receive that its driver has dropped meanwhile is not reported as failed.
            (None, Some(intake)) if intake.room(time(self.now)).is_some() => intake.receive_failed(time(self.now)),
            (None, _) => {}
        }
        Ok(())
    }

    /// Hands over what the client has, as far as there is room. Returns whether that was anything.
    pub(super) fn hand_over(&mut self, room: Room) -> Result<bool, Broken> {
        let (mut count, mut bytes) = (0, 0);
        while count < room.messages
            && let Some(delivery) = self.client.next(&self.broker)
        {
            let (number, deliveries, _) = delivery;
            let Some(known) = self.broker.messages.get(&number) else { continue };
            bytes += known.size_bytes();
            if count > 0 && bytes > room.bytes {
                self.client.put_back(delivery);
                break;
            }
            count += 1;
            let message = self.client.take(known, delivery, self.broker.is_log());
            if deliveries > 1 {
                self.probes.fire(BrokerProbe::Redelivered);
            }
            if message.content.is_err() {
                self.probes.fire(BrokerProbe::WithoutId);
            }
            self.oracle.received(self.now, message.tag, number, known)?;
            if let Some(intake) = &mut self.intake {
                intake.received(time(self.now), message);
            }
        }
        if let Some(intake) = self.intake.as_mut().filter(|_| count > 0) {
            intake.receive_succeeded();
        }
        Ok(count > 0)
    }

    /// The client refuses a call about a delivery that it knows to be taken away.
    pub(super) fn refuse(&mut self, tag: DeliveryTag, action: &IntakeAction) -> Result<(), Broken> {
        let (Some(intake), now) = (&mut self.intake, time(self.now)) else { return Ok(()) };
        self.probes.fire(BrokerProbe::LateCommit);
        self.oracle.done(tag);
        match action {
            IntakeAction::GiveBack { .. } => intake.given_back(now, tag, CallOutcome::Gone),
            IntakeAction::Extend { .. } => intake.extended(now, tag, CallOutcome::Gone),
            IntakeAction::Bury { .. } => intake.buried(now, tag, CallOutcome::Gone),
            IntakeAction::Acknowledge { .. } => intake.acknowledged(now, tag, CallOutcome::Gone),
            // No calls.
            IntakeAction::Submit { .. } | IntakeAction::AwaitDurable { .. } | IntakeAction::Abandon { .. } => {}
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
        let outcome = match (comes, is_done) {
            (true, true) => CallOutcome::Confirmed,
            (true, false) => CallOutcome::Gone,
            (false, _) => CallOutcome::Failed,
        };
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
        if outcome == CallOutcome::Gone {
            self.oracle.done(tag);
        }
        match call {
            BrokerCall::Acknowledge { .. } | BrokerCall::Commit { .. } => {
                if is_confirmed {
                    self.oracle.done(tag);
                } else if outcome == CallOutcome::Failed {
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
