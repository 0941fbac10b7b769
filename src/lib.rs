//! An embeddable engine that accepts events, remembers them by id, runs your handler on each,
//! retries what fails, and never loses one.
//!
//! ```text
//! HTTP → Ingest → Store → Channel → Dispatcher → Workers
//!                   ↑         ↖
//!                   └─ Sweeper ┘
//! ```
//!
//! # The story
//!
//! A queue with a worker pool behind it loses work when the queue is full or broken, runs an id
//! twice, cannot tell a duplicate from a conflict, hangs on shutdown, and its metrics drift. Here
//! an event is a *record* first, found by its *key*. Whether it is scheduled is another question:
//! a waiting record is *delayed* until its time, in the *line*, or *queued*, which means that a
//! live *ticket* of it is in the channel. A ticket can be lost at any time, and then the record
//! goes back to the line. A ticket that is presented starts a *run*, and only the outcome of the
//! current run counts. What is decided is a *fact*; records are what facts make of them.
//!
//! # Three layers
//!
//! [`Engine`] is a sans-IO state machine that decides about events: [`Command`]s with their times go in,
//! [`Answer`]s and [`Effect`]s come out. [`node::Node`] is another one around it, and decides about everything
//! else: the channel, permits, who waits, group commit, shutdown. Neither has a clock, I/O or threads;
//! without features this crate is `no_std`, so the compiler proves it.
//!
//! `Eventful` (feature `tokio`, on by default) is what most programs use: a thin driver that keeps the node
//! behind a lock, performs its actions, and runs your handler. The simulator drives the same node.
//! `docs/ARCHITECTURE.md` in the repository has the walk of one event and the tables of states.
//!
//! | module | feature | what |
//! |---|---|---|
//! | `engine` | | the state machine of events |
//! | [`node`] | | everything around it that decides |
//! | `journal` | `durable` | what survives a crash |
//! | `runtime` | `tokio` | the driver on tokio: builder, handle, handler, clock |
//! | `http` | `http` | the HTTP front |
//! | `bin/eventful` | `server` | the program |
//!
//! # Promises
//!
//! The promises P1 to P11 stand in the README, each with the test that defends it. The one to know
//! before you write a handler: delivery is **at least once**. A crash between a handler's side
//! effect and its recorded outcome runs it again, so the handler gets the key, the attempt and the
//! run to make its own effects idempotent.

#![no_std]

extern crate alloc;
#[cfg(any(feature = "tokio", feature = "durable", test))]
extern crate std;

mod engine;
#[cfg(feature = "http")]
pub mod http;
#[cfg(feature = "durable")]
pub mod journal;
pub mod node;
#[cfg(feature = "tokio")]
mod runtime;
#[cfg(feature = "tokio")]
mod sync;

#[doc(hidden)]
pub use engine::Thresholds;
pub use engine::{
    AfterRun, Algorithm, Answer, AttemptEnd, Attributes, Backoff, Bound, Change, Charge, Command, Config, Conflict,
    Cursor, Deadline, Digest, Downtime, DropReason, DroppedFailure, Duplicate, DurableState, Effect, Engine,
    EnqueueFailure, Epoch, ErrorText, Event, Fact, FactCounters, FailedOverflow, Filter, Gauges, Histogram, Histograms,
    Id, InvalidConfig, InvalidEvent, InvalidKey, Key, Metrics, NotBefore, Outcome, Output, Page, PastAttempt, Phase,
    Place, RecordView, Refusal, RejectReason, Rejection, Replay, ReplayError, Run, RunId, RunView, Seq, SnapshotLoader,
    SnapshotRecord, SnapshotSummary, Status, Swept, SweptReason, Tallies, Ticket, Timestamp, Violation, Wake,
};
#[cfg(feature = "sim")]
#[doc(hidden)]
pub use node::{Action, Hooks, Point};
pub use node::{
    DiscardError, JournalState, NotReady, Notice, PauseError, Readiness, RedriveError, ShutdownReport, Stats,
    SubmitError, Submitted, Unavailable, WaitError,
};
#[cfg(feature = "tokio")]
pub use runtime::{
    Attempt, Builder, Cancellation, Clock, Discarded, Eventful, Failure, FailureKind, Handler, ManualClock, Redriven,
    Sleep, Stale, StartError, Subscription, SystemClock,
};
#[cfg(all(feature = "tokio", feature = "durable"))]
pub use runtime::{Durability, Recovery, StartDurability};

/// Runs the examples of the README.
#[cfg(all(doctest, feature = "tokio"))]
#[doc = include_str!("../README.md")]
struct ReadmeExamples;
