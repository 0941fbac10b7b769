//! Checks of the responses that clients receive, and the events that each of them concerns.

use std::sync::Arc;

use eventful::{Status, Timestamp};
use serde::Deserialize;

use super::connection_owners::{self, ClientAnswer};
use super::oracle::{Memory, durable, front, holds, kept};
use super::run_context::{RunContext, RunNotes};
use super::scenario::{ClientCall, KeyNumber, SubmittedItem};
use super::step::NetworkStep;
use super::wire::{HttpResponse, bad_lines, blank_lines, leads_to};
use crate::failure::Broken;
use crate::spec::ReferenceRecord;

/// A response that a client has received.
#[derive(Debug)]
pub(super) struct Heard {
    pub(super) client: u8,
    /// The number of its request.
    pub(super) index: usize,
    /// The server process that sent the response.
    pub(super) server: u32,
    pub(super) response: HttpResponse,
    /// The state of the oracles when the request was sent.
    pub(super) memory: Memory,
}

/// Checks a response and notes what it promises. Returns whether it settles the request.
pub(super) fn hear(stage: &Arc<RunContext>, call: &ClientCall, heard: &Heard) -> bool {
    let Heard { client, index, server, response, .. } = heard;
    stage.see_facts();
    stage.with(|notes, now| {
        let HttpResponse { status, body, .. } = response;
        let step =
            NetworkStep::Answered { client: *client, request: *index, generation: *server, status: *status, body };
        notes.trace.note(now, &step);
        let problem = problem(response);
        probe(call, *status, problem.as_ref()).into_iter().for_each(|name| notes.coverage.reach(name));
        notes.judge_response(call, heard, problem, now);
        settles(*status)
    })
}

/// Returns whether a request with this response is not worth sending again.
const fn settles(status: u16) -> bool {
    !matches!(status, 500 | 503 | 408)
}

impl RunNotes {
    fn judge_response(&mut self, call: &ClientCall, heard: &Heard, problem: Option<SeenProblem>, now: Timestamp) {
        // Without a journal, the promises of a process that has ended do not bind this one.
        if heard.server != self.ledger.generation && !self.oracles.is_durable() {
            return;
        }
        if heard.response.status >= 400 {
            self.judge(front::problem(&heard.response));
        }
        match call {
            ClientCall::Submit(item) | ClientCall::SubmitByHeader(item) => {
                self.judge_refusal(heard, item.key, problem.as_ref(), now);
                self.judge_headers(heard, item.key);
                if matches!(heard.response.status, 200 | 202) {
                    self.judge_taken(heard, &heard.response.body, item.key);
                }
                let answer = client_answer(heard.response.status, problem);
                self.judge_answer(heard, *item, &answer);
            }
            ClientCall::Batch(items) => self.judge_lines(heard, items),
            ClientCall::Look(key) => self.judge_look(heard, *key, now),
            ClientCall::Discard(key) => self.judge_discard(heard, *key),
            ClientCall::Redrive(key) => self.judge_redrive(heard, *key),
            ClientCall::List
            | ClientCall::RedriveAll
            | ClientCall::Pause
            | ClientCall::Resume
            | ClientCall::Stats
            | ClientCall::Metrics
            | ClientCall::Ready => {}
        }
    }

    /// Checks the body of a response that accepts an event. Without a journal, its record may not be there yet.
    fn judge_taken(&mut self, heard: &Heard, body: &[u8], key: KeyNumber) {
        let is_known = !self.oracles.is_forgotten_since(heard.memory, key);
        let verdict = front::taken(body, key, self.oracles.record(key).filter(|_| is_known));
        self.judge(verdict);
    }

    /// Checks that the `Location` of an accepted event leads to that event.
    fn judge_headers(&mut self, heard: &Heard, key: KeyNumber) {
        let HttpResponse { status, location, .. } = &heard.response;
        let leads = location.as_ref().is_some_and(|location| leads_to(location, key));
        self.judge(holds(leads || *status != 202, || {
            Broken::new("payloads", 2, format_args!("{location:?} does not lead to e{key}"))
        }));
    }

    /// Checks that an event which the server already has is never refused for lack of room.
    fn judge_refusal(&mut self, heard: &Heard, key: KeyNumber, problem: Option<&SeenProblem>, now: Timestamp) {
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

    fn judge_look(&mut self, heard: &Heard, key: KeyNumber, now: Timestamp) {
        let gone = self.may_be_gone(heard, key, now);
        if heard.response.status == 404 && heard.memory.is_taken_by(heard.server) && !gone {
            self.judge(Err(kept::unknown(key)));
        }
        if heard.response.status == 200 {
            let SeenRecord { status, durable, .. } = shown(&heard.response.body);
            if !durable {
                return self.coverage.reach("response: record that is not durable");
            }
            self.judge_shown(heard, key);
            self.durable(heard, key, "shown", |record| status != "completed" || record.status() == Status::Completed);
        }
    }

    /// Checks the fields of a shown record that never change, and those that only rise: the rest may have changed
    /// since.
    fn judge_shown(&mut self, heard: &Heard, key: KeyNumber) {
        if self.oracles.is_forgotten_since(heard.memory, key) {
            return;
        }
        let Some(record) = self.oracles.record(key) else { return };
        let verdict = front::beginning_of(&heard.response, record);
        self.judge(verdict);
    }

    fn judge_redrive(&mut self, heard: &Heard, key: KeyNumber) {
        if heard.response.status == 204 {
            self.durable(heard, key, "redriven", |record| record.redriven > 0);
        }
    }

    /// Checks that, with a journal, the state that a client has seen is durable by now.
    fn durable(&mut self, heard: &Heard, key: KeyNumber, what: &str, is_so: impl FnOnce(&ReferenceRecord) -> bool) {
        let so = !self.oracles.is_durable()
            || self.oracles.is_forgotten_since(heard.memory, key)
            || self.oracles.record(key).is_some_and(is_so);
        self.judge(holds(so, || durable::early(key, what)));
    }

    fn judge_discard(&mut self, heard: &Heard, key: KeyNumber) {
        if heard.response.status == 204 && !self.oracles.is_forgotten_since(heard.memory, key) {
            self.oracles.payloads.discarded(key);
            self.durable(heard, key, "discarded", |record| record.status() == Status::Discarded);
        }
    }

    fn judge_lines(&mut self, heard: &Heard, items: &[SubmittedItem]) {
        if heard.response.status != 200 {
            return;
        }
        let texts = heard.response.body.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        let lines: Vec<Option<BatchLine>> = texts.clone().map(|line| serde_json::from_slice(line).ok()).collect();
        let bad = bad_lines(items);
        // Bytes that a link has lost never arrive: the simulated TCP sends nothing again.
        let may_be_cut = self.calm.was_troubled(heard.client);
        // Blank lines have no result, but count in the line numbers.
        let blank = (0..items.len()).scan(0, |blank, at| Some(std::mem::replace(blank, *blank + blank_lines(at))));
        let numbers: Vec<_> = (1..=bad).chain(blank.zip(bad + 1..).map(|(blank, line)| blank + line)).collect();
        if let Err(what) = whole(&lines, &numbers, may_be_cut) {
            self.judge(Err(Broken::new("payloads", 2, what)));
            return;
        }
        if lines.last().is_some_and(|line| line.as_ref().is_some_and(BatchLine::is_unread)) {
            self.coverage.reach("response: results were not read");
        }
        let taken = |line: &BatchLine| matches!(line.outcome.as_str(), "accepted" | "duplicate");
        if lines.iter().take(bad).flatten().any(taken) {
            self.judge(Err(Broken::new("payloads", 2, "a line of a batch that is no event was accepted")));
        }
        for ((line, text), item) in lines.into_iter().flatten().zip(texts).skip(bad).zip(items) {
            if taken(&line) {
                self.judge_taken(heard, text, item.key);
            }
            let answer = match line.outcome.as_str() {
                "accepted" => ClientAnswer::Accepted,
                "duplicate" => ClientAnswer::Duplicate,
                "conflict" => client_answer(409, line.problem),
                _ => ClientAnswer::Other,
            };
            self.judge_answer(heard, *item, &answer);
        }
    }

    fn judge_answer(&mut self, heard: &Heard, item: SubmittedItem, answer: &ClientAnswer) {
        if self.oracles.is_forgotten_since(heard.memory, item.key) {
            return;
        }
        let verdict = self.oracles.payloads.answered(item, answer);
        self.judge(verdict);
        match answer {
            ClientAnswer::Accepted | ClientAnswer::Duplicate => {
                let digest = connection_owners::digest(item.key, item.payload);
                self.durable(heard, item.key, "taken", |record| *record.event.digest() == digest);
            }
            ClientAnswer::Conflict { stored, .. } => {
                self.durable(heard, item.key, "in conflict", |record| record.event.digest().to_string() == *stored)
            }
            ClientAnswer::Other => {}
        }
    }
}

/// Parses a record as the front shows it.
fn shown(body: &[u8]) -> SeenRecord {
    serde_json::from_slice(body).unwrap_or_else(|_| SeenRecord { status: String::new(), durable: true })
}

/// The fields of a shown record that are checked here.
#[derive(Debug, Deserialize)]
struct SeenRecord {
    status: String,
    #[serde(default = "is_durable")]
    durable: bool,
}

/// The default of `durable`: a response without the field claims durability.
const fn is_durable() -> bool {
    true
}

/// The fields of a problem document that are checked here.
#[derive(Debug, Deserialize)]
struct SeenProblem {
    r#type: String,
    stored_digest: Option<String>,
    received_digest: Option<String>,
}

/// Checks that each line of a batch has its result, in order. If the client reads none of them for too long, or its
/// lines are cut off and never arrive, the last result may cover the rest.
fn whole(lines: &[Option<BatchLine>], numbers: &[usize], may_be_cut: bool) -> Result<(), String> {
    let expected = numbers.len();
    let ends = |line: &BatchLine| line.is_unread() || (may_be_cut && line.is_late());
    let before = [0].iter().chain(numbers);
    // The rest that was not taken begins where the last result ends, even at a blank line.
    let is_next = |line: &BatchLine, number: usize, before: usize| {
        line.line == number || ends(line) && (before + 1..number).contains(&line.line)
    };
    let numbered = lines
        .iter()
        .zip(numbers.iter().zip(before))
        .all(|(line, (number, before))| line.as_ref().is_some_and(|line| is_next(line, *number, *before)));
    // When all lines were taken, the server cannot know yet that no line follows.
    let follows = |line: &BatchLine| line.is_unread() && numbers.last().is_some_and(|last| line.line == last + 1);
    let is_one_more = lines.len() == expected + 1 && lines[expected].as_ref().is_some_and(follows);
    let ended = lines.last().is_some_and(|line| line.as_ref().is_some_and(ends));
    let early = lines.iter().rev().skip(1).flatten().any(ends);
    if numbered && !early && (lines.len() == expected || is_one_more || (ended && lines.len() < expected)) {
        return Ok(());
    }
    Err(format!("{} lines respond to {expected} of a batch: {lines:?}", lines.len()))
}

/// One line of the response to a batch.
#[derive(Debug, Deserialize)]
struct BatchLine {
    line: usize,
    outcome: String,
    problem: Option<SeenProblem>,
}

impl BatchLine {
    /// Returns whether this line, and those after it, were not taken.
    fn is_unread(&self) -> bool {
        self.outcome == "unread"
    }

    /// Returns whether this line, and those after it, did not arrive in time.
    fn is_late(&self) -> bool {
        self.outcome == "timeout"
    }
}

fn problem(response: &HttpResponse) -> Option<SeenProblem> {
    if response.status < 400 { None } else { serde_json::from_slice(&response.body).ok() }
}

fn client_answer(status: u16, problem: Option<SeenProblem>) -> ClientAnswer {
    match (status, problem) {
        (202, _) => ClientAnswer::Accepted,
        (200, _) => ClientAnswer::Duplicate,
        (409, Some(SeenProblem { stored_digest: Some(stored), received_digest: Some(received), .. })) => {
            ClientAnswer::Conflict { stored, received }
        }
        _ => ClientAnswer::Other,
    }
}

fn probe(call: &ClientCall, status: u16, problem: Option<&SeenProblem>) -> Option<&'static str> {
    let kind = problem.and_then(|problem| problem.r#type.rsplit(':').next());
    Some(match (call, status, kind) {
        (ClientCall::Submit(_) | ClientCall::SubmitByHeader(_), 202, _) => "response: accepted",
        (ClientCall::Submit(_) | ClientCall::SubmitByHeader(_), 200, _) => "response: duplicate",
        (ClientCall::Look(_), 200, _) => "response: record",
        (ClientCall::Redrive(_), 204, _) => "response: redriven",
        (ClientCall::Discard(_), 204, _) => "response: discarded",
        (_, _, Some("conflict")) => "response: conflict",
        (_, _, Some("overloaded")) => "response: overloaded",
        (_, _, Some("shutting_down")) => "response: shutting down",
        (_, _, Some("broken")) => "response: broken",
        (_, _, Some("unknown")) => "response: unknown",
        (_, _, Some("reopening")) => "response: reopening",
        (_, _, Some("journal_down")) => "response: journal down",
        (_, _, Some("not_ready")) => "response: not ready",
        (_, _, Some("not_found")) => "response: no record",
        (_, _, Some("not_failed")) => "response: not failed",
        (_, _, Some("completed")) => "response: completed",
        _ => return None,
    })
}
