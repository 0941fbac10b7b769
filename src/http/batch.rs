//! Many events in, a line each, and a line with the result of each.

use std::format;
use std::sync::Arc;
use std::vec::Vec;

use axum::body::Body;
use axum::extract::{RawQuery, Request, State};
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;

use super::budget::Share;
use super::front::Front;
use super::line_results::{write_refused, write_taken};
use super::lines::{BodyLine, Lines};
use super::problem::{Problem, ProblemKind};
use super::spool::Spool;
use super::timeouts::Timeouts;
use super::{body, coding, envelope, query, request_trace};
use crate::engine::{Event, Key};
use crate::node::{SubmitError, Submitted};

/// Bytes of lines after which they are submitted, however few they are.
const CHUNK_BYTES: usize = 256 << 10;

/// `POST /v1/events/batch`
pub(super) async fn submit(State(front): State<Arc<Front>>, RawQuery(query): RawQuery, request: Request) -> Response {
    // Before the task is started: a refusal here has a status of its own, while later ones are lines.
    let refused = query::parse(query.as_deref(), []).map(drop).and_then(|()| coding::refuse_content(request.headers()));
    if let Err(problem) = refused {
        return problem.into_response();
    }
    let (spool, results) = Spool::new(front.limits.max_unread_bytes, Arc::clone(&front.budget));
    // In a task of its own, so that lines are read while the client has not read the results yet.
    let trace = request_trace::trace_headers(request.headers());
    tokio::spawn(Batch::new(front, request.into_body(), trace).run(spool));
    ([(CONTENT_TYPE, "application/x-ndjson")], Body::new(results)).into_response()
}

/// A batch on its way.
struct Batch {
    front: Arc<Front>,
    body: Body,
    /// The trace of the request, which is that of each line without one of its own.
    trace: HeaderMap,
    timeouts: Timeouts,
    lines: Lines,
    /// For the line that is not whole yet.
    share: Share,
    line: u64,
    ended: bool,
}

/// The request that a line makes. A blank one counts as a line, and has no result.
enum BatchRequest {
    Event(Key),
    Nothing(Problem),
    Blank,
}

impl Batch {
    fn new(front: Arc<Front>, body: Body, trace: HeaderMap) -> Self {
        let limit_bytes = front.most_bytes().saturating_add(envelope::OVERHEAD_BYTES);
        let share = Arc::clone(&front.budget).share();
        Self {
            front,
            body,
            trace,
            timeouts: Timeouts::default(),
            lines: Lines::new(limit_bytes),
            share,
            line: 0,
            ended: false,
        }
    }

    /// Handles all lines, apart from the response. A client that does not read its results is not read from either,
    /// for a while; then it gets a last result, and what else it sends is discarded, so that it comes to read.
    async fn run(mut self, spool: Spool) {
        while let Some(results) = self.next().await {
            if !spool.put(results) {
                return;
            }
            if !self.ended && !spool.has_room(self.front.limits.unread_patience).await {
                spool.put(self.unread(spool.unread_bytes()));
                break;
            }
        }
        // Without this mark the body ends with an error: the client must see that results are missing.
        spool.end();
        // The rest is read, because a client that still sends would not see the response.
        body::read_away(self.body, self.front.limits.body_timeout).await;
    }

    /// The results for the lines of the next chunk; none at the end.
    async fn next(&mut self) -> Option<Bytes> {
        let mut results = Vec::new();
        while results.is_empty() && !self.ended {
            let chunk = self.chunk();
            if !chunk.is_empty() {
                self.respond(chunk, &mut results).await;
                continue;
            }
            match self.read().await {
                Ok(true) => {}
                Ok(false) => self.end(None, &mut results).await,
                Err(problem) => self.end(Some(problem), &mut results).await,
            }
        }
        (!results.is_empty()).then(|| results.into())
    }

    /// Takes the next part of the body in; false at its end.
    async fn read(&mut self) -> Result<bool, Problem> {
        // Before more is read: the memory that the unfinished line needs may be more than there is.
        if !self.share.hold(self.lines.unfinished_bytes()) {
            return Err(Problem::crowded(self.front.budget.total()));
        }
        let part = body::next(&mut self.body, self.front.limits.body_timeout, &self.timeouts).await;
        if part.is_err() {
            // After an error hyper must not be asked for more.
            self.body = Body::empty();
        }
        Ok(part?.map(|part| self.lines.push(part)).is_some())
    }

    /// Whole lines that are in.
    fn chunk(&mut self) -> Vec<BodyLine> {
        let mut lines = Vec::new();
        let mut bytes = 0;
        let most = self.front.eventful.config().thresholds().lines;
        while lines.len() < most
            && bytes < CHUNK_BYTES
            && let Some(line) = self.lines.next()
        {
            bytes += if let BodyLine::Whole(text) = &line { text.len() } else { 0 };
            lines.push(line);
        }
        lines
    }

    /// The last line may have no break. One that was cut off gets a result, and is not submitted.
    async fn end(&mut self, problem: Option<Problem>, results: &mut Vec<u8>) {
        self.ended = true;
        match (problem, self.lines.last()) {
            (None, None) => {}
            // A last line without a line break is a line.
            (None, Some(line)) => self.respond([line].into(), results).await,
            (Some(problem), _) => {
                let asked = self.refuse(problem);
                self.write(&asked, None, results);
            }
        }
    }

    async fn respond(&mut self, chunk: Vec<BodyLine>, results: &mut Vec<u8>) {
        let mut events = Vec::with_capacity(chunk.len());
        let asked: Vec<_> = chunk.into_iter().map(|line| self.ask(line, &mut events)).collect();
        // Events of one chunk are one call, so they share a group of the journal.
        let mut submitted = self.front.eventful.submit_batch(events).await.into_iter();
        for asked in asked {
            let result = if matches!(asked, BatchRequest::Event(_)) { submitted.next() } else { None };
            self.write(&asked, result, results);
        }
    }

    fn ask(&self, line: BodyLine, events: &mut Vec<Event>) -> BatchRequest {
        let BodyLine::Whole(text) = line else {
            return self.refuse(Problem::too_large(self.front.eventful.config().max_event_bytes));
        };
        if envelope::trimmed(&text).is_empty() {
            return BatchRequest::Blank;
        }
        match envelope::parse(&text) {
            Ok(event) => {
                let key = event.key().clone();
                events.push(request_trace::with_trace(event, &self.trace));
                BatchRequest::Event(key)
            }
            Err(error) => self.refuse(Problem::invalid(error)),
        }
    }

    fn refuse(&self, problem: Problem) -> BatchRequest {
        self.front.eventful.reject(problem.rejection());
        BatchRequest::Nothing(problem)
    }

    fn write(&mut self, asked: &BatchRequest, result: Option<Result<Submitted, SubmitError>>, results: &mut Vec<u8>) {
        self.line += 1;
        let line = self.line;
        match (asked, result) {
            (BatchRequest::Event(key), Some(Ok(submitted))) => {
                write_taken(line, key, &submitted, results);
            }
            (BatchRequest::Event(key), Some(Err(error))) => write_refused(line, Some(key), &error.into(), results),
            (BatchRequest::Event(key), None) => {
                // The engine returns a result for each event: without one it is broken.
                write_refused(line, Some(key), &crate::node::Unavailable::Broken.into(), results)
            }
            (BatchRequest::Nothing(problem), _) => write_refused(line, None, problem, results),
            (BatchRequest::Blank, _) => {}
        }
    }
}

impl Batch {
    /// The last result for a client that has read none for too long.
    fn unread(&self, bytes: usize) -> Bytes {
        let line = self.line + 1;
        let detail = format!(
            "{bytes} bytes of results wait to be read, and this line and those after it were not taken: read results \
             while sending, or send fewer lines at a time, and send again from line {line} on"
        );
        let mut result = Vec::new();
        write_refused(line, None, &Problem::new(ProblemKind::Unread, detail), &mut result);
        result.into()
    }
}
