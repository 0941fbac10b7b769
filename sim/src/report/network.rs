//! What a page says of a run of the turmoil tier.

use super::about::About;
use super::span::Span;
use super::text::seconds;
use crate::failure::Broken;
use crate::network::{Fault, FaultKind, Line, Request, Scenario, plain};
use crate::trace::{Entry, Lane, Trace, What};

/// A page about a run of `scenario` on the simulated network, from its steps. The workers' lanes are
/// the runs of the handler; there are no records, for clients see none.
pub fn network_html(scenario: &Scenario, broken: Option<&Broken>, lines: &[Line]) -> String {
    super::whole(&about(scenario), broken, &trace(broken, lines))
}

fn about(scenario: &Scenario) -> About {
    About {
        seed: scenario.seed,
        about: "on a simulated network".to_owned(),
        file: serde_json::to_string_pretty(scenario).unwrap_or_default() + "\n",
        operations: scenario.requests.iter().map(request).collect(),
        faults: scenario.faults.iter().map(|fault| [millis(fault.at_ms), plain(&fault.kind)]).collect(),
        settings: serde_json::to_value(&scenario.setup).unwrap_or_default(),
        choices: "made by tokio, and by yields that follow from the seed".to_owned(),
        spans: scenario.faults.iter().filter_map(span).collect(),
    }
}

fn request(request: &Request) -> [String; 3] {
    [millis(request.at_ms), format!("client {}", request.client), plain(&request.call)]
}

fn millis(ms: u32) -> String {
    seconds(u64::from(ms) * 1_000)
}

fn span(fault: &Fault) -> Option<Span> {
    let (for_ms, name, part) = match fault.kind {
        FaultKind::Link { client, for_ms, .. } => (for_ms, "link", format!("client {client}")),
        FaultKind::Outage { down_ms, .. } => (down_ms, "down", "engine".to_owned()),
        FaultKind::Pause { for_ms } => (for_ms, "paused", "engine".to_owned()),
        FaultKind::DiskFull { for_ms } => (for_ms, "full", "journal".to_owned()),
        FaultKind::DiskBlocks { for_ms } => (for_ms, "blocked", "journal".to_owned()),
        FaultKind::DiskGone { for_ms } => (for_ms, "gone", "journal".to_owned()),
        FaultKind::Disturb { .. } | FaultKind::Disk { .. } | FaultKind::Inside(_) => return None,
    };
    Some(Span { note: plain(&fault.kind), lasts: u64::from(for_ms) * 1_000, name, disturbs: vec![part] })
}

/// In the order of time: facts are read later than they happen. What happens at one time is a step.
fn trace(broken: Option<&Broken>, lines: &[Line]) -> Trace {
    let mut entries: Vec<Entry> = lines.iter().flat_map(|line| line.entries.clone()).collect();
    let end = lines.last().map_or(0, |line| line.at_micros);
    entries.extend(broken.map(|broken| Entry {
        step: 0,
        at: end,
        lane: Lane::Engine,
        what: What::Broken,
        event: None,
        note: broken.to_string(),
        record: None,
    }));
    entries.sort_by_key(|entry| entry.at);
    let (mut step, mut before) = (0, None);
    for entry in &mut entries {
        step += u32::from(before != Some(entry.at));
        (entry.step, before) = (step, Some(entry.at));
    }
    Trace { entries }
}
