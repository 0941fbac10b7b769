//! Progress reports: a bar at a terminal, a line now and then in a log.

use std::time::Duration;

use eventful_sim::tier::Tier;
use indicatif::{ProgressBar, ProgressStyle};

use crate::clock::SimStopwatch;
use crate::jobs::JobTally;
use crate::options::RunOptions;
use crate::terminal::{grouped, steps, warn};

/// The interval of lines in a log, so that a long run writes few.
const LOG_EVERY: Duration = Duration::from_secs(5);
/// The interval of updates of the bar: what the eye still follows.
const DRAW_EVERY: Duration = Duration::from_millis(100);

/// Reports progress.
#[derive(Debug)]
pub(crate) struct SeedProgress {
    bar: ProgressBar,
    every: Duration,
    since_report: SimStopwatch,
    /// The goal: a number of seeds, or milliseconds.
    goal: u64,
    by_time: bool,
    is_mute: bool,
}

impl SeedProgress {
    pub(crate) fn start(options: &RunOptions) -> Self {
        let span = options.span.map(|span| u64::try_from(span.as_millis()).unwrap_or(u64::MAX));
        let goal = options.seeds.or(span).unwrap_or_default();
        let bar = if options.json { ProgressBar::hidden() } else { ProgressBar::new(goal) };
        let style = ProgressStyle::with_template("[{bar:30}] {percent}% {wide_msg}").expect("a valid template");
        bar.set_style(style.progress_chars("## "));
        let every = if bar.is_hidden() { LOG_EVERY } else { DRAW_EVERY };
        let by_time = options.span.is_some();
        Self { bar, every, since_report: SimStopwatch::start(), goal, by_time, is_mute: options.json }
    }

    /// Reports progress, unless that was only just done.
    pub(crate) fn report<T: Tier>(&mut self, tally: &JobTally, passed: Duration) {
        if self.is_mute || self.since_report.elapsed() < self.every {
            return;
        }
        self.since_report = SimStopwatch::start();
        let done = if self.by_time { passed.as_millis() as u64 } else { tally.seeds };
        let text = text::<T>(tally, passed);
        if self.bar.is_hidden() {
            let percent = done.min(self.goal) * 100 / self.goal.max(1);
            warn(&format!("{percent}% {text}"));
        } else {
            self.bar.set_position(done.min(self.goal));
            self.bar.set_message(text);
        }
    }

    /// Removes the bar.
    pub(crate) fn end(&self) {
        self.bar.finish_and_clear();
    }
}

fn text<T: Tier>(tally: &JobTally, passed: Duration) -> String {
    let rate = tally.seeds as f64 / passed.as_secs_f64().max(1e-3);
    let (total, missing) = (T::expected(&tally.probes).len(), T::missing(&tally.probes).len());
    format!(
        "{} seeds, {}/s, {}{} faults, probes {}/{total}",
        grouped(tally.seeds),
        grouped(rate as u64),
        steps(tally.steps),
        grouped(tally.faults::<T>()),
        total - missing,
    )
}
