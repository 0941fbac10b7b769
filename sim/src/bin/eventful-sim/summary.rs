//! The results of all seeds together.

use std::time::Duration;

use eventful_sim::tier::Tier;
use serde_json::json;

use crate::failure::FailedSeed;
use crate::jobs::JobTally;
use crate::terminal::{grouped, steps};

/// The results of all seeds together.
#[derive(Debug)]
pub(crate) struct RunSummary<T: Tier> {
    pub(crate) first: u64,
    pub(crate) jobs: usize,
    pub(crate) took: Duration,
    pub(crate) tally: JobTally,
    /// True if the probes that have not fired are listed by name.
    pub(crate) names_missing: bool,
    pub(crate) failure: Option<FailedSeed<T>>,
}

impl<T: Tier> RunSummary<T> {
    fn seconds(&self) -> f64 {
        self.took.as_secs_f64().max(1e-6)
    }

    fn rate(&self) -> f64 {
        self.tally.seeds as f64 / self.seconds()
    }

    fn rate_per_job(&self) -> f64 {
        self.rate() / self.jobs as f64
    }

    /// Returns the ratio of simulated time to the time that one job took for it.
    fn virtual_per_wall(&self) -> f64 {
        self.tally.virtual_micros as f64 / 1e6 / self.seconds() / self.jobs as f64
    }

    /// Returns the steps and the speed of time; nothing in a tier without time.
    fn pace(&self) -> String {
        match self.tally.virtual_micros {
            0 => String::new(),
            _ => {
                let pace = grouped(self.virtual_per_wall() as u64);
                format!(", {}virtual:wall {pace} a job", steps(self.tally.steps))
            }
        }
    }

    /// Returns a hint how to see the probes that have not fired. Few seeds never reach all of them, which is no error.
    fn hint(&self, missing: usize) -> &'static str {
        if missing == 0 || self.names_missing { "" } else { "; more seeds reach more, --probes lists the others" }
    }

    /// Returns the lines of text for people.
    pub(crate) fn lines(&self) -> Vec<String> {
        let Self { first, jobs, took, tally, names_missing, failure } = self;
        let (missing, total) = (T::missing(&tally.probes), T::expected(&tally.probes).len());
        let hit = total - missing.len();
        let kinds: Vec<_> =
            T::faults(&tally.probes).into_iter().map(|(kind, count)| format!("{kind} {}", grouped(count))).collect();
        let failures = if failure.is_some() { "one breaks a promise" } else { "none breaks a promise" };
        let last = (first + tally.seeds).saturating_sub(1);
        let mut lines = vec![
            format!("{} seeds from {first} to {last} in {took:.1?}: {failures}", grouped(tally.seeds)),
            format!(
                "speed   {} seeds/s, {} a job with {jobs}{}",
                grouped(self.rate() as u64),
                grouped(self.rate_per_job() as u64),
                self.pace(),
            ),
            format!("probes  {hit} of {total} have fired{}", self.hint(missing.len())),
            format!("faults  {}: {}", grouped(tally.faults::<T>()), kinds.join(", ")),
        ];
        // A run that was cut short has no result for rare probes.
        if failure.is_none() && *names_missing {
            lines.extend(missing.iter().map(|name| format!("missing {name}")));
        }
        lines
    }

    /// Returns the summary as one JSON object.
    pub(crate) fn to_json(&self) -> String {
        let failure = self.failure.as_ref();
        let smaller = failure.and_then(|failure| failure.smaller.as_ref());
        let object = json!({
            "seeds": self.tally.seeds,
            "first": self.first,
            "jobs": self.jobs,
            "seconds": self.seconds(),
            "steps": self.tally.steps,
            "failed_seed": failure.map(|failure| failure.seed),
            "oracle": failure.map(|failure| &failure.broken.oracle),
            "promise": failure.map(|failure| failure.broken.promise.to_string()),
            "what": failure.map(|failure| &failure.broken.what),
            "size": failure.map(|failure| failure.size),
            "shrunk_size": smaller.map(|smaller| smaller.scenario.size()),
            "shrink_tries": smaller.map(|smaller| smaller.tries),
            "shrink_ms": failure.map(|failure| failure.took.as_millis() as u64),
            "file": failure.map(|failure| failure.file.display().to_string()),
            "seeds_per_second": self.rate(),
            "seeds_per_second_per_job": self.rate_per_job(),
            "virtual_per_wall": self.virtual_per_wall(),
            "faults": self.tally.faults::<T>(),
            "probes": T::expected(&self.tally.probes).len(),
            "probes_missing": T::missing(&self.tally.probes),
        });
        object.to_string()
    }
}
