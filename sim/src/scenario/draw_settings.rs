//! The engine's configuration in a scenario.

use std::num::NonZeroUsize;

use super::draw::CoreDraw;
use super::family::{Crowd, FaultFamily};
use super::units::MILLI;
use super::{Settings, SmallThresholds};
use crate::seeded_rng::Stream;

impl CoreDraw {
    pub(super) fn settings(&self) -> Settings {
        let draw = &mut self.rng.stream("settings");
        let run_timeout = draw.between(20, 200) * MILLI;
        let backoff_base = draw.between(1, 100) * MILLI;
        let max_event_bytes = 400;
        let mut settings = Settings {
            concurrency: count(draw.between(1, 4)),
            channel_capacity: count(draw.pick(&[2, 3, 8, 64])),
            max_attempts: small(draw.between(1, 5)),
            backoff_base,
            backoff_cap: backoff_base * draw.between(1, 8),
            backoff_jitter_percent: draw.pick(&[0, 50, 100]),
            max_retry_after: draw.between(0, 500) * MILLI,
            max_snooze: draw.between(0, 500) * MILLI,
            max_snoozes: small(draw.below(4)),
            max_refunds: small(draw.below(3)),
            run_timeout,
            run_lifetime: run_timeout * draw.between(1, 3),
            max_pending: 100_000,
            max_records: 100_000,
            max_bytes: Settings::PLENTY,
            max_event_bytes,
            retention: draw.pick(&[50, 500, 5_000, 3_600_000]) * MILLI,
            failed_retention: None,
            max_failed_bytes: Settings::PLENTY,
            drops_oldest_failed: false,
            sweep_batch: count(draw.pick(&[1, 2, 1_000])),
            sweep_interval: draw.between(10, 100) * MILLI,
            stuck_after: draw.pick(&[3, 30, 100, 300]) * MILLI,
            drain_timeout: draw.pick(&[0, 50, 300, 2_000]) * MILLI,
            abort_grace: draw.between(1, 50) * MILLI,
            thresholds: self.thresholds(),
            overload_retry_after: Some(self.rng.stream("overload").pick(&[1, 7 * MILLI, 300 * MILLI, 90_000 * MILLI])),
            sync_grace: Some(self.rng.stream("sync grace").pick(&[20, 100, 1_000]) * MILLI),
            types: Vec::new(),
            unmatched_wait: false,
            max_follow_ups: None,
            groups: Vec::new(),
        };
        if self.has(FaultFamily::Channel) && draw.per_mille(400) {
            settings.channel_capacity = NonZeroUsize::MIN;
        }
        if self.is_held_up() {
            // One task leads while others are blocked.
            (settings.concurrency, settings.channel_capacity) = (count(8), count(64));
        }
        if self.has(FaultFamily::Overload) {
            self.narrow(&mut settings, draw);
        }
        self.keep_failed(&mut settings);
        self.allow_many_attempts(&mut settings);
        self.reach_edges(&mut settings);
        if self.has(FaultFamily::Types) {
            self.types(&mut settings);
        }
        if self.has(FaultFamily::Groups) {
            self.groups(&mut settings);
        }
        if self.has(FaultFamily::FollowUps) {
            settings.max_follow_ups =
                self.rng.stream("follow-ups").pick(&[Some(0), Some(1), Some(2), Some(2), Some(3), None]);
        }
        if let Some(crowd) = self.crowded() {
            self.crowd(&mut settings, crowd);
        }
        settings
    }

    /// Returns, in some runs with follow-ups, the bound that they pass until they reach their own.
    pub(super) fn crowded(&self) -> Option<Crowd> {
        let draw = &mut self.rng.stream("crowd");
        let crowd = draw.pick(&[Crowd::Events, Crowd::Groups, Crowd::Bytes]);
        (self.has(FaultFamily::FollowUps) && draw.per_mille(300)).then_some(crowd)
    }

    /// Leaves little room, so that follow-ups pass it.
    fn crowd(&self, settings: &mut Settings, crowd: Crowd) {
        let most = self.rng.stream("crowd's room").between(3, 5) as usize;
        match crowd {
            Crowd::Events => {
                settings.max_pending = most;
                settings.max_records = settings.max_records.max(most);
            }
            Crowd::Groups => settings.groups.iter_mut().for_each(|policy| policy.max_pending = Some(most)),
            Crowd::Bytes => {
                (settings.max_event_bytes, settings.max_bytes) = (40 * most, 40 * most);
                settings.max_failed_bytes = settings.max_failed_bytes.max(settings.max_event_bytes);
            }
        }
        settings.max_follow_ups = Some(2);
        if !self.is_held_up() {
            settings.concurrency = count(1);
        }
    }

    /// Sets, in some runs, a setting to the least or the greatest useful value.
    fn reach_edges(&self, settings: &mut Settings) {
        let draw = &mut self.rng.stream("edges");
        let mut is_at_edge = || draw.per_mille(25);
        if is_at_edge() {
            settings.retention = 1;
        }
        if is_at_edge() {
            settings.failed_retention = Some(1);
        }
        if is_at_edge() {
            (settings.max_event_bytes, settings.max_bytes) = (40, 40);
        }
        if is_at_edge() {
            (settings.max_pending, settings.max_records) = (1, 1);
        }
        if is_at_edge() {
            settings.max_failed_bytes = settings.max_event_bytes;
        }
        if is_at_edge() {
            settings.run_lifetime = settings.run_timeout;
        }
        if is_at_edge() {
            (settings.drain_timeout, settings.abort_grace) = (0, 0);
        }
        if is_at_edge() {
            (settings.backoff_base, settings.backoff_cap) = (1, 1);
        }
        if is_at_edge() {
            (settings.max_snoozes, settings.max_refunds) = (u32::MAX, u32::MAX);
        }
        if is_at_edge() {
            settings.stuck_after = MILLI;
        }
        if is_at_edge() {
            settings.sweep_interval = MILLI;
        }
        if is_at_edge() {
            settings.run_timeout = 1;
            settings.run_lifetime = settings.run_lifetime.min(2);
        }
    }

    /// Returns thresholds of the engine, small in most runs. Those that make a run slow are small in few: an index
    /// that is split has a thousand tables, and keys with equal hashes are compared one by one.
    fn thresholds(&self) -> Option<SmallThresholds> {
        let draw = &mut self.rng.stream("thresholds");
        draw.per_mille(800).then(|| SmallThresholds {
            scan_limit: draw.pick(&[1, 2, 4, 16, 4096]) * self.length(),
            page_bytes: draw.pick(&[1, 30, 200, 8 << 20]),
            history: draw.pick(&[1, 2, 3, 8]),
            forgotten: draw.pick(&[1, 2, 3, 1024]),
            downtimes: draw.pick(&[2, 3, 256]),
            hash_bits: if draw.per_mille(100) { draw.pick(&[0, 1, 2, 3]) } else { 64 },
            split_at: if draw.per_mille(50) { draw.pick(&[1, 2, 5]) } else { 1024 },
            part: draw.pick(&[None, Some(1), Some(2), Some(5)]),
            holds: None,
        })
    }

    /// Allows, in some runs, so many attempts that most delays between them are at their cap.
    fn allow_many_attempts(&self, settings: &mut Settings) {
        let draw = &mut self.rng.stream("attempts");
        if draw.per_mille(100) {
            settings.max_attempts = small(draw.pick(&[9, 20, 40]));
            settings.backoff_base = draw.pick(&[1, 30, MILLI]);
            settings.backoff_cap = draw.pick(&[MILLI, 50 * MILLI, 4_000 * MILLI]);
        }
    }

    /// Sets the retention and the bound of failed events.
    fn keep_failed(&self, settings: &mut Settings) {
        let draw = &mut self.rng.stream("failed events");
        if draw.per_mille(500) {
            settings.failed_retention = Some(draw.pick(&[50, 500, 5_000]) * MILLI);
        }
        if self.has(FaultFamily::Overload) && draw.per_mille(500) {
            settings.max_failed_bytes = settings.max_event_bytes + draw.index(usize::from(self.submits) * 12);
            settings.drops_oldest_failed = draw.per_mille(500);
        }
    }

    /// Makes bounds so small that they are reached.
    fn narrow(&self, settings: &mut Settings, draw: &mut Stream) {
        let events = usize::from(self.submits);
        if draw.per_mille(600) {
            settings.max_pending = 1 + draw.index(events.div_ceil(4));
        }
        if draw.per_mille(400) {
            settings.max_records = settings.max_pending.min(events) + draw.index(events.div_ceil(3));
            settings.max_pending = settings.max_pending.min(settings.max_records);
        }
        if draw.per_mille(600) {
            settings.max_bytes = settings.max_event_bytes + draw.index(events * 12);
        }
        if draw.per_mille(200) {
            settings.max_event_bytes = 60 + draw.index(100);
        }
    }
}

fn count(number: u64) -> NonZeroUsize {
    usize::try_from(number).ok().and_then(NonZeroUsize::new).unwrap_or(NonZeroUsize::MIN)
}

fn small(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
