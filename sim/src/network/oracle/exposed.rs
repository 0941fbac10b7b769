//! The oracle of metrics: every number of the adapter is shown under its name.

use std::collections::BTreeMap;

use eventful::{
    Status,
    engine::{EnqueueFailure, Phase, facts::AttemptEnd},
    metrics::{Histogram, Metrics, RejectReason, Stats, SweptReason, TypeStats},
};
use serde_json::Value;

use super::{OracleResult, holds};
use crate::failure::Broken;
use crate::spelling::variant;

/// Numbers by their names, with the label as Prometheus writes it.
type Samples = BTreeMap<String, f64>;

/// The states of a journal, as the `state` label has them.
const STATES: [&str; 6] = ["working", "stalled", "full", "unreachable", "reopening", "down"];

/// A number of a type policy, with its name.
type TypeNumber = (&'static str, fn(&TypeStats) -> u64);

const TYPE_NUMBERS: [TypeNumber; 3] = [
    ("type_gated", |policy| policy.gated),
    ("type_next", |policy| policy.unstarted),
    ("type_running", |policy| policy.running),
];

/// Checks the numbers as JSON. `stats` are those before the request, and after.
pub(in crate::network) fn as_json(body: &[u8], stats: [&Stats; 2]) -> OracleResult {
    let shown: Value =
        serde_json::from_slice(body).map_err(|error| broken(format_args!("the stats are no JSON: {error}")))?;
    let families = shown.as_object().ok_or_else(|| broken("the stats are no JSON object"))?;
    let mut samples = Samples::new();
    for (name, value) in families {
        match value {
            Value::Object(groups) if name == "paused_groups" => paused_groups(groups.keys(), stats)?,
            Value::Object(values) if values.contains_key("bucket") => {
                let buckets = values["bucket"].as_object().into_iter().flatten();
                samples
                    .extend(buckets.map(|(bound, count)| (labelled(&format!("{name}_bucket"), bound), number(count))));
                samples.extend(["sum", "count"].map(|part| (format!("{name}_{part}"), number(&values[part]))));
            }
            Value::Object(values) => {
                samples.extend(values.iter().map(|(value, count)| (labelled(name, value), number(count))));
            }
            Value::Number(_) | Value::Null | Value::Bool(_) | Value::String(_) | Value::Array(_) => {
                samples.insert(name.clone(), number(value));
            }
        }
    }
    agree(&samples, stats)
}

/// Compares the paused groups, which only JSON shows by their names, with those before and after the request.
fn paused_groups<'a>(shown: impl Iterator<Item = &'a String>, stats: [&Stats; 2]) -> OracleResult {
    let shown: Vec<_> = shown.cloned().collect();
    let due = stats.map(|stats| stats.paused_groups.iter().map(ToString::to_string).collect::<Vec<_>>());
    holds(due.contains(&shown), || broken(format_args!("the paused groups are {shown:?}, expected one of {due:?}")))
}

/// Checks the numbers as text. `stats` are those before the request, and after.
pub(in crate::network) fn as_text(body: &[u8], stats: [&Stats; 2]) -> OracleResult {
    let text = std::str::from_utf8(body).map_err(|error| broken(format_args!("the metrics are no UTF-8: {error}")))?;
    let (mut samples, mut family, mut helped) = (Samples::new(), ("", ""), "");
    for line in text.lines() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            helped = help.split_once(' ').filter(|(_, help)| !help.is_empty()).map_or("", |(name, _)| name);
        } else if let Some(kind) = line.strip_prefix("# TYPE ") {
            family = kind.split_once(' ').unwrap_or_default();
            holds(family.0 == helped, || broken(format_args!("{line:?} follows the help of {helped:?}")))?;
        } else {
            let (name, value) = line.rsplit_once(' ').unwrap_or_default();
            let bare = name.split('{').next().unwrap_or_default();
            holds(is_of(bare, family), || broken(format_args!("{line:?} is in the family {family:?}")))?;
            let value = value.parse().map_err(|error| broken(format_args!("{line:?}: {error}")))?;
            let name = name.strip_prefix("eventful_").unwrap_or_default().to_owned();
            let before = samples.insert(name, value);
            holds(before.is_none(), || broken(format_args!("{line:?} is shown twice")))?;
        }
    }
    agree(&samples, stats)
}

/// Returns whether a sample of this name is one of the family, whose kind its name implies.
fn is_of(name: &str, (family, kind): (&str, &str)) -> bool {
    let is_kind = match kind {
        "counter" => family.ends_with("_total"),
        "gauge" => !family.ends_with("_total"),
        "histogram" => family.ends_with("_seconds"),
        _ => false,
    };
    let part = name.strip_prefix(family);
    is_kind && part.is_some_and(|part| if kind == "histogram" { is_part(part) } else { part.is_empty() })
}

fn is_part(name: &str) -> bool {
    matches!(name, "_bucket" | "_sum" | "_count")
}

/// Compares the shown numbers with those before and after the request: each lies between the two.
fn agree(shown: &Samples, [before, after]: [&Stats; 2]) -> OracleResult {
    let (before, after) = (samples(before), samples(after));
    let (names, due): (Vec<_>, Vec<_>) = (shown.keys().collect(), before.keys().collect());
    holds(names == due, || {
        let odd = shown.keys().find(|name| !before.contains_key(*name));
        let missing = before.keys().find(|name| !shown.contains_key(*name));
        broken(format_args!("{odd:?} should not be shown, and {missing:?} should"))
    })?;
    for (name, shown) in shown {
        let (one, other) = (before[name], after.get(name).copied().unwrap_or_default());
        holds((one.min(other)..=one.max(other)).contains(shown), || {
            broken(format_args!("{name} is {shown}, expected from {one} to {other}"))
        })?;
    }
    Ok(())
}

/// Returns the samples that must be shown for these numbers.
fn samples(stats: &Stats) -> Samples {
    let Metrics { facts, tallies, gauges, histograms, .. } = &stats.engine;
    let mut samples: Samples = [
        ("events_accepted_total", facts.accepted),
        ("events_redriven_total", facts.redriven),
        ("attempts_started_total", facts.started),
        ("events_deduplicated_total", tallies.deduplicated),
        ("events_conflicted_total", tallies.conflicted),
        ("tickets_stale_total", tallies.tickets_stale),
        ("outcomes_stale_total", tallies.outcomes_stale),
        ("sweeps_total", tallies.sweeps),
        ("backlog_queued", gauges.queued),
        ("line_length", gauges.line),
        ("delayed", gauges.delayed),
        ("gated", gauges.gated),
        ("processing_inflight", gauges.inflight),
        ("event_bytes", gauges.bytes),
        ("failed_bytes", gauges.failed_bytes),
        ("oldest_pending_seconds", stats.pending_for.as_secs()),
        ("oldest_failed_seconds", stats.failed_for.as_secs()),
        ("failed_full", u64::from(stats.full_of_failures)),
        ("paused", u64::from(stats.paused)),
        ("groups_paused", stats.paused_groups.len() as u64),
        ("queue_channel_depth", stats.channel_depth),
        ("workers_running", stats.workers_running),
        ("permits_free", stats.permits_free),
        ("submitters_waiting", stats.submitters_waiting),
        ("dispatcher_restarts_total", stats.dispatcher_restarts),
        ("sweeper_restarts_total", stats.sweeper_restarts),
        ("facts_dropped_total", stats.subscription_dropped),
        ("clock_ahead_seconds", stats.clock_ahead.as_secs()),
    ]
    .map(|(name, number)| (name.to_owned(), number as f64))
    .into();
    let mut rows = |name, rows: &mut dyn Iterator<Item = (&str, u64)>| {
        samples.extend(rows.map(|(value, number)| (labelled(name, value), number as f64)));
    };
    let over = [Status::Completed, Status::Failed, Status::Discarded];
    rows("events_forgotten_total", &mut over.iter().map(|status| (status.as_str(), facts.forgotten(*status))));
    rows("attempts_finished_total", &mut AttemptEnd::ALL.iter().map(|end| (end.as_str(), facts.finished(*end))));
    rows("events_rejected_total", &mut RejectReason::ALL.iter().map(|why| (why.as_str(), tallies.rejected(*why))));
    let failures = [("full", EnqueueFailure::Full), ("closed", EnqueueFailure::Closed)];
    rows("enqueue_failures_total", &mut failures.iter().map(|(name, why)| (*name, tallies.enqueue_failures(*why))));
    rows("swept_total", &mut SweptReason::ALL.iter().map(|why| (why.as_str(), tallies.swept(*why))));
    rows("records", &mut Status::ALL.iter().map(|status| (status.as_str(), gauges.records(*status))));
    let phases = [("running", Phase::Running), ("draining", Phase::Draining), ("stopped", Phase::Stopped)];
    rows("phase", &mut phases.iter().map(|(name, phase)| (*name, u64::from(stats.phase == *phase))));
    for (name, number) in TYPE_NUMBERS {
        rows(name, &mut stats.types.iter().map(|policy| (policy.pattern.as_str(), number(policy))));
    }
    if let (Some(room), Some(state)) = (stats.journal_room_bytes, stats.journal) {
        rows("journal_state", &mut STATES.iter().map(|name| (*name, u64::from(*name == variant(&state, '_')))));
        let journal = [
            ("journal_unsynced_facts", stats.unsynced),
            ("journal_room_bytes", room),
            ("journal_unsynced_bytes", stats.unsynced_bytes),
            ("journal_unsynced_seconds", stats.unsynced_for.as_secs()),
            ("journal_groups_total", stats.journal_groups),
            ("journal_reopenings_total", stats.journal_reopenings),
        ];
        samples.extend(journal.map(|(name, number)| (name.to_owned(), number as f64)));
    }
    if !stats.types.is_empty() {
        samples.insert("unmatched".to_owned(), stats.unmatched as f64);
    }
    samples.extend(durations("queue_time_seconds", &histograms.queue_time));
    samples.extend(durations("processing_time_seconds", &histograms.processing_time));
    samples.extend(durations("end_to_end_seconds", &histograms.end_to_end));
    samples
}

/// Returns the samples of a histogram: each bucket includes those before it, and the last one includes everything.
fn durations(name: &str, histogram: &Histogram) -> impl Iterator<Item = (String, f64)> {
    let bounds = Histogram::BOUNDS_MICROS.iter().map(|micros| (*micros as f64 / 1e6).to_string());
    let counts = (1..).map(|buckets| histogram.counts().iter().take(buckets).sum::<u64>() as f64);
    let bucket = format!("{name}_bucket");
    let buckets: Vec<_> = bounds
        .chain(["+Inf".to_owned()])
        .zip(counts)
        .map(|(bound, count)| (labelled(&bucket, &bound), count))
        .collect();
    let (sum, count) = (histogram.sum().as_micros() as f64 / 1e6, histogram.count() as f64);
    buckets.into_iter().chain([(format!("{name}_sum"), sum), (format!("{name}_count"), count)])
}

fn labelled(name: &str, value: &str) -> String {
    let label = match name {
        "events_forgotten_total" | "records" => "status",
        "attempts_finished_total" => "outcome",
        "events_rejected_total" | "enqueue_failures_total" | "swept_total" => "reason",
        "phase" => "phase",
        "type_gated" | "type_next" | "type_running" => "type",
        "journal_state" => "state",
        _ => "le",
    };
    format!("{name}{{{label}=\"{value}\"}}")
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or(f64::NAN)
}

fn broken(what: impl std::fmt::Display) -> Broken {
    Broken::new("exposed", 7, what)
}

#[cfg(test)]
mod tests {
    use eventful::{Attempt, Event, Eventful, Failure};

    /// The fields that are compared here, those inside of the engine's metrics among them.
    const COMPARED: [&str; 54] = [
        "engine",
        "facts",
        "accepted",
        "redriven",
        "started",
        "finished",
        "forgotten",
        "tallies",
        "deduplicated",
        "conflicted",
        "tickets_stale",
        "outcomes_stale",
        "sweeps",
        "rejected",
        "enqueue_failures",
        "swept",
        "gauges",
        "queued",
        "line",
        "delayed",
        "gated",
        "inflight",
        "bytes",
        "failed_bytes",
        "oldest_pending",
        "oldest_failed",
        "records",
        "histograms",
        "queue_time",
        "processing_time",
        "end_to_end",
        "channel_depth",
        "workers_running",
        "permits_free",
        "submitters_waiting",
        "dispatcher_restarts",
        "sweeper_restarts",
        "subscription_dropped",
        "unsynced",
        "journal_room_bytes",
        "journal_reopenings",
        "journal",
        "unsynced_bytes",
        "unsynced_for",
        "pending_for",
        "failed_for",
        "journal_groups",
        "clock_ahead",
        "phase",
        "paused",
        "paused_groups",
        "types",
        "unmatched",
        "full_of_failures",
    ];

    #[test]
    fn every_field_of_the_numbers_is_compared() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        let _context = runtime.enter();
        let handler = async |_: Event, _: Attempt| Ok::<(), Failure>(());
        let eventful = Eventful::builder().start(handler).expect("it starts");
        let shown = format!("{:#?}", eventful.stats().expect("it is sound"));
        let depth = |line: &str| line.len() - line.trim_start().len();
        let fields = shown.lines().filter(|line| depth(line) <= 12).filter_map(|line| line.trim().split_once(": "));
        let names: Vec<_> = fields.map(|(name, _)| name).collect();
        assert_eq!(names, COMPARED, "a new field has to be compared, and listed here");
    }
}
