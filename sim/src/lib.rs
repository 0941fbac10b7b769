//! Simulates an [`eventful`] node under faults, and checks that its promises hold.
//!
//! ```text
//! seed ──▶ scenario ──▶ world ──calls, time──▶ node ──Command──▶ engine
//!                       │   ◀────Actions, Job──  │ hooks
//!                       └───────▶ oracles ◀──────┘
//! ```
//!
//! For users: `check` (feature `check`, on by default) runs a handler of yours in the real adapter,
//! under faults and in virtual time, and says what is wrong with it.
//!
//! The specification, for every tier:
//!
//! - [`spec`]: a fold of facts into records, which rejects a fact that cannot follow, and the engine as
//!   its contract has it, written to be read, without any cleverness.
//!
//! The frame around every run of the tiers below:
//!
//! - [`tier`]: a scenario as data, drawn from a seed, kept as JSON, replayed exactly, made small.
//! - [`trace`]: what happened, for people. [`report`]: a page that shows it.
//!
//! The core tier, a world of discrete events around the node that ships:
//!
//! - [`scenario`]: what its scenarios are made of, and how they are drawn.
//! - [`world`]: a driver of the node (clients, dispatcher, workers, sweeper, writer of the journal, clock
//!   and process) with a choice among all steps that are ready.
//! - [`oracle`]: what must hold, one file each. [`failure`]: what it looks like when it does not.
//! - [`scope`]: every interleaving of a tiny case.
//! - [`seeded_rng`], [`state_hash`], [`key_table`]: labelled random streams, a chained hash, the keys of events.
//!
//! The disk under a journal, alone and in both other tiers:
//!
//! - [`disk`]: a simulated disk with its faults, journals on it, crash points and trials.
//!
//! The model tier, a plain model against the engine:
//!
//! - [`strategy`]: what a test feeds to both: small configurations, and steps at awkward times.
//! - [`sut`]: the engine with all that it ever put out.
//! - [`assertions`]: what must be equal after each step, and what must hold of the engine alone.
//! - [`driver`]: an engine with a clock that jumps and a channel that loses tickets on demand, for
//!   tests that tell one scenario.
//!
//! The turmoil tier: `network` (feature `turmoil`), the adapter and the HTTP front on a simulated
//! network.

pub mod assertions;
#[cfg(feature = "check")]
mod at_once;
#[cfg(feature = "check")]
mod check;
pub mod disk;
pub mod driver;
mod edge;
pub mod failure;
pub mod key_table;
#[cfg(feature = "turmoil")]
pub mod network;
pub mod oracle;
mod panics;
pub mod report;
pub mod scenario;
pub mod scope;
pub mod seeded_rng;
pub mod spec;
mod spelling;
pub mod state_hash;
pub mod strategy;
pub mod sut;
pub mod tier;
pub mod trace;
pub mod world;

#[cfg(feature = "check")]
pub use check::{Check, HandlerFault, check};
