//! Reading records.

use alloc::vec::Vec;

use super::event::NotBefore;
use super::filter::Range;
use super::key::Key;
use super::replay::DurableState;
use super::state::EngineState;
use super::status::Status;
use super::store::{ActiveRun, LiveRecord, LiveState, Location, Store, Tombstone};
use super::time::Timestamp;
use super::view::{Cursor, Page, RecordView, RunView};
use super::{Engine, Filter};

impl Engine {
    /// Returns the record of a key; `None` when there is none, or its retention has ended at `now`.
    pub fn get(&self, now: Timestamp, key: &Key) -> Option<RecordView> {
        Some(self.state.store.view(self.locate(now, key)?))
    }

    /// A part of all records: those of this status, or of any, from `after` on. See [`Engine::find`].
    pub fn page(&self, now: Timestamp, status: Option<Status>, after: Cursor, limit: usize) -> Page {
        self.find(now, &Filter { status, ..Filter::default() }, after, limit)
    }

    /// A part of the records that fit, from `after` on, at most `limit`, which counts as 1 when it is 0.
    /// Where no record can be that fits is not scanned; failed ones come in the order in which they
    /// failed.
    ///
    /// Reads a bounded number of records, and ends early when its events have more than 8 MiB, so a
    /// page may hold fewer than there are; the end is where no next page is named. A record that
    /// exists throughout is on at least one page. A cursor is of use with the same filter, and while
    /// this engine is open.
    pub fn find(&self, now: Timestamp, filter: &Filter, after: Cursor, limit: usize) -> Page {
        let (mut records, mut bytes) = (Vec::new(), 0);
        // Bounded by bytes, too, because a caller may hold several pages.
        let page_bytes = self.config.thresholds.page_bytes;
        let next = self.walk(now, filter, after, |location| {
            let record = self.state.store.view(location);
            bytes += record.size_bytes;
            records.push(record);
            // Checked behind the first record, so that each page makes progress, however large that is.
            records.len() < limit.max(1) && bytes < page_bytes
        });
        Page { records, next }
    }

    /// As [`Engine::find`], with nothing but the keys.
    pub fn find_keys(
        &self,
        now: Timestamp,
        filter: &Filter,
        after: Cursor,
        limit: usize,
    ) -> (Vec<Key>, Option<Cursor>) {
        let mut keys = Vec::new();
        let next = self.walk(now, filter, after, |location| {
            keys.push(self.state.store.key(location).clone());
            keys.len() < limit.max(1)
        });
        (keys, next)
    }

    /// Returns how many of the records from `after` on fit, among a bounded number that is read, and where to
    /// continue. With nothing but a status to fit, it is read off: a record whose retention has ended counts until a
    /// sweep forgets it.
    pub fn count(&self, now: Timestamp, filter: &Filter, after: Cursor) -> (u64, Option<Cursor>) {
        // The most frequent question is for a number that is kept: it costs no scan.
        if let Some(status) = filter.only_status() {
            return (self.state.store.count(status), None);
        }
        let mut count = 0;
        let next = self.walk(now, filter, after, |_| {
            count += 1;
            true
        });
        (count, next)
    }

    /// Gives `take` each record that fits, until that wants no more, and returns where to continue.
    fn walk(
        &self,
        now: Timestamp,
        filter: &Filter,
        after: Cursor,
        mut take: impl FnMut(Location) -> bool,
    ) -> Option<Cursor> {
        let range = filter.range();
        let mut scan = match range {
            Range::Failed => self.state.store.scan_failed(after),
            Range::All | Range::Live | Range::Ended => self.state.store.scan(after),
        };
        if range == Range::Ended {
            scan.skip_live();
        }
        // Bounded by records that are read, not by those that match: a filter may match none.
        for _ in 0..self.config.thresholds.scan_limit {
            if range == Range::Live && scan.is_past_live() {
                return None;
            }
            // A place whose record has left is passed over, and the cursor stays valid.
            let Some(location) = scan.next()? else { continue };
            let fits = self.fits(filter, location) && !self.is_expired_at(now.max(self.now), location);
            if fits && !take(location) {
                break;
            }
        }
        Some(scan.cursor())
    }
}

impl EngineState {
    pub(super) fn durable(&self) -> DurableState {
        let mut records: Vec<_> = self.store.locations().map(|location| (self.store.key(location), location)).collect();
        // By key, so that two engines with equal records compare equal.
        records.sort_unstable_by_key(|(key, _)| *key);
        let records = records.into_iter().map(|(_, location)| self.store.view(location).durable()).collect();
        let downtimes = self.downtimes.iter().collect();
        let Self { counters, paused, epoch, .. } = self;
        let paused_groups = self.paused_groups.iter().cloned().collect();
        let schedules = self.schedules.iter().map(|(name, cursor)| (name.clone(), *cursor)).collect();
        DurableState {
            records,
            counters: *counters,
            paused: *paused,
            paused_groups,
            schedules,
            epoch: *epoch,
            downtimes,
        }
    }
}

impl Store {
    pub(super) fn view(&self, location: Location) -> RecordView {
        match location {
            Location::Live(slot) => self.live[slot].view(),
            Location::Tombstone(id) => self.tombstone(id).view(),
        }
    }

    pub(super) fn accepted_at(&self, location: Location) -> Timestamp {
        match location {
            Location::Live(slot) => self.live[slot].accepted_at,
            Location::Tombstone(id) => self.tombstone(id).accepted_at,
        }
    }

    pub(super) fn status(&self, location: Location) -> Status {
        match location {
            Location::Live(slot) => self.live[slot].state.status(),
            Location::Tombstone(id) => self.tombstone(id).status(),
        }
    }
}

impl LiveRecord {
    fn view(&self) -> RecordView {
        let (place, eligible_at, run, terminal_at) = match self.state {
            LiveState::Waiting(waiting) => (waiting.place, Some(waiting.eligible_at), None, None),
            LiveState::Processing(run) => (None, None, Some(run.view()), None),
            LiveState::Failed { at, .. } => (None, None, None, Some(at)),
        };
        RecordView {
            key: self.event.key().clone(),
            digest: *self.event.digest(),
            status: self.state.status(),
            place,
            attempt: self.attempt,
            charge: self.charge,
            accepted_at: self.accepted_at,
            seq: self.seq,
            not_before: self.event.not_before().and_then(NotBefore::time),
            eligible_at,
            run,
            terminal_at,
            event_type: self.event.event_type().map(Into::into),
            group: self.event.group().map(Into::into),
            content_type: self.event.content_type().map(Into::into),
            attributes: self.event.attributes().clone(),
            size_bytes: self.event.size_bytes(),
            payload: Some(self.event.payload().clone()),
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
        let times = (self.accepted_at, self.terminal_at);
        RecordView::of_tombstone((self.key.clone(), self.digest), (self.status(), self.attempt), times)
    }
}

impl RecordView {
    /// Without what facts do not determine.
    pub(super) fn durable(self) -> Self {
        // The place and the deadline are no facts.
        let run = self.run.map(|run| RunView { deadline: run.started_at, ..run });
        Self { place: None, run, payload: None, ..self }
    }
}
