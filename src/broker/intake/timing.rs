//! Pauses, extensions, tries, and the end.

use alloc::vec::Vec;
use core::time::Duration;

use super::super::action::IntakeAction;
use super::super::message::{DeliveryTag, Terms};
use super::Intake;
use super::delivery::{DeliveryState, HeldFor};
use crate::engine::Timestamp;

impl Intake {
    /// Does what is due: extends deliveries, tries again what is held, and gives up what an intake that ends has waited
    /// for long enough.
    pub fn tick(&mut self, now: Timestamp) {
        if self.drained_by.is_some_and(|by| now >= by) {
            let left: Vec<_> = self.deliveries.keys().copied().collect();
            left.into_iter().for_each(|tag| self.abandon(tag));
        }
        while let Some(&(at, tag)) = self.times.first()
            && at <= now
        {
            self.do_what_is_due(now, tag);
        }
    }

    /// Returns the time of the next [`tick`](Self::tick).
    pub fn next_deadline(&self, now: Timestamp) -> Option<Timestamp> {
        let due = self.times.first().map(|(at, _)| *at);
        let resumes = (self.paused_until > now && self.drained_by.is_none()).then_some(self.paused_until);
        let drained_by = self.drained_by.filter(|_| !self.deliveries.is_empty());
        [due, resumes, drained_by].into_iter().flatten().min()
    }

    /// Ends the intake: nothing more is received, what is held goes back, and what is being decided is waited for, at
    /// most for the `drain_timeout`.
    pub fn drain(&mut self, now: Timestamp) {
        if self.drained_by.is_some() {
            return;
        }
        self.drained_by = Some(now + self.config.drain_timeout);
        let held = self.deliveries.iter().filter(|(_, delivery)| !delivery.is_under_way());
        let held: Vec<_> = held.map(|(tag, _)| *tag).collect();
        held.into_iter().for_each(|tag| self.leave_held(now, tag));
    }

    /// Returns whether it ends.
    pub const fn is_draining(&self) -> bool {
        self.drained_by.is_some()
    }

    /// Returns whether it has ended: nothing is in flight, and nothing will be.
    pub fn is_drained(&self) -> bool {
        self.is_draining() && self.deliveries.is_empty()
    }

    /// Receives nothing for this long.
    pub(super) fn pause(&mut self, now: Timestamp, delay: Duration) {
        self.paused_until = self.paused_until.max(now + delay);
    }

    /// Has a delivery wait for its next try.
    pub(super) fn hold(&mut self, now: Timestamp, tag: DeliveryTag, held: HeldFor, delay: Duration) {
        let Some(delivery) = self.deliveries.get_mut(&tag) else { return };
        let is_too_long = (now + delay).since(delivery.received_at) > self.config.max_hold;
        delivery.state = DeliveryState::Held(held.clone());
        if self.is_draining() {
            return self.leave_held(now, tag);
        }
        match (&held, self.terms) {
            (HeldFor::Submit | HeldFor::Bury(_), Terms::Queue { .. }) if is_too_long => {
                return self.give_back(tag, delay);
            }
            // Its event is durable: when it comes again it is a duplicate.
            (HeldFor::Acknowledge, Terms::Queue { ack_wait: Some(_) }) if is_too_long => return self.abandon(tag),
            (HeldFor::Submit | HeldFor::Bury(_) | HeldFor::Acknowledge | HeldFor::GiveBack(_), _) => {}
        }
        self.counts.held += u64::from(held == HeldFor::Submit);
        if let Some(delivery) = self.deliveries.get_mut(&tag) {
            delivery.wake_at = Some(now + delay);
        }
        self.schedule(tag);
    }

    /// Tries again later what the source failed to do.
    pub(super) fn failed(&mut self, now: Timestamp, tag: DeliveryTag, held: HeldFor) {
        let Some(delivery) = self.deliveries.get_mut(&tag) else { return };
        delivery.failures = delivery.failures.saturating_add(1);
        let delay = self.config.backoff(delivery.failures);
        self.hold(now, tag, held, delay);
    }

    /// Leaves a held delivery, as the intake ends. One that only lacks its acknowledgement gets another try.
    pub(super) fn leave_held(&mut self, now: Timestamp, tag: DeliveryTag) {
        let Some(delivery) = self.deliveries.get(&tag) else { return };
        match &delivery.state {
            DeliveryState::Held(HeldFor::Acknowledge) if delivery.failures < LAST_TRIES => self.try_again(now, tag),
            // The connection ends with the intake, and all that was delivered on it comes again.
            DeliveryState::Held(HeldFor::GiveBack(_) | HeldFor::Acknowledge) => self.abandon(tag),
            DeliveryState::Held(HeldFor::Submit | HeldFor::Bury(_)) => self.leave(tag),
            DeliveryState::Submitting
            | DeliveryState::Syncing(_)
            | DeliveryState::Burying(_)
            | DeliveryState::Acknowledging
            | DeliveryState::GivingBack(_)
            | DeliveryState::Revoked => {}
        }
    }

    /// Returns the time at which a delivery that came now is extended.
    pub(super) fn extension(&self, now: Timestamp) -> Option<Timestamp> {
        self.terms.ack_wait().map(|wait| now + (wait / 2).max(LEAST_EXTENSION))
    }

    fn do_what_is_due(&mut self, now: Timestamp, tag: DeliveryTag) {
        let Some(delivery) = self.deliveries.get_mut(&tag) else { return };
        if delivery.extend_at.is_some_and(|at| at <= now) {
            delivery.extend_at = None;
            if delivery.needs_time() {
                delivery.extending_since = Some(now);
                self.out.push(IntakeAction::Extend { tag });
            }
        }
        let wakes = delivery.wake_at.is_some_and(|at| at <= now);
        self.schedule(tag);
        if wakes {
            self.try_again(now, tag);
        }
    }
}

/// The tries of an acknowledgement after which an intake that ends makes no other.
const LAST_TRIES: u32 = 3;

/// The least time between two extensions, whatever the broker's terms are: without one, an `ack_wait` of 0 would be
/// extended all the time.
const LEAST_EXTENSION: Duration = Duration::from_millis(1);
