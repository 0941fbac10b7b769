//! The sweeper: wakes at the engine's next deadline.

use eventful::{Answer, Command, Deadline, Timestamp};

use super::World;
use crate::failure::Broken;
use crate::oracle::Said;
use crate::scenario::FaultKind;

/// The sweeper.
#[derive(Debug, Default)]
pub(super) struct Sweeper {
    /// When the engine wants to be woken.
    armed: Option<Timestamp>,
    pub(super) dead_until: u64,
    pub(super) late_until: u64,
    pub(super) late_by: u64,
}

impl Sweeper {
    pub(super) fn arm(&mut self, deadline: Option<Deadline>) {
        self.armed = deadline.map(|deadline| deadline.at);
    }
}

impl World<'_> {
    /// When it sweeps next, in the time of the world.
    pub(super) fn sweep_time(&self) -> Option<u64> {
        let at = self.world_time(self.sweeper.armed?);
        let late = if at < self.sweeper.late_until { at + self.sweeper.late_by } else { at };
        Some(late.max(self.sweeper.dead_until))
    }

    pub(super) fn may_sweep(&self) -> bool {
        self.is_serving() && self.sweep_time().is_some_and(|at| at <= self.now)
    }

    pub(super) fn sweep(&mut self) -> Result<(), Broken> {
        let at = self.sweeper.armed.map_or(0, |at| self.world_time(at));
        if at < self.sweeper.late_until && self.sweeper.late_by > 0 {
            self.probes.fault(FaultKind::SweepsDelayed);
        }
        let answer = self.tell(Command::Sweep, Said::Sweep)?;
        let overdue = matches!(answer, Answer::Swept(swept) if swept.marker_overdue);
        // Who holds a permit would have presented the marker.
        match overdue && self.dispatcher.free > 0 && self.dispatcher.is_alive {
            true => self.replace_channel(self.channel.number),
            false => Ok(()),
        }
    }
}
