//! What `commits` is without feature `durable`: everything is as durable as it gets.

use core::convert::Infallible;

use super::unavailable::Unavailable;
use crate::engine::{Output, Ticket, Timestamp};

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

    pub(super) const fn has_room(&self, _: usize) -> bool {
        true
    }

    pub(super) const fn is_behind(&self) -> bool {
        false
    }

    pub(super) const fn has_work(&self) -> bool {
        false
    }

    pub(super) const fn writing_since(&self) -> Option<Timestamp> {
        None
    }

    pub(super) const fn room(&self) -> Option<u64> {
        None
    }
}

/// See the module `commits`.
#[derive(Debug, Default)]
pub(super) struct Synced {}

impl Synced {
    pub(super) async fn wait(&self, mark: Mark) -> Result<(), Unavailable> {
        match mark {}
    }
}
