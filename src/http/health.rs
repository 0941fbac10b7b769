//! Is it alive, and should events be sent here.

use std::borrow::Cow;
use std::format;
use std::string::String;
use std::sync::Arc;

use axum::extract::State;

use super::front::Front;
use super::problem::{Problem, ProblemKind};
use crate::node::{NotReady, Readiness};
use crate::texts::rfc3339::Rfc3339;

/// `GET /livez`: the server responds.
pub(super) async fn live() -> &'static str {
    "alive\n"
}

/// `GET /readyz`: the engine takes events and makes progress.
///
/// A pause is no reason to send events elsewhere: it is an operator's, and they are taken. So it is said, and no more.
pub(super) async fn ready(State(front): State<Arc<Front>>) -> Result<String, Problem> {
    let paused = front.eventful.stats().is_ok_and(|stats| stats.paused);
    let pause = if paused { ", and paused by an operator: no run starts until POST /v1/resume" } else { "" };
    match front.eventful.readiness() {
        Readiness::Ready => Ok(format!("ready{pause}\n")),
        Readiness::NotReady(reason) => Err(Problem::new(ProblemKind::NotReady, format!("{}{pause}", detail(reason)))),
    }
}

fn detail(reason: NotReady) -> Cow<'static, str> {
    let text = match reason {
        NotReady::Draining => "draining: send events to the successor",
        NotReady::Stopped => "stopped: send events to the successor",
        NotReady::Broken => "broken: restart the server",
        NotReady::FullOfFailures => {
            "failed events have more than max_failed_bytes, and no new event is taken: redrive or discard some"
        }
        NotReady::JournalStalled { since } => {
            return format!("the journal has not responded since {}: check its disk", Rfc3339(since)).into();
        }
        NotReady::DiskFull => "the disk of the journal is full: make room, new events are refused until then",
        NotReady::JournalUnreachable => {
            "the directory or the disk of the journal cannot be reached: bring it back, the log says what is wrong"
        }
        NotReady::Reopening => "the journal has failed and is being opened again: wait",
        NotReady::JournalDown => "the journal cannot be used any more: see the log, and restart the server",
        NotReady::PermitsHeld => "handlers that were stopped do not yield, and hold all permits: restart the server",
        NotReady::DispatcherDown => "the dispatcher is down, and will be restarted: wait",
        NotReady::SweeperDown => "the sweeper is down or late, and will be restarted: wait",
    };
    text.into()
}
