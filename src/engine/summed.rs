//! The metrics of several engines, as those of one.

use super::metrics::{FactCounters, Gauges, Histogram, Histograms, Metrics, Tallies, TypeStats};
use super::time::earlier;

impl Metrics {
    /// Adds the metrics of another engine: each number is then that of both together.
    pub fn add(&mut self, other: &Self) {
        let Self { facts, tallies, gauges, histograms } = other;
        self.facts.add(facts);
        self.tallies.add(tallies);
        self.gauges.add(gauges);
        self.histograms.add(histograms);
    }
}

// Each takes the other apart without `..`, so that a new number does not compile until it is added.

impl FactCounters {
    fn add(&mut self, other: &Self) {
        let Self { accepted, redriven, started, finished, forgotten } = other;
        self.accepted += accepted;
        self.redriven += redriven;
        self.started += started;
        add_each(&mut self.finished, finished);
        add_each(&mut self.forgotten, forgotten);
    }
}

impl TypeStats {
    /// Adds the numbers of the same policy in another engine, and the part of the limit that this one has.
    pub fn add(&mut self, other: &Self) {
        let Self { pattern: _, concurrency, gated, unstarted, running } = other;
        self.concurrency = self.concurrency.zip(*concurrency).map(|(one, other)| one + other);
        self.gated += gated;
        self.unstarted += unstarted;
        self.running += running;
    }
}

impl Tallies {
    fn add(&mut self, other: &Self) {
        let Self { deduplicated, conflicted, tickets_stale, outcomes_stale, sweeps, rejected, enqueue_failures, swept } =
            other;
        self.deduplicated += deduplicated;
        self.conflicted += conflicted;
        self.tickets_stale += tickets_stale;
        self.outcomes_stale += outcomes_stale;
        self.sweeps += sweeps;
        add_each(&mut self.rejected, rejected);
        add_each(&mut self.enqueue_failures, enqueue_failures);
        add_each(&mut self.swept, swept);
    }
}

impl Gauges {
    fn add(&mut self, other: &Self) {
        let Self {
            queued,
            line,
            delayed,
            gated,
            inflight,
            bytes,
            failed_bytes,
            oldest_pending,
            oldest_failed,
            records,
        } = other;
        self.queued += queued;
        self.line += line;
        self.delayed += delayed;
        self.gated += gated;
        self.inflight += inflight;
        self.bytes += bytes;
        self.failed_bytes += failed_bytes;
        self.oldest_pending = earlier(self.oldest_pending, *oldest_pending);
        self.oldest_failed = earlier(self.oldest_failed, *oldest_failed);
        add_each(&mut self.records, records);
    }
}

impl Histograms {
    fn add(&mut self, other: &Self) {
        let Self { queue_time, processing_time, end_to_end } = other;
        self.queue_time.add(queue_time);
        self.processing_time.add(processing_time);
        self.end_to_end.add(end_to_end);
    }
}

impl Histogram {
    fn add(&mut self, other: &Self) {
        let Self { counts, sum_micros } = other;
        add_each(&mut self.counts, counts);
        self.sum_micros = self.sum_micros.saturating_add(*sum_micros);
    }
}

fn add_each<const N: usize>(sums: &mut [u64; N], others: &[u64; N]) {
    sums.iter_mut().zip(others).for_each(|(sum, other)| *sum += other);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Answer, Command, Config, Engine, Event, Outcome, Output, Status, Ticket, Timestamp};
    use alloc::vec::Vec;
    use core::time::Duration;

    #[test]
    fn numbers_of_two_engines_are_those_of_one_that_did_all() {
        let mut sum = metrics_of(&["a", "b"]);
        sum.add(&metrics_of(&["c"]));
        let together = metrics_of(&["a", "b", "c"]);
        assert_eq!(sum, together);
        assert_eq!((sum.facts.accepted, sum.gauges.records(Status::Completed)), (3, 3));
        assert_eq!((sum.tallies.deduplicated, sum.histograms.end_to_end.count()), (3, 3));
    }

    /// The metrics of an engine that has each event twice, runs it once, and completes it after a second.
    fn metrics_of(ids: &[&str]) -> Metrics {
        let mut out = Output::new();
        let start = Timestamp::from_micros(1_000_000);
        let mut engine = Engine::new(Config::default(), start, &mut out).expect("the defaults are valid");
        for id in ids {
            for _ in 0..2 {
                let event = Event::with_id(id, "apples").expect("an event");
                engine.execute(start, Command::Submit(event), &mut out);
            }
        }
        let tickets = 1..=ids.len() as u64;
        let runs = tickets.filter_map(|number| {
            let answer = engine.execute(start, Command::Start(Ticket::new(number)), &mut out);
            if let Answer::Running(run) = answer { Some(run.id) } else { None }
        });
        let runs: Vec<_> = runs.collect();
        for run in runs {
            let settle = Command::Settle { run, outcome: Outcome::Done };
            engine.execute(start + Duration::from_secs(1), settle, &mut out);
        }
        engine.metrics()
    }
}
