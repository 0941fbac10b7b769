//! Sweeps: all work that time makes due.

use eventful::{
    Timestamp,
    engine::{Answer, Deadline, Phase, Swept, Wake},
    metrics::SweptReason,
};

use super::{Model, ReferenceRecord};
use crate::scenario::EventNumber;
use crate::spec::Lifecycle;

impl Model {
    pub(super) fn sweep(&mut self) -> Answer {
        self.tallies.one("sweeps");
        let mut swept = Swept::default();
        for _ in 0..self.config().sweep_batch.get() {
            match self.earliest_item().filter(|item| item.at <= self.now) {
                Some(item) => self.sweep_item(item, &mut swept),
                None => break,
            }
        }
        self.channel.blocked_at = None;
        if self.phase == Phase::Running && !self.expected.paused {
            swept.marker_overdue = self.marker_overdue();
            self.send_due_marker();
        }
        Answer::Swept(swept)
    }

    pub(super) fn hold_expiry(&mut self, hold: bool) -> Answer {
        self.holds_expiry = hold;
        Answer::Noted
    }

    fn sweep_item(&mut self, item: ModelDue, swept: &mut Swept) {
        match item.kind {
            ModelDueKind::Run => {
                swept.expired_runs += 1;
                self.tallies.add(("swept", SweptReason::ExpiredRun.as_str()), 1);
                self.time_out(item.event);
            }
            ModelDueKind::Retry => {
                swept.retries_due += 1;
                self.tallies.add(("swept", SweptReason::RetryDue.as_str()), 1);
                self.delayed.retain(|(_, event)| *event != item.event);
                self.arrive(item.event);
            }
            ModelDueKind::Expiry => {
                swept.forgotten += 1;
                self.forget(item.event);
            }
        }
    }

    /// Returns the item that a sweep in this phase handles first, due or not.
    fn earliest_item(&self) -> Option<ModelDue> {
        let retry = self.delayed.first().filter(|_| self.phase == Phase::Running);
        let retry =
            retry.map(|(at, event)| ModelDue { at: *at, kind: ModelDueKind::Retry, order: (false, 0), event: *event });
        let records = self.expected.all().filter(|_| self.phase != Phase::Stopped);
        let items = records.filter_map(|(event, record)| self.item_of(event, record)).chain(retry);
        items.filter(|item| !self.holds_expiry || item.kind != ModelDueKind::Expiry).min()
    }

    /// Returns the record that is the first to be forgotten.
    pub(super) fn first_expiring(&self) -> Option<EventNumber> {
        let items = self.expected.all().filter_map(|(event, record)| self.item_of(event, record));
        items.filter(|item| item.kind == ModelDueKind::Expiry).min().map(|item| item.event)
    }

    /// Returns the item of a record. Of records that expire at one time, failed ones come first, then the one that
    /// ended first.
    fn item_of(&self, event: EventNumber, record: &ReferenceRecord) -> Option<ModelDue> {
        match record.stage {
            Lifecycle::Received(_) | Lifecycle::FailedRetry(_) => None,
            Lifecycle::Processing { run, .. } => {
                Some(ModelDue { at: self.deadline(run)?, kind: ModelDueKind::Run, order: (false, run.number()), event })
            }
            Lifecycle::Completed(_) | Lifecycle::Failed(_) | Lifecycle::Discarded(_) => {
                let ended = self.ended.iter().position(|other| *other == event)?;
                let order = (record.stage.is_tombstone(), ended as u64);
                Some(ModelDue { at: self.forgotten_at(record)?, kind: ModelDueKind::Expiry, order, event })
            }
        }
    }

    /// Returns the time at which the engine needs its next sweep, and the reason.
    pub fn next_deadline(&self) -> Option<Deadline> {
        let item = self.earliest_item().map(|item| Deadline { at: item.at, why: item.kind.wake() });
        let fed = self.phase == Phase::Running && !self.expected.paused;
        let channel = self.channel_deadlines().into_iter().flatten().filter(|_| fed);
        item.into_iter().chain(channel).min_by_key(|deadline| (deadline.at, deadline.why))
    }

    fn channel_deadlines(&self) -> [Option<Deadline>; 3] {
        let blocked_at = self.channel.blocked_at.filter(|_| !self.line.is_empty());
        [
            self.stuck_at().map(|at| Deadline { at, why: Wake::StuckTicket }),
            self.channel.marker_due().map(|at| Deadline { at, why: Wake::MarkerOverdue }),
            blocked_at.map(|at| Deadline { at: at + self.config().sweep_interval, why: Wake::FeedBlocked }),
        ]
    }
}

/// Work that time makes due.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct ModelDue {
    at: Timestamp,
    kind: ModelDueKind,
    order: (bool, u64),
    event: EventNumber,
}

/// The kinds of due work, in the order in which a sweep handles those of one time.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum ModelDueKind {
    Run,
    Retry,
    Expiry,
}

impl ModelDueKind {
    fn wake(&self) -> Wake {
        match self {
            Self::Run => Wake::RunDeadline,
            Self::Retry => Wake::RetryDue,
            Self::Expiry => Wake::Expiry,
        }
    }
}
