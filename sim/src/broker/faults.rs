//! The faults of a run, and the lives of its process.

use super::client::BrokerClient;
use super::host::{EngineHost, HostWork, time};
use super::parts::{BrokerStep, fresh_intake};
use super::probe::BrokerProbe;
use super::run::BrokerRun;
use super::scenario::{BrokerFaultKind, BrokerKind};
use crate::failure::Broken;
use crate::trace::What;

impl BrokerRun<'_> {
    /// A fault begins.
    pub(super) fn strike(&mut self, kind: BrokerFaultKind) -> Result<(), Broken> {
        self.struck(kind);
        let until = self.now + kind.lasts();
        match kind {
            BrokerFaultKind::ConfirmationsLost { calls } => self.lost.confirmations += calls,
            BrokerFaultKind::CallsLost { calls } => self.lost.calls += calls,
            BrokerFaultKind::DeliveredTwice { messages } => self.broker.twice += messages,
            BrokerFaultKind::Reordered { .. } => self.broker.reordered_until = until,
            BrokerFaultKind::Slow { .. } => self.until.slow = self.until.slow.max(until),
            BrokerFaultKind::Unreachable { .. } => self.disconnect(until),
            BrokerFaultKind::Revoked { partition, .. } => self.revoke(partition, until),
            BrokerFaultKind::Crash { .. } => self.crash(until)?,
            BrokerFaultKind::ConsumerRestarts => self.drain(),
            BrokerFaultKind::Shutdown { .. } => {
                if let Some(host) = &mut self.host {
                    host.shut_down(self.now);
                    self.at(until, BrokerStep::Start);
                }
            }
            BrokerFaultKind::JournalFails => self.lost.appends += 1,
            BrokerFaultKind::JournalStalls { .. } => self.until.journal = self.until.journal.max(until),
            BrokerFaultKind::HandlersStall { .. } => self.until.handlers = self.until.handlers.max(until),
        }
        Ok(())
    }

    /// Ends the connection. Deliveries of a queue without an `ack_wait`, and assignments of a log, end with it.
    fn disconnect(&mut self, until: u64) {
        self.until.unreachable = self.until.unreachable.max(until);
        match self.setup.kind {
            BrokerKind::Queue { ack_wait: Some(_) } => {}
            BrokerKind::Queue { ack_wait: None } | BrokerKind::Log { .. } => {
                (0..self.setup.partitions()).for_each(|partition| self.revoke(partition, self.now));
            }
        }
    }

    /// Takes a partition away. The client learns of it later, and the intake when it receives next, or by a call that fails.
    fn revoke(&mut self, partition: u8, until: u64) {
        // A queue takes single deliveries back when their time ends, and not all at once.
        if matches!(self.setup.kind, BrokerKind::Queue { ack_wait: Some(_) }) {
            return;
        }
        self.broker.revoke(partition.into(), until);
        let generation = self.broker.partitions[usize::from(partition)].generation;
        let at = self.now + self.delay();
        self.at(at, BrokerStep::Revoked(self.life, partition, generation));
    }

    /// The intake learns that a partition was taken away.
    pub(super) fn learn_revoked(&mut self, partition: u8) {
        if self.oracle.revoked(partition) > 0 {
            self.probes.fire(BrokerProbe::RevokedUnderWay);
        }
        if let Some(intake) = &mut self.intake {
            intake.revoked(eventful::broker::Partition::new(partition.into()));
        }
    }

    /// Kills the process. What was being written may have become durable, or not.
    fn crash(&mut self, until: u64) -> Result<(), Broken> {
        if let Some(mut host) = self.host.take() {
            let group = host.take_unfinished();
            if !group.is_empty() && self.chance.per_mille(500) {
                self.oracle.became_durable(&group)?;
                self.frames.add(group);
            }
        }
        self.intake = None;
        self.leave_broker();
        self.at(until, BrokerStep::Start);
        Ok(())
    }

    /// Drains the intake. Another one follows, unless it was the last.
    pub(super) fn drain(&mut self) {
        if let Some(intake) = &mut self.intake {
            intake.drain(time(self.now));
            self.oracle.drains(self.now);
        }
    }

    /// The intake has ended: its connection is closed.
    pub(super) fn end_intake(&mut self) {
        self.note(What::Note, "the intake has ended".to_owned());
        self.intake = None;
        self.leave_broker();
        if !self.is_final {
            let at = self.now + 1_000;
            self.at(at, BrokerStep::Start);
        }
    }

    fn leave_broker(&mut self) {
        self.life += 1;
        self.is_receiving = false;
        self.forget_waits();
        self.oracle.begin();
        self.broker.disconnect(self.now);
        self.client = BrokerClient::after(&self.client);
    }

    /// Starts what does not run: the engine, and the intake.
    pub(super) fn start(&mut self) -> Result<(), Broken> {
        let is_stopped = self.host.as_ref().is_some_and(EngineHost::is_shutting_down);
        if is_stopped {
            // The process ends with the engine, and another one starts.
            return self.crash(self.now + 1_000);
        }
        if self.host.is_none() {
            self.processes += 1;
            self.host = Some(EngineHost::open(self.now, self.processes, &self.setup, &self.frames)?);
            self.note(What::Note, "the process starts".to_owned());
        }
        if self.intake.is_none() && !self.is_final {
            self.intake = Some(fresh_intake(&self.setup));
        }
        Ok(())
    }

    /// Work of the engine has ended.
    pub(super) fn finish(&mut self, life: u32, work: HostWork) -> Result<(), Broken> {
        let Some(host) = self.host.as_mut().filter(|host| host.life == life) else { return Ok(()) };
        match work {
            HostWork::Append => {
                let fails = self.lost.appends > 0;
                self.lost.appends -= u16::from(fails);
                let is_written = !fails || self.chance.per_mille(500);
                if is_written {
                    self.oracle.became_durable(host.group())?;
                }
                host.appended(self.now, !fails, is_written, &mut self.frames);
            }
            HostWork::Run(worker, run) => host.ended(self.now, worker, run),
        }
        Ok(())
    }
}
