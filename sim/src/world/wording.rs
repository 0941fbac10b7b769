//! The text of commands, results, facts and records, for the trace.

use std::fmt::Write as _;

use eventful::{
    RecordView, Timestamp,
    engine::{
        Answer, Bound, Place, Refusal, RunId,
        facts::{AfterRun, Change, Fact},
    },
};

use super::event_queue::STARTED_AT;
use super::worker::{Does, WorldWorker};
use crate::oracle::{CommandSummary, OutcomeSummary};
use crate::scenario::Micros;

/// Converts times of the engine's clock to those of the simulation.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wording {
    pub(super) skew: i64,
}

impl Wording {
    fn time(self, at: Timestamp) -> Micros {
        Micros(at.as_micros().saturating_add_signed(-self.skew).saturating_sub(STARTED_AT))
    }

    /// Returns the text of a command and its result.
    pub(super) fn exchange(self, said: CommandSummary, answer: &Answer) -> String {
        format!("{} → {}", command(said), self.answer(answer))
    }

    pub(super) fn answer(self, answer: &Answer) -> String {
        match answer {
            Answer::Duplicate(duplicate) => format!("Duplicate: it is {}", duplicate.status),
            Answer::Conflict(_) => "Conflict: another payload".to_owned(),
            Answer::Refused(refusal) => format!("Refused: {}", refused(refusal)),
            Answer::Running(run) => format!("Running, {}", run_name(run.id)),
            Answer::Settled(status) => format!("Settled: it is {status}"),
            Answer::Alive(until) => format!("Alive until {}", self.time(*until)),
            Answer::Swept(swept) => format!(
                "Swept: {} due, {} runs expired, {} forgotten{}",
                swept.retries_due,
                swept.expired_runs,
                swept.forgotten,
                if swept.marker_overdue { ", the marker is overdue" } else { "" }
            ),
            Answer::NotFailed(status) => format!("NotFailed: it is {status}"),
            Answer::Accepted
            | Answer::Held
            | Answer::Marked
            | Answer::Stale
            | Answer::NotFound
            | Answer::TooLate
            | Answer::Noted => format!("{answer:?}"),
        }
    }

    /// Returns the text of a record, in a line.
    pub(super) fn record(self, view: &RecordView) -> String {
        let mut line = format!("{}, attempt {}", view.status, view.attempt);
        let charge = view.charge;
        for (count, name) in [(charge.charged, "charged"), (charge.snoozes, "snoozes"), (charge.refunds, "refunds")] {
            if count > 0 {
                let _ = write!(line, ", {name} {count}");
            }
        }
        let _ = match (view.place, view.eligible_at) {
            (Some(Place::Delayed), Some(at)) => write!(line, ", delayed until {}", self.time(at)),
            (Some(Place::Delayed), None) => write!(line, ", delayed"),
            (Some(Place::Gated(_)), _) => write!(line, ", gated"),
            (Some(Place::Line), _) => write!(line, ", in the line"),
            (Some(Place::Queued(ticket)), _) => write!(line, ", queued with ticket {}", ticket.number()),
            (None, _) => Ok(()),
        };
        if let Some(run) = view.run {
            let _ = write!(line, ", {} until {}", run_name(run.id), self.time(run.deadline));
        }
        if let Some(error) = &view.last_error {
            let _ = write!(line, ", “{error}”");
        }
        line
    }

    /// Returns the text of a fact that follows from a command about another event.
    pub(super) fn fact(self, fact: &Fact) -> String {
        match &fact.change {
            Change::Accepted(_) => "it is accepted".to_owned(),
            Change::Started { run, .. } => format!("{} starts", run_name(*run)),
            Change::Finished { run, end, next, .. } => {
                let next = match next {
                    AfterRun::Completed => "it is completed".to_owned(),
                    AfterRun::Failed => "it has failed".to_owned(),
                    AfterRun::Retry { eligible_at } => format!("it is tried again from {} on", self.time(*eligible_at)),
                };
                format!("{} has ended, {end}: {next}", run_name(*run))
            }
            Change::Redriven(_) => "it is redriven".to_owned(),
            Change::Discarded(_) => "it is discarded".to_owned(),
            Change::Forgotten(keys) => match keys.len() {
                1 => "it is forgotten".to_owned(),
                several => format!("it is forgotten, the first of {several}"),
            },
            Change::Paused
            | Change::Resumed
            | Change::Epoch(_)
            | Change::GroupPaused { .. }
            | Change::Scheduled { .. } => {
                format!("{:?}", fact.change)
            }
        }
    }
}

/// Returns a run by its number, and by the opening of the engine if that is not the first.
pub(super) fn run_name(run: RunId) -> String {
    match run.epoch().number().saturating_sub(STARTED_AT) {
        0 => format!("run {}", run.number()),
        later => format!("run {} of the opening at {}", run.number(), Micros(later)),
    }
}

fn refused(refusal: &Refusal) -> String {
    match refusal {
        Refusal::Overloaded { bound, retry_after } => {
            let bound = match bound {
                Bound::Pending => "pending events",
                Bound::Group => "pending events of its group",
                Bound::Records => "records",
                Bound::Bytes => "bytes",
                Bound::Failed => "bytes of failed events",
                Bound::PausedGroups => "paused groups",
                Bound::Disk => "bytes in the journal",
                Bound::JournalSlow => "facts that are not durable",
                Bound::JournalUnreachable => "the reach of the journal",
            };
            let after = u64::try_from(retry_after.as_micros()).unwrap_or(u64::MAX);
            format!("too many {bound}, again after {}", Micros(after))
        }
        Refusal::TooLarge { limit_bytes } => format!("more than {limit_bytes} bytes"),
        Refusal::ShuttingDown => "it is shutting down".to_owned(),
    }
}

fn command(said: CommandSummary) -> String {
    match said {
        CommandSummary::Submit { event, digest, .. } => {
            let digest = digest.to_string();
            let short = digest.char_indices().nth(15).map_or(digest.as_str(), |(end, _)| &digest[..end]);
            format!("submit event {event}, {short}")
        }
        CommandSummary::Reject(reason) => format!("submit, refused before: {}", reason.as_str()),
        CommandSummary::Start(ticket) => format!("start ticket {}", ticket.number()),
        CommandSummary::Settle(run, summary) => format!("settle {} as {}", run_name(run), outcome(summary)),
        CommandSummary::Heartbeat(run) => format!("heartbeat of {}", run_name(run)),
        CommandSummary::EnqueueFailed(ticket, cause) => format!("ticket {} did not get in: {cause:?}", ticket.number()),
        CommandSummary::Redrive(event) => format!("redrive event {event}"),
        CommandSummary::Discard(event) => format!("discard event {event}"),
        CommandSummary::ChannelLost => "the channel is lost".to_owned(),
        CommandSummary::Open => "open from the journal".to_owned(),
        CommandSummary::HoldExpiry => "hold expiry, the journal is behind".to_owned(),
        CommandSummary::ReleaseExpiry => "release expiry".to_owned(),
        CommandSummary::Sweep
        | CommandSummary::SetSchedules
        | CommandSummary::Tick
        | CommandSummary::Pause
        | CommandSummary::PauseGroup { .. }
        | CommandSummary::Resume
        | CommandSummary::Shutdown
        | CommandSummary::AbortInflight => {
            format!("{said:?}").to_lowercase().replace("abortinflight", "abort runs in flight")
        }
    }
}

/// Returns the text of an outcome.
pub(super) fn outcome(summary: OutcomeSummary) -> String {
    let micros = |duration: std::time::Duration| Micros(u64::try_from(duration.as_micros()).unwrap_or(u64::MAX));
    match summary {
        OutcomeSummary::Done => "done".to_owned(),
        OutcomeSummary::DoneWith { first, count, payload } => {
            format!("done, with {count} follow-ups from event {first} on and payload {payload}")
        }
        OutcomeSummary::Retry { after: None } => "retry".to_owned(),
        OutcomeSummary::Retry { after: Some(after) } => format!("retry after {}", micros(after)),
        OutcomeSummary::Permanent => "permanent".to_owned(),
        OutcomeSummary::Snooze { delay, has_reason: false } => format!("snooze for {}", micros(delay)),
        OutcomeSummary::Snooze { delay, has_reason: true } => {
            format!("snooze for {}, with a reason", micros(delay))
        }
        OutcomeSummary::Crashed => "crashed".to_owned(),
        OutcomeSummary::NotCalled => "not called".to_owned(),
    }
}

/// Returns the text of the fault in an attempt, if the scenario has one.
pub(super) fn trouble(worker: &WorldWorker) -> Option<String> {
    match worker.does {
        Does::Succeed => None,
        Does::Poison => Some("the handler panics: the event is poison".to_owned()),
        Does::As(behaviour) => Some(format!("the handler {behaviour}")),
    }
}
