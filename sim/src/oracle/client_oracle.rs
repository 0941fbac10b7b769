//! P1: the results that clients got are true at the end, and what handlers did agrees with it.

use eventful::{
    Config, Digest, Status, Timestamp,
    engine::{Answer, Engine},
};

use crate::failure::Broken;
use crate::key_table::KeyTable;
use crate::scenario::EventNumber;
use crate::spec::{EventLimits, Lifecycle, ReferenceState};

/// The results that clients got, and the work that handlers did, event by event.
#[derive(Debug, Default, Hash)]
pub struct ClientOracle {
    entries: Vec<ClientEntry>,
}

/// The knowledge about one event outside of the engine.
#[derive(Debug, Clone, Copy, Default, Hash)]
struct ClientEntry {
    /// The payload of which a client has learned that it is accepted, now or before.
    accepted: Option<Digest>,
    /// A client has learned that it was accepted by its own submission.
    is_new: bool,
    /// A client got the result that this payload is not the one that was accepted.
    conflicting: Option<Digest>,
    /// Side effects of its handler.
    effects: u32,
    /// Calls of its handler that were due.
    calls: u32,
    /// The number of its redrives.
    redriven: u32,
    /// The number of times that it was forgotten.
    forgotten: u32,
}

/// The number of times that an event had been forgotten when a decision about it was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Era(u32);

impl ClientOracle {
    /// The era of what is decided about an event now.
    pub fn era(&self, event: EventNumber) -> Era {
        Era(self.entries.get(usize::from(event)).map_or(0, |entry| entry.forgotten))
    }

    /// A client that has not hung up gets the answer that was decided in this era.
    ///
    /// # Errors
    ///
    /// [`Broken`] when it contradicts an earlier result.
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
            return twice(format!("event {event} was a conflict of this payload, and now takes this one"));
        }
        if conflict && entry.accepted == Some(digest) {
            return twice(format!("event {event} was accepted with a payload that is a conflict now"));
        }
        // Results that wait for the journal leave in any order.
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

    /// A handler is called for a run that counts.
    pub fn call(&mut self, event: EventNumber) {
        self.entry(event).calls += 1;
    }

    /// An event was given another life.
    pub(super) fn redrive(&mut self, event: EventNumber) {
        self.entry(event).redriven += 1;
    }

    /// A handler had its side effect.
    pub fn affect(&mut self, event: EventNumber) {
        self.entry(event).effects += 1;
    }

    /// All that was promised is void: the process died, and had no journal.
    pub(super) fn lose_process(&mut self) {
        self.entries.clear();
    }

    /// Voids what was promised about an event: its retention has ended.
    pub(super) fn forget(&mut self, event: EventNumber) {
        let entry = self.entry(event);
        *entry = ClientEntry { forgotten: entry.forgotten + 1, ..ClientEntry::default() };
    }

    /// A forgetting was lost: the event is back, handled as it was.
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

    /// No event was handled more often than its attempts allow, however often the process died.
    /// To be asked when starts are durable before handlers are called.
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

    /// Checks that what is completed was handled.
    fn audit_work(&self, expected: &ReferenceState, event: EventNumber) -> Result<(), Broken> {
        let entry = self.entries.get(usize::from(event)).copied().unwrap_or_default();
        let Some(record) = expected.record(event) else { return Ok(()) };
        match matches!(record.stage, Lifecycle::Completed(_)) && entry.effects == 0 {
            true => broken(format!("event {event} is completed, but its handler did nothing")),
            false => Ok(()),
        }
    }
}

/// A promised event is still there with the promised payload, unless its retention has ended.
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
        None => broken(format!("event {event} was accepted, and is gone")),
        Some(view) if view.digest != digest => broken(format!("event {event} was accepted with another payload")),
        Some(view) if view.status == Status::Failed && view.last_error.is_none() => {
            broken(format!("event {event} failed without a reason"))
        }
        Some(_) if engine.explain(now, key_table.key(event)).is_none() => {
            broken(format!("event {event} is there, but not explained"))
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
