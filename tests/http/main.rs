//! The HTTP front over real sockets, one scenario per test.

mod access;
mod bad_input;
mod batch;
mod cloud_events;
mod connections;
#[path = "../harness/disk.rs"]
mod disk;
mod doors;
mod facts;
mod failed;
mod h2;
mod leases;
mod limits;
mod numbers;
mod operator;
mod server;
mod shards;
mod sources;
mod stuck;
mod submit;
mod targets;
mod ui;
mod urls;
