//! The journal alone, without the adapter.

mod facts;
pub(crate) mod grouping;
pub(crate) mod media;
pub(crate) mod recovery;
pub(crate) mod snapshots;
pub(crate) mod steps;
