//! The flaws of handlers, and the rules that detect them.

use std::fmt::Debug;

use super::context::RunEnd;
use super::fault::{FaultPlace, HandlerFault};
use super::test_case::{EventEnd, Played, TestCase};

/// A way in which a handler does not survive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flaw {
    /// The handler panicked by itself.
    Panics,
    /// The handler used a socket or a process of tokio, which a check does not have.
    Network,
    /// The handler did not end within its time, and no fault delayed it.
    Hangs,
    /// The event has failed, or has not ended.
    Fails,
    /// The world differs from that after a run without faults.
    World,
}

/// A flaw that a test case has shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Finding {
    pub(super) flaw: Flaw,
    /// The event's index, if the flaw is about one event.
    pub(super) event: Option<usize>,
    /// The error message of the handler or the engine.
    pub(super) said: String,
}

/// Returns the flaw of a handler in a run without faults.
pub(super) fn undisturbed<T>(played: &Played<T>, may_fail: bool) -> Option<Finding> {
    panicked(played).or_else(|| hung(played)).or_else(|| {
        let bad = |end: &EventEnd| match end {
            EventEnd::Completed => None,
            EventEnd::Failed(said) => (!may_fail).then(|| said.clone()),
            EventEnd::Unfinished(said) => Some(said.clone()),
        };
        let follow_ups = played.follow_up_ends.iter().map(|(event, end)| (*event, end));
        let mut ends = played.ends.iter().enumerate().chain(follow_ups);
        ends.find_map(|(event, end)| Some(Finding { flaw: Flaw::Fails, event: Some(event), said: bad(end)? }))
    })
}

/// Returns the flaw of a handler in a run with faults, compared with one without.
pub(super) fn disturbed<T: PartialEq + Debug>(played: &Played<T>, calm: &Played<T>) -> Option<Finding> {
    panicked(played).or_else(|| ended_otherwise(played, calm)).or_else(|| {
        (played.world != calm.world).then(|| Finding { flaw: Flaw::World, event: None, said: String::new() })
    })
}

fn panicked<T>(played: &Played<T>) -> Option<Finding> {
    played.seen.runs.iter().find_map(|run| match &run.end {
        RunEnd::Panicked(said) => Some(Finding { flaw: flaw_of(said), event: Some(run.event), said: said.clone() }),
        RunEnd::NotCalled | RunEnd::Cut | RunEnd::Done | RunEnd::Failed(_) | RunEnd::Spun => None,
    })
}

/// Returns the flaw that a panic shows. Tokio's sockets, signals and processes panic with this text on a runtime
/// without I/O, such as that of a check.
fn flaw_of(panic: &str) -> Flaw {
    if panic.contains("IO is disabled") { Flaw::Network } else { Flaw::Panics }
}

/// Returns a run that was stopped for its own slowness alone.
fn hung<T>(played: &Played<T>) -> Option<Finding> {
    played.seen.runs.iter().find_map(|run| {
        let said = match run.end {
            RunEnd::Cut => "it did not end before the run's deadline",
            RunEnd::Spun => "it was ready again and again while no time passed",
            RunEnd::NotCalled | RunEnd::Done | RunEnd::Failed(_) | RunEnd::Panicked(_) => return None,
        };
        Some(Finding { flaw: Flaw::Hangs, event: Some(run.event), said: said.to_owned() })
    })
}

fn ended_otherwise<T>(played: &Played<T>, calm: &Played<T>) -> Option<Finding> {
    let submitted = played.ends.iter().zip(&calm.ends).enumerate();
    // Follow-ups begin in another order under faults, so they are not compared one by one.
    let fails = calm.follow_up_ends.iter().map(|(_, end)| end).find(|end| **end != EventEnd::Completed);
    let calm_end = fails.unwrap_or(&EventEnd::Completed);
    let follow_ups = played.follow_up_ends.iter().map(|(event, end)| (*event, (end, calm_end)));
    let mut pairs = submitted.chain(follow_ups);
    let (event, said) = pairs.find_map(|(event, (end, calm))| match (end, calm) {
        (EventEnd::Failed(_), EventEnd::Failed(_)) | (EventEnd::Completed, _) => None,
        (EventEnd::Failed(said) | EventEnd::Unfinished(said), _) => Some((event, said.clone())),
    })?;
    let last = played.seen.runs.iter().rev().find(|run| run.event == event);
    let cut = last.is_some_and(|run| matches!(run.end, RunEnd::Cut | RunEnd::Spun));
    Some(Finding { flaw: if cut { Flaw::Hangs } else { Flaw::Fails }, event: Some(event), said })
}

/// Returns a description of this flaw under these faults, and advice.
pub(super) fn verdict(flaw: Flaw, test_case: &TestCase) -> (&'static str, &'static str) {
    match flaw {
        Flaw::Panics => ("the handler panics", "return a Failure instead: it says what is to become of the event"),
        Flaw::Network => (
            "the handler uses the network or a process",
            "there is no network in a check: give the handler a stand-in, such as a trait that the test implements",
        ),
        Flaw::Hangs if test_case.disturbances.is_empty() => (
            "the handler hangs",
            "give its waits a timeout; if it is only slow, raise run_timeout with Check::config or call \
             Attempt::heartbeat",
        ),
        Flaw::Hangs => (
            "the handler hangs after it was disturbed",
            "what a run takes (a lock, a permit, a slot) must be given back when its future is dropped",
        ),
        Flaw::Fails if test_case.disturbances.is_empty() => (
            "the handler fails although nothing disturbs it",
            "give it events that it understands with Check::events; if failing is right, say Check::may_fail",
        ),
        Flaw::Fails if only(test_case, &[HandlerFault::Order, HandlerFault::Overlap, HandlerFault::Slow]) => (
            "the handler fails when others run beside it or before it",
            "return Failure::retry while what it needs is not there yet",
        ),
        Flaw::Fails => (
            "the handler does not survive being run again",
            "what an earlier run has done already is no error: read it under Attempt::key and continue",
        ),
        Flaw::World => world(test_case),
    }
}

fn world(test_case: &TestCase) -> (&'static str, &'static str) {
    if test_case.disturbances.is_empty() {
        return (
            "the world is not the same after two calm runs",
            "build a new world in each call, and leave times, random numbers and orders out of what you compare",
        );
    }
    if only(test_case, &[HandlerFault::Order]) {
        return (
            "the world depends on the order of the events",
            "the engine promises no order: compare sorted views (a BTreeMap by key), or use \
             Check::without(Fault::Order) when the handler is not to blame",
        );
    }
    if only(test_case, &[HandlerFault::Order, HandlerFault::Overlap, HandlerFault::Slow]) {
        return (
            "the handler does not bear runs that overlap",
            "between a read and the write that depends on it there must be no await, or a lock around both",
        );
    }
    if only(test_case, &[HandlerFault::Drop, HandlerFault::Timeout]) && at_an_await(test_case) {
        return (
            "the handler is not cancel-safe",
            "between two effects that belong together there must be no await, or the next run must mend what is half \
             done",
        );
    }
    ("the handler is not idempotent", "make each effect depend on Attempt::key, so that doing it again changes nothing")
}

fn only(test_case: &TestCase, faults: &[HandlerFault]) -> bool {
    test_case.disturbances.iter().all(|it| faults.contains(&it.fault))
}

fn at_an_await(test_case: &TestCase) -> bool {
    test_case.disturbances.iter().any(|it| matches!(it.at, FaultPlace::Await { .. } | FaultPlace::Preempted { .. }))
}
