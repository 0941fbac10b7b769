//! The probes of the core tier: every fault, and every edge, which is a state with a command and its result.

use eventful::{
    Status,
    engine::{Answer, Bound, EnqueueFailure, Phase, Refusal},
};

use crate::oracle::{CommandSummary, OutcomeSummary};
use crate::scenario::FaultKind;
use crate::tier::Probes;

/// The state of engine and record when a command comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Standing {
    /// The engine's phase.
    pub(crate) phase: Phase,
    /// True if it is paused.
    pub(crate) is_paused: bool,
    /// The status of the record that the command names; none without a record.
    pub(crate) status: Option<Status>,
}

const PHASES: [&str; 4] = ["running", "paused", "draining", "stopped"];
const STATES: [&str; 7] = ["received", "processing", "failed_retry", "completed", "failed", "discarded", "absent"];
const COMMANDS: [&str; 20] = [
    "submit",
    "reject",
    "start",
    "settle_done",
    "settle_retry",
    "settle_permanent",
    "settle_snooze",
    "settle_crashed",
    "heartbeat",
    "enqueue_failed_full",
    "enqueue_failed_closed",
    "channel_lost",
    "sweep",
    "redrive",
    "discard",
    "pause",
    "resume",
    "shutdown",
    "abort_inflight",
    "settle_not_called",
];
const RESULTS: [&str; 21] = [
    "accepted",
    "duplicate",
    "conflict",
    "overloaded_pending",
    "overloaded_records",
    "overloaded_bytes",
    "too_large",
    "shutting_down",
    "running",
    "held",
    "marked",
    "stale",
    "settled",
    "alive",
    "swept",
    "swept_marker_overdue",
    "not_found",
    "not_failed",
    "too_late",
    "noted",
    "overloaded_failed",
];

/// Every edge that a run can reach, one a line: phase, status of the named record, command, result.
const EDGES: &str = include_str!("edges.txt");

/// Edges that only a run with a journal can reach: there a marker leaves late, in any phase.
const EDGES_OF_JOURNALS: &str = include_str!("edges_of_journals.txt");

impl Probes {
    /// Counts an effect of a fault.
    pub(crate) fn fault(&mut self, kind: FaultKind) {
        self.fire(kind);
    }

    /// Counts the edge of a command.
    pub(crate) fn edge(&mut self, before: Standing, said: &CommandSummary, answer: &Answer) {
        let state = before.status.map_or(STATES.len() - 1, |status| status as usize);
        let at = (phase(before) * STATES.len() + state) * COMMANDS.len() + command(said);
        self.fire(FaultKind::ALL.len() + at * RESULTS.len() + self::answer(answer));
    }
}

/// Returns the edges that must be reached, one a line.
pub(crate) fn listed(with_journals: bool) -> impl Iterator<Item = &'static str> {
    EDGES.lines().chain(if with_journals { EDGES_OF_JOURNALS } else { "" }.lines())
}

/// Returns the name of the edge with this number.
pub(crate) fn name(edge: usize) -> String {
    let (rest, answer) = (edge / RESULTS.len(), edge % RESULTS.len());
    let (rest, command) = (rest / COMMANDS.len(), rest % COMMANDS.len());
    let (phase, state) = (rest / STATES.len(), rest % STATES.len());
    [PHASES[phase], STATES[state], COMMANDS[command], RESULTS[answer]].join(" ")
}

const fn phase(standing: Standing) -> usize {
    match standing.phase {
        Phase::Running if standing.is_paused => 1,
        Phase::Running => 0,
        Phase::Draining => 2,
        Phase::Stopped => 3,
    }
}

const fn command(said: &CommandSummary) -> usize {
    match said {
        CommandSummary::Submit { .. } => 0,
        CommandSummary::Reject(_) => 1,
        CommandSummary::Start(_) => 2,
        CommandSummary::Settle(_, OutcomeSummary::Done | OutcomeSummary::DoneWith { .. }) => 3,
        CommandSummary::Settle(_, OutcomeSummary::Retry { .. }) => 4,
        CommandSummary::Settle(_, OutcomeSummary::Permanent) => 5,
        CommandSummary::Settle(_, OutcomeSummary::Snooze { .. }) => 6,
        CommandSummary::Settle(_, OutcomeSummary::Crashed) => 7,
        CommandSummary::Heartbeat(_) => 8,
        CommandSummary::EnqueueFailed(_, EnqueueFailure::Full) => 9,
        CommandSummary::EnqueueFailed(_, EnqueueFailure::Closed) => 10,
        CommandSummary::ChannelLost => 11,
        CommandSummary::Sweep => 12,
        CommandSummary::Redrive(_) => 13,
        CommandSummary::Discard(_) => 14,
        CommandSummary::Pause | CommandSummary::PauseGroup { paused: true, .. } => 15,
        CommandSummary::Resume | CommandSummary::PauseGroup { paused: false, .. } => 16,
        CommandSummary::Shutdown => 17,
        CommandSummary::AbortInflight => 18,
        CommandSummary::Settle(_, OutcomeSummary::NotCalled) => 19,
        // These commands are not counted: they are the same in every state.
        CommandSummary::Open | CommandSummary::HoldExpiry | CommandSummary::ReleaseExpiry => 12,
        // No scenario has schedules.
        CommandSummary::SetSchedules | CommandSummary::Tick => 12,
    }
}

const fn answer(answer: &Answer) -> usize {
    match answer {
        Answer::Accepted => 0,
        Answer::Duplicate(_) => 1,
        Answer::Conflict(_) => 2,
        Answer::Refused(Refusal::Overloaded { bound: Bound::Pending | Bound::Group | Bound::PausedGroups, .. }) => 3,
        Answer::Refused(Refusal::Overloaded { bound: Bound::Records, .. }) => 4,
        Answer::Refused(Refusal::Overloaded {
            bound: Bound::Bytes | Bound::Disk | Bound::JournalSlow | Bound::JournalUnreachable,
            ..
        }) => 5,
        Answer::Refused(Refusal::TooLarge { .. }) => 6,
        Answer::Refused(Refusal::ShuttingDown) => 7,
        Answer::Running(_) => 8,
        Answer::Held => 9,
        Answer::Marked => 10,
        Answer::Stale => 11,
        Answer::Settled(_) => 12,
        Answer::Alive(_) => 13,
        Answer::Swept(swept) if swept.marker_overdue => 15,
        Answer::Swept(_) => 14,
        Answer::NotFound => 16,
        Answer::NotFailed(_) => 17,
        Answer::TooLate => 18,
        Answer::Noted => 19,
        Answer::Refused(Refusal::Overloaded { bound: Bound::Failed, .. }) => 20,
    }
}
