//! The journal alone, without the adapter.

mod facts;
pub(crate) mod grouping;
mod media;
pub(crate) mod recovery;
