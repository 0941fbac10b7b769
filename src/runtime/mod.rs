//! The tokio adapter: drives the node, and decides nothing.
//!
//! | module | topic |
//! |---|---|
//! | `builder`, `durability`, `cluster` | the setup of an adapter, of its journal, of several engines behind one handle |
//! | `starting`, `recovering`, `recovery` | the start, the recovery of all journals, and what they held |
//! | `handle`, `shards` | the handle that a program keeps, and the engines among which it divides keys |
//! | `ingest`, `reads`, `wait`, `subscribe`, `stats` | calls of a handle: submit, read, wait, facts, numbers |
//! | `consuming` | decisions and their durability apart, for the consumer of a broker (feature `broker`) |
//! | `operator`, `bulk` | calls of an operator: redrive, discard, pause, for one event or many |
//! | `shared`, `notifications` | the node behind its lock, and the wakers of tasks and callers |
//! | `dispatcher`, `sweeper`, `supervisor` | the tasks that start runs and sweep, and their restarts |
//! | `worker`, `run_guard`, `leader_runs` | tasks that work on runs; a run in flight; runs that others may take over |
//! | `call`, `handler`, `attempt`, `span` | the call of a handler; its types, its view on a run, its span |
//! | `routes`, `router`, `json` | the handler of each type of events; handlers of typed payloads (feature `json`) |
//! | `follow_ups` | the events with which a handler ends its own |
//! | `leases` | runs for workers that ask for them |
//! | `writer`, `driver` | the writer of the journal, and its thread or task (feature `durable`) |
//! | `ender` | shutdown, on a thread or task of its own |
//! | `failures` | log lines for failed events of which no other trace remains |
//! | `holds`, `points` | the times for which the lock is held; points at which a simulator disturbs |
//! | `clock`, `timeline`, `latch` | clocks, the engine's time, an event in time that many may wait for |

mod attempt;
mod builder;
mod bulk;
mod call;
mod clock;
mod cluster;
#[cfg(feature = "broker")]
mod consuming;
mod dispatcher;
#[cfg(feature = "durable")]
mod driver;
#[cfg(feature = "durable")]
mod durability;
mod ender;
mod failures;
mod follow_ups;
mod handle;
mod handler;
mod holds;
mod ingest;
#[cfg(feature = "json")]
mod json;
mod latch;
mod leader_runs;
mod leases;
mod notifications;
mod operator;
mod points;
mod reads;
#[cfg(feature = "durable")]
mod recovering;
#[cfg(feature = "durable")]
mod recovery;
mod router;
mod routes;
mod run_guard;
mod shards;
mod shared;
mod span;
mod starting;
mod stats;
mod subscribe;
mod supervisor;
mod sweeper;
mod timeline;
mod wait;
mod worker;
#[cfg(feature = "durable")]
mod writer;

pub use attempt::{Attempt, Cancellation, NotSettled, Stale};
pub use builder::{Builder, StartError};
pub use bulk::{Discarded, Redriven};
pub use clock::{Clock, ManualClock, Sleep, SystemClock};
pub use cluster::ClusterConfig;
#[cfg(feature = "durable")]
pub use durability::{Durability, StartDurability};
pub use follow_ups::FollowUpError;
pub use handle::Eventful;
pub use handler::{Failure, FailureKind, Handler};
#[cfg(feature = "json")]
pub use json::{JsonHandler, json};
pub use leases::{Lease, LeaseDesk};
#[cfg(feature = "durable")]
pub use recovery::Recovery;
pub use subscribe::Subscription;
