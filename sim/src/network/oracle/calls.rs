//! What the handler sees: one run of an event at a time, no more runs than allowed, each one new.

use std::collections::BTreeMap;

use eventful::{Timestamp, engine::RunId};

use super::{OracleResult, holds};
use crate::failure::Broken;
use crate::network::scenario::{KeyNumber, NetworkSetup};

/// The calls of one process's handler.
#[derive(Debug)]
pub(in crate::network) struct CallOracle {
    limit: usize,
    most_in_a_life: u32,
    /// The starts of runs are durable before the handler is called.
    syncs_starts: bool,
    alive: usize,
    last_run: Option<RunId>,
    keys: BTreeMap<KeyNumber, Called>,
}

#[derive(Debug, Default)]
struct Called {
    alive: bool,
    attempt: u32,
    calls: u32,
    lives: u32,
    /// Runs that were given back.
    given_back: u32,
    /// The last run that the handler has ended with success.
    succeeded: Option<RunId>,
}

impl CallOracle {
    pub(in crate::network) fn new(setup: &NetworkSetup) -> Self {
        let config = setup.config();
        Self {
            limit: config.concurrency.get(),
            most_in_a_life: config.max_attempts + config.max_snoozes,
            syncs_starts: setup.journal.is_none_or(|journal| journal.syncs_starts),
            alive: 0,
            last_run: None,
            keys: BTreeMap::new(),
        }
    }

    /// The event may have another life: it was redriven, or forgotten and accepted again.
    pub(in crate::network) fn live_again(&mut self, key: KeyNumber) {
        self.keys.entry(key).or_default().lives += 1;
    }

    /// The record is gone, and with it the number of attempts.
    pub(in crate::network) fn forget(&mut self, key: KeyNumber) {
        self.live_again(key);
        self.keys.entry(key).or_default().attempt = 0;
    }

    /// A run was given back, as shutdown has interrupted it.
    pub(in crate::network) fn interrupted(&mut self, key: KeyNumber) {
        self.keys.entry(key).or_default().given_back += 1;
    }

    /// The process is gone, and its handlers with it.
    pub(in crate::network) fn process_ended(&mut self) {
        self.alive = 0;
        self.keys.values_mut().for_each(|called| called.alive = false);
    }

    /// The engine was opened again. What it does not know of may happen once more: starts that were
    /// not durable when their handlers were called.
    pub(in crate::network) fn opened(&mut self) {
        if !self.syncs_starts {
            for called in self.keys.values_mut() {
                called.attempt = 0;
                called.given_back += 1;
            }
        }
    }

    /// The handler was called.
    pub(in crate::network) fn call(&mut self, key: KeyNumber, attempt: u32, run: RunId) -> OracleResult {
        self.alive += 1;
        let (alive, limit) = (self.alive, self.limit);
        holds(alive <= limit, || broken(5, format_args!("{alive} handlers with a limit of {limit}")))?;
        let called = self.keys.entry(key).or_default();
        let alone = !std::mem::replace(&mut called.alive, true);
        holds(alone, || broken(4, format_args!("the handler has e{key} twice at a time")))?;
        let rises = std::mem::replace(&mut called.attempt, attempt) < attempt;
        holds(rises, || broken(4, format_args!("attempt {attempt} of e{key} does not rise")))?;
        called.calls += 1;
        let (calls, most) = (called.calls, (called.lives + 1) * self.most_in_a_life + called.given_back);
        holds(calls <= most, || broken(8, format_args!("e{key} was called {calls} times, {most} are allowed")))?;
        let newest = self.last_run.is_none_or(|last| last != run);
        self.last_run = Some(run);
        holds(newest, || broken(4, format_args!("{run} was used twice")))
    }

    /// The handler's future is gone.
    pub(in crate::network) fn leave(&mut self, key: KeyNumber) {
        self.alive = self.alive.saturating_sub(1);
        self.keys.entry(key).or_default().alive = false;
    }

    /// The handler has ended this run with success.
    pub(in crate::network) fn succeed(&mut self, key: KeyNumber, run: RunId) {
        self.keys.entry(key).or_default().succeeded = Some(run);
    }

    /// The engine takes this run for a success.
    pub(in crate::network) fn done(&self, key: KeyNumber, run: RunId) -> OracleResult {
        let succeeded = self.keys.get(&key).is_some_and(|called| called.succeeded == Some(run));
        holds(succeeded, || broken(4, format_args!("e{key} is completed by {run}, which the handler has not ended")))
    }

    /// The run of this attempt is over and another one has begun, so no heartbeat may count.
    pub(in crate::network) fn beat(&self, key: KeyNumber, attempt: u32, counted: bool) -> OracleResult {
        let current = self.keys.get(&key).is_some_and(|called| called.attempt == attempt);
        holds(current || !counted, || broken(4, format_args!("a heartbeat of an old run of e{key} counts")))
    }

    /// No handler is alive.
    pub(in crate::network) fn none_left(&self) -> OracleResult {
        holds(self.alive == 0, || broken(5, format_args!("{} handlers are left", self.alive)))
    }
}

/// A handler is shown the deadline that its heartbeat has moved.
pub(in crate::network) fn shown(key: KeyNumber, due: Timestamp, shown: Timestamp) -> OracleResult {
    holds(shown == due, || {
        broken(4, format_args!("a heartbeat of e{key} moves its deadline to {due}, shown is {shown}"))
    })
}

fn broken(promise: u8, what: impl std::fmt::Display) -> Broken {
    Broken::new("calls", promise, what)
}
