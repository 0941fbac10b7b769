//! The random histories reach every edge: a strategy that avoids the edges proves nothing. Engine and model execute
//! the same commands with equal results, so an edge is reached in both.

use std::collections::BTreeMap;

use eventful::{
    Status, Timestamp,
    engine::{Answer, Bound, Command, Phase, Refusal, Wake},
};
use eventful_sim::spec::model::Model;
use eventful_sim::strategy::{StrategyStep, configs, steps};
use eventful_sim::sut::Sut;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

/// The edges that must be reached, as `phase command result`; a paused engine is a phase of its own here.
const EDGES: &str = include_str!("reach/edges.txt");

/// Histories in which the rarest edge is reached: a discard of a failed event after the engine has stopped.
const HISTORIES: usize = 2000;

#[test]
fn random_histories_reach_every_phase_command_and_answer() {
    let mut seen = BTreeMap::new();
    let mut runner = fixed_runner();
    let histories = (configs(), proptest::collection::vec(steps(), 100));
    for _ in 0..HISTORIES {
        let (config, history) = histories.new_tree(&mut runner).expect("nothing is rejected").current();
        note_edges(config, &history, &mut seen);
    }

    let missing: Vec<&str> = EDGES.lines().filter(|edge| !seen.contains_key(*edge)).collect();
    assert!(missing.is_empty(), "never seen: {missing:#?}\nseen: {seen:#?}");
}

fn fixed_runner() -> TestRunner {
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, b"the same histories in each build");
    TestRunner::new_with_rng(Config::default(), rng)
}

fn note_edges(config: eventful::Config, history: &[StrategyStep], seen: &mut BTreeMap<String, u32>) {
    let opened_at = Timestamp::from_micros(1_000_000);
    let mut model = Model::new(config.clone(), opened_at);
    let mut sut = Sut::open(config, opened_at).expect("the strategy makes valid configurations");
    for step in history {
        let (now, command) = step.resolve(&model);
        let (phase, status) = (phase(&model), status(&model, &command));
        let answer = model.execute(now, &command).answer;
        let edge = format!("{phase} {}{status} {}", name(&command), outcome(&answer));
        assert_eq!(sut.execute(now, command).0, answer);
        *seen.entry(edge).or_default() += 1;
        if let Some(deadline) = model.next_deadline() {
            *seen.entry(format!("woken by {}", wake(deadline.why))).or_default() += 1;
        }
        for (label, _) in model.counts().all() {
            *seen.entry(format!("counted {} {}", label.0, label.1).trim_end().to_owned()).or_default() += 1;
        }
    }
}

fn phase(model: &Model) -> &'static str {
    match model.phase {
        Phase::Running if model.expected.paused => "paused",
        Phase::Running => "running",
        Phase::Draining => "draining",
        Phase::Stopped => "stopped",
    }
}

/// Returns the status of the record that the command names by its key, with a hyphen before it.
fn status(model: &Model, command: &Command) -> String {
    let key = match command {
        Command::Submit(event) => event.key(),
        Command::Redrive(key) | Command::Discard(key) => key,
        Command::Reject(_)
        | Command::Start(_)
        | Command::Settle { .. }
        | Command::Heartbeat(_)
        | Command::EnqueueFailed { .. }
        | Command::ChannelLost
        | Command::Sweep
        | Command::Pause
        | Command::PauseGroup { .. }
        | Command::Resume
        | Command::SetSchedules(_)
        | Command::Tick(_)
        | Command::HoldExpiry
        | Command::ReleaseExpiry
        | Command::Shutdown
        | Command::AbortInflight => return String::new(),
    };
    format!("-{}", model.record(key).map_or("absent", |record| record.status().as_str()))
}

fn name(command: &Command) -> &'static str {
    match command {
        Command::Submit(_) => "submit",
        Command::Reject(_) => "reject",
        Command::Start(_) => "start",
        Command::Settle { .. } => "settle",
        Command::Heartbeat(_) => "heartbeat",
        Command::EnqueueFailed { .. } => "enqueue_failed",
        Command::ChannelLost => "channel_lost",
        Command::Sweep => "sweep",
        Command::Redrive(_) => "redrive",
        Command::Discard(_) => "discard",
        Command::Pause => "pause",
        Command::PauseGroup { .. } => "pause_group",
        Command::Resume => "resume",
        Command::SetSchedules(_) => "set_schedules",
        Command::Tick(_) => "tick",
        Command::HoldExpiry => "hold_expiry",
        Command::ReleaseExpiry => "release_expiry",
        Command::Shutdown => "shutdown",
        Command::AbortInflight => "abort_inflight",
    }
}

fn outcome(answer: &Answer) -> &'static str {
    match answer {
        Answer::Accepted => "accepted",
        Answer::Duplicate(_) => "duplicate",
        Answer::Conflict(_) => "conflict",
        Answer::Refused(refusal) => refused(*refusal),
        Answer::Running(_) => "running",
        Answer::Held => "held",
        Answer::Marked => "marked",
        Answer::Stale => "stale",
        Answer::Settled(status) => settled(*status),
        Answer::Alive(_) => "alive",
        Answer::Swept(swept) if swept.marker_overdue => "marker_overdue",
        Answer::Swept(_) => "swept",
        Answer::NotFound => "not_found",
        Answer::NotFailed(_) => "not_failed",
        Answer::TooLate => "too_late",
        Answer::Noted => "noted",
    }
}

fn refused(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::Overloaded { bound: Bound::Pending | Bound::Group | Bound::PausedGroups, .. } => "refused_pending",
        Refusal::Overloaded { bound: Bound::Records, .. } => "refused_records",
        Refusal::Overloaded {
            bound: Bound::Bytes | Bound::Disk | Bound::JournalSlow | Bound::JournalUnreachable,
            ..
        } => "refused_bytes",
        Refusal::Overloaded { bound: Bound::Failed, .. } => "refused_failed",
        Refusal::TooLarge { .. } => "refused_too_large",
        Refusal::ShuttingDown => "refused_shutting_down",
    }
}

fn settled(status: Status) -> &'static str {
    match status {
        Status::Completed => "completed",
        Status::Failed => "failed",
        Status::FailedRetry => "failed_retry",
        Status::Received | Status::Processing | Status::Discarded => "impossible",
    }
}

fn wake(why: Wake) -> &'static str {
    match why {
        Wake::RunDeadline => "run_deadline",
        Wake::RetryDue => "retry_due",
        Wake::Expiry => "expiry",
        Wake::StuckTicket => "stuck_ticket",
        Wake::MarkerOverdue => "marker_overdue",
        Wake::FeedBlocked => "feed_blocked",
    }
}
