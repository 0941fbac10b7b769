//! The results of what the driver does.

use super::super::action::{IntakeAction, IntakeEnd};
use super::super::letter::DeadReason;
use super::super::message::DeliveryTag;
use super::Intake;
use super::delivery::{DeliveryState, HeldFor, Verdict};
use crate::engine::{Bound, Key, Timestamp};
use crate::node::{Decided, SubmitError, Submitted, Unavailable};

/// The outcome of a call of the source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallOutcome {
    /// The broker has confirmed it.
    Confirmed,
    /// The call failed, or was not confirmed in time: it may have had its effect.
    Failed,
    /// The broker has taken the delivery away before: the call had no effect.
    Gone,
}

impl Intake {
    /// Reports the decision of the engine about an event.
    pub fn decided(
        &mut self,
        now: Timestamp,
        tag: DeliveryTag,
        decided: Result<Decided<Result<Submitted, SubmitError>>, Unavailable>,
    ) {
        if !self.is_owed(tag, |state| *state == DeliveryState::Submitting) {
            return;
        }
        let Decided { value, lsn } = match decided {
            Ok(decided) => decided,
            Err(unavailable) => return self.not_available(now, tag, unavailable),
        };
        let verdict = match value {
            Ok(submitted) => Verdict::Acknowledge(submitted),
            Err(SubmitError::Conflict(conflict)) => Verdict::Bury(conflict),
            Err(SubmitError::TooLarge { limit_bytes }) => {
                return self.bury(tag, DeadReason::TooLarge { limit_bytes });
            }
            Err(SubmitError::Overloaded { bound, retry_after }) => {
                let delay = self.config.delay(retry_after);
                // A full group has no room for its own events alone.
                if bound != Bound::Group {
                    self.pause(now, delay);
                }
                return self.hold(now, tag, HeldFor::Submit, delay);
            }
            Err(SubmitError::ShuttingDown) => return self.stop(now, tag, IntakeEnd::ShuttingDown),
            Err(SubmitError::Unavailable(unavailable)) => return self.not_available(now, tag, unavailable),
        };
        match (lsn, self.key(tag)) {
            (Some(lsn), Some(key)) => {
                self.out.push(IntakeAction::AwaitDurable { tag, key, lsn });
                self.set(tag, DeliveryState::Syncing(verdict));
            }
            (None, _) | (_, None) => self.carry_out(tag, verdict),
        }
    }

    /// Reports that the decision about an event is durable, or that this is not known.
    pub fn durable(&mut self, now: Timestamp, tag: DeliveryTag, durable: Result<(), Unavailable>) {
        if !self.is_owed(tag, |state| matches!(state, DeliveryState::Syncing(_))) {
            return;
        }
        let Some(DeliveryState::Syncing(verdict)) = self.state(tag) else { return };
        match durable {
            Ok(()) => self.carry_out(tag, verdict),
            Err(unavailable) => self.not_available(now, tag, unavailable),
        }
    }

    /// Reports the outcome of an acknowledgement.
    pub fn acknowledged(&mut self, now: Timestamp, tag: DeliveryTag, outcome: CallOutcome) {
        let is_confirmed = self.note(outcome);
        if !self.is_owed(tag, |state| *state == DeliveryState::Acknowledging) || self.ends_gone(tag, outcome) {
            return;
        }
        match is_confirmed {
            true => {
                self.counts.acknowledged += 1;
                self.remove(tag);
            }
            false => self.failed(now, tag, HeldFor::Acknowledge),
        }
    }

    /// Reports the outcome of writing a dead letter.
    pub fn buried(&mut self, now: Timestamp, tag: DeliveryTag, outcome: CallOutcome) {
        let is_confirmed = self.note(outcome);
        if !self.is_owed(tag, |state| matches!(state, DeliveryState::Burying(_))) || self.ends_gone(tag, outcome) {
            return;
        }
        let Some(DeliveryState::Burying(reason)) = self.state(tag) else { return };
        match is_confirmed {
            true => {
                self.counts.dead_letters += 1;
                self.acknowledge(tag);
            }
            false => self.failed(now, tag, HeldFor::Bury(reason)),
        }
    }

    /// Reports the outcome of giving a message back. One that failed is left to the `ack_wait`; a broker without one
    /// would keep the message for this consumer, so it is tried again.
    pub fn given_back(&mut self, now: Timestamp, tag: DeliveryTag, outcome: CallOutcome) {
        let is_confirmed = self.note(outcome);
        if !self.is_owed(tag, |state| matches!(state, DeliveryState::GivingBack(_))) || self.ends_gone(tag, outcome) {
            return;
        }
        let Some(DeliveryState::GivingBack(delay)) = self.state(tag) else { return };
        if !is_confirmed && self.terms.ack_wait().is_none() {
            return self.failed(now, tag, HeldFor::GiveBack(delay));
        }
        self.counts.given_back += u64::from(is_confirmed);
        self.counts.abandoned += u64::from(!is_confirmed);
        self.remove(tag);
    }

    /// Reports the outcome of an extension.
    pub fn extended(&mut self, now: Timestamp, tag: DeliveryTag, outcome: CallOutcome) {
        let is_confirmed = self.note(outcome);
        let again = now + self.config.backoff(1);
        let Some(delivery) = self.deliveries.get_mut(&tag) else { return };
        let Some(since) = delivery.extending_since.take() else { return };
        let is_ending = matches!(delivery.state, DeliveryState::Acknowledging | DeliveryState::GivingBack(_));
        // One that was acknowledged or given back meanwhile is gone for that reason.
        if outcome == CallOutcome::Gone && !is_ending {
            return self.take_away(tag, false);
        }
        self.counts.extended += u64::from(is_confirmed);
        // The broker's time runs from when it took the extension, which was not before it was sent.
        let next = if is_confirmed { self.extension(since) } else { Some(again) };
        if let Some(delivery) = self.deliveries.get_mut(&tag) {
            delivery.extend_at = next;
        }
        self.schedule(tag);
    }

    /// Reports that a receive has succeeded, whatever came.
    pub const fn receive_succeeded(&mut self) {
        self.receive_failures = 0;
    }

    /// Reports that messages cannot be received now: the next try is made after a delay that grows.
    pub fn receive_failed(&mut self, now: Timestamp) {
        self.counts.failures += 1;
        self.receive_failures = self.receive_failures.saturating_add(1);
        self.pause(now, self.config.backoff(self.receive_failures));
    }

    /// Returns whether a result is owed; work on a delivery that was revoked meanwhile ends with its result.
    fn is_owed(&mut self, tag: DeliveryTag, awaited: impl FnOnce(&DeliveryState) -> bool) -> bool {
        match self.deliveries.get(&tag) {
            Some(delivery) if delivery.state == DeliveryState::Revoked => {
                self.remove(tag);
                false
            }
            Some(delivery) => awaited(&delivery.state),
            None => false,
        }
    }

    fn state(&self, tag: DeliveryTag) -> Option<DeliveryState> {
        self.deliveries.get(&tag).map(|delivery| delivery.state.clone())
    }

    fn key(&self, tag: DeliveryTag) -> Option<Key> {
        self.deliveries.get(&tag)?.content.as_ref().ok().map(|event| event.key().clone())
    }

    fn carry_out(&mut self, tag: DeliveryTag, verdict: Verdict) {
        match verdict {
            Verdict::Acknowledge(submitted) => {
                match submitted {
                    Submitted::Accepted => self.counts.accepted += 1,
                    Submitted::Duplicate(_) => self.counts.duplicates += 1,
                }
                self.acknowledge(tag);
            }
            Verdict::Bury(conflict) => self.bury(tag, DeadReason::Conflict(conflict)),
        }
    }

    /// Submits the event again later, since the engine never takes one twice; unless it needs a restart.
    fn not_available(&mut self, now: Timestamp, tag: DeliveryTag, unavailable: Unavailable) {
        if !unavailable.is_temporary() {
            return self.stop(now, tag, IntakeEnd::Unavailable(unavailable));
        }
        let delay = self.config.delay(self.config.retry_delay);
        self.pause(now, delay);
        self.hold(now, tag, HeldFor::Submit, delay);
    }

    fn stop(&mut self, now: Timestamp, tag: DeliveryTag, end: IntakeEnd) {
        self.end.get_or_insert(end);
        self.leave(tag);
        self.drain(now);
    }

    /// Ends a delivery whose last call found that the broker has taken it away.
    fn ends_gone(&mut self, tag: DeliveryTag, outcome: CallOutcome) -> bool {
        let is_gone = outcome == CallOutcome::Gone;
        if is_gone {
            self.counts.abandoned += 1;
            self.remove(tag);
        }
        is_gone
    }

    fn note(&mut self, outcome: CallOutcome) -> bool {
        let is_confirmed = outcome == CallOutcome::Confirmed;
        self.counts.failures += u64::from(outcome == CallOutcome::Failed);
        is_confirmed
    }
}
