//! P1: what a client was told is true at the end, and what handlers did agrees with it.

use eventful::{Answer, Digest, Engine, Status, Timestamp};

use super::{Book, Stage};
use crate::failure::Broken;
use crate::roster::Roster;
use crate::scenario::EventNumber;

/// What clients were told, and what handlers did, event by event.
#[derive(Debug, Default, Hash)]
pub struct Ledger {
    entries: Vec<Entry>,
}

/// What is known about one event outside of the engine.
#[derive(Debug, Clone, Copy, Default, Hash)]
struct Entry {
    /// Somebody was told that this payload is accepted, in this life of the process.
    accepted: Option<Digest>,
    /// Side effects of its handler, in this life of the process.
    effects: u32,
}

impl Ledger {
    /// A client was answered. It may have hung up, and then knows nothing.
    pub fn tell(&mut self, event: EventNumber, digest: Digest, answer: &Answer) {
        if matches!(answer, Answer::Accepted | Answer::Duplicate(_)) {
            self.entry(event).accepted = Some(digest);
        }
    }

    /// A handler had its side effect.
    pub fn affect(&mut self, event: EventNumber) {
        self.entry(event).effects += 1;
    }

    /// All that was promised is void: the process died, and had no journal.
    pub(super) fn lose_process(&mut self) {
        self.entries.clear();
    }

    /// What was promised about an event is void: its retention has ended.
    pub(super) fn forget(&mut self, event: EventNumber) {
        *self.entry(event) = Entry::default();
    }

    fn entry(&mut self, event: EventNumber) -> &mut Entry {
        let at = usize::from(event);
        if self.entries.len() <= at {
            self.entries.resize(at + 1, Entry::default());
        }
        &mut self.entries[at]
    }

    pub(super) fn audit(&self, book: &Book, now: Timestamp, roster: &Roster, engine: &Engine) -> Result<(), Broken> {
        for (event, entry) in (0..).zip(&self.entries) {
            if let Some(digest) = entry.accepted {
                audit_promise(book, now, roster, engine, event, digest)?;
            }
        }
        book.all().try_for_each(|(event, _)| self.audit_work(book, event))
    }

    /// What is completed was handled.
    fn audit_work(&self, book: &Book, event: EventNumber) -> Result<(), Broken> {
        let entry = self.entries.get(usize::from(event)).copied().unwrap_or_default();
        let Some(known) = book.known(event) else { return Ok(()) };
        match matches!(known.stage, Stage::Completed(_)) && entry.effects == 0 {
            true => broken(format!("event {event} is completed, but its handler did nothing")),
            false => Ok(()),
        }
    }
}

/// A promised event is still there with the promised payload, unless its retention has ended.
fn audit_promise(
    book: &Book,
    now: Timestamp,
    roster: &Roster,
    engine: &Engine,
    event: EventNumber,
    digest: Digest,
) -> Result<(), Broken> {
    let view = engine.get(now, roster.key(event));
    let retention = engine.config().retention;
    let expired = book.known(event).and_then(|known| known.stage.terminal_at()).is_some_and(|at| at + retention <= now);
    match view {
        None if expired => Ok(()),
        None => broken(format!("event {event} was accepted, and is gone")),
        Some(view) if view.digest != digest => broken(format!("event {event} was accepted with another payload")),
        Some(view) if view.status == Status::Failed && view.last_error.is_none() => {
            broken(format!("event {event} failed without a reason"))
        }
        Some(_) if engine.explain(now, roster.key(event)).is_none() => {
            broken(format!("event {event} is there, but not explained"))
        }
        Some(_) => Ok(()),
    }
}

fn broken(what: String) -> Result<(), Broken> {
    Err(Broken::new("ledger", 1, what))
}
