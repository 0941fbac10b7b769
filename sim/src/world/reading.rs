//! Readers of facts.

use eventful::node::{Notice, Reading, Waiter};

use super::event_queue::Task;
use super::state::World;
use super::stop::Stop;
use super::waits::FactReader;
use crate::scenario::FaultKind;

impl World<'_> {
    pub(super) fn subscribe(&mut self, client: u8, capacity: usize, every: u64, lasts: u64) -> Result<(), Stop> {
        let waiter = self.clients.name();
        let observer = std::sync::Arc::clone(&self.observer);
        let subscribed = self.drive(|node, _| {
            let subscribed = node.subscribe(waiter, capacity);
            if subscribed.is_ok() {
                observer.see().oracles.published.subscribe(waiter, capacity);
            }
            subscribed
        })?;
        if let Err(why) = subscribed {
            return Ok(self.judge_unavailable(client, why)?);
        }
        self.clients.readers.push(FactReader { waiter, every, sleeps: false });
        self.event_queue.now(Task::Read(waiter));
        self.event_queue.at(self.now + lasts, Task::Unsubscribe(waiter));
        Ok(())
    }

    /// Reads the next notice.
    pub(super) fn read(&mut self, waiter: Waiter) -> Result<(), Stop> {
        if !self.clients.readers.iter().any(|reader| reader.waiter == waiter) {
            return Ok(());
        }
        // Set before the node is called, so that no wake-up is missed.
        self.doze(waiter, true);
        let (observer, ends) = (std::sync::Arc::clone(&self.observer), self.publishes_no_more());
        let reading = self.drive(|node, _| {
            let reading = node.read(waiter);
            let mut seen = observer.see();
            let verdict = seen.oracles.judge_reading(waiter, &reading, ends);
            seen.keep(verdict);
            observer.switches().act();
            reading
        })?;
        let notice = match reading {
            Reading::Notice(notice) => notice,
            Reading::Empty => return Ok(()),
            Reading::Closed => return self.unsubscribe(waiter),
        };
        let mut seen = self.observer.see();
        seen.probes.fault(match notice {
            Notice::Fact(_) => FaultKind::FactRead,
            Notice::Lagged(_) => FaultKind::ReaderLags,
            Notice::Reopened => FaultKind::ReopeningRead,
        });
        drop(seen);
        if let Some(every) = self.doze(waiter, false) {
            self.event_queue.at(self.now + every, Task::Read(waiter));
        }
        Ok(())
    }

    /// Returns whether readers have received all that they ever will: the node has ended, or is broken.
    pub(super) fn publishes_no_more(&self) -> bool {
        self.is_broken || self.node.report().is_some()
    }

    /// Puts a reader to sleep, or wakes it. Returns its reading interval, if it slept and was not woken.
    fn doze(&mut self, waiter: Waiter, sleeps: bool) -> Option<u64> {
        let reader = self.clients.readers.iter_mut().find(|reader| reader.waiter == waiter)?;
        std::mem::replace(&mut reader.sleeps, sleeps).then_some(reader.every)
    }

    pub(super) fn unsubscribe(&mut self, waiter: Waiter) -> Result<(), Stop> {
        if !self.clients.readers.iter().any(|reader| reader.waiter == waiter) {
            return Ok(());
        }
        self.clients.readers.retain(|reader| reader.waiter != waiter);
        self.seen().oracles.published.unsubscribe(waiter);
        self.drive(|node, _| node.unsubscribe(waiter))
    }
}
