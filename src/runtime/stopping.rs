//! Runs that were stopped and whose handlers have not yielded: they hold their permits.

use core::time::Duration;
use std::string::String;
use std::sync::{Arc, Weak};
use std::vec::Vec;

use super::attempt::RunCell;
use super::locked::Core;
use crate::engine::{Key, Phase, Place, Timestamp};

/// Runs that were stopped, until their workers have ended them.
#[derive(Default)]
pub(super) struct Stopping(Vec<(Timestamp, Weak<RunCell>)>);

impl Stopping {
    /// Adds runs that are stopped now.
    pub(super) fn add(&mut self, now: Timestamp, cells: &[Arc<RunCell>]) {
        if !cells.is_empty() {
            self.0.retain(|(_, cell)| is_held(cell));
            self.0.extend(cells.iter().map(|cell| (now, Arc::downgrade(cell))));
        }
    }

    /// Counts those that were stopped at least `grace` ago.
    fn count(&self, now: Timestamp, grace: Duration) -> usize {
        self.0.iter().filter(|(since, cell)| now.since(*since) >= grace && is_held(cell)).count()
    }
}

fn is_held(cell: &Weak<RunCell>) -> bool {
    cell.upgrade().is_some_and(|cell| !cell.has_ended())
}

impl Core {
    /// Returns whether handlers that do not yield to being stopped hold all permits: then nothing can
    /// start any more.
    pub(super) fn lacks_permits(&self, now: Timestamp) -> bool {
        let config = self.engine.config();
        self.stopping.count(now, config.abort_grace) >= config.concurrency.get()
    }

    /// Explains like the engine, which knows of no permit, when there are so many free.
    pub(super) fn explain(&self, now: Timestamp, key: &Key, permits_free: usize) -> Option<String> {
        let mut words = self.engine.explain(now, key)?;
        let stopping = self.stopping.count(now, Duration::ZERO);
        if stopping > 0 && permits_free == 0 && self.waits_for_a_permit(now, key) {
            let limit = self.engine.config().concurrency;
            words += &std::format!(
                " All {limit} permits are held, {stopping} of them by handlers that were stopped and have not yielded."
            );
        }
        Some(words)
    }

    fn waits_for_a_permit(&self, now: Timestamp, key: &Key) -> bool {
        let place = self.engine.get(now, key).and_then(|record| record.place);
        let may_start = self.engine.phase() == Phase::Running && !self.engine.is_paused();
        may_start && matches!(place, Some(Place::Line | Place::Queued(_)))
    }
}
