//! The real adapter and the real HTTP front on a simulated network, under faults.
//!
//! ```text
//!  client 0 ─┐                 ┌─────────────── server ───────────────┐
//!  client 1 ─┼─ links that ──▶ │ HTTP front ─▶ adapter ─▶ handler     │
//!  client 2 ─┘  misbehave      │                  ▲ hooks disturb it  │
//!                              └──────────────────┴───────────────────┘
//! ```
//!
//! A [`Scenario`](crate::tier::Scenario) contains everything that decides a run, so equal scenarios have equal runs:
//! same [hash](crate::tier::Report::hash), in any process. A run injects faults, ends all of them, waits until every
//! event has ended, and then checks that everything adds up. Oracles check each tick of it.
//!
//! The network is that of [turmoil](https://docs.rs/turmoil); no other module names it. Its time advances in ticks of
//! 5 ms for messages, and of 1 ms for timers.
//!
//! Without a journal a process that ends leaves nothing behind, as the engine is in memory: its promises to clients
//! hold only while it is up. In other scenarios the adapter has a journal on a [simulated disk](crate::disk), which
//! outlives processes and loses what was not synced when the power fails: then promises hold for the rest of the run.
//!
//! Not simulated: two threads at a time (a run has one), a handler that blocks its thread, and the TCP of a real
//! kernel (nothing is sent twice, so a lost message is missing until a timeout). The `date` header of the front is the
//! machine's; no hash includes headers.

mod armed;
mod ask;
mod calm;
mod client;
mod clock;
mod connection_owners;
mod coverage;
mod disturb;
mod drive;
mod embedder;
mod faults;
mod generate;
mod given_up;
mod inside;
mod inspect;
mod inspect_access;
mod journal;
mod leave;
mod manner;
mod observed_store;
mod oracle;
mod outage;
mod responses;
mod run_context;
mod scenario;
mod schedule;
mod scripted_handler;
mod server;
mod step;
mod tier;
mod trace;
mod trace_builder;
mod window;
mod wire;

pub use inside::Inside;
pub use journal::JournalSetup;
pub use scenario::*;
pub use tier::{NetworkScenario, TurmoilTier};
