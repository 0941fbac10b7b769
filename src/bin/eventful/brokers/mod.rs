//! Brokers that events come from and go to.
//!
//! | module | topic |
//! |---|---|
//! | `config` | `[sources.NAME]` with a `kind`, and the flag `--from` |
//! | `address` | URLs of brokers |
//! | `login` | users, passwords and tokens |
//! | `intake`, `publish` | the consumer of a stream; a target that is a subject (feature `nats`) |

pub(crate) mod address;
pub(crate) mod config;
#[cfg(feature = "nats")]
pub(crate) mod intake;
#[cfg(feature = "nats")]
mod login;
#[cfg(feature = "nats")]
pub(crate) mod publish;
