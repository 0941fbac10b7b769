//! The faults that can strike a handler.

use std::fmt;
use std::time::Duration;

/// A kind of fault. Each is something that a real process, or a real deployment, does to a handler sooner or later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum HandlerFault {
    /// Runs overlap: as many at the same time as the configuration allows. Without it they run one after the other.
    Overlap,
    /// The events arrive in another order.
    Order,
    /// The worker crashes before it calls the handler.
    CrashBefore,
    /// The worker crashes after the handler has ended, before that is recorded. So it runs again.
    CrashAfter,
    /// The run is delayed after one of its awaits.
    Slow,
    /// The run is dropped at one of its awaits: one that waits, or one of tokio's that need not, as tokio makes a task
    /// wait there once it has run for long.
    Drop,
    /// The run waits at one of its awaits until its deadline has passed, and is dropped.
    Timeout,
    /// The event is submitted again while it is processed.
    Duplicate,
    /// The process is suspended for a while, and all timers fire at once.
    Pause,
    /// The process stops and starts again in memory, and its senders submit every event again.
    Restart,
    /// The channel is treated as full.
    FullChannel,
    /// The channel loses its receiver.
    LostChannel,
    /// A ticket is lost on its way to the dispatcher.
    LostTicket,
    /// The dispatcher dies.
    DispatcherDies,
    /// The sweeper dies.
    SweeperDies,
}

impl HandlerFault {
    /// All kinds.
    pub const ALL: &[Self] = &[
        Self::Overlap,
        Self::Order,
        Self::CrashBefore,
        Self::CrashAfter,
        Self::Slow,
        Self::Drop,
        Self::Timeout,
        Self::Duplicate,
        Self::Pause,
        Self::Restart,
        Self::FullChannel,
        Self::LostChannel,
        Self::LostTicket,
        Self::DispatcherDies,
        Self::SweeperDies,
    ];
}

/// A fault with its place in the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PlannedFault {
    pub(super) fault: HandlerFault,
    pub(super) at: FaultPlace,
}

/// The place at which a fault strikes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FaultPlace {
    /// During the whole test case.
    Throughout,
    /// The order of events that this number seeds.
    Shuffle(u64),
    /// The `run`-th run of the event with this index; runs count from 1.
    Run { event: usize, run: u32 },
    /// The `suspension`-th await of a run at which it waits, counted from 1; for `delay`.
    Await { event: usize, run: u32, suspension: u32, delay: Duration },
    /// The await after this many operations of tokio that did not wait, or the first that waits.
    Preempted { event: usize, run: u32, after: u32 },
    /// The moment at which handlers were polled this often, all together; it concerns the event.
    Step { step: u32, event: usize, delay: Duration },
    /// A pass of the adapter's hook point, counted from 0.
    Pass(u32),
}

impl FaultPlace {
    /// Returns the event that is struck.
    pub(super) const fn event(self) -> Option<usize> {
        match self {
            Self::Run { event, .. } | Self::Await { event, .. } | Self::Preempted { event, .. } => Some(event),
            Self::Throughout | Self::Shuffle(_) | Self::Step { .. } | Self::Pass(_) => None,
        }
    }

    /// Returns the same place when only the events at these indices are left.
    pub(super) fn among(self, kept: &[usize]) -> Option<Self> {
        let moved = |event: usize| kept.iter().position(|&kept| kept == event);
        Some(match self {
            Self::Run { event, run } => Self::Run { event: moved(event)?, run },
            Self::Await { event, run, suspension, delay } => {
                Self::Await { event: moved(event)?, run, suspension, delay }
            }
            Self::Preempted { event, run, after } => Self::Preempted { event: moved(event)?, run, after },
            Self::Step { step, event, delay } => Self::Step { step, event: moved(event).unwrap_or(0), delay },
            Self::Throughout | Self::Shuffle(_) | Self::Pass(_) => self,
        })
    }
}

impl PlannedFault {
    /// Returns whether the fault lasts for the whole test case.
    pub(super) const fn lasts(&self) -> bool {
        matches!(self.at, FaultPlace::Throughout | FaultPlace::Shuffle(_))
    }
}

impl fmt::Display for PlannedFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.fault.what())?;
        match self.at {
            FaultPlace::Run { run, .. } => write!(f, " (run {run})"),
            FaultPlace::Await { run, suspension, .. } => write!(f, " (run {run}, {} await)", nth(suspension)),
            FaultPlace::Preempted { run, after, .. } => {
                write!(f, " (run {run}, {} await, or the first that waits)", nth(after + 1))
            }
            FaultPlace::Throughout | FaultPlace::Shuffle(_) | FaultPlace::Step { .. } | FaultPlace::Pass(_) => Ok(()),
        }
    }
}

impl HandlerFault {
    /// Returns what happens, in words.
    pub(super) const fn what(self) -> &'static str {
        match self {
            Self::Overlap => "runs of different events overlapped",
            Self::Order => "the events arrived in another order",
            Self::CrashBefore => "the worker crashed before it called the handler",
            Self::CrashAfter => "the worker crashed after the handler had ended, before that was recorded",
            Self::Slow => "the run was delayed after an await",
            Self::Drop => "the run was dropped at an await",
            Self::Timeout => "the run waited at an await until its deadline, and was dropped",
            Self::Duplicate => "the event was submitted again",
            Self::Pause => "the process stood still until deadlines had passed",
            Self::Restart => "the process was restarted, and every event submitted again",
            Self::FullChannel => "the channel was full",
            Self::LostChannel => "the channel lost its receiver",
            Self::LostTicket => "a ticket was lost",
            Self::DispatcherDies => "the dispatcher died",
            Self::SweeperDies => "the sweeper died",
        }
    }
}

/// Returns a number as `1st`, `2nd` and so on.
pub(super) fn nth(number: u32) -> String {
    let ending = match (number % 10, number % 100) {
        (1, tens) if tens != 11 => "st",
        (2, tens) if tens != 12 => "nd",
        (3, tens) if tens != 13 => "rd",
        _ => "th",
    };
    format!("{number}{ending}")
}
