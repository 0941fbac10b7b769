//! The core tier's scenarios: configuration, operations of clients and operators, and faults.

mod behaviour;
mod draw;
mod draw_groups;
mod draw_journal;
mod draw_settings;
mod draw_types;
mod draw_waits;
mod event;
mod family;
mod fault;
mod fault_kind;
mod kinds;
mod operation;
mod settings;
mod tier;
mod units;
mod words;

pub use behaviour::Behaviour;
pub use event::EventNumber;
pub use family::{DrawPlan, FaultFamily};
pub use fault::{CoreFault, Injection, Loss};
pub use fault_kind::FaultKind;
pub use operation::{Act, Operation};
pub use settings::{CoreSetup, GroupSettings, Journaling, Settings, SmallThresholds, TypeSettings};
pub use tier::{CoreScenario, CoreTier};
pub use units::MILLI;
pub use units::Micros;
