//! Sweeps: everything that time makes due.

use super::answer::{Answer, Swept};
use super::effect::{Effect, Output};
use super::metrics::SweptReason;
use super::store::{Location, Slot};
use super::time::{Timestamp, sooner};
use super::{Deadline, Engine, Phase, Wake};

/// Something that time made due.
#[derive(Debug, Clone, Copy)]
enum DueItem {
    Run(Slot),
    Retry(Slot),
    Expiry(Location),
}

impl DueItem {
    const fn wake(self) -> Wake {
        match self {
            Self::Run(_) => Wake::RunDeadline,
            Self::Retry(_) => Wake::RetryDue,
            Self::Expiry(_) => Wake::Expiry,
        }
    }
}

impl Engine {
    /// Handles what is due, the first due first, at most `sweep_batch` items.
    pub(super) fn sweep(&mut self, out: &mut Output) -> Answer {
        self.tallies.sweeps += 1;
        // Feeding is tried again with each sweep.
        self.blocked_since = None;
        let mut swept = Swept::default();
        // In order of due time and bounded, so that nothing hides behind a full batch and no sweep holds the lock for
        // long.
        for _ in 0..self.config.sweep_batch.get() {
            match self.first_due() {
                Some((at, due)) if at <= self.now => self.handle(due, &mut swept, out),
                _ => break,
            }
        }
        if self.is_feeding() {
            self.test_channel(&mut swept, out);
        }
        Answer::Swept(swept)
    }

    fn handle(&mut self, due: DueItem, swept: &mut Swept, out: &mut Output) {
        match due {
            DueItem::Run(slot) => {
                swept.expired_runs += 1;
                self.tallies.sweep(SweptReason::ExpiredRun, 1);
                self.time_out(slot, out);
            }
            DueItem::Retry(slot) => {
                swept.retries_due += 1;
                self.tallies.sweep(SweptReason::RetryDue, 1);
                self.come_due(slot);
            }
            DueItem::Expiry(location) => {
                swept.forgotten += 1;
                self.forget(location, out);
            }
        }
    }

    /// Sends a marker when the oldest ticket is old, and reports when the marker is.
    ///
    /// Age alone does not distinguish a lost ticket from a long backlog. The marker can: presented, it
    /// proves every ticket before it lost that was not presented.
    fn test_channel(&mut self, swept: &mut Swept, out: &mut Output) {
        let stuck_after = self.config.stuck_after;
        // An overdue marker is reported once for each `stuck_after`.
        if self.tickets.marker_due().is_some_and(|due| due <= self.now) {
            swept.marker_overdue = true;
            self.tickets.rearm_marker(self.now + stuck_after);
        } else if self.tickets.stuck_at(stuck_after).is_some_and(|at| at <= self.now) {
            out.effect(Effect::Enqueue(self.tickets.send_marker(self.now, stuck_after)));
        }
    }

    pub(super) const fn hold_expiry(&mut self, hold: bool) -> Answer {
        self.holds_expiry = hold;
        Answer::Noted
    }

    /// Drops a terminal record.
    pub(super) fn forget(&mut self, location: Location, out: &mut Output) {
        // Reported before the record is gone, with which its key and error go.
        out.forgotten(self.now, self.config.thresholds.forgotten, || self.state.store.key(location).clone());
        let mut group = None;
        if let Location::Live(slot) = location {
            self.report_failure(slot, out);
            group = self.state.store.live[slot].group;
            self.part_from_group(slot);
        }
        self.state.forget(location);
        // It may have been what stopped the others of its group.
        self.open_gates((group, None));
    }

    /// Returns when the next sweep is wanted, and why. `None` while nothing waits for time.
    ///
    /// It names only what the phase allows a sweep to do, and lies in the past only when
    /// `sweep_batch` cut a sweep short, when failed events overflow, or when a feed that was stopped
    /// had nothing to feed at its time. One sweep after the other, it comes to lie ahead.
    pub fn next_deadline(&self) -> Option<Deadline> {
        let due = self.first_due().map(|(at, due)| (at, due.wake()));
        let channel = if self.is_feeding() { self.channel_deadline() } else { None };
        sooner(due, channel).map(|(at, why)| Deadline { at, why })
    }

    /// Returns whether a submit, a start or a settlement at this time may have brought a deadline that is before `at`,
    /// when there was none before. Cheaper than [`Engine::next_deadline`], and says when that is worth it.
    ///
    /// Runs and tombstones get theirs as far ahead as the configuration says. Retries may get one at any time, old tickets
    /// once the marker has come, failed events that overflow are due at once, and so may be a feed that was stopped.
    pub fn may_have_deadline_before(&self, at: Timestamp) -> bool {
        let config = &self.config;
        // The next deadline that any command can set lies this far ahead.
        let runs = config.run_timeout.min(config.run_lifetime).min(config.types.shortest_run());
        let shortest = runs.min(config.retention);
        let shortest = config.failed_retention.map_or(shortest, |retention| shortest.min(retention));
        let retry = self.delayed.first().is_some_and(|(due, _)| due < at);
        let ticket = self.tickets.stuck_at(config.stuck_after).is_some_and(|stuck| stuck < at);
        self.now + shortest < at || retry || ticket || self.blocked_since.is_some() || self.has_overflow()
    }

    fn channel_deadline(&self) -> Option<(Timestamp, Wake)> {
        let marker = self.tickets.marker_due().map(|at| (at, Wake::MarkerOverdue));
        let stuck = self.tickets.stuck_at(self.config.stuck_after).map(|at| (at, Wake::StuckTicket));
        let blocked = self.blocked_since.filter(|_| !self.line.is_empty());
        let blocked = blocked.map(|since| (since + self.config.sweep_interval, Wake::FeedBlocked));
        sooner(sooner(marker, stuck), blocked)
    }

    /// Returns what is due first, and when. Among equals runs come before retries, and those before expiries.
    fn first_due(&self) -> Option<(Timestamp, DueItem)> {
        if self.phase == Phase::Stopped {
            return None;
        }
        let run = self.runs.first(&self.state.store.live).map(|(at, slot)| (at, DueItem::Run(slot)));
        // In shutdown nothing starts, so no retry needs to come due.
        let retry = if self.phase == Phase::Running { self.delayed.first() } else { None };
        let retry = retry.map(|(at, slot)| (at, DueItem::Retry(slot)));
        let expiry = if self.holds_expiry { None } else { self.next_expiry() };
        let expiry = expiry.map(|(at, location)| (at, DueItem::Expiry(location)));
        sooner(sooner(run, retry), expiry)
    }
}
