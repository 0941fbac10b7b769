//! The data of a trace that the page of a report draws: `draw.js` reads it as JSON.

use serde::Serialize;

use crate::scenario::EventNumber;
use crate::trace::{AttemptFate, Lane, MessageFate, OutageSpan, Trace, TraceEntry, What};

/// The data that the page draws. Lanes and entries are named by their place in these lists.
#[derive(Debug, Serialize)]
pub(super) struct Picture<'t> {
    pub(super) lanes: Vec<DrawnLane>,
    pub(super) entries: Vec<DrawnEntry<'t>>,
    pub(super) attempts: Vec<AttemptBar>,
    pub(super) outages: Vec<OutageBand>,
    pub(super) broken: Option<usize>,
}

#[derive(Debug, Serialize)]
pub(super) struct DrawnLane {
    pub(super) name: String,
    pub(super) kind: &'static str,
}

#[derive(Debug, Serialize)]
pub(super) struct DrawnEntry<'t> {
    pub(super) step: u32,
    pub(super) at: u64,
    pub(super) lane: usize,
    pub(super) what: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) to: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    verdict: Option<MessageFate>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) event: Option<EventNumber>,
    pub(super) note: &'t str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) record: Option<&'t str>,
}

/// A bar: a worker that handles an event.
#[derive(Debug, Serialize)]
pub(super) struct AttemptBar {
    lane: usize,
    begin: usize,
    /// Absent when it never ends.
    end: Option<usize>,
    event: Option<EventNumber>,
    /// Absent when it never ends.
    fate: Option<AttemptFate>,
    /// True if the engine did not count its outcome.
    stale: bool,
}

/// The time for which a part does not work.
#[derive(Debug, Serialize)]
pub(super) struct OutageBand {
    lanes: Vec<usize>,
    begin: usize,
    end: usize,
    name: String,
}

impl<'t> Picture<'t> {
    pub(super) fn of(spans: &[OutageSpan], trace: &'t Trace) -> Self {
        let lanes = lanes_of(trace);
        let place = |lane: Lane| lanes.iter().position(|other| *other == lane).unwrap_or_default();
        let entries = &trace.entries;
        Self {
            attempts: attempts(entries, &place),
            outages: outages(spans, entries, &lanes),
            broken: entries.iter().position(|entry| entry.what == What::Broken),
            entries: entries.iter().map(|entry| DrawnEntry::of(entry, &place)).collect(),
            lanes: lanes.iter().map(|lane| DrawnLane { name: name(*lane), kind: kind(*lane) }).collect(),
        }
    }
}

impl<'t> DrawnEntry<'t> {
    fn of(entry: &'t TraceEntry, place: &impl Fn(Lane) -> usize) -> Self {
        let (what, message) = match entry.what {
            What::Message(to, verdict) => ("message", Some((place(to), verdict))),
            What::Begin => ("begin", None),
            What::End(_) => ("end", None),
            What::Note => ("note", None),
            What::Fault => ("fault", None),
            What::Broken => ("broken", None),
        };
        let (to, verdict) = message.unzip();
        let TraceEntry { step, at, event, .. } = *entry;
        let (lane, note, record) = (place(entry.lane), entry.note.as_str(), entry.record.as_deref());
        Self { step, at, lane, what, to, verdict, event, note, record }
    }
}

/// Returns the lanes that have something to show, faults first.
fn lanes_of(trace: &Trace) -> Vec<Lane> {
    let mut lanes: Vec<Lane> = Vec::new();
    for entry in &trace.entries {
        lanes.push(entry.lane);
        if let What::Message(to, _) = entry.what {
            lanes.push(to);
        }
    }
    lanes.sort_unstable_by_key(|lane| (*lane != Lane::World, *lane));
    lanes.dedup();
    lanes
}

fn name(lane: Lane) -> String {
    match lane {
        Lane::Client(number) => format!("client {number}"),
        Lane::Worker(permit) => format!("worker {permit}"),
        Lane::Engine | Lane::Channel | Lane::Dispatcher | Lane::Sweeper | Lane::Journal | Lane::World => {
            kind(lane).to_owned()
        }
    }
}

const fn kind(lane: Lane) -> &'static str {
    match lane {
        Lane::Client(_) => "client",
        Lane::Engine => "engine",
        Lane::Channel => "channel",
        Lane::Dispatcher => "dispatcher",
        Lane::Worker(_) => "worker",
        Lane::Sweeper => "sweeper",
        Lane::Journal => "journal",
        Lane::World => "world",
    }
}

/// Returns the bars. A worker does one thing at a time, so a bar lasts until the next end in its lane.
fn attempts(entries: &[TraceEntry], place: &impl Fn(Lane) -> usize) -> Vec<AttemptBar> {
    let begins = entries.iter().enumerate().filter(|(_, entry)| entry.what == What::Begin);
    let attempt = |(begin, entry): (usize, &TraceEntry)| {
        let mut attempt =
            AttemptBar { lane: place(entry.lane), begin, end: None, event: entry.event, fate: None, stale: false };
        for (at, later) in entries.iter().enumerate().skip(begin + 1).filter(|(_, later)| later.lane == entry.lane) {
            match later.what {
                What::Message(_, verdict) => attempt.stale = verdict == MessageFate::NoEffect,
                What::End(fate) => {
                    (attempt.end, attempt.fate) = (Some(at), Some(fate));
                    break;
                }
                What::Begin | What::Note | What::Fault | What::Broken => {}
            }
        }
        attempt
    };
    begins.map(attempt).collect()
}

fn outages(spans: &[OutageSpan], entries: &[TraceEntry], lanes: &[Lane]) -> Vec<OutageBand> {
    let mut begun: Vec<usize> = Vec::new();
    let mut outages = Vec::new();
    for OutageSpan { note, lasts, name, parts } in spans {
        let is_it = |(at, entry): &(usize, &TraceEntry)| {
            entry.what == What::Fault && entry.note == *note && !begun.contains(at)
        };
        let Some((begin, entry)) = entries.iter().enumerate().find(is_it) else { continue };
        begun.push(begin);
        let ends_at = entry.at.saturating_add(*lasts);
        let end = entries.iter().position(|entry| entry.at >= ends_at).unwrap_or(entries.len());
        let disturbed = |lane: Lane| parts.iter().any(|part| *part == kind(lane) || *part == self::name(lane));
        let places = (0..lanes.len()).filter(|place| disturbed(lanes[*place])).collect();
        outages.push(OutageBand { lanes: places, begin, end: end.max(begin), name: (*name).to_owned() });
    }
    outages
}
