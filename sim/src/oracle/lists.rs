//! P7: lists contain every record that matches their filter, no other, and end.
//!
//! The matching records are derived from the facts. A list may be read while events change, a page at a time; then an
//! event that matches throughout must be on a page, and any other may be.

use std::collections::BTreeSet;

use eventful::{Cursor, Filter, Page, Status, Timestamp, engine::Engine};

use crate::failure::{Broken, holds};
use crate::key_table::KeyTable;
use crate::scenario::EventNumber;
use crate::spec::{Lifecycle, ReferenceRecord, ReferenceState};

/// The expected state at one time, against which a list is checked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct View<'a> {
    pub(crate) now: Timestamp,
    pub(crate) expected: &'a ReferenceState,
    pub(crate) key_table: &'a KeyTable,
}

/// A list that is being read.
#[derive(Debug)]
pub(crate) struct Listing {
    pub(crate) filter: Filter,
    pub(crate) limit: usize,
    /// Events that have matched since the list was begun.
    due: Vec<EventNumber>,
    /// Events that were on a page.
    seen: BTreeSet<EventNumber>,
    /// True while nothing has changed since the list was begun.
    is_quiet: bool,
    pages: usize,
    /// The time at which the last shown event failed, in a list of failed ones.
    last_failed: Option<Timestamp>,
}

impl Listing {
    /// Begins a list.
    pub(crate) fn new(view: View<'_>, filter: Filter, limit: usize) -> Self {
        let due = view.fitting(&filter).map(|(event, _)| event).collect();
        Self { filter, limit, due, seen: BTreeSet::new(), is_quiet: true, pages: 0, last_failed: None }
    }

    /// Removes events that no longer match, after changes between two pages.
    pub(crate) fn resume(&mut self, view: View<'_>, has_changed: impl Fn(EventNumber) -> bool) {
        let filter = &self.filter;
        let before = self.due.len();
        self.due.retain(|event| !has_changed(*event) && view.fits(filter, *event));
        self.is_quiet &= before == self.due.len() && !view.fitting(filter).any(|(event, _)| has_changed(event));
    }

    /// Checks the next page.
    pub(crate) fn judge(&mut self, view: View<'_>, page: &Page) -> Result<(), Broken> {
        let Self { filter, limit, .. } = self;
        self.pages += 1;
        holds(page.records.len() <= (*limit).max(1), || {
            broken(format_args!("a page of {limit} has {} records", page.records.len()))
        })?;
        // The last record may exceed the limit: it is what made the page full.
        let bytes: usize = page.records.iter().rev().skip(1).map(|record| record.size_bytes).sum();
        let limit_bytes = view.expected.config.thresholds().page_bytes;
        holds(page.records.len() < 2 || bytes < limit_bytes, || {
            broken(format_args!("a page continues after {bytes} bytes, but is full at {limit_bytes}"))
        })?;
        for record in &page.records {
            let event = view.key_table.number(&record.key).filter(|event| view.fits(filter, *event));
            let Some(event) = event else {
                return Err(broken(format_args!("{} is on a page, but does not match {filter:?}", record.key)));
            };
            let mut shown = record.clone();
            // Durability is checked where the page is shown.
            shown.durable = true;
            let wrong = view.expected.record(event).and_then(|known| known.difference(&shown));
            wrong.map_or(Ok(()), |wrong| Err(broken(format_args!("event {event} on a page {wrong}: {record:?}"))))?;
            let is_first = self.seen.insert(event);
            holds(!self.is_quiet || is_first, || {
                broken(format_args!("event {event} is listed twice, although nothing has changed"))
            })?;
            if filter.status == Some(Status::Failed) {
                holds(self.last_failed <= record.terminal_at, || {
                    broken(format_args!("event {event} failed before the one that is listed before it"))
                })?;
                self.last_failed = record.terminal_at;
            }
        }
        match page.next {
            Some(_) => holds(self.pages <= view.most_pages(), || {
                broken(format_args!("a list does not end: this is page {}", self.pages))
            }),
            None => self.judge_end(),
        }
    }

    fn judge_end(&self) -> Result<(), Broken> {
        let missed = self.due.iter().find(|event| !self.seen.contains(event));
        missed.map_or(Ok(()), |event| {
            Err(broken(format_args!("event {event} matches {:?} throughout, but is on no page", self.filter)))
        })
    }
}

impl<'a> View<'a> {
    /// Checks the count, and the keys, of what matches at one time.
    pub(crate) fn judge_counts(self, engine: &Engine, filter: &Filter, limit: usize) -> Result<(), Broken> {
        let (mut count, mut next, mut parts) = (0, Some(Cursor::START), 0);
        while let Some(after) = next {
            let (part, rest) = engine.count(self.now, filter, after);
            (count, next, parts) = (count + part, rest, parts + 1);
            self.judge_parts(parts)?;
        }
        // For a status alone, expired records that are not yet forgotten count, too.
        let fitting = match filter.status.filter(|status| *filter == Filter::of(*status)) {
            Some(status) => self.expected.count(status),
            None => self.fitting(filter).count() as u64,
        };
        holds(count == fitting, || {
            broken(format_args!("{count} records are counted, but {fitting} match {filter:?}"))
        })?;
        let (mut keys, mut next, mut parts) = (Vec::new(), Some(Cursor::START), 0);
        while let Some(after) = next {
            let (part, rest) = engine.find_keys(self.now, filter, after, limit);
            holds(part.len() <= limit.max(1), || {
                broken(format_args!("{} keys are returned, the limit is {limit}", part.len()))
            })?;
            for key in &part {
                let number = self.key_table.number(key);
                keys.push(
                    number.ok_or_else(|| broken(format_args!("{key} is returned, which is the key of no event")))?,
                );
            }
            (next, parts) = (rest, parts + 1);
            self.judge_parts(parts)?;
        }
        keys.sort_unstable();
        let expected: Vec<_> = self.fitting(filter).map(|(event, _)| event).collect();
        holds(keys == expected, || broken(format_args!("the keys of {keys:?} are returned, but {expected:?} match")))
    }

    fn judge_parts(self, parts: usize) -> Result<(), Broken> {
        holds(parts <= self.most_pages(), || broken("a count, or a list of keys, does not end"))
    }

    /// An upper bound of the pages of a list: with a scan limit of one, each record and each place of a removed one
    /// takes a page.
    fn most_pages(self) -> usize {
        8 * self.key_table.len() + 64
    }

    /// Returns the matching records, in the order of the events' numbers.
    fn fitting<'f>(self, filter: &'f Filter) -> impl Iterator<Item = (EventNumber, &'a ReferenceRecord)> + use<'a, 'f> {
        let present = self.expected.all().filter(move |(event, _)| self.expected.present(*event, self.now).is_some());
        present.filter(move |(_, record)| fits(filter, record))
    }

    fn fits(self, filter: &Filter, event: EventNumber) -> bool {
        self.expected.present(event, self.now).is_some_and(|record| fits(filter, record))
    }
}

/// Returns whether a record matches every part of a filter that is set.
fn fits(filter: &Filter, record: &ReferenceRecord) -> bool {
    let Filter { status, source, event_type, error, failed_from, failed_until, .. } = filter;
    let Filter { cause, id, accepted_from, accepted_until, .. } = filter;
    let failed_at = if let Lifecycle::Failed(at) = record.stage { Some(at) } else { None };
    let from_then_on = |from: Timestamp| failed_at.is_some_and(|at| at >= from);
    let before = |until: Timestamp| failed_at.is_some_and(|at| at < until);
    let whole = !record.stage.is_tombstone();
    let text = record.last_error.as_ref().map_or("", |error| error.as_str());
    status.is_none_or(|status| record.status() == status)
        && source.as_deref().is_none_or(|source| record.event.key().source() == source)
        && event_type.as_deref().is_none_or(|wanted| whole && record.event.event_type() == Some(wanted))
        && error.as_deref().is_none_or(|part| whole && text.contains(part))
        && failed_from.is_none_or(from_then_on)
        && failed_until.is_none_or(before)
        && cause.as_deref().is_none_or(|cause| whole && text.split('\n').next() == Some(cause))
        && id.as_deref().is_none_or(|id| *record.event.key().id() == *id)
        && accepted_from.is_none_or(|from| record.accepted_at >= from)
        && accepted_until.is_none_or(|until| record.accepted_at < until)
}

fn broken(what: impl std::fmt::Display) -> Broken {
    Broken::new("lists", 7, what)
}
