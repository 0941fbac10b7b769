//! Jobs that run seeds in parallel: each seed goes to one job, in order.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

use eventful_sim::failure::Broken;
use eventful_sim::scenario::DrawPlan;
use eventful_sim::tier::{Keep, Probes, Tier};

use crate::options::RunOptions;

/// The interval of progress reports while all jobs are busy: short enough to react to Ctrl-C at once.
const LOOK_UP: Duration = Duration::from_millis(50);

/// The seeds that are left.
#[derive(Debug)]
pub(crate) struct RemainingSeeds {
    next: AtomicU64,
    end: AtomicU64,
    /// The number of seeds that a job takes at a time.
    batch: u64,
}

/// The sums of a job's results.
#[derive(Debug, Default)]
pub(crate) struct JobTally {
    pub(crate) seeds: u64,
    pub(crate) steps: u64,
    pub(crate) virtual_micros: u64,
    pub(crate) probes: Probes,
    /// The first seed that breaks a promise.
    pub(crate) failed: Option<(u64, Broken)>,
}

/// The settings with which seeds are run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct JobOptions {
    pub(crate) plan: DrawPlan,
    pub(crate) twice: bool,
}

impl JobOptions {
    /// Returns the command-line arguments that give the same scenarios.
    pub(crate) fn spelled<T: Tier>(self) -> String {
        let DrawPlan { submits, swarm, journals } = self.plan;
        let (swarm, memory) = (if swarm { " --swarm" } else { "" }, if journals { "" } else { " --memory" });
        if T::HAS_PLANS { format!(" --submits {submits}{swarm}{memory}") } else { format!(" --tier {}", T::NAME) }
    }
}

impl RemainingSeeds {
    /// Creates a range of `count` seeds.
    pub(crate) fn new<T: Tier>(first: u64, count: u64) -> Self {
        Self { next: first.into(), end: first.saturating_add(count).into(), batch: T::BATCH }
    }

    fn take(&self) -> Option<Range<u64>> {
        let start = self.next.fetch_add(self.batch, Ordering::Relaxed);
        let end = self.end.load(Ordering::Relaxed);
        (start < end).then(|| start..end.min(start + self.batch))
    }

    /// Hands out no more seeds; those that were handed out are finished.
    pub(crate) fn stop(&self) {
        self.end.fetch_min(self.next.load(Ordering::Relaxed), Ordering::Relaxed);
    }

    /// Notes that a seed failed: only lower ones still matter, as the first that fails is reported.
    fn fail(&self, seed: u64) {
        self.end.fetch_min(seed, Ordering::Relaxed);
    }

    fn matters(&self, seed: u64) -> bool {
        seed < self.end.load(Ordering::Relaxed)
    }
}

impl JobTally {
    /// Returns the number of faults that had their effects.
    pub(crate) fn faults<T: Tier>(&self) -> u64 {
        T::faults(&self.probes).iter().map(|(_, count)| count).sum()
    }

    /// Adds the sums of another job.
    pub(crate) fn add(&mut self, other: Self) {
        self.seeds += other.seeds;
        self.steps += other.steps;
        self.virtual_micros += other.virtual_micros;
        self.probes.add(&other.probes);
        self.failed = [self.failed.take(), other.failed].into_iter().flatten().min_by_key(|(seed, _)| *seed);
    }
}

/// Runs all of `seeds` and adds up their results. `look_up` is called now and then, to report progress and to stop.
pub(crate) fn go_through<T: Tier>(
    seeds: &RemainingSeeds,
    manner: JobOptions,
    jobs: usize,
    mut look_up: impl FnMut(&JobTally),
) -> JobTally {
    let mut sum = JobTally::default();
    let (sender, receiver) = mpsc::channel();
    thread::scope(|scope| {
        for _ in 0..jobs {
            let sender = sender.clone();
            scope.spawn(move || work::<T>(seeds, manner, &sender));
        }
        drop(sender);
        loop {
            match receiver.recv_timeout(LOOK_UP) {
                Ok(tally) => sum.add(tally),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            look_up(&sum);
        }
    });
    sum
}

fn work<T: Tier>(seeds: &RemainingSeeds, manner: JobOptions, sender: &Sender<JobTally>) {
    while let Some(range) = seeds.take() {
        let mut tally = JobTally::default();
        for seed in range.take_while(|seed| seeds.matters(*seed)) {
            if let Some(broken) = play::<T>(seed, manner, &mut tally) {
                seeds.fail(seed);
                tally.failed = Some((seed, broken));
            }
        }
        if sender.send(tally).is_err() {
            return;
        }
    }
}

fn play<T: Tier>(seed: u64, manner: JobOptions, tally: &mut JobTally) -> Option<Broken> {
    let scenario = T::draw(seed, manner.plan);
    let mut report = scenario.run(Keep::default(), &mut tally.probes);
    if manner.twice {
        report = scenario.run_again(report);
    }
    tally.seeds += 1;
    tally.steps += u64::from(report.steps);
    tally.virtual_micros += report.virtual_micros;
    report.broken
}

/// Returns the number of jobs that were asked for, else one a core.
pub(crate) fn count(options: &RunOptions) -> usize {
    let cores = || thread::available_parallelism().map_or(1, usize::from);
    options.jobs.map_or_else(cores, usize::from)
}
