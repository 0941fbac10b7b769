//! The HTTP front over real sockets, one scenario per test.

mod batch;
mod limits;
mod numbers;
mod operator;
mod server;
mod submit;
