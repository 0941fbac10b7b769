//! Policies by name of group.

use super::draw::CoreDraw;
use super::family::FaultFamily;
use super::{Act, GroupSettings, Operation, Settings};

impl CoreDraw {
    /// Groups are paused and resumed.
    pub(super) fn group_pauses(&self, events: u64, operations: &mut Vec<Operation>) {
        let draw = &mut self.rng.stream("group pauses");
        for _ in 0..draw.below(6) {
            let act = Act::PauseGroup { event: draw.below(events + 1) as u16, paused: draw.per_mille(600) };
            operations.push(self.operation(draw, self.span * 2, act));
        }
    }

    /// Half of the events are in one group, the others in small ones or in none: see [`Settings::group_of`].
    pub(super) fn groups(&self, settings: &mut Settings) {
        let draw = &mut self.stream(FaultFamily::Groups);
        let patterns: &[&str] = match draw.below(4) {
            0 => &["*"],
            1 => &["hot"],
            2 => &["hot", "few/*"],
            _ => &["hot*", "cold/*", "few/1"],
        };
        let policy = |pattern: &&str| {
            let fifo = draw.per_mille(500);
            let concurrency = draw.pick(&[None, Some(1), Some(2)]).filter(|_| !fifo);
            let max_pending = draw.pick(&[None, None, Some(2), Some(5)]);
            let halts = fifo && draw.per_mille(400);
            GroupSettings { pattern: (*pattern).to_owned(), fifo, halts, concurrency, max_pending }
        };
        settings.groups = patterns.iter().map(policy).collect();
    }
}
