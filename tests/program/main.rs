//! The real program, one scenario per test.

mod deliver;
mod exec;
mod process;
mod send;
mod signals;
mod sink;
mod usage;
