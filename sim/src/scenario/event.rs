//! The events of a scenario.

/// The number of an event of a scenario. Its key follows from it.
pub type EventNumber = u16;
