//! The real adapter and the real HTTP front on a simulated network, under faults.
//!
//! ```text
//!  client 0 ─┐                 ┌─────────────── server ───────────────┐
//!  client 1 ─┼─ links that ──▶ │ HTTP front ─▶ adapter ─▶ handler     │
//!  client 2 ─┘  misbehave      │                  ▲ hooks disturb it  │
//!                              └──────────────────┴───────────────────┘
//! ```
//!
//! A [`Scenario`](crate::tier::Scenario) says everything that decides a run, so equal scenarios have equal runs: same
//! [hash](crate::tier::Report::hash), in any process. A run goes through chaos, ends all faults, waits until
//! every event has ended, and then looks whether everything adds up. Oracles look on all the time.
//!
//! The network is [turmoil](https://docs.rs/turmoil)'s; no other module names it. Its time goes on
//! in ticks of 5 ms for messages, and of 1 ms for timers.
//!
//! Without a journal a process that ends leaves nothing behind, for the engine is in memory: what
//! clients were told holds for the process that said it. In other scenarios the adapter has a
//! journal on a [simulated disk](crate::disk), which outlives processes and forgets what was not
//! synced when the power fails: then it holds for ever.
//!
//! What it cannot see: two threads at a time (a run has one), a handler that blocks its thread, and
//! a real kernel's TCP (nothing is sent twice, so what is lost is lost until a timeout). The front's
//! `date` header is the machine's; no hash has headers in it.

mod answers;
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
