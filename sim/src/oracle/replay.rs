//! P10: the facts alone lead to the same state.

use eventful::{
    Config, GroupPolicy, Timestamp, TypePolicy,
    engine::{
        Engine, OnFailure, Output,
        facts::{Fact, Replay},
    },
};

use crate::failure::Broken;
use crate::key_table::KeyTable;
use crate::spec::ReferenceState;

const ORACLE: &str = "replay";

/// Checks both the engine's replay of the facts and the fold of the specification.
pub(super) fn judge(
    engine: &Engine,
    expected: &ReferenceState,
    facts: &[Fact],
    now: Timestamp,
    key_table: &KeyTable,
) -> Result<(), Broken> {
    let mut replay = match Replay::new(engine.config().clone()) {
        Ok(replay) => replay,
        Err(error) => return broken(format!("the engine refuses its own configuration: {error}")),
    };
    for fact in facts {
        if let Err(error) = replay.apply(fact) {
            return broken(format!("{fact:?} cannot follow: {error}"));
        }
    }
    let (replayed, live) = (replay.state(), engine.durable_state());
    if let Err(violation) = replay.check() {
        return broken(violation.to_string());
    }
    if let Some(difference) = expected.difference(&live, key_table) {
        return broken(format!("the engine differs from the state of its facts: {difference}"));
    }
    if replayed == live {
        judge_opening(replay, engine, now)?;
        return judge_changed(engine.config(), facts, now);
    }
    let differs = live.records.iter().zip(&replayed.records).find(|(live, replayed)| live != replayed);
    broken(match differs {
        Some((live, replayed)) => format!("live {live:?}, replayed {replayed:?}"),
        None => format!(
            "live: {} records, {:?}, replayed: {} records, {:?}",
            live.records.len(),
            live.counters,
            replayed.records.len(),
            replayed.counters
        ),
    })
}

/// Checks that an engine that is opened from the facts is consistent, and raises the epoch.
fn judge_opening(replay: Replay, live: &Engine, now: Timestamp) -> Result<(), Broken> {
    let opened = replay.open(now, &mut Output::new());
    if opened.epoch() <= live.epoch() {
        return broken(format!("epoch {:?} follows epoch {:?}, but epochs must rise", opened.epoch(), live.epoch()));
    }
    if opened.gauges().inflight > 0 {
        return broken(format!("{} runs are in flight in an engine that was just opened", opened.gauges().inflight));
    }
    match opened.check() {
        Ok(()) => Ok(()),
        Err(violation) => broken(format!("an engine that is opened from the facts is inconsistent: {violation}")),
    }
}

/// Checks that an engine that is opened from the facts with other policies is consistent: they may change at each start.
fn judge_changed(config: &Config, facts: &[Fact], now: Timestamp) -> Result<(), Broken> {
    if config.types.is_empty() && config.groups.iter().next().is_none() {
        return Ok(());
    }
    // One of them each time, as each costs a replay.
    let policy = match facts.len() % 3 {
        0 => GroupPolicy::fifo(),
        1 => GroupPolicy::fifo().with_on_failure(OnFailure::Halt),
        _ => GroupPolicy::free().with_concurrency(1),
    };
    let mut changed = config.clone();
    (changed.groups, changed.types, changed.unmatched) = Default::default();
    let added =
        changed.groups.add("*", policy).and_then(|_| changed.types.add("*", TypePolicy::new().with_concurrency(1)));
    let Ok(mut replay) =
        added.map_err(|error| error.to_string()).and_then(|_| Replay::new(changed).map_err(|error| error.to_string()))
    else {
        return broken("other policies are refused".to_owned());
    };
    if facts.iter().any(|fact| replay.apply(fact).is_err()) {
        return broken("facts cannot follow from each other under other policies".to_owned());
    }
    match replay.open(now, &mut Output::new()).check() {
        Ok(()) => Ok(()),
        Err(violation) => broken(format!("an engine that is opened with other policies is inconsistent: {violation}")),
    }
}

fn broken(what: String) -> Result<(), Broken> {
    Err(Broken::new(ORACLE, 10, what))
}
