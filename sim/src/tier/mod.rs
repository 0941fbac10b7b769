//! The frame around every run: a scenario is drawn from a seed, run, replayed, made smaller, kept in
//! a file and shown on a page, whatever its tier.
//!
//! A [`Tier`] is what differs: the world in which a run takes place, what is done in it, and what goes wrong.
//!
//! | file | part |
//! |---|---|
//! | `scenario` | a tier, a run of it as data, and what a run has come to |
//! | `file`, `refusal` | the file of a scenario, and why it cannot be read |
//! | `probes` | what has fired |
//! | `shrink` | makes a scenario that breaks a promise small |

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
