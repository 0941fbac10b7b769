//! Events from brokers and to them: the intake's decisions, the driver, and the rules of clients.

mod bench;
mod conformance;
mod consume;
#[path = "../harness/disk.rs"]
mod disk;
mod intake;
