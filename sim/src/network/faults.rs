//! The beginning and the end of faults, at their times.

use std::time::Duration;

use super::clock::{TICK, ms};
use super::coverage;
use super::drive::{NetworkRun, client_name};
use super::inside::Inside;
use super::journal::RESERVE_BYTES;
use super::oracle::waits::{Absence, AwaitedSpan};
use super::run_context::CAPACITY_BYTES;
use super::scenario::{LinkFault, NetworkFaultKind, Outage};
use super::schedule::Power;
use super::server::{CLOSE_GRACE, Order};
use super::step::NetworkStep;

/// The time for which an engine may be broken before its process is ended: some ticks, so that clients meet it.
const BROKEN: Duration = Duration::from_millis(30);

impl NetworkRun {
    /// Begins and ends the faults that are due.
    pub(super) fn bring_faults(&mut self) {
        let now = self.sim.elapsed();
        self.end_faults(now);
        while self.faults.ahead.last().is_some_and(|fault| ms(fault.at_ms) <= now) {
            let Some(fault) = self.faults.ahead.pop() else { break };
            self.begin(&fault.kind, now);
        }
        if now >= self.faults.heal_at && !self.faults.healed {
            self.heal(now);
        }
        self.end_broken(now);
        self.end_dying(now);
        if self.faults.restart_at.is_some_and(|at| at <= now) {
            self.faults.restart_at = None;
            self.reach("server restarted");
            // turmoil drops the old host with its tasks before it starts the new one.
            self.tear_down(|drive| drive.sim.bounce("server"));
        }
    }

    fn begin(&mut self, kind: &NetworkFaultKind, now: Duration) {
        match kind {
            NetworkFaultKind::Link { client, trouble, for_ms } => {
                if *client >= self.stage.scenario.setup.clients {
                    return;
                }
                self.mend_link_of(*client);
                self.trouble(*client, *trouble);
                self.faults.present.push((now + ms(*for_ms), *kind));
            }
            NetworkFaultKind::Outage { outage, down_ms } => {
                // A process that is down or already ends cannot be ended once more.
                let stopping = self.door.borrow().as_ref().is_none_or(|up| up.ends_by.is_some());
                if stopping {
                    return;
                }
                self.faults.down = ms(*down_ms);
                self.end_server(*outage, now);
            }
            // The probe counts the passes that are struck.
            NetworkFaultKind::Disturb { disturbance, passes } => {
                self.stage.with(|notes, _| notes.armed.arm(*disturbance, *passes));
                return;
            }
            NetworkFaultKind::Pause { for_ms } => {
                self.order(Order::Pause);
                self.faults.present.push((now + ms(*for_ms), *kind));
            }
            // The probe counts the starts that are struck.
            NetworkFaultKind::Inside(Inside::UnpolledStart) => {
                self.stage.with(|notes, _| notes.armed.unpolled_starts += 1);
                return;
            }
            NetworkFaultKind::Inside(Inside::Submitters { first, count, for_ms }) => {
                self.order(Order::Submit { first: *first, count: *count, patience: ms(*for_ms) });
            }
            // The probe counts the operations that are struck.
            NetworkFaultKind::Disk { trouble, times } => {
                let Some(drive) = &self.stage.drive else { return };
                (0..*times).for_each(|_| drive.disk().trouble().arm(trouble.fault()));
                return;
            }
            NetworkFaultKind::DiskFull { for_ms } => {
                let Some(drive) = &self.stage.drive else { return };
                let mut disk = drive.disk();
                let taken = CAPACITY_BYTES - disk.room();
                // Only the reserve stays free: outcomes still fit, new events do not.
                disk.resize(taken + RESERVE_BYTES);
                drop(disk);
                self.faults.present.push((now + ms(*for_ms), *kind));
            }
            // The probe counts the passes of the writer that are struck.
            NetworkFaultKind::DiskBlocks { for_ms } => {
                self.begin_absence(ms(*for_ms), |absence| &mut absence.blocked);
                return;
            }
            NetworkFaultKind::DiskGone { for_ms } => self.begin_absence(ms(*for_ms), |absence| &mut absence.gone),
        }
        self.reach(&coverage::fault(kind));
        self.note(&NetworkStep::Fault(kind));
    }

    /// Puts the disk out of reach from now on, in one of two ways, while all calls are made.
    fn begin_absence(&self, lasts: Duration, which: impl FnOnce(&mut Absence) -> &mut Option<AwaitedSpan>) {
        if self.stage.drive.is_none() {
            return;
        }
        let until = self.stage.with(|notes, now| {
            let span = which(&mut notes.absence);
            // Overlapping faults make one span: the time without a disk counts from its beginning.
            let since = span.filter(|span| now <= span.until).map_or(now, |span| span.since);
            let until = span.map_or(now, |span| span.until).max(now + lasts);
            *span = Some(AwaitedSpan { since, until });
            until
        });
        self.order(Order::Ask { until });
    }

    fn trouble(&mut self, client: u8, trouble: LinkFault) {
        self.stage.with(|notes, _| notes.calm.link(client, true));
        let client = client_name(client);
        match trouble {
            LinkFault::Partition => self.sim.partition(client, "server"),
            LinkFault::PartitionToServer => self.sim.partition_oneway(client, "server"),
            LinkFault::PartitionToClient => self.sim.partition_oneway("server", client),
            LinkFault::Hold => self.sim.hold(client, "server"),
            LinkFault::Slow { latency_ms } => self.sim.set_link_latency(client, "server", ms(latency_ms)),
            LinkFault::Loss { per_mille } => {
                self.sim.set_link_fail_rate(client, "server", f64::from(per_mille.min(1000)) / 1000.0);
            }
        }
    }

    fn end_server(&mut self, outage: Outage, now: Duration) {
        self.stage.with(|notes, _| notes.calm.process(false));
        let (timeouts, awaited) = match outage {
            Outage::Crash => return self.crash(now, Power::Stays),
            Outage::PowerCut => return self.crash(now, Power::Fails),
            Outage::CrashWriting { in_changes, power } => return self.crash_writing(now, in_changes, power),
            Outage::Shutdown { timeout_ms } => (vec![ms(timeout_ms)], true),
            Outage::ShutdownTwice { timeout_ms, second_ms } => (vec![ms(timeout_ms), ms(second_ms)], true),
            Outage::ShutdownUnawaited { timeout_ms } => (vec![ms(timeout_ms)], false),
        };
        let timeout = timeouts.iter().min().copied().unwrap_or_default();
        if let Some(up) = self.door.borrow_mut().as_mut() {
            let sync = self.stage.drive.as_ref().map_or(Duration::ZERO, |_| up.eventful.config().sync_grace);
            let grace = up.eventful.config().abort_grace * 2 + sync + CLOSE_GRACE;
            up.ends_by = Some(now + timeout + grace + TICK * 4);
        }
        self.order(Order::Shutdown { timeouts, awaited });
    }

    /// Stops the disk after this many changes; the process dies then.
    fn crash_writing(&mut self, now: Duration, in_changes: u8, power: bool) {
        let power = if power { Power::Fails } else { Power::Stays };
        let Some(drive) = &self.stage.drive else { return self.crash(now, power) };
        drive.disk().stop_after(in_changes.into());
        self.faults.dying = Some(power);
    }

    /// Ends the process once its disk has stopped, or when all faults end.
    fn end_dying(&mut self, now: Duration) {
        let stopped = self.stage.drive.as_ref().is_some_and(|drive| drive.disk().is_stopped());
        if let Some(power) = self.faults.dying.take_if(|_| stopped || self.faults.healed) {
            self.crash(now, power);
        }
    }

    fn crash(&mut self, now: Duration, power: Power) {
        let kept = self.look_whether_kept();
        self.stage.judge(kept);
        self.stage.close();
        if let Some(drive) = &self.stage.drive {
            match power {
                Power::Stays => drive.kill(),
                Power::Fails => drive.power_cut(&mut self.faults.cuts),
            }
        }
        self.tear_down(|drive| {
            drive.sim.crash("server");
            drive.door.borrow_mut().take();
        });
        self.faults.server_ended(now);
    }

    /// Ends all tasks of the server.
    ///
    /// Tokio drops them in an order that depends on the number of tasks that the whole program had before, and each
    /// closes its connections. So no message is sent meanwhile whose delay or loss is random: each link holds its
    /// messages, or loses them if it is partitioned.
    fn tear_down(&mut self, act: impl FnOnce(&mut Self)) {
        let troubles: Vec<_> = (0..self.stage.scenario.setup.clients).map(|client| self.trouble_of(client)).collect();
        for (client, trouble) in (0..).zip(&troubles) {
            match trouble {
                Some(LinkFault::Partition | LinkFault::PartitionToServer | LinkFault::PartitionToClient) => {
                    self.sim.partition(client_name(client), "server");
                }
                Some(LinkFault::Hold | LinkFault::Slow { .. } | LinkFault::Loss { .. }) | None => {
                    self.sim.hold(client_name(client), "server");
                }
            }
        }
        self.stage.with(|notes, _| notes.calm.process(false));
        self.stage.mute(true);
        act(self);
        self.stage.mute(false);
        for (client, trouble) in (0..).zip(troubles) {
            match trouble {
                Some(partial @ (LinkFault::PartitionToServer | LinkFault::PartitionToClient)) => {
                    self.sim.repair(client_name(client), "server");
                    self.trouble(client, partial);
                }
                Some(LinkFault::Partition | LinkFault::Hold) => {}
                Some(LinkFault::Slow { .. } | LinkFault::Loss { .. }) | None => {
                    self.sim.release(client_name(client), "server");
                }
            }
        }
    }

    /// Returns the fault of this client's link, if there is one.
    fn trouble_of(&self, of: u8) -> Option<LinkFault> {
        self.faults.present.iter().find_map(|(_, kind)| {
            let NetworkFaultKind::Link { client, trouble, .. } = kind else { return None };
            (*client == of).then_some(*trouble)
        })
    }

    /// Ends a process whose engine is broken: only a new process helps.
    fn end_broken(&mut self, now: Duration) {
        let since = self.door.borrow().as_ref().and_then(|up| up.broken_since);
        if since.is_some_and(|since| since + BROKEN <= now) {
            self.crash(now, Power::Stays);
        }
    }

    fn end_faults(&mut self, now: Duration) {
        let present = std::mem::take(&mut self.faults.present);
        let (over, present) = present.into_iter().partition(|(until, _)| *until <= now);
        self.faults.present = present;
        self.mend(over);
    }

    fn mend(&mut self, over: Vec<(Duration, NetworkFaultKind)>) {
        for (_, kind) in over {
            self.note(&NetworkStep::FaultOver(&kind));
            match kind {
                NetworkFaultKind::Link { client, trouble, .. } => self.mend_link(client, trouble),
                // Resuming twice is harmless: a client may have resumed meanwhile.
                NetworkFaultKind::Pause { .. } => self.order(Order::Resume),
                NetworkFaultKind::DiskFull { .. } => self.clear_disk(),
                NetworkFaultKind::Outage { .. }
                | NetworkFaultKind::Disturb { .. }
                | NetworkFaultKind::Disk { .. }
                | NetworkFaultKind::DiskBlocks { .. }
                | NetworkFaultKind::DiskGone { .. }
                | NetworkFaultKind::Inside(_) => {}
            }
        }
    }

    fn clear_disk(&self) {
        self.stage.drive.iter().for_each(|drive| drive.disk().resize(CAPACITY_BYTES));
    }

    fn mend_link_of(&mut self, of: u8) {
        let present = std::mem::take(&mut self.faults.present);
        let is_its = |kind: &NetworkFaultKind| matches!(kind, NetworkFaultKind::Link { client, .. } if *client == of);
        let (over, present) = present.into_iter().partition(|(_, kind)| is_its(kind));
        self.faults.present = present;
        self.mend(over);
    }

    fn mend_link(&mut self, client: u8, trouble: LinkFault) {
        self.stage.with(|notes, _| notes.calm.link(client, false));
        let client = client_name(client);
        match trouble {
            LinkFault::Partition | LinkFault::PartitionToServer | LinkFault::PartitionToClient => {
                self.sim.repair(client, "server");
            }
            LinkFault::Hold => self.sim.release(client, "server"),
            LinkFault::Slow { .. } => self.sim.set_link_latency(client, "server", self.faults.delay),
            LinkFault::Loss { .. } => {
                self.sim.set_link_fail_rate(client.as_str(), "server", 0.0);
                self.sim.release(client, "server");
            }
        }
    }

    /// Ends all faults, and restarts the server if it is down.
    fn heal(&mut self, now: Duration) {
        let present = std::mem::take(&mut self.faults.present);
        self.mend(present);
        self.order(Order::Resume);
        self.stage.with(|notes, _| notes.armed.disarm());
        if let Some(drive) = &self.stage.drive {
            drive.disk().trouble().end();
        }
        self.faults.healed = true;
        // A restart that is pending comes at once: the time to finish counts from now.
        self.faults.restart_at = self.faults.restart_at.map(|_| now);
        self.note(&NetworkStep::Healed);
    }

    fn reach(&self, probe: &str) {
        self.stage.with(|notes, _| notes.coverage.reach(probe));
    }
}
