//! Reads of records, and whether these are durable.
//!
//! A record does not hold the LSN for which it must wait. But facts become durable in the order of their decision: a
//! record that was last changed before the oldest fact that is not durable was decided is durable, whatever the
//! journal does meanwhile.

use alloc::format;
use alloc::string::String;
use core::time::Duration;

use super::Node;
#[cfg(doc)]
use super::actions::Actions;
use super::groups::Lsn;
use super::horizon::Horizon;
use super::unavailable::Unavailable;
use crate::engine::{Cursor, Filter, Key, Page, Phase, Place, RecordView, Timestamp};

/// A value that was read, and what it waits for before it is shown.
#[derive(Debug)]
pub struct Observed<T> {
    /// The value.
    pub value: T,
    /// The condition on which it is shown.
    pub wait: ShownWhen,
}

/// The condition on which something is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShownWhen {
    /// No condition: it is durable.
    None,
    /// No condition, because waiting would take too long, or for ever: it may not be durable.
    TooLong,
    /// The LSN is durable, or has waited too long.
    For(Lsn),
}

impl Node {
    /// Returns the progress of durability, when there is a journal. It changes only when [`Actions`] wake the callers
    /// that wait for an LSN, or all.
    pub fn horizon(&self) -> Option<&Horizon> {
        self.commits.horizon()
    }

    /// Returns what must be durable before a decision of now is shown.
    fn wait(&self, now: Timestamp) -> ShownWhen {
        match self.commits.tail() {
            None => ShownWhen::None,
            // A journal that is stuck would hold up each caller for the whole timeout.
            Some(_) if self.commits.is_stuck(now) => ShownWhen::TooLong,
            Some(lsn) => ShownWhen::For(lsn),
        }
    }

    /// Returns a record. One whose last change was abandoned is not shown, nor is the absence of one: the engine that
    /// decided it is not trusted any more.
    ///
    /// # Errors
    ///
    /// [`Unavailable`]
    pub fn see(&self, now: Timestamp, key: &Key) -> Result<Observed<Option<RecordView>>, Unavailable> {
        self.sound()?;
        let value = self.engine.get(now, key);
        // Durable, so that neither the journal's condition nor what was abandoned can change it.
        if value.as_ref().is_some_and(|record| self.commits.holds(record.changed_at())) {
            return Ok(Observed { value, wait: ShownWhen::None });
        }
        self.ready()?;
        Ok(Observed { value, wait: self.wait(now) })
    }

    /// Returns a page of at most `limit` records, with those marked that are not durable. Each page of several waits
    /// on its own: a failure of the journal may lie between them.
    ///
    /// # Errors
    ///
    /// [`Unavailable::Broken`]
    pub fn see_page(
        &self,
        now: Timestamp,
        filter: &Filter,
        after: Cursor,
        limit: usize,
    ) -> Result<Observed<Page>, Unavailable> {
        self.sound()?;
        let mut page = self.engine.find(now, filter, after, limit);
        for record in &mut page.records {
            record.durable = self.commits.holds(record.changed_at());
        }
        // What was abandoned will not be durable.
        let wait = if self.unavailable().is_some() { ShownWhen::TooLong } else { self.wait(now) };
        Ok(Observed { value: page, wait })
    }

    /// Returns in one sentence why an event is not running: the engine's reason, or that all permits are held, which
    /// the engine cannot know.
    pub fn explain(&self, now: Timestamp, key: &Key) -> Option<String> {
        let mut words = self.engine.explain(now, key)?;
        let stopped = self.workers.stopped(now, Duration::ZERO);
        // The engine knows no permits; only when all are held by stopped handlers is that the reason.
        if stopped > 0 && self.workers.permits_free() == 0 && self.waits_for_a_permit(now, key) {
            let limit = self.config().concurrency;
            words += &format!(
                " All {limit} permits are held, {stopped} of them by handlers that were stopped and have not yielded."
            );
        }
        if self.workers.is_unasked() && self.waits_for_a_permit(now, key) {
            words += " No worker asks for an event.";
        }
        Some(words)
    }

    fn waits_for_a_permit(&self, now: Timestamp, key: &Key) -> bool {
        let place = self.engine.get(now, key).and_then(|record| record.place);
        self.may_start() && matches!(place, Some(Place::Line | Place::Queued(_)))
    }

    /// Fails once the node is broken. An engine that was abandoned for another reason can still be read.
    pub(super) fn sound(&self) -> Result<(), Unavailable> {
        if self.is_broken { Err(Unavailable::Broken) } else { Ok(()) }
    }

    /// Returns the phase in the life of the engine.
    pub fn phase(&self) -> Phase {
        self.engine.phase()
    }
}
