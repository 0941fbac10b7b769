//! The frame around every run: a scenario is drawn from a seed, run, replayed, shrunk, saved in a file and shown on a
//! page, whatever its tier.
//!
//! A [`Tier`] defines the rest: the simulation in which a run takes place, its operations, and its faults.
//!
//! | file | part |
//! |---|---|
//! | `scenario` | a tier, a scenario as data, and the report of a run |
//! | `file`, `refusal` | the file of a scenario, and its errors |
//! | `probes` | counters of what a run reached |
//! | `shrink` | shrinks a scenario that breaks a promise |

mod file;
mod probes;
mod refusal;
mod scenario;
mod shrink;

pub use file::ScenarioHead;
pub use probes::{Countable, Probes};
pub use refusal::FileError;
pub use scenario::{Keep, Report, Scenario, ScenarioChange, ScenarioPart, Tier};
pub use shrink::{Shrunk, shrink};
