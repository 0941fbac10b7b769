//! The division of shards among nodes: its rules, and a simulation of several nodes with clocks of their own, delays, losses,
//! pauses and kills.

#[expect(dead_code, reason = "the driver reads more of it")]
#[path = "../../src/membership/mod.rs"]
mod membership;
#[expect(unreachable_pub, reason = "it is public in its crate")]
#[path = "../../src/node_id.rs"]
mod node_id;

mod database;
mod rules;
mod scenarios;
mod world;
