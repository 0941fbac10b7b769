//! Simulates an [`eventful`] node under faults, and checks that its promises hold.
//!
//! ```text
//! seed ──▶ scenario ──▶ world ──calls, time──▶ node ──Command──▶ engine
//!                       │   ◀────Actions, Job──  │ hooks
//!                       └───────▶ oracles ◀──────┘
//! ```
//!
//! For users: `check` (feature `check`, on by default) runs a handler of yours in the real adapter, under faults and
//! in virtual time, and reports its flaws.
//!
//! For those who drive the tiers themselves, as the program `eventful-sim` does:
//!
//! - [`tier`]: the frame around every run: a scenario as data, drawn from a seed, saved as JSON, replayed exactly, shrunk.
//! - [`scenario`]: the scenarios of the core tier, and their random generation.
//! - [`broker`]: a simulated broker, and the intake of its messages.
//! - [`disk`]: a simulated disk with its faults, journals on it, crash points and random faults.
//! - `network` (feature `turmoil`): the adapter and the HTTP front on a simulated network.
//! - [`report`]: a page that shows the steps of a run.
//!
//! Everything else is public for the tests alone, hidden from these pages, and changes without notice:
//!
//! - `spec`, for every tier: a fold of facts into records, which rejects a fact that cannot follow, and the engine as
//!   its contract has it, written to be read, without optimization.
//! - `world`: a driver of the node (clients, dispatcher, workers, sweeper, writer of the journal, clock and process) with
//!   a choice among all steps that are ready. `scope`: every interleaving of a tiny case.
//! - `oracle`: properties that must hold, one file each. `failure`: a violation. `trace`: the steps of a run.
//! - `seeded_rng`, `state_hash`, `key_table`: labelled random streams, a chained hash, the keys of events.
//! - `strategy`, `sut`, `assertions`, `driver`: the model tier, a plain model against the engine: its inputs, the engine
//!   with all of its output, the comparison after each step, and a driver for tests of one scenario.

#[doc(hidden)]
pub mod assertions;
#[cfg(feature = "check")]
mod at_once;
pub mod broker;
#[cfg(feature = "check")]
mod check;
pub mod disk;
#[doc(hidden)]
pub mod driver;
mod edge;
#[doc(hidden)]
pub mod failure;
#[doc(hidden)]
pub mod key_table;
#[cfg(feature = "turmoil")]
pub mod network;
#[doc(hidden)]
pub mod oracle;
mod panics;
pub mod report;
pub mod scenario;
#[doc(hidden)]
pub mod scope;
#[doc(hidden)]
pub mod seeded_rng;
#[doc(hidden)]
pub mod spec;
mod spelling;
#[doc(hidden)]
pub mod state_hash;
#[doc(hidden)]
pub mod strategy;
#[doc(hidden)]
pub mod sut;
pub mod tier;
#[doc(hidden)]
pub mod trace;
#[doc(hidden)]
pub mod world;

#[cfg(feature = "check")]
pub use check::{Check, HandlerFault, check};
