//! The hash of everything that decides the further course of the engine.

use alloc::vec::Vec;
use core::hash::{Hash as _, Hasher};

use super::Engine;
use super::store::{LiveState, Location};

impl Engine {
    /// Adds to a hash all that decides the further course of the engine. What is only counted, measured or
    /// shown is left out, so that engines which differ in nothing else are alike.
    ///
    /// For searches that visit each state once. Takes time in proportion to the records.
    pub fn fingerprint(&self, hasher: &mut impl Hasher) {
        (self.now, self.phase, self.state.paused, self.state.epoch, self.run_number).hash(hasher);
        (self.blocked_since, self.holds_expiry).hash(hasher);
        self.state.schedules.hash(hasher);
        for location in self.state.store.locations() {
            self.add_record(location, hasher);
        }
        let live = &self.state.store.live;
        let lists = core::iter::once(&self.line).chain(self.gates.lists()).chain(self.groups.lists());
        lists.for_each(|list| list.iter(live).for_each(|slot| live[slot].event.key().hash(hasher)));
        self.tickets.fingerprint(hasher);
        // Which comes first when the engine is opened again.
        let mut order: Vec<_> = live.iter().map(|(_, record)| (record.seq, record.event.key())).collect();
        order.sort_unstable();
        order.iter().for_each(|(_, key)| key.hash(hasher));
    }

    fn add_record(&self, location: Location, hasher: &mut impl Hasher) {
        let view = self.state.store.view(location);
        (&view.key, view.digest, view.status, view.place, view.attempt, view.charge).hash(hasher);
        (view.accepted_at, view.eligible_at, view.run, view.terminal_at).hash(hasher);
        // Among those that are due at one time, the first to be delayed comes first.
        if let Location::Live(slot) = location {
            let record = &self.state.store.live[slot];
            if let LiveState::Waiting(waiting) = record.state {
                waiting.delayed_as.hash(hasher);
            }
            // What it takes of the bound on failed events, once it has failed.
            record.kept_bytes().hash(hasher);
        }
    }
}
