//! Routing: which target an event is for, and how its attempts are made.
//!
//! | module | topic |
//! |---|---|
//! | `config` | `[targets.NAME]` and `[[routes]]` of a configuration file |
//! | `route` | the patterns of a route |
//! | `work` | what is done with an event: log it, post it, run a command on it |
//! | `target` | one target: its work, timeout and retry policy |
//! | `router` | all of them, as the handler |

pub(crate) mod config;
mod route;
pub(crate) mod router;
mod target;
mod work;
