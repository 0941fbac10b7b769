//! Runs of the core tier.

use eventful_sim::failure::Broken;
use eventful_sim::probe::Probes;
use eventful_sim::report;
use eventful_sim::scenario::Scenario;
use eventful_sim::trace::{Entry, What};
use eventful_sim::world::{Keep, Report};

use crate::panics;
use crate::played::Played;

/// Runs it. What fires is added to `probes`.
pub(crate) fn play(scenario: &Scenario, probes: &mut Probes) -> Played {
    let Report { mut broken, steps, virtual_micros, hash, .. } = run(scenario, Keep::default(), probes);
    if let Some(broken) = broken.as_mut().filter(|broken| broken.oracle == panics::ORACLE) {
        broken.what = panics::said();
    }
    Played { broken, hash, steps: Some(steps), virtual_micros }
}

/// The hash after each step.
pub(crate) fn hashes(scenario: &Scenario) -> Vec<u64> {
    run(scenario, Keep { hashes: true, ..Keep::default() }, &mut Probes::default()).hashes
}

/// What happens in it, a line each.
pub(crate) fn diary(scenario: &Scenario) -> Vec<String> {
    let report = run(scenario, Keep { trace: true, ..Keep::default() }, &mut Probes::default());
    report.trace.unwrap_or_default().entries.iter().map(line).collect()
}

/// What it breaks, and a page that shows how.
pub(crate) fn page(scenario: &Scenario) -> (Option<Broken>, String) {
    let Report { broken, trace, .. } = run(scenario, Keep { trace: true, ..Keep::default() }, &mut Probes::default());
    let page = report::html(scenario, broken.as_ref(), &trace.unwrap_or_default());
    (broken, page)
}

fn run(scenario: &Scenario, keep: Keep, probes: &mut Probes) -> Report {
    scenario.run(keep, probes).expect("a configuration that was drawn, or checked when it was read")
}

fn line(entry: &Entry) -> String {
    let Entry { step, at, lane, what, note, record, event: _ } = entry;
    let lane = format!("{lane:?}");
    let mark = match what {
        What::Message(to, _) => format!("-> {to:?}"),
        What::Begin => "begins".to_owned(),
        What::End(_) => "ends".to_owned(),
        What::Note => String::new(),
        What::Fault => "FAULT".to_owned(),
        What::Broken => "BROKEN".to_owned(),
    };
    let line = format!("{step:>5} {:>12.6} s  {lane:<10} {mark:<13} {note}", *at as f64 / 1e6);
    match record {
        Some(record) => format!("{line}  [{record}]"),
        None => line,
    }
}
