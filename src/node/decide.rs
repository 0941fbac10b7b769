//! Execution of commands by the engine, and of what follows from them at once.

use alloc::vec::Vec;
use core::mem;

use super::Node;
use super::actions::Actions;
use super::failures::Failures;
use crate::engine::{Answer, Command, Effect, EnqueueFailure, Phase, Timestamp};

impl Node {
    /// Executes a command, and performs what must not wait.
    #[inline(always)]
    pub(super) fn execute(&mut self, now: Timestamp, command: Command) -> Answer {
        self.gate_expiry(now);
        let answer = self.decide(now, command);
        self.perform(now);
        answer
    }

    /// Lets sweeps remove records only while the journal keeps up. Nothing waits for that, and the many removals that
    /// a long stop has made due must not come before results in the queue of the disk.
    pub(super) fn gate_expiry(&mut self, now: Timestamp) {
        // Only a change is a command: the engine's state would be the same, and each command costs.
        let hold = self.commits.is_behind();
        if hold != self.engine.holds_expiry() {
            self.decide(now, if hold { Command::HoldExpiry } else { Command::ReleaseExpiry });
        }
    }

    #[inline(always)]
    fn decide(&mut self, now: Timestamp, command: Command) -> Answer {
        // These three only add deadlines, which the engine can compare quickly.
        self.has_moved_deadlines |= !matches!(command, Command::Submit(_) | Command::Start(_) | Command::Settle { .. });
        self.probe.before(now, &command, &self.engine);
        let answer = self.engine.execute(now, command, &mut self.out);
        self.probe.after(now, &answer, &self.out, &self.engine);
        self.take_output(now);
        answer
    }

    /// Takes the engine's output: facts join the open group, tickets leave after them, and runs that no longer count
    /// are cancelled at once, which a crash would do as well.
    pub(super) fn take_output(&mut self, now: Timestamp) {
        // With a journal, readers and waiters get facts when they are durable; without one, at once.
        if self.commits.keeps_facts() {
            self.commits.add(self.out.drain_facts());
        } else if !self.out.facts().is_empty() {
            self.readers.publish(self.out.facts(), &mut self.pending.edit().wake);
            self.watches.take(self.out.facts(), &mut self.pending.edit().wake);
            self.out.drain_facts().for_each(drop);
            // Asked after each command: the last reader or waiter may have gone.
            self.out.keep_facts(self.readers.any() || self.watches.any() || self.probe.wants_facts());
        }
        let mut aborted = Vec::new();
        for effect in self.out.drain_effects() {
            match effect {
                Effect::Enqueue(ticket) => self.outbox.extend(self.commits.pass(ticket)),
                Effect::Abort(run) => aborted.push(run),
            }
        }
        if !aborted.is_empty() {
            // Together, as a shutdown aborts all runs at once.
            self.workers.stop(now, &aborted, &mut self.pending.edit().cancel);
        }
    }

    /// Sends the tickets in the outbox. From the first one on that does not get into the channel, all are reported,
    /// the last one first. What follows from that is performed too.
    pub(super) fn perform(&mut self, now: Timestamp) {
        while !self.outbox.is_empty() {
            let mut failure = EnqueueFailure::Full;
            let mut unsent = mem::take(&mut self.outbox);
            let sent = unsent.iter().position(|ticket| {
                let sent = self.channel.send(*ticket, &self.probe);
                // The hooks see each try, whether it succeeded or not.
                self.probe.sent(*ticket, sent);
                failure = sent.err().unwrap_or(failure);
                sent.is_err()
            });
            unsent.drain(..sent.unwrap_or(unsent.len()));
            // Last first, so that each goes to the head of the line, and the order of tickets is kept.
            while let Some(ticket) = unsent.pop() {
                self.decide(now, Command::EnqueueFailed { ticket, cause: failure });
            }
            // Output that came meanwhile stays in its order; without any the memory is used again.
            if self.outbox.is_empty() {
                self.outbox = unsent;
            }
        }
    }

    /// Returns the work of the driver once the lock is free. To be called after each input.
    pub fn actions(&mut self, now: Timestamp) -> Actions {
        // An abandoned engine has nothing more to do.
        let is_usable = self.unavailable().is_none();
        let dispatch = is_usable && self.wakes_dispatcher();
        let timer = is_usable && self.has_earlier_deadline(now);
        let write = is_usable && self.commits.has_work();
        let idle = is_usable && self.wakes_idle();
        if is_usable {
            self.call_first_in_queue(now);
            self.release_askers();
        }
        self.advance_shutdown(now);
        let mut actions = self.pending.take();
        actions.dispatch |= dispatch;
        actions.timer |= timer;
        actions.write |= write;
        actions.idle |= idle;
        if is_usable {
            // Collected last, so that what the steps above have dropped is in it.
            actions.failures = Failures::since(&mut self.reported_full, &self.engine, &mut self.out);
        }
        actions
    }

    fn wakes_dispatcher(&mut self) -> bool {
        let can_start = self.may_start() && self.channel.has_news() && self.workers.may_begin();
        let has_work = can_start || self.engine.phase() != Phase::Running;
        // A dispatcher that watches a leader checks it again by itself.
        let wakes = self.dispatcher_waits && if self.pace.is_led() { self.pace.needs_watch() } else { has_work };
        if wakes {
            self.dispatcher_waits = false;
        }
        wakes
    }

    fn wakes_idle(&mut self) -> bool {
        let wakes = self.idle_awaited && self.engine.gauges().pending() == 0;
        if wakes {
            self.idle_awaited = false;
        }
        wakes
    }
}
