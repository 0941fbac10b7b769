//! P1: results that clients have received stay true, and handlers' calls agree with them.

use eventful::{
    Config, Digest, Status, Timestamp,
    engine::{Answer, Engine},
};

use crate::failure::Broken;
use crate::key_table::KeyTable;
use crate::scenario::EventNumber;
use crate::spec::{EventLimits, Lifecycle, ReferenceState};

/// The results that clients have received, and the calls of handlers, event by event.
#[derive(Debug, Default, Hash)]
pub struct ClientOracle {
    entries: Vec<ClientEntry>,
}

/// The facts about one event that are known outside of the engine.
#[derive(Debug, Clone, Copy, Default, Hash)]
struct ClientEntry {
    /// The payload that a client knows to be accepted, by its own submission or an earlier one.
    accepted: Option<Digest>,
    /// True if a client knows that its own submission was accepted.
    is_new: bool,
    /// A payload that was refused as not the accepted one.
    conflicting: Option<Digest>,
    /// The number of side effects of its handler.
    effects: u32,
    /// The number of calls of its handler that count.
    calls: u32,
    /// The number of its redrives.
    redriven: u32,
    /// The number of times that its record was forgotten.
    forgotten: u32,
}

/// The number of times that an event had been forgotten when a result was decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Era(u32);

impl ClientOracle {
    /// Returns the era of a result that is decided now.
    pub fn era(&self, event: EventNumber) -> Era {
        Era(self.entries.get(usize::from(event)).map_or(0, |entry| entry.forgotten))
    }

    /// Checks the result of a submission, decided in this era, that a client receives.
    ///
    /// # Errors
    ///
    /// [`Broken`] if it contradicts an earlier result.
    pub fn record_result(
        &mut self,
        event: EventNumber,
        digest: Digest,
        answer: &Answer,
        era: Era,
    ) -> Result<(), Broken> {
        if self.era(event) != era {
            return Ok(());
        }
        let entry = self.entry(event);
        let (taken, conflict) =
            (matches!(answer, Answer::Accepted | Answer::Duplicate(_)), matches!(answer, Answer::Conflict(_)));
        if taken && entry.conflicting == Some(digest) {
            return twice(format!("event {event} accepts a payload that was a conflict before"));
        }
        if conflict && entry.accepted == Some(digest) {
            return twice(format!("event {event} refuses a payload as a conflict that was accepted before"));
        }
        // Results that wait for the journal arrive in any order.
        let is_again = *answer == Answer::Accepted && std::mem::replace(&mut entry.is_new, true);
        if is_again || taken && entry.accepted.is_some_and(|accepted| accepted != digest) {
            return twice(format!("event {event} was accepted twice"));
        }
        if taken {
            entry.accepted = Some(digest);
        } else if conflict {
            entry.conflicting = Some(digest);
        }
        Ok(())
    }

    /// Notes a call of the handler for a run that counts.
    pub fn call(&mut self, event: EventNumber) {
        self.entry(event).calls += 1;
    }

    /// Notes that an event was redriven.
    pub(super) fn redrive(&mut self, event: EventNumber) {
        self.entry(event).redriven += 1;
    }

    /// Notes a side effect of the handler.
    pub fn affect(&mut self, event: EventNumber) {
        self.entry(event).effects += 1;
    }

    /// Drops all promises: the process died without a journal.
    pub(super) fn lose_process(&mut self) {
        self.entries.clear();
    }

    /// Drops the promises about an event: its retention has ended.
    pub(super) fn forget(&mut self, event: EventNumber) {
        let entry = self.entry(event);
        *entry = ClientEntry { forgotten: entry.forgotten + 1, ..ClientEntry::default() };
    }

    /// Restores an event whose forgetting was lost, with its handler's calls.
    pub(super) fn recall(&mut self, event: EventNumber) {
        self.entry(event).effects += 1;
    }

    fn entry(&mut self, event: EventNumber) -> &mut ClientEntry {
        let at = usize::from(event);
        if self.entries.len() <= at {
            self.entries.resize(at + 1, ClientEntry::default());
        }
        &mut self.entries[at]
    }

    pub(super) fn audit(
        &self,
        expected: &ReferenceState,
        now: Timestamp,
        key_table: &KeyTable,
        engine: &Engine,
    ) -> Result<(), Broken> {
        for (event, entry) in (0..).zip(&self.entries) {
            if let Some(digest) = entry.accepted {
                audit_promise(expected, now, key_table, engine, event, digest)?;
            }
        }
        expected.all().try_for_each(|(event, _)| self.audit_work(expected, event))
    }

    /// Checks that no event was handled more often than its attempts allow, however often the process died. Valid only
    /// if starts are durable before handlers are called.
    pub(super) fn audit_calls(&self, config: &Config, key_table: &KeyTable) -> Result<(), Broken> {
        for (event, entry) in (0..).zip(&self.entries) {
            let attempts = EventLimits::of(config, key_table.event(event, 0).event_type()).max_attempts;
            let each = attempts.saturating_add(config.max_snoozes).saturating_add(config.max_refunds);
            if entry.calls > each.saturating_mul(1 + entry.redriven) {
                let (calls, redriven) = (entry.calls, entry.redriven);
                let what =
                    format!("event {event} was handled {calls} times with {each} attempts and {redriven} redrives");
                return Err(Broken::new("ledger", 8, what));
            }
        }
        Ok(())
    }

    /// Checks that a completed event was handled.
    fn audit_work(&self, expected: &ReferenceState, event: EventNumber) -> Result<(), Broken> {
        let entry = self.entries.get(usize::from(event)).copied().unwrap_or_default();
        let Some(record) = expected.record(event) else { return Ok(()) };
        match matches!(record.stage, Lifecycle::Completed(_)) && entry.effects == 0 {
            true => broken(format!("event {event} is completed, but its handler had no effect")),
            false => Ok(()),
        }
    }
}

/// Checks that an accepted event is still there with its payload, unless its retention has ended.
fn audit_promise(
    expected: &ReferenceState,
    now: Timestamp,
    key_table: &KeyTable,
    engine: &Engine,
    event: EventNumber,
    digest: Digest,
) -> Result<(), Broken> {
    let view = engine.get(now, key_table.key(event));
    let expired = expected.record(event).is_some_and(|record| expected.is_expired(record.stage, now));
    match view {
        None if expired => Ok(()),
        None => broken(format!("event {event} was accepted, but is gone")),
        Some(view) if view.digest != digest => broken(format!("event {event} has another payload than was accepted")),
        Some(view) if view.status == Status::Failed && view.last_error.is_none() => {
            broken(format!("event {event} has failed, but has no error"))
        }
        Some(_) if engine.explain(now, key_table.key(event)).is_none() => {
            broken(format!("event {event} has no explanation"))
        }
        Some(_) => Ok(()),
    }
}

fn twice(what: String) -> Result<(), Broken> {
    Err(Broken::new("ledger", 2, what))
}

fn broken(what: String) -> Result<(), Broken> {
    Err(Broken::new("ledger", 1, what))
}
