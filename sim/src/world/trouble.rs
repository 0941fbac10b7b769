//! The injection of faults.

use std::sync::atomic::Ordering::Relaxed;

use super::event_queue::Task;
use super::routine::Routine;
use super::state::World;
use super::stop::Stop;
use super::worker::{Does, WorldWorker};
use crate::scenario::{Behaviour, CoreFault, FaultKind, Injection, Loss};

/// The end of a fault without an end.
pub(super) const FOREVER: u64 = u64::MAX;

impl World<'_> {
    pub(super) fn begin_fault(&mut self, at: u32) -> Result<(), Stop> {
        let fault = self.scenario.faults[at as usize];
        self.note(|trace| trace.note_fault(&fault, self.is_up));
        // A process that is down cannot be disturbed.
        if self.is_up {
            return self.disturb(fault);
        }
        self.disturb_outside(fault);
        Ok(())
    }

    /// Injects a fault while the process is down: only into its machine and its clients.
    fn disturb_outside(&mut self, fault: CoreFault) {
        match fault.what {
            Injection::ProcessPauses { lasts } => self.stand_still(lasts),
            Injection::ClockForward { by } => self.step_clock(i64::try_from(by).unwrap_or_default()),
            Injection::ClockBack { by } => self.step_clock(-i64::try_from(by).unwrap_or_default()),
            Injection::ClockOff { by, behind } => {
                let by = i64::try_from(by).unwrap_or_default();
                self.machine_skew = if behind { -by } else { by };
            }
            Injection::AllFail { lasts } => {
                self.handlers.all_fail_until = lasts.map_or(u64::MAX, |lasts| fault.at.saturating_add(lasts));
            }
            Injection::ClientsStalled { lasts } => {
                self.probe(FaultKind::ClientsStalled);
                self.clients.stalled_until = self.clients.stalled_until.max(fault.at + lasts);
                self.probe_swizzle();
            }
            Injection::DiesWriting { .. }
            | Injection::JournalStalled { .. }
            | Injection::DiskFails { .. }
            | Injection::DiskGone { .. }
            | Injection::DiskFull { .. } => self.disturb_disk(fault.at, fault.what),
            Injection::SnapshotRots => self.rot_snapshot(),
            Injection::ChannelFull { .. }
            | Injection::ReceiverDropped { .. }
            | Injection::TicketLost { .. }
            | Injection::MarkerLost
            | Injection::TicketTwice
            | Injection::TicketLate { .. }
            | Injection::DispatcherStalled { .. }
            | Injection::DispatcherDies { .. }
            | Injection::SweeperDies { .. }
            | Injection::SweepsDelayed { .. }
            | Injection::WorkersStalled { .. }
            | Injection::Handler { .. }
            | Injection::Poison { .. }
            | Injection::Shutdown { .. }
            | Injection::ShutdownAmidOpening { .. }
            | Injection::Restart { .. }
            | Injection::PowerCut { .. }
            | Injection::Fenced
            | Injection::NodePanics { .. } => {}
        }
    }

    /// Injects a fault into the running process.
    fn disturb(&mut self, fault: CoreFault) -> Result<(), Stop> {
        match fault.what {
            Injection::ChannelFull { lasts } => self.fill_channel(lasts),
            Injection::ReceiverDropped { unnoticed } => {
                self.probe(FaultKind::ReceiverDropped);
                let lost = self.node.tickets_mut().take().unwrap_or_default();
                self.note(|trace| lost.iter().for_each(|ticket| trace.note_lost(*ticket)));
                self.event_queue.at(self.now + unnoticed, Task::Notice);
            }
            Injection::TicketLost { which } => self.lose_ticket(which),
            Injection::MarkerLost => self.loses_marker = true,
            Injection::TicketTwice => self.dispatcher.presents_twice = true,
            Injection::TicketLate { by, marker } => self.dispatcher.presents_late = Some((by, marker)),
            Injection::DispatcherStalled { lasts } => {
                self.probe(FaultKind::DispatcherStalled);
                self.dispatcher.stalled_until = self.dispatcher.stalled_until.max(self.now + lasts);
            }
            Injection::DispatcherDies { lasts } => {
                if self.dispatcher.routine.is_alive() {
                    self.probe(FaultKind::DispatcherDies);
                    self.kill_dispatcher(lasts);
                }
            }
            Injection::SweeperDies { lasts } => {
                self.probe(FaultKind::SweeperDies);
                self.kill_sweeper(lasts);
            }
            Injection::SweepsDelayed { lasts, by } => {
                (self.sweeper.late_until, self.sweeper.late_by) = (self.now + lasts, by);
                self.hindered = self.hindered.max(self.now + lasts + by);
            }
            Injection::WorkersStalled { lasts } => {
                self.probe(FaultKind::WorkersStalled);
                self.handlers.workers_stalled_until = self.handlers.workers_stalled_until.max(self.now + lasts);
            }
            Injection::NodePanics { sending } => {
                self.may_panic = true;
                self.observer.switches().panics[usize::from(!sending)].store(true, Relaxed);
            }
            Injection::Fenced => self.journal.iter_mut().for_each(|journal| journal.is_fenced = true),
            Injection::Restart { lasts } => {
                self.probe(FaultKind::Restart);
                return Ok(self.kill_process(lasts, false)?);
            }
            Injection::PowerCut { lasts } => return Ok(self.kill_process(lasts, true)?),
            Injection::Shutdown { timeout } => return self.ask_to_end(timeout),
            Injection::ShutdownAmidOpening { timeout } => self.ender.armed = Some(timeout),
            Injection::Handler { .. }
            | Injection::Poison { .. }
            | Injection::AllFail { .. }
            | Injection::ClientsStalled { .. }
            | Injection::ClockForward { .. }
            | Injection::ClockBack { .. }
            | Injection::ClockOff { .. }
            | Injection::ProcessPauses { .. }
            | Injection::DiesWriting { .. }
            | Injection::JournalStalled { .. }
            | Injection::DiskFails { .. }
            | Injection::SnapshotRots
            | Injection::DiskGone { .. }
            | Injection::DiskFull { .. } => self.disturb_outside(fault),
        }
        Ok(())
    }

    /// Closes the channel to tickets.
    fn fill_channel(&mut self, lasts: Option<u64>) {
        self.observer.switches().is_full.store(true, Relaxed);
        match lasts {
            Some(lasts) => {
                self.probe(FaultKind::ChannelFull);
                if self.full_until == FOREVER {
                    return;
                }
                self.full_until = self.full_until.max(self.now + lasts);
                self.event_queue.at(self.full_until, Task::ChannelFree);
            }
            None => {
                self.probe(FaultKind::ChannelFullForGood);
                self.full_until = FOREVER;
            }
        }
    }

    pub(super) fn free_channel(&mut self) {
        if self.now >= self.full_until {
            self.free_channel_now();
        }
    }

    pub(super) fn free_channel_now(&mut self) {
        self.full_until = 0;
        self.observer.switches().is_full.store(false, Relaxed);
    }

    fn lose_ticket(&mut self, which: Loss) {
        let Some(tickets) = self.node.tickets_mut() else { return };
        let lost: Vec<_> = match which {
            Loss::Middle if tickets.len() < 2 => Vec::new(),
            Loss::Middle => tickets.remove((tickets.len() - 1) / 2).into_iter().collect(),
            Loss::Tail => tickets.pop_back().into_iter().collect(),
            Loss::All => std::mem::take(tickets).into(),
        };
        if lost.is_empty() {
            return;
        }
        self.note(|trace| lost.iter().for_each(|ticket| trace.note_lost(*ticket)));
        self.probe(match which {
            Loss::Middle => FaultKind::TicketLostMiddle,
            Loss::Tail => FaultKind::TicketLostTail,
            Loss::All => FaultKind::TicketLostAll,
        });
    }

    fn stand_still(&mut self, lasts: u64) {
        self.probe(FaultKind::ProcessPauses);
        self.now += lasts;
        self.stood_still += lasts;
        self.hindered = self.hindered.max(self.now);
    }

    fn step_clock(&mut self, by: i64) {
        self.probe(if by < 0 { FaultKind::ClockBack } else { FaultKind::ClockForward });
        self.stood_still += by.unsigned_abs();
        self.hindered = self.hindered.max(self.now) + by.unsigned_abs();
        self.skew = self.skew.saturating_add(by);
        self.machine_skew = self.machine_skew.saturating_add(by);
    }

    /// Counts a moment at which all four parts are stopped at one time.
    fn probe_swizzle(&mut self) {
        let now = self.now;
        let stopped = [self.dispatcher.stalled_until, self.handlers.workers_stalled_until];
        if stopped.iter().all(|until| *until > now) && matches!(self.sweeper.routine, Routine::Dead(..)) {
            self.probe(FaultKind::Swizzle);
        }
    }

    pub(super) fn probe_behaviour(&self, worker: &WorldWorker) {
        let kind = match worker.does {
            Does::Succeed => return,
            Does::Poison => FaultKind::Poison,
            Does::As(behaviour) => match behaviour {
                Behaviour::Retry { .. } | Behaviour::Permanent | Behaviour::Snooze { .. } => FaultKind::HandlerFails,
                Behaviour::Shortage { .. } => FaultKind::Shortage,
                Behaviour::Slow { .. } | Behaviour::Beating { .. } | Behaviour::Follows { .. } => return,
                Behaviour::Blocks { .. } => FaultKind::Blocks,
                Behaviour::NotCalled => FaultKind::NotCalled,
                Behaviour::PanicBefore => FaultKind::PanicBefore,
                Behaviour::PanicAfter => FaultKind::PanicAfter,
                Behaviour::Hang => FaultKind::Hang,
                Behaviour::Deaf { .. } => FaultKind::Deaf,
                Behaviour::Stuck => FaultKind::Stuck,
                Behaviour::ReportsTwice => FaultKind::ReportsTwice,
                Behaviour::ReportsForeign => FaultKind::ReportsForeign,
                Behaviour::KillsProcess => FaultKind::KillsProcess,
            },
        };
        self.probe(kind);
    }
}
