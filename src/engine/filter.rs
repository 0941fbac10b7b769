//! Filters of records.

use alloc::boxed::Box;

use super::Engine;
use super::command::ErrorText;
use super::status::Status;
use super::store::{LiveRecord, LiveState, Location};
use super::time::Timestamp;

/// A filter of records: it matches those that fit every part that is set. Without any part, all.
///
/// ```
/// use eventful::{Filter, Status};
///
/// let mut filter = Filter::of(Status::Failed);
/// filter.error = Some("connection refused".into());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Filter {
    /// Records of this status.
    pub status: Option<Status>,
    /// Events from this source. Empty: those without one.
    pub source: Option<Box<str>>,
    /// Events of this type. A completed or discarded event keeps none.
    pub event_type: Option<Box<str>>,
    /// Events with this text in their last error. A completed or discarded event keeps none.
    pub error: Option<Box<str>>,
    /// Events with this as the first line of their last error, which says what went wrong. A completed or discarded
    /// event keeps none.
    pub cause: Option<Box<str>>,
    /// Events with this id, from any source.
    pub id: Option<Box<str>>,
    /// Events that were accepted then, or later.
    pub accepted_from: Option<Timestamp>,
    /// Events that were accepted before.
    pub accepted_until: Option<Timestamp>,
    /// Events that failed then, or later.
    pub failed_from: Option<Timestamp>,
    /// Events that failed before.
    pub failed_until: Option<Timestamp>,
}

/// The range of records that can fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Range {
    All,
    Live,
    Failed,
    Ended,
}

impl Filter {
    /// All records of this status.
    pub fn of(status: Status) -> Self {
        Self { status: Some(status), ..Self::default() }
    }

    /// Returns the status that is meant when nothing but a status is.
    pub(super) fn only_status(&self) -> Option<Status> {
        let status = self.status?;
        (*self == Self::of(status)).then_some(status)
    }

    pub(super) fn range(&self) -> Range {
        if self.status == Some(Status::Failed) || self.failed_from.is_some() || self.failed_until.is_some() {
            return Range::Failed;
        }
        match self.status {
            Some(Status::Completed | Status::Discarded) => Range::Ended,
            Some(Status::Received | Status::Processing | Status::FailedRetry | Status::Failed) => Range::Live,
            // Tombstones keep none of these, so none of them fits.
            None if self.event_type.is_some() || self.error.is_some() || self.cause.is_some() => Range::Live,
            None => Range::All,
        }
    }

    fn fits_live(&self, record: &LiveRecord) -> bool {
        let failed_at = if let LiveState::Failed { at, .. } = record.state { Some(at) } else { None };
        let error = record.last_error().map_or("", ErrorText::as_str);
        self.failed_from.is_none_or(|from| failed_at.is_some_and(|at| at >= from))
            && self.failed_until.is_none_or(|until| failed_at.is_some_and(|at| at < until))
            && self.event_type.as_deref().is_none_or(|wanted| record.event.event_type() == Some(wanted))
            && self.error.as_deref().is_none_or(|text| error.contains(text))
            && self.cause.as_deref().is_none_or(|cause| record.last_error().map_or("", ErrorText::cause) == cause)
    }
}

impl Engine {
    pub(super) fn fits(&self, filter: &Filter, location: Location) -> bool {
        let store = &self.state.store;
        let keeps_event = match location {
            Location::Live(slot) => filter.fits_live(&store.live[slot]),
            Location::Tombstone(_) => {
                filter.range() != Range::Failed
                    && filter.event_type.is_none()
                    && filter.error.is_none()
                    && filter.cause.is_none()
            }
        };
        keeps_event
            && filter.status.is_none_or(|status| store.status(location) == status)
            && filter.source.as_deref().is_none_or(|source| store.key(location).source() == source)
            && filter.id.as_deref().is_none_or(|id| *store.key(location).id() == *id)
            && filter.accepted_from.is_none_or(|from| store.accepted_at(location) >= from)
            && filter.accepted_until.is_none_or(|until| store.accepted_at(location) < until)
    }
}
