//! The record of one event.

use eventful::{
    Event, RecordView, Status, Timestamp,
    engine::{
        Answer, Conflict, Duplicate, ErrorText, NotBefore, PastAttempt, RunId, Seq,
        facts::{AttemptEnd, Charge},
    },
};

use super::{Lifecycle, event_bytes};

/// The record of one event as facts determine it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReferenceRecord {
    /// The event as it was accepted. Of a tombstone only key and digest count.
    pub event: Event,
    /// The time of its acceptance.
    pub accepted_at: Timestamp,
    /// The number of events that were accepted until then, this one included.
    pub seq: u64,
    /// The stage.
    pub stage: Lifecycle,
    /// The number of runs that were started.
    pub attempt: u32,
    /// The counts that are compared with the limits.
    pub charge: Charge,
    /// The number of its redrives.
    pub redriven: u32,
    /// The error of the last attempt that had one.
    pub last_error: Option<ErrorText>,
    /// The last attempts that have ended, the oldest first.
    pub history: Vec<PastAttempt>,
}

impl ReferenceRecord {
    /// Creates the record of an event that is accepted at `now` as the one with this number.
    pub fn new(event: Event, now: Timestamp, seq: u64) -> Self {
        let eligible_at = not_before(&event).map_or(now, |not_before| not_before.max(now));
        Self {
            event,
            accepted_at: now,
            seq,
            stage: Lifecycle::Received(eligible_at),
            attempt: 0,
            charge: Charge::default(),
            redriven: 0,
            last_error: None,
            history: Vec::new(),
        }
    }

    /// Returns the time since which it waits while it is pending.
    pub fn pending_since(&self) -> Timestamp {
        not_before(&self.event).map_or(self.accepted_at, |not_before| not_before.max(self.accepted_at))
    }

    /// Returns its status.
    pub const fn status(&self) -> Status {
        self.stage.status()
    }

    /// Returns the bytes of its event: none for a tombstone.
    pub fn event_bytes(&self) -> usize {
        if self.stage.is_tombstone() { 0 } else { event_bytes(&self.event) }
    }

    /// Returns the bytes of the last error, and of those of past attempts.
    pub fn error_bytes(&self) -> usize {
        let past = self.history.iter().filter_map(|attempt| attempt.error.as_ref());
        past.chain(&self.last_error).map(|error| error.as_str().len()).sum()
    }

    /// Returns the bytes that count against the bound on pending events, and those against that on failed ones.
    pub(super) fn bytes(&self) -> (u64, u64) {
        match self.stage {
            Lifecycle::Received(_) | Lifecycle::Processing { .. } | Lifecycle::FailedRetry(_) => {
                (event_bytes(&self.event) as u64, 0)
            }
            Lifecycle::Failed(_) => (0, (event_bytes(&self.event) + self.error_bytes()) as u64),
            Lifecycle::Completed(_) | Lifecycle::Discarded(_) => (0, 0),
        }
    }

    /// Returns the result of another submission of its key.
    pub fn recognize(&self, digest: &eventful::Digest) -> Answer {
        let Self { accepted_at, attempt, .. } = *self;
        match self.event.digest() == digest {
            true => Answer::Duplicate(Duplicate { status: self.status(), attempt, accepted_at }),
            false => {
                let stored = *self.event.digest();
                Answer::Conflict(Conflict { stored, received: *digest, first_received_at: accepted_at })
            }
        }
    }

    /// Adds an ended run to the history, of which at most `most` are kept.
    pub(super) fn remember(
        &mut self,
        run: (RunId, Timestamp),
        now: Timestamp,
        end: AttemptEnd,
        error: Option<&ErrorText>,
        most: usize,
    ) {
        let (run, started_at) = run;
        let past = PastAttempt { run, started_at, ended_at: now, end, error: error.map(beginning) };
        if self.history.len() >= most {
            self.history.remove(0);
        }
        self.history.push(past);
        if let Some(error) = error {
            self.last_error = Some(error.clone());
        }
    }

    /// Makes the record terminal, and drops what a tombstone does not have.
    pub(super) fn retire(&mut self, stage: Lifecycle) {
        (self.stage, self.charge, self.last_error) = (stage, Charge::default(), None);
        self.history.clear();
    }

    /// Returns the first difference between a view and the record. Place, deadline, and payload are not compared:
    /// facts alone do not determine them, or not every view has them.
    pub fn difference(&self, view: &RecordView) -> Option<&'static str> {
        let whole = !self.stage.is_tombstone();
        let event = Some(&self.event).filter(|_| whole);
        let checks = [
            (view.key == *self.event.key(), "has another key"),
            (view.status == self.status(), "has another status"),
            (view.digest == *self.event.digest(), "has another digest"),
            (view.attempt == self.attempt, "has another number of attempts"),
            (view.charge == self.charge, "has another charge"),
            (view.accepted_at == self.accepted_at, "was accepted at another time"),
            (view.seq.map(Seq::number) == Some(self.seq).filter(|_| whole), "has another place in the order"),
            (view.not_before == event.and_then(not_before), "may start not before another time"),
            (view.terminal_at == self.stage.terminal_at(), "ended at another time"),
            (view.eligible_at == self.stage.eligible_at(), "may start at another time"),
            (view.run.map(|run| (run.id, run.started_at)) == self.stage.run(), "has another run"),
            (view.event_type.as_deref() == event.and_then(Event::event_type), "has another type"),
            (view.group.as_deref() == event.and_then(Event::group), "has another group"),
            (view.content_type.as_deref() == event.and_then(Event::content_type), "has another content type"),
            (has_attributes(view, event), "has other attributes"),
            (view.size_bytes == self.event_bytes(), "has another size"),
            (view.last_error == self.last_error, "has another error"),
            (view.history == self.history, "has another history"),
            // The engine itself has no journal, so its own views are durable.
            (view.durable, "may be lost"),
        ];
        checks.into_iter().find(|(is_so, _)| !is_so).map(|(_, wrong)| wrong)
    }
}

/// Returns the time before which an accepted event does not start, if it has one.
pub fn not_before(event: &Event) -> Option<Timestamp> {
    match event.not_before()? {
        NotBefore::At(at) => Some(at),
        NotBefore::After(_) => None,
    }
}

fn has_attributes(view: &RecordView, event: Option<&Event>) -> bool {
    event.map_or(view.attributes.is_empty(), |event| *event.attributes() == view.attributes)
}

/// Returns the part of an error that is kept in the history.
fn beginning(error: &ErrorText) -> ErrorText {
    let text = error.as_str();
    ErrorText::new(&text[..text.floor_char_boundary(PastAttempt::MAX_ERROR_BYTES)])
}
