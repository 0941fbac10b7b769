//! What `commits` is without feature `durable`: everything is as durable as it gets.

use core::convert::Infallible;

use super::journal_state::JournalState;
use super::unavailable::{Unavailable, Unsynced};
use crate::engine::{Bound, Output, Rejection, Ticket, Timestamp};

/// Nothing that could have to be durable.
pub(super) type Mark = Infallible;

/// See the module `commits`.
#[derive(Debug, Default)]
pub(super) struct Commits;

impl Commits {
    pub(super) const fn none() -> Self {
        Self
    }

    pub(super) const fn keeps_facts(&self) -> bool {
        false
    }

    pub(super) const fn add(&self, _: &mut Output) {}

    pub(super) const fn pass(&self, ticket: Ticket) -> Option<Ticket> {
        Some(ticket)
    }

    pub(super) const fn forget_tickets(&self) {}

    pub(super) const fn tail(&self) -> Option<Mark> {
        None
    }

    pub(super) const fn is_idle(&self) -> bool {
        true
    }

    pub(super) const fn unsynced(&self) -> u64 {
        0
    }

    pub(super) const fn unavailable(&self) -> Option<Unavailable> {
        None
    }

    pub(super) const fn refusal(&self, _: Timestamp, _: usize) -> Option<(Bound, Rejection)> {
        None
    }

    pub(super) const fn state(&self, _: Timestamp, _: Option<Timestamp>, _: usize) -> Option<JournalState> {
        None
    }

    pub(super) const fn unsynced_since(&self) -> Option<Timestamp> {
        None
    }

    pub(super) const fn holds(&self, _: Timestamp) -> bool {
        true
    }

    pub(super) const fn is_behind(&self) -> bool {
        false
    }

    pub(super) const fn is_late(&self, _: Timestamp) -> bool {
        false
    }

    pub(super) const fn is_stuck(&self, _: Timestamp) -> bool {
        false
    }

    pub(super) const fn overdue(&self, _: Timestamp) -> Option<Mark> {
        None
    }

    pub(super) const fn next_overdue(&self, _: Timestamp) -> Option<Timestamp> {
        None
    }

    pub(super) const fn has_work(&self) -> bool {
        false
    }

    pub(super) const fn room(&self) -> Option<u64> {
        None
    }

    pub(super) const fn unsynced_bytes(&self) -> u64 {
        0
    }

    pub(super) const fn settled(&self) -> u64 {
        0
    }
}

/// See the module `commits`.
#[derive(Debug, Default)]
pub(super) struct Synced {}

impl Synced {
    pub(super) async fn wait(&self, mark: Mark) -> Result<(), Unsynced> {
        match mark {}
    }

    pub(super) async fn wait_however_long(&self, mark: Mark) -> Result<(), Unsynced> {
        match mark {}
    }

    pub(super) const fn stop_waiting(&self, up_to: Mark) {
        match up_to {}
    }
}
