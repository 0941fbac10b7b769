//! What an answer says, and whom it concerns.

use std::sync::Arc;

use eventful::{Status, Timestamp};
use serde::Deserialize;

use super::ledger::{self, Told};
use super::oracle::{Memory, durable, front, holds, kept};
use super::scenario::{Call, Item, KeyNumber};
use super::stage::{Notes, Stage};
use super::step::Step;
use super::wire::{Response, bad_lines, blank_lines, leads_to};
use crate::failure::Broken;
use crate::spec::Record;

/// An answer that a client has got.
#[derive(Debug)]
pub(super) struct Heard {
    pub(super) client: u8,
    /// The number of its request.
    pub(super) index: usize,
    /// The process that gave it.
    pub(super) server: u32,
    pub(super) response: Response,
    /// What was remembered when the request was sent.
    pub(super) memory: Memory,
}

/// Takes note of an answer. Answers whether it settles the request.
pub(super) fn hear(stage: &Arc<Stage>, call: &Call, heard: &Heard) -> bool {
    let Heard { client, index, server, response, .. } = heard;
    stage.see_facts();
    stage.with(|notes, now| {
        let Response { status, body, .. } = response;
        let step = Step::Answered { client: *client, request: *index, generation: *server, status: *status, body };
        notes.trace.note(now, &step);
        let problem = problem(response);
        probe(call, *status, problem.as_ref()).into_iter().for_each(|name| notes.coverage.reach(name));
        notes.told(call, heard, problem, now);
        settles(*status)
    })
}

/// Whether it makes no sense to ask again.
const fn settles(status: u16) -> bool {
    !matches!(status, 500 | 503 | 408)
}

impl Notes {
    fn told(&mut self, call: &Call, heard: &Heard, problem: Option<Problem>, now: Timestamp) {
        // Without a journal, what another process said does not bind this one.
        if heard.server != self.ledger.generation && !self.oracles.is_durable() {
            return;
        }
        if heard.response.status >= 400 {
            self.judge(front::problem(&heard.response));
        }
        match call {
            Call::Submit(item) | Call::SubmitByHeader(item) => {
                self.told_refused(heard, item.key, problem.as_ref(), now);
                self.judge_headers(heard, item.key);
                if matches!(heard.response.status, 200 | 202) {
                    self.judge_taken(heard, &heard.response.body, item.key);
                }
                let told = told(heard.response.status, problem);
                self.judge_told(heard, *item, &told);
            }
            Call::Batch(items) => self.told_lines(heard, items),
            Call::Look(key) => self.told_of(heard, *key, now),
            Call::Discard(key) => self.told_discarded(heard, *key),
            Call::Redrive(key) => self.told_redriven(heard, *key),
            Call::List | Call::RedriveAll | Call::Pause | Call::Resume | Call::Stats | Call::Metrics | Call::Ready => {}
        }
    }

    /// Judges what is said of an event that was taken. Without a journal, its record may not be there yet.
    fn judge_taken(&mut self, heard: &Heard, body: &[u8], key: KeyNumber) {
        let is_known = !self.oracles.is_forgotten_since(heard.memory, key);
        let verdict = front::taken(body, key, self.oracles.record(key).filter(|_| is_known));
        self.judge(verdict);
    }

    /// Judges that an answer which accepts an event says where it is.
    fn judge_headers(&mut self, heard: &Heard, key: KeyNumber) {
        let Response { status, location, .. } = &heard.response;
        let leads = location.as_ref().is_some_and(|location| leads_to(location, key));
        self.judge(holds(leads || *status != 202, || {
            Broken::new("payloads", 2, format_args!("{location:?} does not lead to e{key}"))
        }));
    }

    /// There is always room for what is there.
    fn told_refused(&mut self, heard: &Heard, key: KeyNumber, problem: Option<&Problem>, now: Timestamp) {
        let overloaded = problem.is_some_and(|problem| problem.r#type.ends_with(":overloaded"));
        let may_be_gone =
            || self.may_be_gone(heard, key, now) || self.absence.hides_an_end(now, self.oracles.retention());
        if overloaded && heard.memory.is_taken_by(heard.server) && !may_be_gone() {
            self.judge(Err(kept::refused(key)));
        }
    }

    fn may_be_gone(&self, heard: &Heard, key: KeyNumber, now: Timestamp) -> bool {
        self.oracles.is_forgotten_since(heard.memory, key) || self.oracles.may_be_gone(now, key)
    }

    fn told_of(&mut self, heard: &Heard, key: KeyNumber, now: Timestamp) {
        let gone = self.may_be_gone(heard, key, now);
        if heard.response.status == 404 && heard.memory.is_taken_by(heard.server) && !gone {
            self.judge(Err(kept::unknown(key)));
        }
        if heard.response.status == 200 {
            let Shown { status, durable, .. } = shown(&heard.response.body);
            if !durable {
                return self.coverage.reach("told of a record that is not durable");
            }
            self.judge_shown(heard, key);
            self.durable(heard, key, "shown", |record| status != "completed" || record.status() == Status::Completed);
        }
    }

    /// Judges of a record that is shown what does not change, or only rises. It may have changed since.
    fn judge_shown(&mut self, heard: &Heard, key: KeyNumber) {
        if self.oracles.is_forgotten_since(heard.memory, key) {
            return;
        }
        let Some(record) = self.oracles.record(key) else { return };
        let verdict = front::beginning_of(&heard.response, record);
        self.judge(verdict);
    }

    fn told_redriven(&mut self, heard: &Heard, key: KeyNumber) {
        if heard.response.status == 204 {
            self.durable(heard, key, "redriven", |record| record.redriven > 0);
        }
    }

    /// With a journal, what a client is told is durable by then.
    fn durable(&mut self, heard: &Heard, key: KeyNumber, what: &str, is_so: impl FnOnce(&Record) -> bool) {
        let so = !self.oracles.is_durable()
            || self.oracles.is_forgotten_since(heard.memory, key)
            || self.oracles.record(key).is_some_and(is_so);
        self.judge(holds(so, || durable::early(key, what)));
    }

    fn told_discarded(&mut self, heard: &Heard, key: KeyNumber) {
        if heard.response.status == 204 && !self.oracles.is_forgotten_since(heard.memory, key) {
            self.oracles.payloads.discarded(key);
            self.durable(heard, key, "discarded", |record| record.status() == Status::Discarded);
        }
    }

    fn told_lines(&mut self, heard: &Heard, items: &[Item]) {
        if heard.response.status != 200 {
            return;
        }
        let texts = heard.response.body.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        let lines: Vec<Option<Line>> = texts.clone().map(|line| serde_json::from_slice(line).ok()).collect();
        let bad = bad_lines(items);
        // What a link has lost never comes, as TCP sends nothing again here.
        let may_be_cut = self.calm.was_troubled(heard.client);
        // Lines without anything have no answer, and count.
        let blank = (0..items.len()).scan(0, |blank, at| Some(std::mem::replace(blank, *blank + blank_lines(at))));
        let numbers: Vec<_> = (1..=bad).chain(blank.zip(bad + 1..).map(|(blank, line)| blank + line)).collect();
        if let Err(what) = whole(&lines, &numbers, may_be_cut) {
            self.judge(Err(Broken::new("payloads", 2, what)));
            return;
        }
        if lines.last().is_some_and(|line| line.as_ref().is_some_and(Line::is_unread)) {
            self.coverage.reach("told that answers were not read");
        }
        let taken = |line: &Line| matches!(line.outcome.as_str(), "accepted" | "duplicate");
        if lines.iter().take(bad).flatten().any(taken) {
            self.judge(Err(Broken::new("payloads", 2, "a line of a batch that makes no event was taken")));
        }
        for ((line, text), item) in lines.into_iter().flatten().zip(texts).skip(bad).zip(items) {
            if taken(&line) {
                self.judge_taken(heard, text, item.key);
            }
            let told = match line.outcome.as_str() {
                "accepted" => Told::Accepted,
                "duplicate" => Told::Duplicate,
                "conflict" => told(409, line.problem),
                _ => Told::Other,
            };
            self.judge_told(heard, *item, &told);
        }
    }

    fn judge_told(&mut self, heard: &Heard, item: Item, told: &Told) {
        if self.oracles.is_forgotten_since(heard.memory, item.key) {
            return;
        }
        let verdict = self.oracles.payloads.answered(item, told);
        self.judge(verdict);
        match told {
            Told::Accepted | Told::Duplicate => {
                let digest = ledger::digest(item.key, item.payload);
                self.durable(heard, item.key, "taken", |record| *record.event.digest() == digest);
            }
            Told::Conflict { stored, .. } => {
                self.durable(heard, item.key, "in conflict", |record| record.event.digest().to_string() == *stored)
            }
            Told::Other => {}
        }
    }
}

/// A record, as it is shown.
fn shown(body: &[u8]) -> Shown {
    serde_json::from_slice(body).unwrap_or_else(|_| Shown { status: String::new(), durable: true })
}

/// A record, as far as a client looks at it.
#[derive(Debug, Deserialize)]
struct Shown {
    status: String,
    #[serde(default = "is_durable")]
    durable: bool,
}

/// What says nothing of it is durable.
const fn is_durable() -> bool {
    true
}

/// A problem, as far as a client looks at it.
#[derive(Debug, Deserialize)]
struct Problem {
    r#type: String,
    stored_digest: Option<String>,
    received_digest: Option<String>,
}

/// Each line of a batch has its answer, in order. Of a client that reads none of them for too long, or whose lines may
/// be cut and do not arrive, the last answer may stand for the rest.
fn whole(lines: &[Option<Line>], numbers: &[usize], may_be_cut: bool) -> Result<(), String> {
    let expected = numbers.len();
    let ends = |line: &Line| line.is_unread() || (may_be_cut && line.is_late());
    let before = [0].iter().chain(numbers);
    // What was not taken begins where the last answer ends, be it with a line without anything.
    let is_next = |line: &Line, number: usize, before: usize| {
        line.line == number || ends(line) && (before + 1..number).contains(&line.line)
    };
    let numbered = lines
        .iter()
        .zip(numbers.iter().zip(before))
        .all(|(line, (number, before))| line.as_ref().is_some_and(|line| is_next(line, *number, *before)));
    // Where all lines were taken, it is not known yet that none follows.
    let follows = |line: &Line| line.is_unread() && numbers.last().is_some_and(|last| line.line == last + 1);
    let is_one_more = lines.len() == expected + 1 && lines[expected].as_ref().is_some_and(follows);
    let ended = lines.last().is_some_and(|line| line.as_ref().is_some_and(ends));
    let early = lines.iter().rev().skip(1).flatten().any(ends);
    if numbered && !early && (lines.len() == expected || is_one_more || (ended && lines.len() < expected)) {
        return Ok(());
    }
    Err(format!("{} lines answer {expected} of a batch: {lines:?}", lines.len()))
}

/// A line of the answer to a batch.
#[derive(Debug, Deserialize)]
struct Line {
    line: usize,
    outcome: String,
    problem: Option<Problem>,
}

impl Line {
    /// Whether it says that this line, and those after it, were not taken.
    fn is_unread(&self) -> bool {
        self.outcome == "unread"
    }

    /// Whether it says that this line, and those after it, did not arrive in time.
    fn is_late(&self) -> bool {
        self.outcome == "timeout"
    }
}

fn problem(response: &Response) -> Option<Problem> {
    if response.status < 400 { None } else { serde_json::from_slice(&response.body).ok() }
}

fn told(status: u16, problem: Option<Problem>) -> Told {
    match (status, problem) {
        (202, _) => Told::Accepted,
        (200, _) => Told::Duplicate,
        (409, Some(Problem { stored_digest: Some(stored), received_digest: Some(received), .. })) => {
            Told::Conflict { stored, received }
        }
        _ => Told::Other,
    }
}

fn probe(call: &Call, status: u16, problem: Option<&Problem>) -> Option<&'static str> {
    let kind = problem.and_then(|problem| problem.r#type.rsplit(':').next());
    Some(match (call, status, kind) {
        (Call::Submit(_) | Call::SubmitByHeader(_), 202, _) => "told accepted",
        (Call::Submit(_) | Call::SubmitByHeader(_), 200, _) => "told duplicate",
        (Call::Look(_), 200, _) => "told of a record",
        (Call::Redrive(_), 204, _) => "told redriven",
        (Call::Discard(_), 204, _) => "told discarded",
        (_, _, Some("conflict")) => "told conflict",
        (_, _, Some("overloaded")) => "told overloaded",
        (_, _, Some("shutting_down")) => "told shutting down",
        (_, _, Some("broken")) => "told broken",
        (_, _, Some("unknown")) => "told unknown",
        (_, _, Some("reopening")) => "told reopening",
        (_, _, Some("journal_down")) => "told journal down",
        (_, _, Some("not_ready")) => "told not ready",
        (_, _, Some("not_found")) => "told of no record",
        (_, _, Some("not_failed")) => "told not failed",
        (_, _, Some("completed")) => "told completed",
        _ => return None,
    })
}
