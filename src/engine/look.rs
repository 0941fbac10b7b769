//! Looking at records.

use alloc::vec::Vec;

use super::key::Key;
use super::replay::DurableState;
use super::state::State;
use super::status::Status;
use super::store::{ActiveRun, LiveRecord, Location, Stage, Store, Tombstone};
use super::time::Timestamp;
use super::view::{Cursor, Page, RecordView, RunView};
use super::{Charge, Engine};

/// Records that one page looks at, at most: looking holds up everything else.
const SCAN_LIMIT: usize = 4096;

impl Engine {
    /// What is known of an event; absent when there is no record of it, or its retention has
    /// ended at `now`.
    pub fn get(&self, now: Timestamp, key: &Key) -> Option<RecordView> {
        Some(self.state.store.view(self.locate(now, key)?))
    }

    /// A part of all records: those of this status, or of any, from `after` on, at most `limit`, which
    /// counts as 1 when it is 0. Where no record of this status can be is not scanned.
    ///
    /// Looks at a bounded number of records, so a page may hold fewer than there are; the end is
    /// where no next page is named. A record that exists throughout is on at least one page.
    pub fn page(&self, now: Timestamp, status: Option<Status>, after: Cursor, limit: usize) -> Page {
        let mut records = Vec::new();
        let is_buried = status.map(|status| matches!(status, Status::Completed | Status::Discarded));
        let mut scan = self.state.store.scan(after);
        if is_buried == Some(true) {
            scan.skip_live();
        }
        for _ in 0..SCAN_LIMIT {
            if records.len() >= limit.max(1) {
                break;
            }
            if is_buried == Some(false) && scan.is_past_live() {
                return Page { records, next: None };
            }
            match scan.next() {
                None => return Page { records, next: None },
                Some(None) => {}
                Some(Some(location)) => {
                    let fits = status.is_none_or(|status| self.state.store.status(location) == status);
                    if fits && !self.is_expired_at(now.max(self.now), location) {
                        records.push(self.state.store.view(location));
                    }
                }
            }
        }
        Page { records, next: Some(scan.cursor()) }
    }
}

impl State {
    pub(super) fn durable(&self) -> DurableState {
        let mut records: Vec<_> = self.store.locations().map(|location| (self.store.key(location), location)).collect();
        records.sort_unstable_by_key(|(key, _)| *key);
        let records = records.into_iter().map(|(_, location)| self.store.view(location).durable()).collect();
        let downtimes = self.downtimes.iter().collect();
        DurableState { records, counters: self.counters, paused: self.paused, epoch: self.epoch, downtimes }
    }
}

impl Store {
    pub(super) fn view(&self, location: Location) -> RecordView {
        match location {
            Location::Live(slot) => self.live[slot].view(),
            Location::Buried(grave) => self.tombstone(grave).view(),
        }
    }

    pub(super) fn status(&self, location: Location) -> Status {
        match location {
            Location::Live(slot) => self.live[slot].stage.status(),
            Location::Buried(grave) => self.tombstone(grave).status(),
        }
    }
}

impl LiveRecord {
    fn view(&self) -> RecordView {
        let (place, eligible_at, run, terminal_at) = match self.stage {
            Stage::Waiting(waiting) => (waiting.place, Some(waiting.eligible_at), None, None),
            Stage::Processing(run) => (None, None, Some(run.view()), None),
            Stage::Failed { at, .. } => (None, None, None, Some(at)),
        };
        RecordView {
            key: self.event.key().clone(),
            digest: *self.event.digest(),
            status: self.stage.status(),
            place,
            attempt: self.attempt,
            charge: self.charge,
            accepted_at: self.accepted_at,
            eligible_at,
            run,
            terminal_at,
            event_type: self.event.event_type().map(Into::into),
            content_type: self.event.content_type().map(Into::into),
            content_encoding: self.event.content_encoding().map(Into::into),
            size_bytes: self.event.size_bytes(),
            last_error: self.last_error().cloned(),
            history: self.history().to_vec(),
            durable: true,
        }
    }
}

impl ActiveRun {
    const fn view(&self) -> RunView {
        RunView { id: self.id, started_at: self.started_at, deadline: self.deadline }
    }
}

impl Tombstone {
    fn view(&self) -> RecordView {
        RecordView {
            key: self.key.clone(),
            digest: self.digest,
            status: self.status(),
            place: None,
            attempt: self.attempt,
            charge: Charge::default(),
            accepted_at: self.accepted_at,
            eligible_at: None,
            run: None,
            terminal_at: Some(self.terminal_at),
            event_type: None,
            content_type: None,
            content_encoding: None,
            size_bytes: 0,
            last_error: None,
            history: Vec::new(),
            durable: true,
        }
    }
}

impl RecordView {
    /// Without what facts do not determine.
    pub(super) fn durable(self) -> Self {
        let run = self.run.map(|run| RunView { deadline: run.started_at, ..run });
        Self { place: None, run, ..self }
    }
}
