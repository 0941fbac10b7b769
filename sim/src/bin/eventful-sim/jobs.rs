//! Seeds go to jobs in their order, each to one.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

use eventful_sim::failure::Broken;

use crate::case::Case;
use crate::options::{Draw, RunOptions, Tier};
use crate::reach::Reach;

/// How often one looks up while all jobs are busy.
const LOOK_UP: Duration = Duration::from_millis(50);

/// The seeds that are left.
#[derive(Debug)]
pub(crate) struct Seeds {
    next: AtomicU64,
    end: AtomicU64,
    /// As many as a job takes at a time.
    batch: u64,
}

/// What a job has come to.
#[derive(Debug)]
pub(crate) struct Tally {
    pub(crate) seeds: u64,
    pub(crate) steps: u64,
    pub(crate) virtual_micros: u64,
    pub(crate) reach: Reach,
    /// The first seed that breaks a promise.
    pub(crate) failed: Option<(u64, Broken)>,
}

/// How seeds are run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Manner {
    pub(crate) draw: Draw,
    pub(crate) twice: bool,
}

impl Seeds {
    /// `count` of them.
    pub(crate) fn new(first: u64, count: u64, tier: Tier) -> Self {
        let batch = match tier {
            Tier::Core => 32,
            Tier::Turmoil => 4,
            Tier::Disk => 2,
        };
        Self { next: first.into(), end: first.saturating_add(count).into(), batch }
    }

    fn take(&self) -> Option<Range<u64>> {
        let start = self.next.fetch_add(self.batch, Ordering::Relaxed);
        let end = self.end.load(Ordering::Relaxed);
        (start < end).then(|| start..end.min(start + self.batch))
    }

    /// No more are taken; those that were are finished.
    pub(crate) fn stop(&self) {
        self.end.fetch_min(self.next.load(Ordering::Relaxed), Ordering::Relaxed);
    }

    /// A seed failed: only lower ones still matter, for the first that fails is the one to report.
    fn fail(&self, seed: u64) {
        self.end.fetch_min(seed, Ordering::Relaxed);
    }

    fn matters(&self, seed: u64) -> bool {
        seed < self.end.load(Ordering::Relaxed)
    }
}

impl Tally {
    fn of(tier: Tier) -> Self {
        Self { seeds: 0, steps: 0, virtual_micros: 0, reach: Reach::of(tier), failed: None }
    }

    /// Adds what another job has come to.
    pub(crate) fn add(&mut self, other: Self) {
        self.seeds += other.seeds;
        self.steps += other.steps;
        self.virtual_micros += other.virtual_micros;
        self.reach.add(&other.reach);
        self.failed = [self.failed.take(), other.failed].into_iter().flatten().min_by_key(|(seed, _)| *seed);
    }
}

/// Runs all of `seeds` and adds up what they come to. `look_up` is called now and then, to tell and
/// to stop.
pub(crate) fn go_through(seeds: &Seeds, manner: Manner, jobs: usize, mut look_up: impl FnMut(&Tally)) -> Tally {
    let mut sum = Tally::of(manner.draw.tier);
    let (sender, receiver) = mpsc::channel();
    thread::scope(|scope| {
        for _ in 0..jobs {
            let sender = sender.clone();
            scope.spawn(move || work(seeds, manner, &sender));
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

fn work(seeds: &Seeds, manner: Manner, sender: &Sender<Tally>) {
    while let Some(range) = seeds.take() {
        let mut tally = Tally::of(manner.draw.tier);
        for seed in range.take_while(|seed| seeds.matters(*seed)) {
            if let Some(broken) = play(seed, manner, &mut tally) {
                seeds.fail(seed);
                tally.failed = Some((seed, broken));
            }
        }
        if sender.send(tally).is_err() {
            return;
        }
    }
}

fn play(seed: u64, manner: Manner, tally: &mut Tally) -> Option<Broken> {
    let case = Case::draw(seed, manner.draw);
    let mut played = case.play(&mut tally.reach);
    if manner.twice {
        played = case.play_again(played);
    }
    tally.seeds += 1;
    tally.steps += u64::from(played.steps.unwrap_or_default());
    tally.virtual_micros += played.virtual_micros;
    played.broken
}

/// As many jobs as were asked for, else one a core.
pub(crate) fn count(options: &RunOptions) -> usize {
    let cores = || thread::available_parallelism().map_or(1, usize::from);
    options.jobs.map_or_else(cores, usize::from)
}
