//! The core tier: the node that ships, in a world of discrete events.
//!
//! The world is the node's driver: it has the tasks that a driver has, and calls the node from each of
//! them. What goes wrong comes from a scenario. A step is one of all that are ready, whichever the
//! [`Schedule`] says, so that every order of them can occur; time passes only when none is ready. Nothing
//! that the node decides is decided here.
//!
//! | file | part |
//! |---|---|
//! | `state`, `steps` | the world, and one step after the other |
//! | `event_queue`, `schedule` | what happens when, and which of the ready steps comes first |
//! | `calls`, `stop` | calls the node, and performs what it wants done |
//! | `observer` | what the oracles see of a call |
//! | `routine`, `parts`, `keepers` | the tasks that call the node over and over; dispatcher and sweeper |
//! | `worker`, `handling`, `handlers` | workers and their handlers |
//! | `tasks`, `turns` | tasks that work on several runs, one after the other, and settle them together |
//! | `clients`, `waiting`, `reading`, `waits` | what is asked of the node, who waits for what, and who reads facts |
//! | `journal`, `writer`, `recovery` | the disk and the journal on it, its writer, and what comes back after a death |
//! | `process` | shutdown, death and restart of the process |
//! | `damage`, `rot` | journals that are damaged |
//! | `trouble` | the faults |
//! | `phases` | chaos, then healing, then a bounded time to finish, then the audit |
//! | `unmatched` | what operators do to events that wait for no policy |
//! | `watch` | what must hold whenever time passes |
//! | `trace`, `wording` | what people get to see of it |

mod backlog;
mod bounds;
mod calls;
mod clients;
mod damage;
mod event_queue;
mod handlers;
mod handling;
mod journal;
mod keepers;
mod lists;
mod observer;
mod parts;
mod phases;
mod process;
mod reading;
mod recovery;
mod rot;
mod routine;
mod schedule;
mod state;
mod steps;
mod stop;
mod tasks;
mod trace_recorder;
mod trouble;
mod turns;
mod unmatched;
mod waiting;
mod waits;
mod watch;
mod wording;
mod worker;
mod writer;

pub(crate) use phases::Halt;
pub use phases::WorldEnd;
pub use schedule::Schedule;
pub(crate) use schedule::Visited;
pub use state::World;
