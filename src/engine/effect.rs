//! Effects: the work of the engine's driver.

use alloc::vec;
use alloc::vec::Vec;
use core::fmt;

use super::command::ErrorText;
use super::fact::{Change, Fact};
use super::ids::{RunId, Ticket};
use super::key::Key;
use super::time::Timestamp;

/// Something that the driver must do now.
///
/// Exhaustive on purpose: every driver of the engine must do them all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Effect {
    /// Send this ticket into the channel, in order; when that fails, say
    /// [`EnqueueFailed`](super::Command::EnqueueFailed).
    Enqueue(Ticket),
    /// Stop the handler of this run, which no longer counts. Of no use, and no harm, when it has ended.
    Abort(RunId),
}

/// A failed event that was forgotten, with its payload. Worth a line in a log each: nothing else
/// remembers it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DroppedFailure {
    /// Its identity.
    pub key: Key,
    /// The time at which it failed.
    pub failed_at: Timestamp,
    /// The number of runs that were started.
    pub attempt: u32,
    /// Its last error.
    pub error: Option<ErrorText>,
    /// The reason why it was forgotten.
    pub why: DropReason,
}

/// The reason why a failed event was forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DropReason {
    /// The end of `failed_retention` was reached.
    Expired,
    /// Failed events had more than `max_failed_bytes`, and it was the one that failed first.
    Overflow,
}

impl fmt::Display for DropReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Expired => "a failed event is forgotten at the end of failed_retention",
            Self::Overflow => {
                "a failed event is forgotten, the oldest one, since failed events had more than max_failed_bytes"
            }
        })
    }
}

/// The buffer for what follows from a command. The caller owns it, and reuses it.
#[derive(Debug, Default)]
pub struct Output {
    effects: Vec<Effect>,
    facts: Vec<Fact>,
    keeps_facts: bool,
    dropped: Vec<DroppedFailure>,
}

impl Output {
    /// An output that keeps effects and drops facts, for an engine without a journal.
    pub fn new() -> Self {
        Self::default()
    }

    /// An output that keeps effects and facts.
    pub fn with_facts() -> Self {
        Self { keeps_facts: true, ..Self::default() }
    }

    /// Starts or stops to keep facts; what was kept is dropped when it stops.
    pub fn keep_facts(&mut self, keep: bool) {
        self.keeps_facts = keep;
        // Not `clear`: the memory is given back, too.
        if !keep {
            self.facts = Vec::new();
        }
    }

    /// The effects, in the order in which they are to be performed.
    pub fn effects(&self) -> &[Effect] {
        &self.effects
    }

    /// The facts, in the order in which they were applied; empty when they are not kept.
    pub fn facts(&self) -> &[Fact] {
        &self.facts
    }

    /// Takes the effects out, and leaves the room for them behind.
    pub fn drain_effects(&mut self) -> impl Iterator<Item = Effect> {
        self.effects.drain(..)
    }

    /// Takes the facts out, and leaves the room for them behind.
    pub fn drain_facts(&mut self) -> impl Iterator<Item = Fact> {
        self.facts.drain(..)
    }

    /// The failed events that were forgotten, in their order.
    pub fn dropped(&self) -> &[DroppedFailure] {
        &self.dropped
    }

    /// Takes out the failed events that were forgotten.
    pub fn drain_dropped(&mut self) -> impl Iterator<Item = DroppedFailure> {
        self.dropped.drain(..)
    }

    pub(super) fn drop_failure(&mut self, dropped: DroppedFailure) {
        self.dropped.push(dropped);
    }

    pub(super) fn effect(&mut self, effect: Effect) {
        self.effects.push(effect);
    }

    /// Keeps a fact, which is made only when it is kept.
    pub(super) fn fact(&mut self, at: Timestamp, change: impl FnOnce() -> Change) {
        if self.keeps_facts {
            self.facts.push(Fact { at, change: change() });
        }
    }

    /// Keeps the fact that this key was forgotten: in the last fact when that says the same of
    /// others and has less than `most`, else in one of its own.
    pub(super) fn forgotten(&mut self, at: Timestamp, most: usize, key: impl FnOnce() -> Key) {
        // Keys that are forgotten at the same time share one fact, which is shorter in the journal.
        match self.facts.last_mut() {
            Some(Fact { at: last, change: Change::Forgotten(keys) }) if *last == at && keys.len() < most => {
                keys.push(key());
            }
            _ => self.fact(at, || Change::Forgotten(vec![key()])),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_are_collected_only_while_they_are_asked_for() {
        let mut out = Output::new();
        out.fact(Timestamp::EPOCH, || unreachable!("a fact that is not kept is not made"));

        out.keep_facts(true);
        out.fact(Timestamp::EPOCH, || Change::Paused);
        out.keep_facts(true);
        assert_eq!(out.facts(), [Fact { at: Timestamp::EPOCH, change: Change::Paused }], "asked twice, kept once");

        out.keep_facts(false);
        assert!(out.facts().is_empty());
        out.fact(Timestamp::EPOCH, || unreachable!("a fact that is not kept is not made"));
    }

    #[test]
    fn keys_forgotten_at_one_time_share_facts_of_a_bounded_size() {
        let mut out = Output::with_facts();
        let forget =
            |out: &mut Output, at| out.forgotten(Timestamp::from_micros(at), Change::MAX_FORGOTTEN, Key::vacant);
        (0..=Change::MAX_FORGOTTEN).for_each(|_| forget(&mut out, 1));
        forget(&mut out, 2);
        out.fact(Timestamp::from_micros(2), || Change::Paused);
        forget(&mut out, 2);

        let keys = |fact: &Fact| if let Change::Forgotten(keys) = &fact.change { keys.len() } else { 0 };
        assert_eq!(out.facts().iter().map(keys).collect::<Vec<_>>(), [Change::MAX_FORGOTTEN, 1, 1, 0, 1]);
    }

    #[test]
    fn what_is_drained_is_gone() {
        let mut out = Output::with_facts();
        out.fact(Timestamp::EPOCH, || Change::Paused);
        out.effect(Effect::Enqueue(Ticket::new(1)));
        assert_eq!((out.facts().len(), out.effects()), (1, &[Effect::Enqueue(Ticket::new(1))][..]));
        assert_eq!((out.drain_facts().count(), out.drain_effects().count()), (1, 1));
        assert_eq!((out.facts().len(), out.effects().len()), (0, 0));
    }
}
