//! Workers that take events: lease, extend, settle.

use core::num::NonZeroUsize;
use core::time::Duration;
use std::boxed::Box;
use std::format;
use std::string::{String, ToString as _};
use std::sync::Arc;
use std::vec::Vec;

use axum::body::Body;
use axum::extract::{Path, RawQuery, Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderName, request};
use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::value::RawValue;

use super::front::Front;
use super::problem::{Problem, ProblemKind};
use super::records::PayloadBody;
use super::taken::json;
use super::timeouts::Timeouts;
use super::{body, coding, duration, envelope, query};
use crate::engine::{Attributes, Epoch, Event, RunId};
use crate::runtime::{Failure, FollowUpError, Lease, LeaseDesk, NotSettled};
use crate::texts::rfc3339::Rfc3339;

/// Events of one lease, at most: as many as a page shows that says nothing else.
const MOST: usize = 100;

/// Bytes of the body of these calls, at most, without follow-ups: an error has 1 KiB, escaped.
const BODY_BYTES: usize = 64 << 10;

type JsonAnswer = Result<([(HeaderName, &'static str); 1], String), Problem>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LeaseBody {
    #[serde(default)]
    max: Option<NonZeroUsize>,
    #[serde(default)]
    wait: Option<String>,
}

/// `POST /v1/lease`
pub(super) async fn lease(State(front): State<Arc<Front>>, RawQuery(query): RawQuery, request: Request) -> JsonAnswer {
    query::parse(query.as_deref(), [])?;
    let LeaseBody { max, wait } = read(&front, request, (BODY_BYTES, r#"{"max"?, "wait"?}"#)).await?;
    let most = max.unwrap_or(NonZeroUsize::MIN);
    if most.get() > MOST {
        return Err(Problem::invalid(format!("max is {most}: give a whole number from 1 to {MOST}")));
    }
    let wait = wait.as_deref().map_or(Ok(Duration::ZERO), |wait| query::wait("wait", wait))?;
    let leases = desk(&front)?.lease(&front.eventful, most, wait).await?;
    Ok(answer(&LeasedBody { events: leases.iter().map(LeasedEvent::new).collect() }))
}

/// `POST /v1/runs/{run}/extend`
pub(super) async fn extend(
    State(front): State<Arc<Front>>,
    Path(run): Path<String>,
    RawQuery(query): RawQuery,
    request: Request,
) -> JsonAnswer {
    query::parse(query.as_deref(), [])?;
    // There is nothing to say in it; a client that sends one all the same, such as {}, does no harm.
    whole(&front, request.into_body(), (BODY_BYTES, "none")).await?;
    let attempt = desk(&front)?.attempt(self::run(&run)?).ok_or_else(stale)?;
    let deadline = attempt.heartbeat().map_err(|_| stale())?;
    Ok(answer(&ExtendedBody { deadline: Rfc3339(deadline) }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SettleBody {
    outcome: SettledOutcome,
    #[serde(default)]
    error: Option<String>,
    #[serde(default)]
    after: Option<String>,
    #[serde(default)]
    then: Option<Vec<Box<RawValue>>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum SettledOutcome {
    Done,
    Retry,
    Permanent,
    Snooze,
}

/// `POST /v1/runs/{run}/settle`
pub(super) async fn settle(
    State(front): State<Arc<Front>>,
    Path(run): Path<String>,
    RawQuery(query): RawQuery,
    request: Request,
) -> JsonAnswer {
    query::parse(query.as_deref(), [])?;
    let form = r#"{"outcome", "error"?, "after"?, "then"?}"#;
    // Besides, the follow-ups may have what one event may.
    let most = BODY_BYTES + front.most_bytes() + envelope::OVERHEAD_BYTES;
    let may_submit = front.access.may_submit(request.headers());
    let mut body: SettleBody = read(&front, request, (most, form)).await?;
    let (then, run) = (body.then.take(), self::run(&run)?);
    let result = result(body)?;
    if !may_submit && then.as_ref().is_some_and(|then| !then.is_empty()) {
        return Err(Problem::new(ProblemKind::Forbidden, THEN_SUBMITS));
    }
    let status = match (then, &result) {
        (None, _) => desk(&front)?.settle(run, result).await?,
        (Some(then), Ok(())) => desk(&front)?.settle_with(run, follow_ups(&then)?).await?,
        (Some(_), Err(_)) => return Err(Problem::invalid("only done has events in then: leave it out")),
    };
    Ok(answer(&SettledBody { status: status.as_str() }))
}

/// The reason why a worker is refused that may take events and submit none.
const THEN_SUBMITS: &str = "the token does not allow then, which submits events: send a token that may work and submit, \
                            or leave then out";

fn follow_ups(then: &[Box<RawValue>]) -> Result<Vec<Event>, Problem> {
    let parsed = then.iter().enumerate().map(|(number, event)| {
        envelope::parse(event.get().as_bytes()).map_err(|why| Problem::invalid(format!("then, event {number}: {why}")))
    });
    parsed.collect()
}

fn result(SettleBody { outcome, error, after, .. }: SettleBody) -> Result<Result<(), Failure>, Problem> {
    let after = after.map(|after| duration::parse(&after)).transpose();
    let after = after.map_err(|why| Problem::invalid(format!("after: {why}")))?;
    let text = error.as_deref().unwrap_or("the worker gave no reason");
    match (outcome, after) {
        (SettledOutcome::Done, None) if error.is_none() => Ok(Ok(())),
        (SettledOutcome::Done, _) => Err(Problem::invalid("done has neither error nor after: leave them out")),
        (SettledOutcome::Retry, None) => Ok(Err(Failure::retry(text))),
        (SettledOutcome::Retry, Some(after)) => Ok(Err(Failure::retry_after(text, after))),
        (SettledOutcome::Permanent, None) => Ok(Err(Failure::permanent(text))),
        (SettledOutcome::Permanent, Some(_)) => Err(Problem::invalid("permanent has no after: leave it out, or retry")),
        (SettledOutcome::Snooze, Some(after)) => Ok(Err(match error {
            Some(reason) => Failure::snooze_because(reason, after),
            None => Failure::snooze(after),
        })),
        (SettledOutcome::Snooze, None) => Err(Problem::invalid("snooze needs after: say how long, such as 30s")),
    }
}

/// The JSON of a body; that of an empty object when there is none.
async fn read<T: DeserializeOwned>(front: &Front, request: Request, (most, form): (usize, &str)) -> Result<T, Problem> {
    let (request::Parts { headers, .. }, body) = request.into_parts();
    coding::refuse_content(&headers)?;
    let whole = whole(front, body, (most, form)).await?;
    // No body is a body without members: a lease needs none.
    let text = if whole.is_empty() { b"{}" } else { &whole[..] };
    // serde takes an array for a struct, too, with its members in the order of the fields.
    if !text.trim_ascii_start().starts_with(b"{") {
        return Err(Problem::invalid(format!("the body is no JSON object: send {form}")));
    }
    serde_json::from_slice(text).map_err(|why| Problem::invalid(format!("the body is not {form}: {why}")))
}

/// The body, which may have so many bytes.
async fn whole(front: &Front, body: Body, (most, form): (usize, &str)) -> Result<Bytes, Problem> {
    let whole = body::read(body, most, (front.limits.body_timeout, &Timeouts::default()), &front.budget).await;
    let too_large = || {
        let detail = format!("the body has more than {most} bytes: send {form}");
        Problem::new(ProblemKind::TooLarge, detail).closing()
    };
    whole.map_err(|problem| problem.unwrap_or_else(too_large))
}

fn desk(front: &Front) -> Result<&LeaseDesk, Problem> {
    let detail = "this server has a handler of its own, and gives no events to workers: start it with serve --pull \
                  (http::FrontConfig::leases)";
    front.leases.as_ref().ok_or_else(|| Problem::new(ProblemKind::NotFound, detail))
}

/// The run of this name.
fn run(text: &str) -> Result<RunId, Problem> {
    let parsed = text.split_once('-').and_then(|(epoch, number)| {
        let run = RunId::new(Epoch::new(epoch.parse().ok()?), number.parse().ok()?);
        // One spelling only: `+1` and `01` would be parsed as well.
        (run.to_string() == text).then_some(run)
    });
    parsed
        .ok_or_else(|| Problem::invalid(format!("{text:?} is no run: give the run of a leased event, as it was given")))
}

fn stale() -> Problem {
    NotSettled::Stale.into()
}

impl From<NotSettled> for Problem {
    fn from(error: NotSettled) -> Self {
        match error {
            NotSettled::Stale | NotSettled::FollowUp(FollowUpError::Ended) => Self::new(ProblemKind::Stale, error),
            NotSettled::FollowUp(why @ FollowUpError::TooLarge { .. }) => Self::new(ProblemKind::TooLarge, why),
            NotSettled::FollowUp(why) => Self::invalid(format!("then: {why}")),
            NotSettled::Unavailable(why) => why.into(),
        }
    }
}

fn answer(body: &impl Serialize) -> ([(HeaderName, &'static str); 1], String) {
    ([(CONTENT_TYPE, "application/json")], json(body))
}

#[derive(Serialize)]
struct ExtendedBody {
    deadline: Rfc3339,
}

#[derive(Serialize)]
struct SettledBody {
    status: &'static str,
}

#[derive(Serialize)]
struct LeasedBody<'a> {
    events: Vec<LeasedEvent<'a>>,
}

#[derive(Serialize)]
struct LeasedEvent<'a> {
    run: String,
    id: String,
    source: &'a str,
    #[serde(skip_serializing_if = "Option::is_none", rename = "type")]
    event_type: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    group: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_type: Option<&'a str>,
    #[serde(skip_serializing_if = "Attributes::is_empty", serialize_with = "attributes")]
    attributes: &'a Attributes,
    attempt: u32,
    is_last: bool,
    deadline: Rfc3339,
    #[serde(flatten)]
    payload: PayloadBody<'a>,
}

impl<'a> LeasedEvent<'a> {
    fn new(lease: &'a Lease) -> Self {
        let Lease { event, attempt, .. } = lease;
        Self {
            run: attempt.run().to_string(),
            id: event.key().id().to_string(),
            source: event.key().source(),
            event_type: event.event_type(),
            group: event.group(),
            content_type: event.content_type(),
            attributes: event.attributes(),
            attempt: attempt.number(),
            is_last: attempt.is_last(),
            deadline: Rfc3339(attempt.deadline()),
            payload: PayloadBody::new(event.payload()),
        }
    }
}

fn attributes<S: Serializer>(attributes: &&Attributes, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(attributes.iter())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn run_is_read_as_it_is_shown() {
        let one = RunId::new(Epoch::new(7), 19);
        assert_eq!(run(&one.to_string()).ok(), Some(one));
        for text in ["", "7", "7-", "-19", "07-19", "7-+19", "7-19-1", "a-b", "7-99999999999999999999999"] {
            assert_eq!(run(text).expect_err(text).kind(), ProblemKind::Invalid);
        }
    }
}
