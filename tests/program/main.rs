//! The real program, one scenario per test.

mod deliver;
mod exec;
mod journal;
mod process;
mod send;
mod signals;
mod sink;
mod usage;
