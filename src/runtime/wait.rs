//! Waits for the end of one event, or of all.

use std::boxed::Box;
use std::collections::BTreeMap;
use std::sync::{Arc, Weak};
use std::vec::Vec;
use tokio::sync::Notify;

use super::Eventful;
use super::commits::Mark;
use super::locked::Core;
use super::shared::Shared;
use super::unavailable::Unavailable;
use crate::engine::{Change, Fact, Key, Next, Phase, RecordView, Timestamp};

/// Why there is no end to wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WaitError {
    /// There is no such event; perhaps it was forgotten.
    #[error("there is no such event: submit it first")]
    NotFound,
    /// The engine has stopped before.
    #[error("the engine has stopped before the end: wait again when it is back")]
    Stopped,
    /// See [`Unavailable`].
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

impl Eventful {
    /// Waits until an event has ended, and returns its record: completed, failed or discarded, with a
    /// journal durably so. One that has ended before is returned at once. An event that is redriven as
    /// soon as it has failed is waited for again. Dropping the future leaves nothing behind.
    ///
    /// # Errors
    ///
    /// [`WaitError`]; none for the time that it takes: use a timeout.
    pub async fn wait(&self, key: &Key) -> Result<RecordView, WaitError> {
        loop {
            // Made before the look, so that nothing between them is missed.
            let changed = self.shared.changed.notified();
            let seen = self.shared.view(|core, now| core.watch(now, key))??;
            let watch = match seen {
                Seen::Ended(record, tail) => {
                    self.shared.sync_however_long(tail).await?;
                    return Ok(*record);
                }
                Seen::Waits(watch) => Watch { shared: &self.shared, key, watch },
                Seen::Absent(tail) => {
                    self.shared.sync_however_long(tail).await?;
                    return Err(WaitError::NotFound);
                }
                Seen::Stopped => return Err(WaitError::Stopped),
            };
            tokio::select! {
                biased;
                () = watch.watch.notified() => {}
                () = changed => {}
            }
        }
    }

    /// Waits until no event waits or is processed: all that were accepted have ended. Events that have
    /// failed have ended, too. It waits out pauses and delays. Dropping the future leaves nothing
    /// behind.
    ///
    /// # Errors
    ///
    /// [`WaitError::Stopped`] when the engine stops with events left; [`Unavailable`].
    pub async fn wait_idle(&self) -> Result<(), WaitError> {
        loop {
            let (idle, changed) = (self.shared.idle.notified(), self.shared.changed.notified());
            let (pending, phase, tail) = self.shared.look(|core, _| {
                core.awaits_idle = true;
                (core.engine.gauges().pending(), core.engine.phase(), core.commits.tail())
            })?;
            if pending == 0 {
                return Ok(self.shared.sync_however_long(tail).await?);
            }
            if phase == Phase::Stopped {
                return Err(WaitError::Stopped);
            }
            tokio::select! {
                biased;
                () = idle => {}
                () = changed => {}
            }
        }
    }
}

/// What is to be seen of an event that is waited for.
enum Seen {
    /// It has ended, and that is durable with this.
    Ended(Box<RecordView>, Option<Mark>),
    Waits(Arc<Notify>),
    Absent(Option<Mark>),
    Stopped,
}

/// One who waits. Dropped, it is forgotten.
struct Watch<'a> {
    shared: &'a Shared,
    key: &'a Key,
    watch: Arc<Notify>,
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        self.shared.last_look(|core| core.watches.remove(self.key, &self.watch));
    }
}

/// Who waits for the end of which event.
#[derive(Default)]
pub(super) struct Watches(BTreeMap<Key, Vec<Weak<Notify>>>);

impl Watches {
    pub(super) fn any(&self) -> bool {
        !self.0.is_empty()
    }

    fn add(&mut self, key: &Key) -> Arc<Notify> {
        let watch = Arc::new(Notify::new());
        self.0.entry(key.clone()).or_default().push(Arc::downgrade(&watch));
        watch
    }

    fn remove(&mut self, key: &Key, watch: &Arc<Notify>) {
        let Some(watches) = self.0.get_mut(key) else { return };
        watches.retain(|kept| !core::ptr::eq(kept.as_ptr(), Arc::as_ptr(watch)));
        if watches.is_empty() {
            self.0.remove(key);
        }
    }

    /// Moves those who wait for an end among these facts to `out`.
    pub(super) fn take(&mut self, facts: &[Fact], out: &mut Vec<Weak<Notify>>) {
        if self.any() {
            facts.iter().filter_map(ended).for_each(|key| out.extend(self.0.remove(key).unwrap_or_default()));
        }
    }
}

/// The event that this fact ends.
fn ended(fact: &Fact) -> Option<&Key> {
    match &fact.change {
        Change::Finished { key, next: Next::Completed | Next::Failed, .. } | Change::Discarded(key) => Some(key),
        Change::Finished { .. }
        | Change::Accepted(_)
        | Change::Started { .. }
        | Change::Redriven(_)
        | Change::Forgotten(_)
        | Change::Paused
        | Change::Resumed
        | Change::Epoch(_) => None,
    }
}

impl Core {
    fn watch(&mut self, now: Timestamp, key: &Key) -> Result<Seen, Unavailable> {
        let record = self.engine.get(now, key);
        let ended = record.as_ref().is_some_and(|record| record.status.is_terminal());
        let is_durable = record.as_ref().is_some_and(|record| self.commits.holds(record.changed_at()));
        match (record, self.commits.unavailable()) {
            (Some(record), _) if ended && is_durable => Ok(Seen::Ended(Box::new(record), None)),
            (_, Some(why)) => Err(why),
            (Some(record), None) if ended => Ok(Seen::Ended(Box::new(record), self.commits.tail())),
            (Some(_), None) if self.engine.phase() == Phase::Stopped => Ok(Seen::Stopped),
            (Some(_), None) => {
                self.out.keep_facts(true);
                Ok(Seen::Waits(self.watches.add(key)))
            }
            (None, None) => Ok(Seen::Absent(self.commits.tail())),
        }
    }

    /// Returns whether those who wait for all events to end are woken.
    pub(super) fn wake_idle(&mut self) -> bool {
        let wake = self.awaits_idle && self.engine.gauges().pending() == 0;
        self.awaits_idle &= !wake;
        wake
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Event;
    use crate::runtime::{Attempt, Failure};
    use core::task::{Context, Waker};
    use std::pin::pin;

    #[tokio::test]
    async fn wait_that_is_dropped_is_forgotten() {
        let hang = |_: Event, _: Attempt| core::future::pending::<Result<(), Failure>>();
        let eventful = Eventful::builder().start(hang).expect("it starts");
        let event = Event::with_id("a", "").expect("an event");
        let key = event.key().clone();
        eventful.submit(event).await.expect("room");
        let watches = || eventful.shared.last_look(|core| core.watches.0.values().map(Vec::len).sum::<usize>());
        {
            let (mut one, mut other) = (pin!(eventful.wait(&key)), pin!(eventful.wait(&key)));
            let mut context = Context::from_waker(Waker::noop());
            assert!(one.as_mut().poll(&mut context).is_pending() && other.as_mut().poll(&mut context).is_pending());
            assert_eq!(watches(), 2);
        }
        assert_eq!(watches(), 0);
        assert!(!eventful.shared.last_look(|core| core.watches.any()));
    }
}
