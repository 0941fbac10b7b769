//! Models of the whole adapter. Each says what must come true, and counts for itself.

mod batches;
mod cancellation;
mod faults;
mod journal;
mod operator;
mod permits;
mod readers;
mod room;
mod setup;
mod shutdown;
