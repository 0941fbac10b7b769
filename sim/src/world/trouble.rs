//! The faults.

use super::World;
use crate::failure::Broken;
use crate::scenario::{Behaviour, Fault, FaultKind, Injection, Loss};

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
                self.probes.fault(FaultKind::ClientsStalled);
                self.clients_stalled_until = self.clients_stalled_until.max(fault.at + lasts);
                self.probe_swizzle();
            }
            Injection::DiesWriting { .. }
            | Injection::JournalStalled { .. }
            | Injection::DiskFails { .. }
            | Injection::DiskFull { .. } => self.disturb_disk(&fault),
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
            | Injection::Restart { .. }
            | Injection::PowerCut { .. } => {}
        }
        Ok(())
    }

    /// Disturbs a part of the running process.
    fn disturb(&mut self, fault: Fault) -> Result<(), Broken> {
        match fault.what {
            Injection::ChannelFull { lasts: Some(lasts) } => {
                self.probes.fault(FaultKind::ChannelFull);
                self.channel.full_until = self.channel.full_until.max(self.now + lasts);
            }
            Injection::ChannelFull { lasts: None } => {
                self.probes.fault(FaultKind::ChannelFullForGood);
                self.channel.full_until = FOR_GOOD;
            }
            Injection::ReceiverDropped { unnoticed } => {
                self.probes.fault(FaultKind::ReceiverDropped);
                let before = self.tickets_seen();
                self.channel.drop_receiver();
                self.note_lost(before);
                self.agenda.at(self.now + unnoticed, Task::ReplaceChannel(self.channel.number));
            }
            Injection::TicketLost { which } => self.lose_ticket(which),
            Injection::MarkerLost => self.dispatcher.loses_marker = true,
            Injection::TicketTwice => self.dispatcher.presents_twice = true,
            Injection::TicketLate { by, marker } => self.dispatcher.presents_late = Some((by, marker)),
            Injection::DispatcherStalled { lasts } => {
                self.probes.fault(FaultKind::DispatcherStalled);
                self.dispatcher.stalled_until = self.dispatcher.stalled_until.max(self.now + lasts);
            }
            Injection::DispatcherDies { lasts } => {
                self.probes.fault(FaultKind::DispatcherDies);
                self.kill_dispatcher(lasts);
            }
            Injection::SweeperDies { lasts } => {
                self.probes.fault(FaultKind::SweeperDies);
                self.sweeper.dead_until = self.sweeper.dead_until.max(self.now + lasts);
            }
            Injection::SweepsDelayed { lasts, by } => {
                (self.sweeper.late_until, self.sweeper.late_by) = (self.now + lasts, by);
            }
            Injection::WorkersStalled { lasts } => {
                self.probes.fault(FaultKind::WorkersStalled);
                self.handlers.workers_stalled_until = self.handlers.workers_stalled_until.max(self.now + lasts);
            }
            Injection::Restart { lasts } => {
                self.probes.fault(FaultKind::Restart);
                return self.kill_process(lasts, false);
            }
            Injection::PowerCut { lasts } => return self.kill_process(lasts, true),
            Injection::Shutdown { timeout } => return self.ask_to_end(timeout),
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
            | Injection::DiskFull { .. } => return self.disturb_outside(fault),
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
