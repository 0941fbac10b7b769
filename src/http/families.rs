//! Every number that the server shows, under its name: the one list behind `/metrics` and `/v1/stats`.

use std::string::String;
use std::vec;
use std::vec::Vec;

use crate::engine::{
    EnqueueFailure, FactCounters, Histogram, Phase, RejectReason, Status, SweptReason, TypeStats, facts::AttemptEnd,
};
use crate::node::{JournalState, Stats};

use super::targets::TargetState;
use crate::broker::IntakeNumbers;

/// Numbers of one name.
#[derive(Debug)]
pub(super) struct MetricFamily<'a> {
    /// Without the prefix `eventful_`.
    pub(super) name: &'static str,
    pub(super) help: &'static str,
    pub(super) numbers: MetricNumbers<'a>,
}

/// The kind and the numbers of a family.
#[derive(Debug)]
pub(super) enum MetricNumbers<'a> {
    Counter(u64),
    Gauge(u64),
    /// By the values of one label.
    Counters(&'static str, Vec<(&'a str, u64)>),
    /// By the values of one label.
    Gauges(&'static str, Vec<(&'a str, u64)>),
    Histogram(&'a Histogram),
}

use MetricNumbers::{Counter, Counters, Gauge, Gauges};

/// All families.
pub(super) fn families<'a>(
    stats: &'a Stats,
    targets: &'a [TargetState],
    intakes: &'a [(String, IntakeNumbers)],
) -> Vec<MetricFamily<'a>> {
    let mut families = facts(stats);
    families.extend(tallies(stats));
    families.extend(gauges(stats));
    families.extend(of_types(stats));
    families.extend(adapter(stats));
    families.extend(journal(stats));
    families.extend(of_targets(targets));
    families.extend(of_intakes(intakes));
    families.extend(histograms(stats));
    families
}

const fn family<'a>(name: &'static str, help: &'static str, numbers: MetricNumbers<'a>) -> MetricFamily<'a> {
    MetricFamily { name, help, numbers }
}

fn facts(stats: &Stats) -> Vec<MetricFamily<'_>> {
    let facts = &stats.engine.facts;
    let finished = AttemptEnd::ALL.map(|end| (end.as_str(), facts.finished(end))).into();
    vec![
        family("events_accepted_total", "Events accepted.", Counter(facts.accepted)),
        family("events_redriven_total", "Failed events redriven.", Counter(facts.redriven)),
        family("events_forgotten_total", "Terminal records that were forgotten, by status.", forgotten(facts)),
        family("attempts_started_total", "Runs started.", Counter(facts.started)),
        family("attempts_finished_total", "Runs ended, by outcome.", Counters("outcome", finished)),
    ]
}

fn forgotten(facts: &FactCounters) -> MetricNumbers<'static> {
    let terminal = [Status::Completed, Status::Failed, Status::Discarded];
    Counters("status", terminal.map(|status| (status.as_str(), facts.forgotten(status))).into())
}

fn tallies(stats: &Stats) -> Vec<MetricFamily<'_>> {
    let tallies = &stats.engine.tallies;
    let rejected = RejectReason::ALL.map(|reason| (reason.as_str(), tallies.rejected(reason))).into();
    let failures = [("full", EnqueueFailure::Full), ("closed", EnqueueFailure::Closed)];
    let failures = failures.map(|(name, cause)| (name, tallies.enqueue_failures(cause))).into();
    let swept = SweptReason::ALL.map(|reason| (reason.as_str(), tallies.swept(reason))).into();
    vec![
        family("events_deduplicated_total", "Events submitted again.", Counter(tallies.deduplicated)),
        family("events_conflicted_total", "Submissions with another payload.", Counter(tallies.conflicted)),
        family("events_rejected_total", "Submissions refused, by reason.", Counters("reason", rejected)),
        family("enqueue_failures_total", "Tickets that did not get into the channel.", Counters("reason", failures)),
        family(
            "tickets_stale_total",
            "Tickets whose record no longer waited for them.",
            Counter(tallies.tickets_stale),
        ),
        family("outcomes_stale_total", "Outcomes of runs that were not current.", Counter(tallies.outcomes_stale)),
        family("sweeps_total", "Sweeps.", Counter(tallies.sweeps)),
        family("swept_total", "Records scheduled again by a sweep, by reason.", Counters("reason", swept)),
    ]
}

fn gauges(stats: &Stats) -> Vec<MetricFamily<'_>> {
    let gauges = &stats.engine.gauges;
    let records = Status::ALL.map(|status| (status.as_str(), gauges.records(status))).into();
    let phases = [("running", Phase::Running), ("draining", Phase::Draining), ("stopped", Phase::Stopped)];
    let phases = phases.map(|(name, phase)| (name, u64::from(stats.phase == phase))).into();
    vec![
        family("records", "Records, by status.", Gauges("status", records)),
        family("backlog_queued", "Records with a ticket in the channel.", Gauge(gauges.queued)),
        family("line_length", "Records that are eligible and wait for a ticket.", Gauge(gauges.line)),
        family("delayed", "Records that wait for their time.", Gauge(gauges.delayed)),
        family(
            "gated",
            "Records that are due and wait for their group, or for the limit of their type.",
            Gauge(gauges.gated),
        ),
        family("processing_inflight", "Runs in flight.", Gauge(gauges.inflight)),
        family("event_bytes", "Bytes of the events that are not terminal.", Gauge(gauges.bytes)),
        family("failed_bytes", "Bytes of the failed events, with their errors.", Gauge(gauges.failed_bytes)),
        family(
            "oldest_pending_seconds",
            "Whole seconds for which the oldest event waits that is not terminal: since it was accepted, or was to start.",
            Gauge(stats.pending_for.as_secs()),
        ),
        family(
            "oldest_failed_seconds",
            "Whole seconds since the first of the failed events failed.",
            Gauge(stats.failed_for.as_secs()),
        ),
        family(
            "failed_full",
            "1 while new events are refused because failed ones have too many bytes.",
            Gauge(u64::from(stats.full_of_failures)),
        ),
        family("phase", "1 for the phase that the engine is in.", Gauges("phase", phases)),
        family("paused", "1 when an operator has stopped the start of runs.", Gauge(u64::from(stats.paused))),
        family(
            "groups_paused",
            "Groups of which an operator has stopped the start of runs.",
            Gauge(stats.paused_groups.len() as u64),
        ),
    ]
}

fn adapter(stats: &Stats) -> Vec<MetricFamily<'_>> {
    vec![
        family("queue_channel_depth", "Tickets in the channel, measured.", Gauge(stats.channel_depth)),
        family("workers_running", "Workers, each with a permit.", Gauge(stats.workers_running)),
        family("permits_free", "Permits that no worker holds.", Gauge(stats.permits_free)),
        family("submitters_waiting", "Submitters that wait for room.", Gauge(stats.submitters_waiting)),
        family("dispatcher_restarts_total", "Restarts of the dispatcher.", Counter(stats.dispatcher_restarts)),
        family("sweeper_restarts_total", "Restarts of the sweeper.", Counter(stats.sweeper_restarts)),
        family(
            "facts_dropped_total",
            "Facts that a subscription was too slow for.",
            Counter(stats.subscription_dropped),
        ),
        family(
            "clock_ahead_seconds",
            "Whole seconds that the engine's time is ahead of the wall clock.",
            Gauge(stats.clock_ahead.as_secs()),
        ),
    ]
}

/// Without a journal there are no numbers of one.
fn journal(stats: &Stats) -> Vec<MetricFamily<'_>> {
    // Zeros would look like the numbers of a journal that works.
    let (Some(room), Some(state)) = (stats.journal_room_bytes, stats.journal) else { return Vec::new() };
    let states = JournalState::NAMES.map(|name| (name, u64::from(name == state.as_str()))).into();
    vec![
        family("journal_unsynced_facts", "Facts that are not durable yet.", Gauge(stats.unsynced)),
        family("journal_room_bytes", "Bytes that the journal can take for new events.", Gauge(room)),
        family("journal_unsynced_bytes", "Bytes of these facts.", Gauge(stats.unsynced_bytes)),
        family(
            "journal_unsynced_seconds",
            "How long the oldest of these facts has waited, in whole seconds.",
            Gauge(stats.unsynced_for.as_secs()),
        ),
        family(
            "journal_groups_total",
            "Groups of facts that are durable, or were given up, since the start.",
            Counter(stats.journal_groups),
        ),
        family("journal_state", "1 for the state that the journal is in.", Gauges("state", states)),
        family("journal_reopenings_total", "Times that it was opened again.", Counter(stats.journal_reopenings)),
    ]
}

/// Without type policies there are no numbers of any.
fn of_types(stats: &Stats) -> Vec<MetricFamily<'_>> {
    let Stats { types, unmatched, .. } = stats;
    if types.is_empty() {
        return Vec::new();
    }
    let each = |number: fn(&TypeStats) -> u64| {
        Gauges("type", types.iter().map(|policy| (policy.pattern.as_str(), number(policy))).collect())
    };
    vec![
        family(
            "type_gated",
            "Records that are due and wait for the limit of their type, by policy.",
            each(|of| of.gated),
        ),
        family("type_next", "Records that may start and have not, by type policy.", each(|of| of.unstarted)),
        family("type_running", "Runs in flight, by type policy.", each(|of| of.running)),
        family("unmatched", "Records that wait because no type policy fits them.", Gauge(*unmatched)),
    ]
}

/// Without targets there are no numbers of any.
fn of_targets(targets: &[TargetState]) -> Vec<MetricFamily<'_>> {
    if targets.is_empty() {
        return Vec::new();
    }
    let each =
        |number: fn(&TargetState) -> u64| targets.iter().map(|state| (state.name.as_str(), number(state))).collect();
    let is_open = |state: &TargetState| u64::from(state.open_since.is_some());
    vec![
        family(
            "target_running",
            "Attempts in flight, by target.",
            Gauges("target", each(|state| state.running as u64)),
        ),
        family("target_circuit_open", "1 while the circuit of the target is open.", Gauges("target", each(is_open))),
        family(
            "target_circuit_opened_total",
            "Times that the circuit was opened, by target.",
            Counters("target", each(|state| state.opened)),
        ),
        family(
            "target_waits_total",
            "Attempts that waited, because the target was busy or its circuit open.",
            Counters("target", each(|state| state.waits)),
        ),
    ]
}

fn of_intakes(intakes: &[(String, IntakeNumbers)]) -> Vec<MetricFamily<'_>> {
    if intakes.is_empty() {
        return Vec::new();
    }
    let each = |number: fn(&IntakeNumbers) -> u64| {
        intakes.iter().map(|(name, numbers)| (name.as_str(), number(numbers))).collect::<Vec<_>>()
    };
    let counters = |name, help, number| family(name, help, Counters("source", each(number)));
    let lags = intakes.iter().filter_map(|(name, numbers)| Some((name.as_str(), numbers.lag?))).collect();
    vec![
        counters("broker_received_total", "Messages received from a broker, by source.", |it| it.counts.received),
        counters("broker_redelivered_total", "Those that it had delivered before.", |it| it.counts.redelivered),
        counters("broker_accepted_total", "Messages that became new events.", |it| it.counts.accepted),
        counters("broker_duplicates_total", "Messages of known events.", |it| it.counts.duplicates),
        counters("broker_dead_letters_total", "Messages that were put aside.", |it| it.counts.dead_letters),
        counters("broker_acknowledged_total", "Acknowledgements that were confirmed.", |it| it.counts.acknowledged),
        counters("broker_given_back_total", "Messages that were given back.", |it| it.counts.given_back),
        counters("broker_held_total", "Times that a message had to wait for the engine.", |it| it.counts.held),
        counters("broker_failures_total", "Calls of a broker that failed.", |it| it.counts.failures),
        family("broker_in_flight", "Messages received and not done with.", Gauges("source", each(|it| it.in_flight))),
        family("broker_lag", "Messages that the broker has not delivered yet.", Gauges("source", lags)),
        family(
            "broker_up",
            "1 while messages are received from the broker.",
            Gauges("source", each(|it| u64::from(it.is_running))),
        ),
    ]
}

fn histograms(stats: &Stats) -> Vec<MetricFamily<'_>> {
    let histograms = &stats.engine.histograms;
    let row = |name, help, histogram| family(name, help, MetricNumbers::Histogram(histogram));
    vec![
        row("queue_time_seconds", "From eligible to the start of the run.", &histograms.queue_time),
        row("processing_time_seconds", "From the start of a run to its end.", &histograms.processing_time),
        row("end_to_end_seconds", "From acceptance to completion.", &histograms.end_to_end),
    ]
}
