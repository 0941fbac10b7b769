//! Shutdown: no intake, no dispatch, drain, stop, report.

use core::time::Duration;

use super::Node;
use super::commits::EngineCondition;
use super::shutdown::{Shutdown, ShutdownPhase, ShutdownReport};
use crate::engine::{Command, Phase, Timestamp};

impl Node {
    /// Stops intake and dispatch now, and lets the runs in flight end for at most `timeout`. Of several calls the
    /// earliest deadline counts.
    pub fn shut_down(&mut self, now: Timestamp, timeout: Duration) {
        let deadline = now + timeout;
        match &mut self.shutdown {
            // A second request can only bring the end forward.
            Some(shutdown) => shutdown.hurry(deadline),
            None => self.shutdown = Some(Shutdown::new(now, deadline)),
        }
        // A node that is not available accepts and counts nothing anyway.
        if self.unavailable().is_none() && self.engine.phase() == Phase::Running {
            self.end_engine(now);
        }
        // All three may sleep without a deadline, and have their part in the end.
        (self.pending.edit().dispatch, self.pending.edit().write, self.pending.edit().end) = (true, true, true);
    }

    /// Makes the engine end if a shutdown was asked for, which counts from here.
    pub(super) fn end_engine(&mut self, now: Timestamp) {
        if let Some(shutdown) = &mut self.shutdown {
            // What happened before the shutdown is no part of its report.
            shutdown.count_from(*self.engine.fact_counters());
            self.execute(now, Command::Shutdown);
        }
    }

    /// Takes the shutdown as far as it can go now. Returns the time of the next call if nothing wakes before; `None`
    /// when it has ended, or none was asked for.
    pub fn see_to_end(&mut self, now: Timestamp) -> Option<Timestamp> {
        // Callers that wait for a result must not wait for the end of the drain.
        self.release_answers(now, false);
        self.advance_shutdown(now);
        let until = match self.shutdown.as_ref()?.phase() {
            ShutdownPhase::Draining(until) | ShutdownPhase::Yielding(until) | ShutdownPhase::Closing(until) => until,
            ShutdownPhase::Over => return None,
        };
        Some(self.commits.next_overdue(now).map_or(until, |overdue| overdue.min(until)))
    }

    /// Ends everything at once: there is no task left that could be waited for.
    pub fn end_at_once(&mut self, now: Timestamp) {
        self.shut_down(now, Duration::ZERO);
        // Three steps lead from the first phase to the last.
        for _ in 0..3 {
            match self.shutdown.as_ref().map(Shutdown::phase) {
                Some(ShutdownPhase::Draining(_)) => self.pass_to_yielding(now),
                Some(ShutdownPhase::Yielding(_)) => self.stop(now),
                Some(ShutdownPhase::Closing(_)) => self.finish_shutdown(now),
                Some(ShutdownPhase::Over) | None => {}
            }
        }
    }

    /// Returns the report, once the shutdown has ended.
    pub fn report(&self) -> Option<ShutdownReport> {
        self.shutdown.as_ref()?.report()
    }

    /// Returns whether the shutdown has stopped the engine.
    pub fn has_stopped(&self) -> bool {
        matches!(self.shutdown.as_ref().map(Shutdown::phase), Some(ShutdownPhase::Closing(_) | ShutdownPhase::Over))
    }

    pub(super) fn advance_shutdown(&mut self, now: Timestamp) {
        // Several phases may end at one time, such as when no run is in flight and no worker is left.
        while let Some(phase) = self.shutdown.as_ref().map(Shutdown::phase) {
            match phase {
                ShutdownPhase::Draining(until) if self.is_drained() || until <= now => self.pass_to_yielding(now),
                ShutdownPhase::Yielding(until) if self.workers.held() == 0 || until <= now => self.stop(now),
                ShutdownPhase::Closing(until) if self.is_closed() || until <= now => self.finish_shutdown(now),
                ShutdownPhase::Draining(_)
                | ShutdownPhase::Yielding(_)
                | ShutdownPhase::Closing(_)
                | ShutdownPhase::Over => return,
            }
        }
    }

    /// Returns whether no run is in flight and all facts are durable. A journal that is being opened again is waited
    /// for: its contents are part of the report.
    fn is_drained(&self) -> bool {
        // A broken node decides nothing more, so there is nothing to wait for.
        let is_reopening = self.commits.condition() == EngineCondition::Reopening;
        self.is_broken || !is_reopening && self.workers.inflight() == 0 && self.commits.is_idle()
    }

    fn is_closed(&self) -> bool {
        self.writer.is_closed() && !self.dispatcher.is_up() && !self.sweeper.is_up()
    }

    /// Cancels every handler.
    fn pass_to_yielding(&mut self, now: Timestamp) {
        // Only runs that still count: the others were cancelled when they stopped counting.
        self.pending.edit().cancel.extend(self.workers.running());
        self.pass_to(ShutdownPhase::Yielding(now + self.config().abort_grace));
    }

    fn pass_to(&mut self, phase: ShutdownPhase) {
        self.shutdown.iter_mut().for_each(|shutdown| shutdown.pass_to(phase));
        self.pending.edit().end = true;
    }

    /// Stops the engine, and with it every task that is left.
    fn stop(&mut self, now: Timestamp) {
        let (abandoned, is_usable) = (self.workers.held() as u64, self.unavailable().is_none());
        if is_usable {
            self.execute(now, Command::AbortInflight);
        }
        // Read after the abort, which adds its interruptions.
        let (facts, left) = (*self.engine.fact_counters(), self.engine.gauges().pending());
        if let Some(shutdown) = &mut self.shutdown {
            match is_usable {
                true => shutdown.tally(&facts, abandoned, left),
                false => shutdown.tally_unusable(abandoned, left),
            }
        }
        self.pass_to(ShutdownPhase::Closing(now + self.config().sync_grace));
        self.pending.edit().wake_everyone();
    }

    /// Readers get facts once they are durable, and so learn of the end only now.
    fn finish_shutdown(&mut self, now: Timestamp) {
        // No LSN is settled any more, so waiting any longer would be for nothing.
        self.release_answers(now, true);
        self.readers.close(&mut self.pending.edit().wake);
        let unsynced = self.commits.unsynced();
        self.shutdown.iter_mut().for_each(|shutdown| shutdown.finish(now, unsynced));
        self.commits.close_horizon();
        self.pending.edit().wake_everyone();
    }
}
