//! Journals on servers of PostgreSQL that these tests start themselves.

mod append;
mod cluster;
mod conformance;
mod crash;
mod engine;
mod leftovers;
mod opening;
mod proxy;
mod schema;
mod standby;
mod start;
mod steps;
