//! The HTTP front over real sockets, one scenario per test.

mod batch;
mod connections;
mod limits;
mod numbers;
mod operator;
mod server;
mod submit;
mod urls;
