//! Steps as entries of a trace, for the page that shows them.

use eventful::node::{Action, Point};

use super::scenario::{ClientCall, HandlerEnding, KeyNumber, Request};
use super::step::{INSPECTOR_NUMBER, NetworkStep};
use crate::failure::Broken;
use crate::trace::{AttemptFate, Lane, MessageFate, Trace, TraceEntry, What};

/// The greatest number of characters of a response that are shown. A free choice.
const BODY: usize = 200;

/// Builds the entries of a run's trace.
#[derive(Debug)]
pub(super) struct TraceBuilder {
    calls: Vec<ClientCall>,
    /// The runs of the handler, each at the number of its lane: event, attempt, and how they are to end.
    running: Vec<Option<(KeyNumber, u32, HandlerEnding)>>,
    entries: Vec<TraceEntry>,
}

impl TraceBuilder {
    pub(super) fn of(requests: &[Request]) -> Self {
        let calls = requests.iter().map(|request| request.call.clone()).collect();
        Self { calls, running: Vec::new(), entries: Vec::new() }
    }

    pub(super) fn note(&mut self, at: u64, step: &NetworkStep<'_>) {
        let texts = self.describe(step);
        self.entries.extend(texts.into_iter().map(|text| entry(at, text)));
    }

    /// Returns the entries in the order of time, as facts are read later than they happen. What happens at one time is
    /// a step.
    pub(super) fn finish(mut self, end: u64, broken: Option<&Broken>) -> Trace {
        let broken = broken.map(|broken| entry(end, (Lane::Engine, What::Broken, None, broken.to_string())));
        self.entries.extend(broken);
        self.entries.sort_by_key(|entry| entry.at);
        let (mut step, mut before) = (0, None);
        for entry in &mut self.entries {
            step += u32::from(before != Some(entry.at));
            (entry.step, before) = (step, Some(entry.at));
        }
        Trace { entries: self.entries }
    }

    fn describe(&mut self, step: &NetworkStep<'_>) -> Vec<TraceText> {
        let engine = |key, note: String| vec![(Lane::Engine, What::Note, key, note)];
        let journal = |note: String| vec![(Lane::Journal, What::Note, None, note)];
        let world = |what, note: String| vec![(Lane::World, what, None, note)];
        match step {
            NetworkStep::Opened { generation } => {
                world(What::Note, format!("process {generation} of the server begins"))
            }
            NetworkStep::Closed { generation } => self.close(*generation),
            NetworkStep::Fault(kind) => world(What::Fault, plain(kind)),
            NetworkStep::FaultOver(kind) => world(What::Note, format!("over: {}", plain(kind))),
            NetworkStep::Healed => world(What::Note, "the faults have ended".to_owned()),
            NetworkStep::Sent { client, request, again } => self.send(*client, *request, *again),
            NetworkStep::Answered { client, request, status, body, .. } => {
                self.answer(*client, *request, *status, body)
            }
            NetworkStep::Unanswered { client, request, why } => {
                vec![(Lane::Client(*client), What::Note, self.key(*request), (*why).to_owned())]
            }
            NetworkStep::Passed { point, action } => disturbed(*point, *action),
            NetworkStep::Called { key, attempt, ending } => self.call(*key, *attempt, *ending),
            NetworkStep::Left { key, attempt, finished } => self.leave(*key, *attempt, *finished),
            NetworkStep::Accepted { key } => engine(Some(*key), format!("event {key} is accepted")),
            NetworkStep::Started { key, run } => engine(Some(*key), format!("run {run} of event {key} starts")),
            NetworkStep::Finished { key, run, end } => {
                engine(Some(*key), format!("run {run} of event {key} has ended: {end}"))
            }
            NetworkStep::Redriven { key } => engine(Some(*key), format!("event {key} is redriven")),
            NetworkStep::Discarded { key } => engine(Some(*key), format!("event {key} is discarded")),
            NetworkStep::Forgotten { key } => engine(Some(*key), format!("event {key} is forgotten")),
            NetworkStep::JournalOpened { end, found } => {
                let doubt = if *found { ", the frame in doubt is in it" } else { "" };
                journal(format!("opened; the next frame is {end}{doubt}"))
            }
            NetworkStep::Appended { frame, kept } => {
                journal(format!("frame {frame} is {}", if *kept { "durable" } else { "in doubt" }))
            }
            NetworkStep::NotStarted => journal("the process could not open it".to_owned()),
            NetworkStep::Paused | NetworkStep::Resumed | NetworkStep::Reopened | NetworkStep::ShutDown { .. } => {
                engine(None, plain(step))
            }
        }
    }

    /// Ends the runs of a process that has ended.
    fn close(&mut self, generation: u32) -> Vec<TraceText> {
        let ends = |(lane, run): (u16, Option<(KeyNumber, u32, HandlerEnding)>)| {
            let (key, ..) = run?;
            Some((Lane::Worker(lane), What::End(AttemptFate::Dropped), Some(key), "ended with its process".to_owned()))
        };
        let mut texts: Vec<_> = (0..).zip(self.running.drain(..)).filter_map(ends).collect();
        texts.push((Lane::World, What::Note, None, format!("process {generation} of the server has ended")));
        texts
    }

    fn send(&self, client: u8, request: usize, again: u8) -> Vec<TraceText> {
        let call = self.calls.get(request).map(plain).unwrap_or_default();
        let again = if again > 0 { format!(", again ({again})") } else { String::new() };
        let what = What::Message(Lane::Engine, MessageFate::Sent);
        vec![(Lane::Client(client), what, self.key(request), format!("{call}{again}"))]
    }

    fn answer(&self, client: u8, request: usize, status: u16, body: &[u8]) -> Vec<TraceText> {
        if client == INSPECTOR_NUMBER {
            return vec![(Lane::World, What::Note, None, format!("the inspector receives {status}"))];
        }
        let verdict = if status < 300 { MessageFate::Taken } else { MessageFate::Refused };
        let body: String = String::from_utf8_lossy(body).trim_end().chars().take(BODY).collect();
        let what = What::Message(Lane::Client(client), verdict);
        vec![(Lane::Engine, what, self.key(request), format!("{status} {body}"))]
    }

    /// Returns the event that a request is about, if it is about one.
    fn key(&self, request: usize) -> Option<KeyNumber> {
        self.calls.get(request)?.key()
    }

    fn call(&mut self, key: KeyNumber, attempt: u32, ending: HandlerEnding) -> Vec<TraceText> {
        let free = self.running.iter().position(Option::is_none).unwrap_or_else(|| {
            self.running.push(None);
            self.running.len() - 1
        });
        self.running[free] = Some((key, attempt, ending));
        let note = format!("attempt {attempt} of event {key}, to end with {}", plain(&ending));
        vec![(lane(free), What::Begin, Some(key), note)]
    }

    fn leave(&mut self, key: KeyNumber, attempt: u32, finished: bool) -> Vec<TraceText> {
        let is_it =
            |run: &Option<(KeyNumber, u32, HandlerEnding)>| run.is_some_and(|(k, a, _)| (k, a) == (key, attempt));
        let Some(at) = self.running.iter().position(is_it) else { return Vec::new() };
        let ending = self.running[at].take().map(|(.., ending)| ending);
        let fate = ending.map_or(AttemptFate::Dropped, |ending| fate(ending, finished));
        vec![(lane(at), What::End(fate), Some(key), plain(&fate).to_lowercase())]
    }
}

fn entry(at: u64, (lane, what, key, note): TraceText) -> TraceEntry {
    TraceEntry { step: 0, at, lane, what, event: key.map(u16::from), note, record: None }
}

type TraceText = (Lane, What, Option<KeyNumber>, String);

fn lane(at: usize) -> Lane {
    Lane::Worker(u16::try_from(at).unwrap_or(u16::MAX))
}

/// Returns the entry of a pass. Yields change orders, and are no faults.
fn disturbed(point: Point, action: Action) -> Vec<TraceText> {
    let lane = match point {
        Point::Enqueue => Lane::Channel,
        Point::Present | Point::Dispatch => Lane::Dispatcher,
        Point::Sweep => Lane::Sweeper,
        Point::WorkerStart | Point::BeforeSettle | Point::AfterSettle | Point::Drain | Point::Write => Lane::Engine,
    };
    match action {
        Action::Continue | Action::Yield => Vec::new(),
        Action::Stall(_) | Action::Fail | Action::Panic | Action::DropReceiver => {
            vec![(lane, What::Fault, None, format!("{action:?} at {point:?}"))]
        }
    }
}

/// Returns the fate of a run. A panic is shown as one even when the run was dropped before it.
const fn fate(ending: HandlerEnding, finished: bool) -> AttemptFate {
    let planned = match ending {
        HandlerEnding::Done | HandlerEnding::Follow | HandlerEnding::LeaveTask { .. } => AttemptFate::Done,
        HandlerEnding::Retry | HandlerEnding::RetryAfter { .. } | HandlerEnding::FollowAndRetry => AttemptFate::Retry,
        HandlerEnding::Permanent => AttemptFate::Permanent,
        HandlerEnding::Snooze { .. } | HandlerEnding::Shortage { .. } => AttemptFate::Snooze,
        HandlerEnding::Panic | HandlerEnding::PanicAtCall => return AttemptFate::Crashed,
        HandlerEnding::Hang | HandlerEnding::BeatForEver { .. } => AttemptFate::Dropped,
    };
    if finished { planned } else { AttemptFate::Dropped }
}

/// Formats a value as in code, without its braces.
pub(super) fn plain(value: &impl std::fmt::Debug) -> String {
    format!("{value:?}")
        .replace(['{', '}', '(', ')'], " ")
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
        .replace(" ,", ",")
}
