//! The recorder of the trace for people. Without a trace it costs nothing.

use std::collections::BTreeMap;

use eventful::node::Unavailable;
use eventful::{
    Key,
    engine::{
        Answer, EnqueueFailure, Place, RunId, Ticket,
        facts::{Change, Fact},
    },
};

use super::wording::{Wording, outcome, run_name, trouble};
use super::worker::WorldWorker;
use crate::oracle::{CommandSummary, Observation, OutcomeSummary};
use crate::scenario::{CoreFault, EventNumber, Injection, Operation};
use crate::spec::ReferenceState;
use crate::tier::ScenarioPart as _;
use crate::trace::{AttemptFate, Lane, MessageFate, Trace, TraceEntry, What};

/// The trace of a simulation, if one is asked for.
#[derive(Debug, Default)]
pub(super) struct TraceRecorder {
    pub(super) trace: Option<Trace>,
    /// The number of the step, and its time.
    pub(super) step: u32,
    pub(super) at: u64,
    pub(super) skew: i64,
    /// The client whose operation is executed now.
    pub(super) caller: Option<u8>,
    /// The events of the tickets that were sent.
    tickets: BTreeMap<u64, EventNumber>,
}

impl TraceRecorder {
    pub(super) fn new(is_kept: bool) -> Self {
        Self { trace: is_kept.then(Trace::default), ..Self::default() }
    }

    pub(super) fn note(&mut self, lane: Lane, what: What, event: Option<EventNumber>, note: impl FnOnce() -> String) {
        if let Some(trace) = &mut self.trace {
            let (step, at, note) = (self.step, self.at, note());
            trace.entries.push(TraceEntry { step, at, lane, what, event, note, record: None });
        }
    }

    pub(super) const fn wording(&self) -> Wording {
        Wording { skew: self.skew }
    }

    /// Records a command of the engine.
    pub(super) fn note_command(&mut self, seen: &Observation<'_>, expected: &ReferenceState) {
        if self.trace.is_none() {
            return;
        }
        self.note_tickets(seen, expected);
        let (said, wording) = (seen.said, self.wording());
        let event = self.subject(seen, expected);
        let what = What::Message(Lane::Engine, verdict(seen.answer));
        self.note(self.speaker(said), what, event, || wording.exchange(said, seen.answer));
        let view = event.and_then(|event| seen.engine.get(seen.now, seen.key_table.key(event)));
        if let Some(last) = self.trace.as_mut().and_then(|trace| trace.entries.last_mut()) {
            last.record = view.map(|view| wording.record(&view));
        }
        for fact in seen.facts {
            if let Some(other) =
                key(fact).and_then(|key| seen.key_table.number(key)).filter(|other| Some(*other) != event)
            {
                let words = || format!("event {other}: {}", wording.fact(fact));
                self.note(Lane::Engine, What::Note, Some(other), words);
            }
        }
        for effect in seen.effects {
            if let eventful::engine::Effect::Abort(run) = effect
                && let Some((lane, event)) = self.began(*run).map(|began| (began.lane, began.event))
            {
                let stop = What::Message(lane, MessageFate::Stop);
                self.note(Lane::Engine, stop, event, || format!("abort {}", run_name(*run)));
            }
        }
    }

    /// Notes the events of the tickets that are sent.
    fn note_tickets(&mut self, seen: &Observation<'_>, expected: &ReferenceState) {
        let queued = |event| match seen.engine.get(seen.now, seen.key_table.key(event))?.place {
            Some(Place::Queued(ticket)) => Some((ticket.number(), event)),
            Some(Place::Delayed | Place::Gated(_) | Place::Line) | None => None,
        };
        if !seen.effects.is_empty() {
            self.tickets.extend(expected.all().filter_map(|(event, _)| queued(event)));
        }
    }

    /// Returns the event that a command is about.
    fn subject(&self, seen: &Observation<'_>, expected: &ReferenceState) -> Option<EventNumber> {
        if let Answer::Running(run) = seen.answer {
            return seen.key_table.number(run.event.key());
        }
        if let CommandSummary::Start(ticket) | CommandSummary::EnqueueFailed(ticket, _) = seen.said {
            return self.event_of(ticket);
        }
        let of_run = |run| expected.of_run(run).or_else(|| self.began(run)?.event);
        seen.said.event().or_else(|| of_run(seen.said.run()?))
    }

    /// Returns the entry of the beginning of a run.
    fn began(&self, run: RunId) -> Option<&TraceEntry> {
        let name = format!(", {}", run_name(run));
        let entries = &self.trace.as_ref()?.entries;
        entries.iter().rfind(|entry| entry.what == What::Begin && entry.note.ends_with(&name))
    }

    /// Returns the event that had this ticket when it was sent.
    fn event_of(&self, ticket: Ticket) -> Option<EventNumber> {
        self.tickets.get(&ticket.number()).copied()
    }

    /// Returns the lane of the part that gives a command.
    fn speaker(&self, said: CommandSummary) -> Lane {
        match said {
            CommandSummary::Submit { .. }
            | CommandSummary::Reject(_)
            | CommandSummary::Redrive(_)
            | CommandSummary::Discard(_)
            | CommandSummary::Pause
            | CommandSummary::PauseGroup { .. }
            | CommandSummary::Resume => self.caller.map_or(Lane::World, Lane::Client),
            CommandSummary::Start(_) => Lane::Dispatcher,
            CommandSummary::Settle(run, _) | CommandSummary::Heartbeat(run) => {
                self.began(run).map_or(Lane::World, |begin| begin.lane)
            }
            CommandSummary::EnqueueFailed(..) => Lane::Channel,
            CommandSummary::Sweep | CommandSummary::SetSchedules | CommandSummary::Tick => Lane::Sweeper,
            CommandSummary::Open | CommandSummary::HoldExpiry | CommandSummary::ReleaseExpiry => Lane::Journal,
            CommandSummary::ChannelLost | CommandSummary::Shutdown | CommandSummary::AbortInflight => Lane::World,
        }
    }

    pub(super) fn note_send(&mut self, ticket: Ticket, sent: Result<(), EnqueueFailure>) {
        if self.trace.is_none() {
            return;
        }
        let verdict = if sent.is_ok() { MessageFate::Sent } else { MessageFate::NotSent };
        self.note(Lane::Engine, What::Message(Lane::Channel, verdict), self.event_of(ticket), || match sent {
            Ok(()) => name(ticket),
            Err(cause) => format!("{} did not get in: {cause:?}", name(ticket)),
        });
    }

    /// Records that the dispatcher takes a ticket out of the channel.
    pub(super) fn note_take(&mut self, ticket: Ticket) {
        let message = What::Message(Lane::Dispatcher, MessageFate::Sent);
        self.note(Lane::Channel, message, self.event_of(ticket), || name(ticket));
    }

    pub(super) fn note_lost(&mut self, ticket: Ticket) {
        self.note(Lane::Channel, What::Fault, self.event_of(ticket), || format!("{} is lost", name(ticket)));
    }

    /// Records the cancellation of a worker's handler.
    pub(super) fn note_stop(&mut self, worker: &WorldWorker) {
        let stop = What::Message(worker.lane(), MessageFate::Stop);
        self.note(Lane::World, stop, Some(worker.event), || format!("stop {}", run_name(worker.run)));
    }

    pub(super) fn note_begin(&mut self, worker: &WorldWorker) {
        let (lane, event) = (worker.lane(), worker.event);
        let note = || format!("attempt {} of event {event}, {}", worker.attempt, run_name(worker.run));
        self.note(lane, What::Begin, Some(event), note);
        if self.trace.is_some()
            && let Some(trouble) = trouble(worker)
        {
            self.note(lane, What::Fault, Some(event), || trouble);
        }
    }

    pub(super) fn note_end(&mut self, worker: &WorldWorker) {
        let note = || worker.outcome.map_or_else(|| "dropped".to_owned(), outcome);
        let fate = worker.outcome.map_or(AttemptFate::Dropped, fate);
        self.note(worker.lane(), What::End(fate), Some(worker.event), note);
    }

    pub(super) fn note_fault(&mut self, fault: &CoreFault, is_up: bool) {
        let is_felt = is_up || reaches_what_is_down(fault.what);
        self.note(Lane::World, What::Fault, None, || match is_felt {
            true => fault.words(),
            false => format!("{}, but it is down", fault.words()),
        });
    }

    pub(super) fn note_world(&mut self, note: &str) {
        self.note(Lane::World, What::Note, None, || note.to_owned());
    }

    pub(super) fn note_journal(&mut self, note: impl FnOnce() -> String) {
        self.note(Lane::Journal, What::Note, None, note);
    }

    /// Records a result that had to wait until it was durable.
    pub(super) fn note_answer(&mut self, client: u8, event: EventNumber, answer: &Answer) {
        let (message, wording) = (What::Message(Lane::Client(client), verdict(answer)), self.wording());
        self.note(Lane::Journal, message, Some(event), || format!("the result is durable: {}", wording.answer(answer)));
    }

    /// Records that a client learns that a result may be lost.
    pub(super) fn note_unknown(&mut self, client: u8, event: Option<EventNumber>) {
        let message = What::Message(Lane::Client(client), MessageFate::Refused);
        self.note(Lane::Journal, message, event, || "whether it is durable is unknown".to_owned());
    }

    pub(super) fn note_hang_up(&mut self, client: u8, event: EventNumber) {
        self.note(Lane::Client(client), What::Fault, Some(event), || "hangs up before the result".to_owned());
    }

    pub(super) fn note_unreachable(&mut self, operation: &Operation) {
        let lane = Lane::Client(operation.client);
        self.note(lane, What::Note, None, || format!("{}: no process responds", operation.act));
    }

    pub(super) fn note_refusal(&mut self, client: u8, why: Unavailable) {
        self.note(Lane::Client(client), What::Note, None, || why.to_string());
    }

    /// Records a broken promise: it is about the event of the entry before, if that belongs to the step.
    pub(super) fn note_broken(&mut self, broken: &impl ToString) {
        let last = self.trace.as_ref().and_then(|trace| trace.entries.last());
        let event = last.filter(|last| last.step == self.step).and_then(|last| last.event);
        self.note(Lane::Engine, What::Broken, event, || broken.to_string());
    }
}

/// Returns the fate of a command.
const fn verdict(answer: &Answer) -> MessageFate {
    match answer {
        Answer::Accepted
        | Answer::Running(_)
        | Answer::Marked
        | Answer::Settled(_)
        | Answer::Alive(_)
        | Answer::Swept(_)
        | Answer::Noted => MessageFate::Taken,
        Answer::Duplicate(_) | Answer::Held | Answer::Stale => MessageFate::NoEffect,
        Answer::Conflict(_) | Answer::Refused(_) | Answer::NotFound | Answer::NotFailed(_) | Answer::TooLate => {
            MessageFate::Refused
        }
    }
}

const fn fate(summary: OutcomeSummary) -> AttemptFate {
    match summary {
        OutcomeSummary::Done | OutcomeSummary::DoneWith { .. } => AttemptFate::Done,
        OutcomeSummary::Retry { .. } => AttemptFate::Retry,
        OutcomeSummary::Permanent => AttemptFate::Permanent,
        OutcomeSummary::Snooze { .. } => AttemptFate::Snooze,
        OutcomeSummary::Crashed => AttemptFate::Crashed,
        OutcomeSummary::NotCalled => AttemptFate::Dropped,
    }
}

fn name(ticket: Ticket) -> String {
    format!("ticket {}", ticket.number())
}

/// Returns the event of a fact, or the first one.
fn key(fact: &Fact) -> Option<&Key> {
    match &fact.change {
        Change::Accepted(event) => Some(event.key()),
        Change::Started { key, .. } | Change::Finished { key, .. } => Some(key),
        Change::Redriven(key) | Change::Discarded(key) => Some(key),
        Change::Forgotten(keys) => keys.first(),
        Change::Paused | Change::Resumed | Change::Epoch(_) | Change::GroupPaused { .. } | Change::Scheduled { .. } => {
            None
        }
    }
}

/// Returns whether a fault has an effect while the process is down.
const fn reaches_what_is_down(fault: Injection) -> bool {
    matches!(
        fault,
        Injection::ProcessPauses { .. }
            | Injection::ClockForward { .. }
            | Injection::ClockOff { .. }
            | Injection::ClockBack { .. }
            | Injection::AllFail { .. }
            | Injection::ClientsStalled { .. }
            | Injection::DiesWriting { .. }
            | Injection::JournalStalled { .. }
            | Injection::DiskFails { .. }
            | Injection::SnapshotRots
            | Injection::DiskGone { .. }
            | Injection::DiskFull { .. }
    )
}
