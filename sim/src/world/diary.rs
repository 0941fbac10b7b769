//! What people get to see of a run. Without a trace nothing here costs anything.

use eventful::{Answer, Change, EnqueueFailure, Fact, Key, Place, RunId, Ticket};

use super::World;
use super::wording::{Wording, outcome, run_name, trouble};
use super::worker::Worker;
use crate::edge::Standing;
use crate::failure::Broken;
use crate::oracle::{Said, Told};
use crate::scenario::{EventNumber, Fault, Injection, Operation};
use crate::spec::Record;
use crate::trace::{Entry, Fate, Lane, Verdict, What};

impl World<'_> {
    fn note(&mut self, lane: Lane, what: What, event: Option<EventNumber>, note: impl FnOnce() -> String) {
        if self.trace.is_none() {
            return;
        }
        let record = event.and_then(|event| self.describe(event));
        let entry = Entry { step: self.steps, at: self.now, lane, what, event, note: note(), record };
        if let Some(trace) = &mut self.trace {
            trace.entries.push(entry);
        }
    }

    /// How a record stands, in a line.
    fn describe(&self, event: EventNumber) -> Option<String> {
        let view = self.engine.get(self.told, self.roster.key(event))?;
        Some(Wording { skew: self.skew }.record(&view))
    }

    /// Where the record stands that a command names, before it.
    pub(super) fn state_of(&self, said: Said) -> Standing {
        let book = &self.oracles.book;
        let event = said.event().or_else(|| book.of_run(said.run()?));
        let now = self.told.max(self.clock());
        let record = event.and_then(|event| book.present(event, now));
        Standing { phase: self.engine.phase(), is_paused: self.engine.is_paused(), status: record.map(Record::status) }
    }

    pub(super) fn note_command(&mut self, said: Said, answer: &Answer) {
        if self.trace.is_none() {
            return;
        }
        let event = self.subject(said, answer);
        let wording = Wording { skew: self.skew };
        self.note(self.speaker(said), What::Message(Lane::Engine, verdict(answer)), event, || {
            wording.exchange(said, answer)
        });
        let others: Vec<_> = self.out.facts().iter().filter_map(|fact| self.consequence(event, fact)).collect();
        for (other, words) in others {
            self.note(Lane::Engine, What::Note, Some(other), || format!("event {other}: {words}"));
        }
    }

    /// A fact about another event than the command's.
    fn consequence(&self, subject: Option<EventNumber>, fact: &Fact) -> Option<(EventNumber, String)> {
        let event = self.roster.number(key(fact)?).filter(|event| Some(*event) != subject)?;
        Some((event, Wording { skew: self.skew }.fact(fact)))
    }

    /// The event that a command is about.
    fn subject(&self, said: Said, answer: &Answer) -> Option<EventNumber> {
        if let Answer::Running(run) = answer {
            return self.roster.number(run.event.key());
        }
        match said {
            Said::Start(ticket) | Said::EnqueueFailed(ticket, _) => self.event_of(ticket),
            Said::Submit { .. }
            | Said::Reject { .. }
            | Said::Settle(..)
            | Said::Heartbeat(_)
            | Said::ChannelLost
            | Said::Sweep
            | Said::Redrive(_)
            | Said::Discard(_)
            | Said::Pause
            | Said::Resume
            | Said::HoldExpiry
            | Said::ReleaseExpiry
            | Said::Shutdown
            | Said::AbortInflight
            | Said::RejectForDisk
            | Said::Open => said.event().or_else(|| self.began(said.run()?)?.event),
        }
    }

    /// The beginning of a run.
    fn began(&self, run: RunId) -> Option<&Entry> {
        let name = format!(", {}", run_name(run));
        let entries = &self.trace.as_ref()?.entries;
        entries.iter().rfind(|entry| entry.what == What::Begin && entry.note.ends_with(&name))
    }

    /// The event that a ticket stands for, or stood for when it was sent.
    fn event_of(&self, ticket: Ticket) -> Option<EventNumber> {
        let queued = |event: &EventNumber| {
            let view = self.engine.get(self.told, self.roster.key(*event));
            view.is_some_and(|view| view.place == Some(Place::Queued(ticket)))
        };
        let sent =
            |entry: &&Entry| entry.what == What::Message(Lane::Channel, Verdict::Sent) && entry.note == name(ticket);
        let entries = &self.trace.as_ref()?.entries;
        let known = self.oracles.book.all().map(|(event, _)| event).find(queued);
        known.or_else(|| entries.iter().rfind(sent)?.event)
    }

    /// Who says it.
    fn speaker(&self, said: Said) -> Lane {
        match said {
            Said::Submit { .. }
            | Said::Reject { .. }
            | Said::Redrive(_)
            | Said::Discard(_)
            | Said::Pause
            | Said::Resume
            | Said::RejectForDisk => self.caller.map_or(Lane::World, Lane::Client),
            Said::Start(_) => Lane::Dispatcher,
            Said::Settle(run, _) | Said::Heartbeat(run) => self.began(run).map_or(Lane::World, |begin| begin.lane),
            Said::EnqueueFailed(..) => Lane::Channel,
            Said::Sweep => Lane::Sweeper,
            Said::Open | Said::HoldExpiry | Said::ReleaseExpiry => Lane::Journal,
            Said::ChannelLost | Said::Shutdown | Said::AbortInflight => Lane::World,
        }
    }

    pub(super) fn note_send(&mut self, ticket: Ticket, sent: Result<(), EnqueueFailure>) {
        if self.trace.is_none() {
            return;
        }
        let event = self.event_of(ticket);
        let verdict = if sent.is_ok() { Verdict::Sent } else { Verdict::NotSent };
        self.note(Lane::Engine, What::Message(Lane::Channel, verdict), event, || match sent {
            Ok(()) => name(ticket),
            Err(cause) => format!("{} does not get in: {cause:?}", name(ticket)),
        });
    }

    /// The dispatcher takes a ticket out of the channel.
    pub(super) fn note_take(&mut self, ticket: Ticket) {
        if self.trace.is_some() {
            let event = self.event_of(ticket);
            self.note(Lane::Channel, What::Message(Lane::Dispatcher, Verdict::Sent), event, || name(ticket));
        }
    }

    /// The tickets in the channel, so that [`Self::note_lost`] knows which are gone.
    pub(super) fn tickets_seen(&self) -> Vec<Ticket> {
        match self.trace.is_some() {
            true => self.channel.content().0.collect(),
            false => Vec::new(),
        }
    }

    pub(super) fn note_lost(&mut self, before: Vec<Ticket>) {
        for ticket in before {
            if !self.channel.content().0.any(|left| left == ticket) {
                let event = self.event_of(ticket);
                self.note(Lane::Channel, What::Fault, event, || format!("{} is lost", name(ticket)));
            }
        }
    }

    pub(super) fn note_abort(&mut self, run: RunId) {
        let Some(worker) = self.workers.iter().find(|worker| worker.run == run) else { return };
        let (lane, event) = (Lane::Worker(worker.permit), worker.event);
        self.note(Lane::Engine, What::Message(lane, Verdict::Stop), Some(event), || format!("abort {}", run_name(run)));
    }

    /// A shutdown tells this worker's handler to stop.
    pub(super) fn note_stop(&mut self, worker: &Worker) {
        let lane = Lane::Worker(worker.permit);
        let stop = What::Message(lane, Verdict::Stop);
        self.note(Lane::World, stop, Some(worker.event), || format!("stop {}", run_name(worker.run)));
    }

    pub(super) fn note_begin(&mut self, worker: &Worker) {
        let (lane, event) = (Lane::Worker(worker.permit), worker.event);
        let note = || format!("attempt {} of event {event}, {}", worker.attempt, run_name(worker.run));
        self.note(lane, What::Begin, Some(event), note);
        if self.trace.is_some()
            && let Some(trouble) = trouble(worker)
        {
            self.note(lane, What::Fault, Some(event), || trouble);
        }
    }

    pub(super) fn note_end(&mut self, worker: &Worker) {
        let note = || worker.outcome.map_or_else(|| "dropped".to_owned(), outcome);
        let fate = worker.outcome.map_or(Fate::Dropped, fate);
        self.note(Lane::Worker(worker.permit), What::End(fate), Some(worker.event), note);
    }

    pub(super) fn note_fault(&mut self, fault: &Fault) {
        let is_felt = self.is_up || reaches_what_is_down(fault);
        self.note(Lane::World, What::Fault, None, || match is_felt {
            true => fault.what.to_string(),
            false => format!("{}, but it is down", fault.what),
        });
    }

    pub(super) fn note_world(&mut self, note: &str) {
        self.note(Lane::World, What::Note, None, || note.to_owned());
    }

    pub(super) fn note_journal(&mut self, note: impl FnOnce() -> String) {
        self.note(Lane::Journal, What::Note, None, note);
    }

    /// An answer leaves that had to wait until it was durable.
    pub(super) fn note_answer(&mut self, client: u8, event: EventNumber, answer: &Answer) {
        let message = What::Message(Lane::Client(client), verdict(answer));
        let wording = Wording { skew: self.skew };
        self.note(Lane::Journal, message, Some(event), || format!("it is durable: {}", wording.answer(answer)));
    }

    /// A client is told that nobody knows.
    pub(super) fn note_unknown(&mut self, client: u8, event: Option<EventNumber>) {
        let message = What::Message(Lane::Client(client), Verdict::Refused);
        self.note(Lane::Journal, message, event, || "whether it is durable is unknown".to_owned());
    }

    pub(super) fn note_hang_up(&mut self, operation: &Operation, event: EventNumber) {
        let note = || "hangs up before the answer".to_owned();
        self.note(Lane::Client(operation.client), What::Fault, Some(event), note);
    }

    pub(super) fn note_unreachable(&mut self, operation: &Operation) {
        let lane = Lane::Client(operation.client);
        self.note(lane, What::Note, None, || format!("{}: nobody answers", operation.act));
    }

    /// What breaks a promise is about the event of the entry before it, if that belongs to the step.
    pub(super) fn note_broken(&mut self, broken: &Broken) {
        let last = self.trace.as_ref().and_then(|trace| trace.entries.last());
        let event = last.filter(|last| last.step == self.steps).and_then(|last| last.event);
        self.note(Lane::Engine, What::Broken, event, || broken.to_string());
    }
}

/// What became of a command.
const fn verdict(answer: &Answer) -> Verdict {
    match answer {
        Answer::Accepted
        | Answer::Running(_)
        | Answer::Marked
        | Answer::Settled(_)
        | Answer::Alive(_)
        | Answer::Swept(_)
        | Answer::Noted => Verdict::Taken,
        Answer::Duplicate(_) | Answer::Held | Answer::Stale => Verdict::NoEffect,
        Answer::Conflict(_) | Answer::Refused(_) | Answer::NotFound | Answer::NotFailed(_) | Answer::TooLate => {
            Verdict::Refused
        }
    }
}

const fn fate(told: Told) -> Fate {
    match told {
        Told::Done => Fate::Done,
        Told::Retry { .. } => Fate::Retry,
        Told::Permanent => Fate::Permanent,
        Told::Snooze { .. } => Fate::Snooze,
        Told::Crashed => Fate::Crashed,
    }
}

fn name(ticket: Ticket) -> String {
    format!("ticket {}", ticket.number())
}

/// The event of a fact, or the first one.
fn key(fact: &Fact) -> Option<&Key> {
    match &fact.change {
        Change::Accepted(event) => Some(event.key()),
        Change::Started { key, .. } | Change::Finished { key, .. } => Some(key),
        Change::Redriven(key) | Change::Discarded(key) => Some(key),
        Change::Forgotten(keys) => keys.first(),
        Change::Paused | Change::Resumed | Change::Epoch(_) => None,
    }
}

/// Whether a fault changes something while the process is down.
const fn reaches_what_is_down(fault: &Fault) -> bool {
    matches!(
        fault.what,
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
            | Injection::DiskFull { .. }
    )
}
