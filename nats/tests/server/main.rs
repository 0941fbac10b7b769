//! Sources and sinks on servers of NATS that these tests start themselves.

mod conformance;
mod crash;
mod letters;
mod opening;
mod overload;
mod start;
mod steps;
