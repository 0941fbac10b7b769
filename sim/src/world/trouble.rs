//! The faults.

use super::World;
use crate::failure::Broken;
use crate::scenario::{Behaviour, Fault, FaultKind, Loss};

use super::agenda::Task;
use super::channel::FOR_GOOD;
use super::worker::{Does, Worker};

impl World<'_> {
    pub(super) fn begin_fault(&mut self, at: u32) -> Result<(), Broken> {
        let fault = self.scenario.faults[at as usize];
        self.note_fault(&fault);
        // What is down cannot be disturbed.
        if self.is_up { self.disturb(fault) } else { self.disturb_outside(fault) }
    }

    /// Disturbs a process that is down: only its machine and its clients are there.
    fn disturb_outside(&mut self, fault: Fault) -> Result<(), Broken> {
        match fault {
            Fault::ProcessPauses { lasts, .. } => self.stand_still(lasts),
            Fault::ClockForward { by, .. } => self.step_clock(i64::try_from(by).unwrap_or_default()),
            Fault::ClockBack { by, .. } => self.step_clock(-i64::try_from(by).unwrap_or_default()),
            Fault::ClockOff { by, behind, .. } => {
                let by = i64::try_from(by).unwrap_or_default();
                self.machine_skew = if behind { -by } else { by };
            }
            Fault::AllFail { at, lasts } => {
                self.handlers.all_fail_until = lasts.map_or(u64::MAX, |lasts| at.saturating_add(lasts));
            }
            Fault::ClientsStalled { at, lasts } => {
                self.probes.fault(FaultKind::ClientsStalled);
                self.clients_stalled_until = self.clients_stalled_until.max(at + lasts);
                self.probe_swizzle();
            }
            Fault::DiesWriting { .. }
            | Fault::JournalStalled { .. }
            | Fault::DiskFails { .. }
            | Fault::DiskFull { .. } => self.disturb_disk(&fault),
            Fault::SnapshotRots { .. } => self.rot_snapshot(),
            Fault::ChannelFull { .. }
            | Fault::ReceiverDropped { .. }
            | Fault::TicketLost { .. }
            | Fault::MarkerLost { .. }
            | Fault::TicketTwice { .. }
            | Fault::TicketLate { .. }
            | Fault::DispatcherStalled { .. }
            | Fault::DispatcherDies { .. }
            | Fault::SweeperDies { .. }
            | Fault::SweepsDelayed { .. }
            | Fault::WorkersStalled { .. }
            | Fault::Handler { .. }
            | Fault::Poison { .. }
            | Fault::Shutdown { .. }
            | Fault::Restart { .. }
            | Fault::PowerCut { .. } => {}
        }
        Ok(())
    }

    /// Disturbs a part of the running process.
    fn disturb(&mut self, fault: Fault) -> Result<(), Broken> {
        match fault {
            Fault::ChannelFull { lasts: Some(lasts), .. } => {
                self.probes.fault(FaultKind::ChannelFull);
                self.channel.full_until = self.channel.full_until.max(self.now + lasts);
            }
            Fault::ChannelFull { lasts: None, .. } => {
                self.probes.fault(FaultKind::ChannelFullForGood);
                self.channel.full_until = FOR_GOOD;
            }
            Fault::ReceiverDropped { unnoticed, .. } => {
                self.probes.fault(FaultKind::ReceiverDropped);
                let before = self.tickets_seen();
                self.channel.drop_receiver();
                self.note_lost(before);
                self.agenda.at(self.now + unnoticed, Task::ReplaceChannel(self.channel.number));
            }
            Fault::TicketLost { which, .. } => self.lose_ticket(which),
            Fault::MarkerLost { .. } => self.dispatcher.loses_marker = true,
            Fault::TicketTwice { .. } => self.dispatcher.presents_twice = true,
            Fault::TicketLate { by, marker, .. } => self.dispatcher.presents_late = Some((by, marker)),
            Fault::DispatcherStalled { lasts, .. } => {
                self.probes.fault(FaultKind::DispatcherStalled);
                self.dispatcher.stalled_until = self.dispatcher.stalled_until.max(self.now + lasts);
            }
            Fault::DispatcherDies { lasts, .. } => {
                self.probes.fault(FaultKind::DispatcherDies);
                self.kill_dispatcher(lasts);
            }
            Fault::SweeperDies { lasts, .. } => {
                self.probes.fault(FaultKind::SweeperDies);
                self.sweeper.dead_until = self.sweeper.dead_until.max(self.now + lasts);
            }
            Fault::SweepsDelayed { lasts, by, .. } => {
                (self.sweeper.late_until, self.sweeper.late_by) = (self.now + lasts, by);
            }
            Fault::WorkersStalled { lasts, .. } => {
                self.probes.fault(FaultKind::WorkersStalled);
                self.handlers.workers_stalled_until = self.handlers.workers_stalled_until.max(self.now + lasts);
            }
            Fault::Restart { lasts, .. } => {
                self.probes.fault(FaultKind::Restart);
                return self.kill_process(lasts, false);
            }
            Fault::PowerCut { lasts, .. } => return self.kill_process(lasts, true),
            Fault::Shutdown { timeout, .. } => return self.ask_to_end(timeout),
            Fault::Handler { .. }
            | Fault::Poison { .. }
            | Fault::AllFail { .. }
            | Fault::ClientsStalled { .. }
            | Fault::ClockForward { .. }
            | Fault::ClockBack { .. }
            | Fault::ClockOff { .. }
            | Fault::ProcessPauses { .. }
            | Fault::DiesWriting { .. }
            | Fault::JournalStalled { .. }
            | Fault::DiskFails { .. }
            | Fault::SnapshotRots { .. }
            | Fault::DiskFull { .. } => return self.disturb_outside(fault),
        }
        Ok(())
    }

    fn lose_ticket(&mut self, which: Loss) {
        let before = self.tickets_seen();
        if self.channel.lose(which) {
            self.note_lost(before);
            self.probes.fault(match which {
                Loss::Middle => FaultKind::TicketLostMiddle,
                Loss::Tail => FaultKind::TicketLostTail,
                Loss::All => FaultKind::TicketLostAll,
            });
        }
    }

    fn stand_still(&mut self, lasts: u64) {
        self.probes.fault(FaultKind::ProcessPauses);
        self.now += lasts;
        self.stood_still += lasts;
    }

    fn step_clock(&mut self, by: i64) {
        self.probes.fault(if by < 0 { FaultKind::ClockBack } else { FaultKind::ClockForward });
        self.skew = self.skew.saturating_add(by);
        self.machine_skew = self.machine_skew.saturating_add(by);
    }

    /// All four parts stand still at once, one stopped after the other.
    fn probe_swizzle(&mut self) {
        let now = self.now;
        let stopped = [self.dispatcher.stalled_until, self.sweeper.dead_until, self.handlers.workers_stalled_until];
        if stopped.iter().all(|until| *until > now) {
            self.probes.fault(FaultKind::Swizzle);
        }
    }

    pub(super) fn probe_behaviour(&mut self, worker: &Worker) {
        let kind = match worker.does {
            Does::Succeed => return,
            Does::Poison => FaultKind::Poison,
            Does::As(behaviour) => match behaviour {
                Behaviour::Retry { .. } | Behaviour::Permanent | Behaviour::Snooze { .. } => FaultKind::HandlerFails,
                Behaviour::Shortage { .. } => FaultKind::Shortage,
                Behaviour::Slow { .. } | Behaviour::Beating { .. } => return,
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
        self.probes.fault(kind);
    }
}
