//! The places of a waiting record, and how it gets from one to the next.
//!
//! A waiting record is delayed, gated, in the line, or queued. These methods, and those of the gates,
//! are the only ones that move it, and they write the move into the record.

use alloc::vec::Vec;

use super::answer::Answer;
use super::command::EnqueueFailure;
use super::effect::{Effect, Output};
use super::ids::Ticket;
use super::metrics::SweptReason;
use super::store::{LiveState, Slot};
use super::tickets::Holder;
use super::time::Timestamp;
use super::view::Place;
use super::{Engine, Phase};

impl Engine {
    /// Gives tickets to the head of the line while the channel has room.
    pub(super) fn feed(&mut self, out: &mut Output) {
        while self.may_feed()
            && let Some(slot) = self.line.head()
        {
            self.line.remove(&mut self.state.store.live, slot);
            let ticket = self.tickets.send(slot, self.now);
            self.put(slot, Place::Queued(ticket));
            out.effect(Effect::Enqueue(ticket));
        }
    }

    fn may_feed(&self) -> bool {
        self.is_feeding()
            && self.blocked_since.is_none()
            // Void tickets count: they take a slot until they are presented.
            && self.tickets.outstanding() < self.config.channel_capacity.get()
    }

    /// Returns whether the phase lets tickets be sent.
    pub(super) fn is_feeding(&self) -> bool {
        self.phase == Phase::Running && !self.state.paused
    }

    pub(super) fn enqueue_failed(&mut self, ticket: Ticket, cause: EnqueueFailure) -> Answer {
        // The ticket was lost with its channel meanwhile: its record is in the line again.
        let Some(holder) = self.tickets.holder(ticket) else { return Answer::Stale };
        self.tallies.fail_enqueue(cause);
        // Feeding waits for a presented ticket or the next sweep: a full channel would refuse one ticket after the
        // other.
        self.blocked_since = Some(self.now);
        self.tickets.fail(ticket, self.now + self.config.sweep_interval);
        match holder {
            Holder::Record(slot) => self.join_head(slot),
            Holder::Void | Holder::Marker => {}
        }
        Answer::Noted
    }

    pub(super) fn channel_lost(&mut self) -> Answer {
        // The channel that replaces the lost one is empty.
        self.blocked_since = None;
        let lost = self.tickets.lose_all();
        self.recover_lost(lost);
        Answer::Noted
    }

    /// Puts records whose tickets are lost back into the line, in front. The last sent comes
    /// first here, so that the first sent is first there.
    pub(super) fn recover_lost(&mut self, lost: Vec<Slot>) {
        self.tallies.sweep(SweptReason::LostTicket, lost.len() as u64);
        lost.into_iter().for_each(|slot| self.join_head(slot));
    }

    /// Puts a record where it belongs, which may start from `eligible_at` on.
    pub(super) fn wait(&mut self, slot: Slot, eligible_at: Timestamp) {
        match eligible_at <= self.now {
            true => self.join_tail(slot),
            false => self.delay(slot, eligible_at),
        }
    }

    /// Puts an eligible record behind all that wait as it does: at its gate, or in the line when it has none.
    pub(super) fn join_tail(&mut self, slot: Slot) {
        match self.state.store.live[slot].group {
            None => self.pass_group(slot),
            Some(group) => self.reach_group(slot, group),
        }
    }

    pub(super) fn line_up(&mut self, slot: Slot) {
        self.line.push_back(&mut self.state.store.live, slot);
        self.put(slot, Place::Line);
    }

    pub(super) fn join_head(&mut self, slot: Slot) {
        // Into the line and not to its gates: it has passed them, and keeps its passes.
        self.line.push_front(&mut self.state.store.live, slot);
        self.put(slot, Place::Line);
    }

    pub(super) fn delay(&mut self, slot: Slot, eligible_at: Timestamp) {
        let number = self.delayed.insert(eligible_at, slot);
        self.state.store.live[slot].waiting_mut().delayed_as = number;
        self.put(slot, Place::Delayed);
    }

    /// Takes a delayed record that is due to where it waits next.
    pub(super) fn come_due(&mut self, slot: Slot) {
        self.leave_place(slot);
        self.join_tail(slot);
    }

    /// Takes a waiting record out of its place. The caller puts it elsewhere, or ends it.
    pub(super) fn leave_place(&mut self, slot: Slot) {
        let LiveState::Waiting(waiting) = self.state.store.live[slot].state else { return };
        match waiting.place {
            Some(Place::Delayed) => self.delayed.remove(waiting.eligible_at, waiting.delayed_as),
            Some(Place::Gated(gate)) => self.leave_gate(slot, gate),
            Some(Place::Line) => self.line.remove(&mut self.state.store.live, slot),
            // The channel gives no ticket back: this one will be presented, and start nothing.
            Some(Place::Queued(ticket)) => self.tickets.void(ticket),
            None => {}
        }
        self.return_unstarted(slot, waiting.place);
    }

    pub(super) fn put(&mut self, slot: Slot, place: Place) {
        self.state.store.live[slot].waiting_mut().place = Some(place);
    }
}
