//! The text of operations and faults.

use std::fmt;

use super::units::Micros;
use super::{Act, Behaviour, Injection, Loss};

impl fmt::Display for Act {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Submit { event, payload } => write!(f, "submit event {event} with payload {payload}"),
            Self::Reject { too_large: true } => f.write_str("submit a too large event"),
            Self::Reject { too_large: false } => f.write_str("submit a malformed event"),
            Self::Redrive { event } => write!(f, "redrive event {event}"),
            Self::Discard { event } => write!(f, "discard event {event}"),
            Self::Pause => f.write_str("pause"),
            Self::Resume => f.write_str("resume"),
            Self::PauseGroup { event, paused: true } => write!(f, "pause the group of event {event}"),
            Self::PauseGroup { event, paused: false } => write!(f, "resume the group of event {event}"),
            Self::RedriveFirst => f.write_str("redrive the first failed"),
            Self::Enter { event, payload, patience } => {
                write!(f, "submit event {event} with payload {payload}, and wait {} for room", Micros(patience))
            }
            Self::Read { event } => write!(f, "read event {event}"),
            Self::List { which, limit, every } => {
                write!(f, "list events by filter {which}, {limit} every {}", Micros(every))
            }
            Self::Watch { event, patience } => write!(f, "wait {} for the end of event {event}", Micros(patience)),
            Self::AwaitIdle { patience } => write!(f, "wait {} until no event is pending", Micros(patience)),
            Self::Subscribe { capacity, every, lasts } => {
                let (every, lasts) = (Micros(every), Micros(lasts));
                write!(f, "read a fact every {every} for {lasts}, with {capacity} of them buffered")
            }
        }
    }
}

impl fmt::Display for Behaviour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Retry { after: None } => f.write_str("fails, and may be tried again"),
            Self::Retry { after: Some(after) } => write!(f, "fails, and may be tried again after {}", Micros(after)),
            Self::Permanent => f.write_str("fails permanently"),
            Self::Snooze { delay } => write!(f, "asks to be called again in {}", Micros(delay)),
            Self::Shortage { delay } => {
                write!(f, "lacks a descriptor, and asks to be called again in {}", Micros(delay))
            }
            Self::Blocks { lasts } => write!(f, "blocks its thread for {}", Micros(lasts)),
            Self::Slow { lasts } => write!(f, "takes {}", Micros(lasts)),
            Self::Beating { lasts, every } => {
                write!(f, "takes {}, with a heartbeat every {}", Micros(lasts), Micros(every))
            }
            Self::NotCalled => f.write_str("is not called, as its task dies"),
            Self::PanicBefore => f.write_str("panics before its side effect"),
            Self::PanicAfter => f.write_str("panics after its side effect"),
            Self::Hang => f.write_str("hangs until it is cancelled"),
            Self::Deaf { lasts } => write!(f, "ignores cancellation, and takes {}", Micros(lasts)),
            Self::Stuck => f.write_str("ignores cancellation, and never ends"),
            Self::ReportsTwice => f.write_str("reports its outcome twice"),
            Self::ReportsForeign => f.write_str("reports a foreign run too"),
            Self::Follows { first, count, payload } => {
                write!(f, "ends with {count} follow-ups from event {first} on, with payload {payload}")
            }
            Self::KillsProcess => f.write_str("kills the process"),
        }
    }
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Middle => "a ticket in the middle of the channel is lost",
            Self::Tail => "the last ticket of the channel is lost",
            Self::All => "all tickets of the channel are lost",
        })
    }
}

impl fmt::Display for Injection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::ChannelFull { lasts: None } => f.write_str("the channel is full permanently"),
            Self::ChannelFull { lasts: Some(lasts) } => write!(f, "the channel is full for {}", Micros(lasts)),
            Self::ReceiverDropped { unnoticed } => {
                write!(f, "the channel's receiver is dropped, unnoticed for {} at most", Micros(unnoticed))
            }
            Self::TicketLost { which } => write!(f, "{which}"),
            Self::MarkerLost => f.write_str("the next marker will be lost"),
            Self::TicketTwice => f.write_str("the next ticket will be presented twice"),
            Self::DispatcherStalled { lasts } => write!(f, "the dispatcher stalls for {}", Micros(lasts)),
            Self::DispatcherDies { lasts } => write!(f, "the dispatcher dies for {}", Micros(lasts)),
            Self::SweeperDies { lasts } => write!(f, "the sweeper dies for {}", Micros(lasts)),
            Self::SweepsDelayed { lasts, by } => {
                write!(f, "sweeps are late by {} for {}", Micros(by), Micros(lasts))
            }
            Self::WorkersStalled { lasts } => write!(f, "workers stall for {}", Micros(lasts)),
            Self::ClientsStalled { lasts } => write!(f, "clients stall for {}", Micros(lasts)),
            Self::Handler { event, attempt, does } => {
                write!(f, "the handler of event {event} in attempt {attempt} {does}")
            }
            Self::Poison { event } => write!(f, "every handler of event {event} panics"),
            Self::AllFail { lasts: Some(lasts) } => write!(f, "all handlers fail for {}", Micros(lasts)),
            Self::AllFail { lasts: None } => f.write_str("all handlers fail permanently"),
            Self::ClockForward { by } => write!(f, "the clock steps forward by {}", Micros(by)),
            Self::ClockBack { by } => write!(f, "the clock steps back by {}", Micros(by)),
            Self::ClockOff { by: 0, .. } => f.write_str("from the next start on the clock is right"),
            Self::ClockOff { by, behind } => {
                let side = if behind { "behind" } else { "ahead" };
                write!(f, "from the next start on the clock is {side} by {}", Micros(by))
            }
            Self::ProcessPauses { lasts } => write!(f, "the process is suspended for {}", Micros(lasts)),
            Self::ShutdownAmidOpening { timeout } => {
                write!(f, "a shutdown with {} to drain, while the journal is opened again", Micros(timeout))
            }
            Self::Shutdown { timeout } => write!(f, "a shutdown with {} to drain", Micros(timeout)),
            Self::Restart { lasts } => write!(f, "the process dies, and starts again after {}", Micros(lasts)),
            Self::TicketLate { by, .. } => write!(f, "a ticket comes late by {}", Micros(by)),
            Self::PowerCut { lasts } => write!(f, "the power fails for {}", Micros(lasts)),
            Self::DiesWriting { after, power: false, .. } => {
                write!(f, "the process will die after {after} more changes of the disk")
            }
            Self::DiesWriting { after, power: true, .. } => {
                write!(f, "the power will fail after {after} more changes of the disk")
            }
            Self::SnapshotRots => f.write_str("a bit of the newest snapshot rots"),
            Self::JournalStalled { lasts } => write!(f, "the journal stalls for {}", Micros(lasts)),
            Self::DiskFails { how } => write!(f, "on the disk, {how}"),
            Self::DiskGone { lasts } => write!(f, "the directory of the journal is gone for {}", Micros(lasts)),
            Self::Fenced => f.write_str("another process opens the journal"),
            Self::NodePanics { sending: true } => f.write_str("the next call that sends a ticket panics"),
            Self::NodePanics { sending: false } => f.write_str("the next call that takes a ticket panics"),
            Self::DiskFull { lasts, left } => {
                write!(f, "the disk has room for {left} bytes, for {}", Micros(lasts))
            }
        }
    }
}
