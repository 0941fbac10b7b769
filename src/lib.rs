//! An embeddable engine that accepts events, remembers them by id, runs your handler on each,
//! retries what fails, and never loses one.
//!
//! The engine proper is a sans-IO state machine: [`Engine`] takes [`Command`]s with their times,
//! and gives back [`Answer`]s and [`Effect`]s. It has no clock, no I/O and no threads, and without
//! features this crate is `no_std`, so the compiler proves it.

#![no_std]

extern crate alloc;
#[cfg(any(feature = "tokio", test))]
extern crate std;

mod engine;

pub use engine::{
    Algorithm, Answer, AttemptEnd, Backoff, Bound, Change, Charge, Command, Config, Conflict, Cursor, Deadline, Digest,
    Duplicate, DurableState, Effect, Engine, EnqueueFailure, Epoch, ErrorText, Event, Fact, FactCounters, Gauges,
    Histogram, Histograms, Id, InvalidConfig, InvalidEvent, InvalidKey, Key, Metrics, Next, Outcome, Output, Page,
    PastAttempt, Phase, Place, RecordView, Refusal, RejectReason, Rejection, Replay, ReplayError, Run, RunId, RunView,
    Status, Swept, SweptReason, Tallies, Ticket, Timestamp, Violation, Wake,
};
