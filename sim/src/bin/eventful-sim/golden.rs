//! `golden`: runs that must stay the same until a change alters them on purpose.

use std::process::ExitCode;

use eventful_sim::scenario::{CoreScenario, DrawPlan};
use eventful_sim::tier::{Keep, Probes};

use crate::terminal::say;

/// Returns the seeds, with the number of submissions of each.
fn cases() -> impl Iterator<Item = (u64, u16)> {
    let few = (0..40).map(|seed| (seed, 20));
    few.chain((0..8).map(|seed| (seed, 200)))
}

/// Prints a line for each run: seed, submissions, hash. Families of faults are disabled in turn.
pub(crate) fn print() -> ExitCode {
    for (seed, submits) in cases() {
        let scenario = CoreScenario::draw(seed, DrawPlan { submits, swarm: true, journals: true });
        let report = scenario.run(Keep::default(), &mut Probes::default());
        say(&format!("{seed} {submits} {:016x}", report.hash));
    }
    ExitCode::SUCCESS
}
