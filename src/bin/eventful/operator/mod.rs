//! The operator's commands: against a server, or the directory of one that has stopped.
//!
//! | module | topic |
//! |---|---|
//! | `options` | the arguments of these commands |
//! | `backend` | calls to a server, or to the same API over an opened directory |
//! | `query` | the query of a call |
//! | `moment` | times as people write them: a clock time, or a time ago |
//! | `misused` | the error of arguments that are not possible |
//! | `show` | events and numbers as text |
//! | `bulk` | redrive and discard of many |
//! | `doctor` | findings, each with a remedy |
//! | `watch` | a table that is refreshed |
//! | `tail`, `event_stream` | facts as they happen; server-sent events |
//! | `commands` | each command |

mod backend;
mod bulk;
mod commands;
mod doctor;
mod event_stream;
mod misused;
mod moment;
pub(crate) mod options;
mod query;
mod show;
mod tail;
mod watch;

pub(crate) use commands::call;
pub(crate) use misused::Misused;
