//! The plan of scenarios.

use crate::spelling::counted;

/// The plan of scenarios.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DrawPlan {
    /// The number of submissions.
    pub submits: u16,
    /// True if each family of faults is disabled in half of the runs; else all are enabled in every run.
    pub swarm: bool,
    /// True if there may be a journal, with the faults of its disk: it is a family like the others.
    pub journals: bool,
}

/// A bound that follow-ups pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Crowd {
    Events,
    Groups,
    Bytes,
}

counted! {
/// A family of faults.
pub enum FaultFamily {
    /// The channel is full, of capacity one, or without a receiver.
    Channel,
    /// Tickets and markers are lost or presented twice.
    Tickets,
    /// The dispatcher stalls or dies.
    Dispatcher,
    /// The sweeper dies or is late.
    Sweeper,
    /// Handlers fail, ask for more time, or report nonsense.
    Handlers,
    /// Handlers panic, hang, or ignore cancellation.
    Crashes,
    /// Clients retry, change payloads, race themselves and hang up.
    Clients,
    /// Clocks step, the process pauses.
    Clock,
    /// Shutdowns.
    Shutdown,
    /// The process restarts.
    Restart,
    /// Bounds by count and bytes are small.
    Overload,
    /// Events that kill each worker; times at which everything fails.
    Masses,
    /// Operators redrive, discard, pause and resume.
    Operators,
    /// Parts are stopped one by one, and restored in another order.
    Swizzle,
    /// There is a journal; its disk fails, and processes die.
    Journal,
    /// Clients wait: for room, for the end of an event, until none is pending.
    Waiters,
    /// Facts are read as they happen.
    Readers,
    /// A call of the node panics.
    Panics,
    /// Events are submitted ahead of their time.
    Delays,
    /// Some types of events have policies, or none is for them and they wait.
    Types,
    /// Events are in groups, of which one is hot, and some have an order.
    Groups,
    /// Handlers end with follow-ups, some of which are known or conflict, or are too many.
    FollowUps,
}
}
