//! What an answer says, and whom it concerns.

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

/// An answer that a client has got.
#[derive(Debug)]
pub(super) struct Heard {
    pub(super) client: u8,
    /// The number of its request.
    pub(super) index: usize,
    /// The process that gave it.
    pub(super) server: u32,
    pub(super) response: HttpResponse,
    /// What was remembered when the request was sent.
    pub(super) memory: Memory,
}

/// Takes note of an answer. Answers whether it settles the request.
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
        notes.told(call, heard, problem, now);
        settles(*status)
    })
}

/// Whether it makes no sense to ask again.
const fn settles(status: u16) -> bool {
    !matches!(status, 500 | 503 | 408)
}

impl RunNotes {
    fn told(&mut self, call: &ClientCall, heard: &Heard, problem: Option<SeenProblem>, now: Timestamp) {
        // Without a journal, what another process said does not bind this one.
        if heard.server != self.ledger.generation && !self.oracles.is_durable() {
            return;
        }
        if heard.response.status >= 400 {
            self.judge(front::problem(&heard.response));
        }
        match call {
            ClientCall::Submit(item) | ClientCall::SubmitByHeader(item) => {
                self.told_refused(heard, item.key, problem.as_ref(), now);
                self.judge_headers(heard, item.key);
                if matches!(heard.response.status, 200 | 202) {
                    self.judge_taken(heard, &heard.response.body, item.key);
                }
                let told = told(heard.response.status, problem);
                self.judge_told(heard, *item, &told);
            }
            ClientCall::Batch(items) => self.told_lines(heard, items),
            ClientCall::Look(key) => self.told_of(heard, *key, now),
            ClientCall::Discard(key) => self.told_discarded(heard, *key),
            ClientCall::Redrive(key) => self.told_redriven(heard, *key),
            ClientCall::List
            | ClientCall::RedriveAll
            | ClientCall::Pause
            | ClientCall::Resume
            | ClientCall::Stats
            | ClientCall::Metrics
            | ClientCall::Ready => {}
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
        let HttpResponse { status, location, .. } = &heard.response;
        let leads = location.as_ref().is_some_and(|location| leads_to(location, key));
        self.judge(holds(leads || *status != 202, || {
            Broken::new("payloads", 2, format_args!("{location:?} does not lead to e{key}"))
        }));
    }

    /// There is always room for what is there.
    fn told_refused(&mut self, heard: &Heard, key: KeyNumber, problem: Option<&SeenProblem>, now: Timestamp) {
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
            let SeenRecord { status, durable, .. } = shown(&heard.response.body);
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
    fn durable(&mut self, heard: &Heard, key: KeyNumber, what: &str, is_so: impl FnOnce(&ReferenceRecord) -> bool) {
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

    fn told_lines(&mut self, heard: &Heard, items: &[SubmittedItem]) {
        if heard.response.status != 200 {
            return;
        }
        let texts = heard.response.body.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        let lines: Vec<Option<BatchLine>> = texts.clone().map(|line| serde_json::from_slice(line).ok()).collect();
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
        if lines.last().is_some_and(|line| line.as_ref().is_some_and(BatchLine::is_unread)) {
            self.coverage.reach("told that answers were not read");
        }
        let taken = |line: &BatchLine| matches!(line.outcome.as_str(), "accepted" | "duplicate");
        if lines.iter().take(bad).flatten().any(taken) {
            self.judge(Err(Broken::new("payloads", 2, "a line of a batch that makes no event was taken")));
        }
        for ((line, text), item) in lines.into_iter().flatten().zip(texts).skip(bad).zip(items) {
            if taken(&line) {
                self.judge_taken(heard, text, item.key);
            }
            let told = match line.outcome.as_str() {
                "accepted" => ClientAnswer::Accepted,
                "duplicate" => ClientAnswer::Duplicate,
                "conflict" => told(409, line.problem),
                _ => ClientAnswer::Other,
            };
            self.judge_told(heard, *item, &told);
        }
    }

    fn judge_told(&mut self, heard: &Heard, item: SubmittedItem, told: &ClientAnswer) {
        if self.oracles.is_forgotten_since(heard.memory, item.key) {
            return;
        }
        let verdict = self.oracles.payloads.answered(item, told);
        self.judge(verdict);
        match told {
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

/// A record, as it is shown.
fn shown(body: &[u8]) -> SeenRecord {
    serde_json::from_slice(body).unwrap_or_else(|_| SeenRecord { status: String::new(), durable: true })
}

/// A record, as far as a client looks at it.
#[derive(Debug, Deserialize)]
struct SeenRecord {
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
struct SeenProblem {
    r#type: String,
    stored_digest: Option<String>,
    received_digest: Option<String>,
}

/// Each line of a batch has its answer, in order. Of a client that reads none of them for too long, or whose lines may
/// be cut and do not arrive, the last answer may stand for the rest.
fn whole(lines: &[Option<BatchLine>], numbers: &[usize], may_be_cut: bool) -> Result<(), String> {
    let expected = numbers.len();
    let ends = |line: &BatchLine| line.is_unread() || (may_be_cut && line.is_late());
    let before = [0].iter().chain(numbers);
    // What was not taken begins where the last answer ends, be it with a line without anything.
    let is_next = |line: &BatchLine, number: usize, before: usize| {
        line.line == number || ends(line) && (before + 1..number).contains(&line.line)
    };
    let numbered = lines
        .iter()
        .zip(numbers.iter().zip(before))
        .all(|(line, (number, before))| line.as_ref().is_some_and(|line| is_next(line, *number, *before)));
    // Where all lines were taken, it is not known yet that none follows.
    let follows = |line: &BatchLine| line.is_unread() && numbers.last().is_some_and(|last| line.line == last + 1);
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
struct BatchLine {
    line: usize,
    outcome: String,
    problem: Option<SeenProblem>,
}

impl BatchLine {
    /// Whether it says that this line, and those after it, were not taken.
    fn is_unread(&self) -> bool {
        self.outcome == "unread"
    }

    /// Whether it says that this line, and those after it, did not arrive in time.
    fn is_late(&self) -> bool {
        self.outcome == "timeout"
    }
}

fn problem(response: &HttpResponse) -> Option<SeenProblem> {
    if response.status < 400 { None } else { serde_json::from_slice(&response.body).ok() }
}

fn told(status: u16, problem: Option<SeenProblem>) -> ClientAnswer {
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
        (ClientCall::Submit(_) | ClientCall::SubmitByHeader(_), 202, _) => "told accepted",
        (ClientCall::Submit(_) | ClientCall::SubmitByHeader(_), 200, _) => "told duplicate",
        (ClientCall::Look(_), 200, _) => "told of a record",
        (ClientCall::Redrive(_), 204, _) => "told redriven",
        (ClientCall::Discard(_), 204, _) => "told discarded",
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
