//! Facts, which are decided and must survive, and engines rebuilt from them.
//!
//! A journal keeps [`Fact`]s in the order in which they were decided. [`Replay`] applies them again, after the
//! records of a snapshot where there is one, and becomes an [`Engine`](super::Engine) that equals the one that
//! decided them.

pub use super::downtime::Downtime;
pub use super::fact::{AfterRun, AttemptEnd, Change, Charge, Fact};
pub use super::replay::{DurableState, Replay};
pub use super::restore::{SnapshotLoader, SnapshotRecord, SnapshotSummary};
pub use super::state::ReplayError;
