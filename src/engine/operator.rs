//! Commands of operators on records and on the engine.

use super::answer::{Answer, Refusal};
use super::effect::{Effect, Output};
use super::fact::Change;
use super::key::Key;
use super::store::{LiveState, Location, Slot, TombstoneKind};
use super::{Engine, Phase};

impl Engine {
    /// Gives a failed event another life. It obeys admission like a new one, unless it stops its group.
    pub(super) fn redrive(&mut self, key: Key, out: &mut Output) -> Answer {
        let slot = match self.locate(self.now, &key) {
            None => return Answer::NotFound,
            // A tombstone has no event that could be run again.
            Some(Location::Tombstone(id)) => {
                return Answer::NotFailed(self.state.store.tombstone(id).status());
            }
            Some(Location::Live(slot)) => slot,
        };
        let state = self.state.store.live[slot].state;
        let LiveState::Failed { .. } = state else { return Answer::NotFailed(state.status()) };
        if self.phase != Phase::Running {
            return Answer::Refused(Refusal::ShuttingDown);
        }
        if let Err(refusal) = self.admit_again(slot) {
            return Answer::Refused(refusal);
        }
        out.fact(self.now, || Change::Redriven(key));
        self.state.redrive(self.now, slot);
        self.join_again(slot);
        Answer::Noted
    }

    /// Its bytes are in memory already, so that one event may pass which is larger than the bound.
    fn admit_again(&self, slot: Slot) -> Result<(), Refusal> {
        // Failed and still in its group, it stops that. What fills the bounds may wait for it, so that there would never be
        // room.
        if self.state.store.live[slot].group.is_some() {
            return Ok(());
        }
        self.admit_to_group(&self.state.store.live[slot].event)?;
        self.admit_pending()?;
        match self.state.store.bytes() {
            0 => Ok(()),
            _ => self.admit_bytes(self.state.store.live[slot].event.size_bytes()),
        }
    }

    /// Ends an event that is not completed; a run of it is fenced and aborted.
    pub(super) fn discard(&mut self, key: Key, out: &mut Output) -> Answer {
        if self.phase == Phase::Stopped {
            return Answer::Refused(Refusal::ShuttingDown);
        }
        match self.locate(self.now, &key) {
            None => Answer::NotFound,
            Some(Location::Tombstone(id)) => match self.state.store.tombstone(id).kind {
                TombstoneKind::Completed => Answer::TooLate,
                // Discarded twice is done: a repeated call has the same result.
                TombstoneKind::Discarded | TombstoneKind::Gone => Answer::Noted,
            },
            Some(Location::Live(slot)) => {
                out.fact(self.now, || Change::Discarded(key));
                self.end(slot, out);
                Answer::Noted
            }
        }
    }

    fn end(&mut self, slot: Slot, out: &mut Output) {
        let gates = self.gates_of(slot);
        match self.state.store.live[slot].state {
            LiveState::Waiting(_) => self.leave_place(slot),
            LiveState::Failed { .. } => {}
            LiveState::Processing(run) => {
                // Counted, though no worker reports this end.
                self.histograms.processing_time.observe(self.now.since(run.started_at));
                self.runs.remove(&mut self.state.store.live, slot);
                self.return_running(gates);
                out.effect(Effect::Abort(run.id));
            }
        }
        // Before the record becomes a tombstone, which has no group.
        self.part_from_group(slot);
        self.state.discard(self.now, slot);
        self.open_gates(gates);
    }

    /// Pauses or resumes. Nothing is presented during a pause, so its time does not count against the marker.
    pub(super) fn set_paused(&mut self, paused: bool, out: &mut Output) -> Answer {
        if self.phase == Phase::Stopped {
            return Answer::Refused(Refusal::ShuttingDown);
        }
        // Only a change is a fact: the journal must not grow by repeated calls.
        if self.state.paused != paused {
            out.fact(self.now, || if paused { Change::Paused } else { Change::Resumed });
            self.state.pause(paused);
            self.tickets.rearm_marker(self.now + self.config.stuck_after);
        }
        Answer::Noted
    }

    pub(super) fn shutdown(&mut self) -> Answer {
        // A repeated call must not bring a stopped engine back to draining.
        if self.phase == Phase::Running {
            self.phase = Phase::Draining;
        }
        Answer::Noted
    }

    /// Records every run in flight as interrupted; after this the engine changes no more.
    pub(super) fn abort_inflight(&mut self, out: &mut Output) -> Answer {
        // In the order of their deadlines, so that equal commands give equal facts.
        while let Some((_, slot)) = self.runs.first(&self.state.store.live) {
            self.interrupt(slot, out);
        }
        self.phase = Phase::Stopped;
        Answer::Noted
    }
}
