//! The real program, one scenario per test.

mod absent;
mod access;
mod attack;
mod banner;
mod clients;
mod config;
mod container;
mod deliver;
mod documents;
mod exec;
mod journal;
mod kill;
mod ledger;
#[cfg(feature = "nats")]
mod nats;
mod operator;
#[cfg(feature = "otlp")]
mod otlp;
mod output;
mod packaging;
mod page;
#[cfg(feature = "postgres")]
mod postgres;
mod process;
mod routing;
mod secrecy;
mod send;
mod shortage;
mod signals;
mod sink;
mod tail;
#[cfg(feature = "tls")]
mod tls;
mod usage;
