//! Models of the whole adapter. Each checks what must come true, with counters of its own.

mod batches;
mod cancellation;
mod faults;
mod journal;
mod operator;
mod permits;
mod readers;
mod room;
mod setup;
mod shards;
mod shutdown;
