//! The core tier: the product's node in a discrete-event simulation.
//!
//! The simulation is the node's driver: it has the tasks of a driver, and calls the node from each of them. Faults
//! come from a scenario. A step is one of all that are ready, chosen by the [`StepSchedule`], so that every order of them
//! can occur; time passes only when none is ready. No decision of the node is made here.
//!
//! | file | part |
//! |---|---|
//! | `state`, `steps` | the state of the simulation, and its steps |
//! | `event_queue`, `schedule` | tasks by their times, and the choice among ready ones |
//! | `calls`, `stop` | calls of the node, and its actions |
//! | `observer` | the view of oracles on a call |
//! | `routine`, `parts`, `keepers` | the tasks that call the node over and over; dispatcher and sweeper |
//! | `worker`, `handling`, `handlers` | workers, and the behaviour of handlers |
//! | `tasks`, `turns` | tasks that handle several runs, one after the other, and settle them together |
//! | `clients`, `waiting`, `reading`, `lists`, `waits` | calls of clients, waits for their results, readers of facts and lists |
//! | `journal`, `writer`, `recovery`, `bounds`, `backlog` | the disk and the journal on it, its writer, its recovery, its bounds |
//! | `process` | shutdown, death and restart of the process |
//! | `damage`, `rot` | damaged journals |
//! | `trouble` | the faults |
//! | `phases` | faults, then their end, then a bounded time to finish, then the audit |
//! | `unmatched` | events that wait for an operator, and are discarded or redriven |
//! | `watch` | checks after each step and whenever time passes |
//! | `trace_recorder`, `wording` | the trace for people |

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
pub use schedule::StepSchedule;
pub(crate) use schedule::Visited;
pub use state::World;
