//! Calls of the node, whose actions are performed as by its driver.

use eventful::node::{Actions, Failures, FullOfFailures, Node, Settled, Unavailable, Waiter};
use eventful::{
    Timestamp,
    engine::{FailedOverflow, Phase},
};

use super::event_queue::Task;
use super::journal::JournalCondition;
use super::observer::ObservedNodes;
use super::state::World;
use super::stop::Stop;
use super::waits::Rung;
use crate::failure::{Broken, holds};
use crate::panics;
use crate::scenario::FaultKind;

impl World<'_> {
    /// Returns the reason why the node decides nothing now, if it does not.
    pub(super) fn unavailable(&self) -> Option<Unavailable> {
        match self.journal.as_ref().map_or(JournalCondition::Open, |journal| journal.condition) {
            _ if self.is_broken => Some(Unavailable::Broken),
            JournalCondition::Open => None,
            JournalCondition::Reopening => Some(Unavailable::Reopening),
            JournalCondition::Down => Some(Unavailable::JournalDown),
        }
    }

    /// Returns whether the node decides anything.
    pub(super) fn is_serving(&self) -> bool {
        self.is_up && self.unavailable().is_none()
    }

    /// Returns whether the engine was abandoned, and none replaces it in this process.
    pub(super) fn is_lost(&self) -> bool {
        self.is_up && self.unavailable().is_some_and(|why| !why.is_temporary())
    }

    /// Returns whether the disk allows one more event.
    pub(super) fn takes_events(&self) -> bool {
        let (now, largest) = (self.clock(), self.config.max_event_bytes);
        let seen = self.seen();
        let (journal, facts) = (&seen.oracles.journal, seen.oracles.facts());
        !self.is_serving() || journal.as_ref().is_none_or(|journal| journal.refusal(now, largest, facts).is_none())
    }

    /// Returns whether no more facts can become durable.
    pub(super) fn is_settled(&self) -> bool {
        let is_synced = self.is_serving() && self.seen().oracles.is_synced();
        is_synced || self.is_lost() && self.ender.ending.is_some()
    }

    /// Calls the node, and performs its actions.
    pub(super) fn drive<T>(&mut self, call: impl FnOnce(&mut Node, Timestamp) -> T) -> Result<T, Stop> {
        let now = self.clock();
        self.latest = self.latest.max(now);
        if self.may_panic {
            return self.drive_into_panic(now, call);
        }
        let value = call(&mut self.node, now);
        self.conclude(now)?;
        Ok(value)
    }

    fn drive_into_panic<T>(&mut self, now: Timestamp, call: impl FnOnce(&mut Node, Timestamp) -> T) -> Result<T, Stop> {
        let node = &mut self.node;
        let called = panics::injected(|| call(node, now));
        self.may_panic = self.observer.switches().may_panic();
        if called.is_none() {
            holds(!self.may_panic, || Broken::new("panics", 1, "the node panicked, but no fault injected that"))?;
            self.node.break_down();
            self.is_broken = true;
            self.probe(FaultKind::NodePanics);
            self.note(|trace| trace.note_world("a call of the node panics: it is broken"));
        }
        self.conclude(now)?;
        called.ok_or(Stop::Panicked)
    }

    fn conclude(&mut self, now: Timestamp) -> Result<(), Broken> {
        let actions = self.node.actions(now);
        self.carry_out(actions)?;
        self.follow_end(now)
    }

    fn carry_out(&mut self, actions: Actions) -> Result<(), Broken> {
        let Actions {
            dispatch,
            timer,
            write,
            end,
            idle,
            everyone,
            replace_dispatcher,
            settled,
            wake,
            cancel,
            failures,
        } = actions;
        if dispatch {
            self.dispatcher.routine.wake();
        }
        if timer {
            self.sweeper.routine.wake();
        }
        if end {
            self.ender.routine.wake();
        }
        if write && let Some(journal) = &mut self.journal {
            journal.routine.wake();
        }
        if (settled.is_some() || everyone)
            && let Some(horizon) = self.node.horizon()
        {
            self.clients.horizon.clone_from(horizon);
        }
        if let Some(settled) = settled {
            self.wake_settled(settled);
        }
        wake.iter().for_each(|waiter| self.wake_waiter(*waiter));
        if idle || everyone {
            self.wake_many(everyone);
        }
        self.clients.rung = Rung { everyone, idle, waiters: wake };
        for worker in cancel {
            self.cancel(worker);
        }
        if replace_dispatcher {
            self.judge_replacement()?;
            if self.dispatcher.routine.is_alive() {
                self.kill_dispatcher(0);
            }
        }
        if self.loses_marker {
            self.lose_marker();
        }
        let is_news = !failures.dropped.is_empty() || failures.turned_full.is_some();
        if self.observer.switches().has_acted() || is_news { self.judge_call(&failures) } else { Ok(()) }
    }

    /// Checks a call in which the engine executed a command, or a ticket was sent.
    fn judge_call(&self, failures: &Failures) -> Result<(), Broken> {
        let mut seen = self.observer.see();
        if !self.is_broken {
            seen.judge_failures(failures, self.node.phase())?;
        }
        if seen.oracles.departures.any() && self.is_serving() {
            seen.probes.fault(FaultKind::TicketHeld);
            seen.oracles.judge_rest()?;
        }
        seen.verdict()
    }

    /// Wakes the clients and workers that wait for these LSNs.
    fn wake_settled(&mut self, Settled { after, up_to }: Settled) {
        let Self { clients, event_queue, .. } = self;
        for wait in clients.waits.iter_mut().filter(|wait| wait.lsn().is_some_and(|lsn| after < lsn && lsn <= up_to)) {
            wait.wake(event_queue);
        }
    }

    /// Wakes a client that waits.
    fn wake_waiter(&mut self, waiter: Waiter) {
        let Self { clients, event_queue, .. } = self;
        clients.unregister(waiter);
        if let Some(wait) = clients.waits.iter_mut().find(|wait| wait.waiter == waiter) {
            wait.wake(event_queue);
        } else if let Some(reader) = clients.readers.iter_mut().find(|reader| reader.waiter == waiter)
            && std::mem::take(&mut reader.sleeps)
        {
            event_queue.now(Task::Read(waiter));
        }
    }

    /// Wakes the clients that wait until no event is pending, or all clients.
    fn wake_many(&mut self, everyone: bool) {
        let Self { clients, event_queue, .. } = self;
        for wait in clients.waits.iter_mut().filter(|wait| everyone || wait.is_for_idle()) {
            wait.wake(event_queue);
        }
        for reader in clients.readers.iter_mut().filter(|reader| everyone && reader.sleeps) {
            reader.sleeps = false;
            event_queue.now(Task::Read(reader.waiter));
        }
    }
}

impl ObservedNodes {
    /// Checks that each change about failed events is to be logged exactly once.
    fn judge_failures(&mut self, failures: &Failures, phase: Phase) -> Result<(), Broken> {
        let unlogged = std::mem::take(&mut self.unlogged);
        holds(failures.dropped.len() == unlogged, || {
            let logged = failures.dropped.len();
            Broken::new(
                "dropped",
                1,
                format_args!("{unlogged} failed events were forgotten, but {logged} are to be logged"),
            )
        })?;
        let (expected, config) = (&self.oracles.expected, &self.oracles.expected.config);
        let overflows = expected.failed_bytes > config.max_failed_bytes as u64;
        let is_full = overflows && config.failed_overflow == FailedOverflow::Refuse;
        let turned = phase == Phase::Running && std::mem::replace(&mut self.is_full_of_failures, is_full) != is_full;
        let full = FullOfFailures { is_full, bytes: expected.failed_bytes, max_bytes: config.max_failed_bytes };
        holds(failures.turned_full == turned.then_some(full), || {
            Broken::new(
                "dropped",
                1,
                format_args!("full of failed events: {full:?}, but {:?} is to be logged", failures.turned_full),
            )
        })
    }
}
