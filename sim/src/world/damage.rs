//! What a journal gives back of which one thing is damaged, or whose clock has gone back.

use eventful::journal::{OpenError, Owner, Recovered, recover};
use eventful::{Output, Replay, Timestamp};

use super::World;
use crate::chance::Chance;
use crate::disk::{Damage, DamagedStore};
use crate::failure::Broken;

/// Bits among which one is drawn: more than a frame or a part of a run has.
const BITS: u64 = 1 << 20;

impl World<'_> {
    /// A damaged snapshot is no loss, as there is another way back. A damaged frame is refused.
    pub(super) fn audit_damaged(&mut self) -> Result<(), Broken> {
        let stream = &mut Chance::of(self.scenario.seed).stream("damage");
        let mut bit = || stream.below(BITS) as usize;
        let (snapshot, frame) = (Damage::Snapshot { bit: bit() }, Damage::Frame { bit: bit() });
        if self.journal.as_ref().is_some_and(|journal| journal.has_snapshot && journal.can_lose_the_newest()) {
            let (recovered, _) = self.recover_damaged(snapshot);
            let recovered = recovered.map_err(|error| {
                broken(format_args!("its newest snapshot is damaged, and there is no other way back: {error}"))
            })?;
            self.oracles.judge_found(&recovered.replay.state(), &self.roster)?;
        }
        match self.recover_damaged(Damage::Newer) {
            (Err(OpenError::TooNew(_)), true) | (Ok(_), false) => {}
            (Ok(_), true) => return Err(broken("it opens, though a newer program wrote some of it")),
            (Err(error), _) => {
                return Err(broken(format_args!("what a newer program wrote is taken for something else: {error}")));
            }
        }
        for damage in [frame, Damage::Stranger] {
            match self.recover_damaged(damage) {
                (Ok(_), true) => return Err(broken(format_args!("it opens in spite of damage: {damage:?}"))),
                (Err(OpenError::Corrupt(_)), true) | (Ok(_), false) => {}
                (Err(error), _) => return Err(broken(format_args!("{damage:?} is told as something else: {error}"))),
            }
        }
        Ok(())
    }

    /// What a damaged copy gives back, and whether anybody has read what is damaged.
    fn recover_damaged(&mut self, damage: Damage) -> (Result<Recovered, OpenError>, bool) {
        let mut store = DamagedStore::new(self.copy_of_journal(true), damage);
        let recovered = recover(&mut store, &Owner::new("a look"), &self.config, u64::MAX, &mut |_| {});
        (recovered, store.has_struck())
    }

    /// An engine that is opened by a clock that has gone back goes on where its last fact was.
    pub(super) fn audit_clock(&self, found: Replay) -> Result<(), Broken> {
        let mut out = Output::with_facts();
        found.open(Timestamp::EPOCH, &mut out);
        let last = self.oracles.facts().last().map(|fact| fact.at);
        match out.facts().first().map(|fact| fact.at) {
            opened if opened >= last => Ok(()),
            opened => Err(broken(format_args!("it opens at {opened:?}, and its last fact is of {last:?}"))),
        }
    }
}

fn broken(what: impl core::fmt::Display) -> Broken {
    Broken::new("journal", 10, what)
}
