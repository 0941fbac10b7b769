//! P5: no more events of a type run at one time than its policy allows; an event without a policy waits if the
//! configuration says so.

use eventful::{
    Config,
    engine::facts::{Change, Fact},
};

use super::Observation;
use crate::failure::{Broken, holds};
use crate::spec::{ReferenceState, gate_of};

/// Checks a fact, after it was applied to `expected`.
pub(super) fn judge(expected: &ReferenceState, seen: &Observation<'_>, fact: &Fact) -> Result<(), Broken> {
    let Change::Started { key, .. } = &fact.change else { return Ok(()) };
    let record = seen.key_table.number(key).and_then(|event| expected.record(event));
    let Some((gate, limit)) = record.and_then(|record| gate_of(seen.config, &record.event)) else { return Ok(()) };
    let running = running(expected, seen.config, gate);
    holds(running <= limit, || {
        let what = format!("{running} events of the policy of {key} run, the limit is {limit}");
        Broken::new("gates", 5, what)
    })
}

fn running(expected: &ReferenceState, config: &Config, gate: usize) -> usize {
    let records = expected.inflight.iter().filter_map(|(_, event)| expected.record(*event));
    records.filter(|record| gate_of(config, &record.event).is_some_and(|(of, _)| of == gate)).count()
}

/// Checks that no event waits at a gate that would let it through.
pub(super) fn judge_waiting(expected: &ReferenceState, seen: &Observation<'_>) -> Result<(), Broken> {
    // Those that wait for others of their group are checked by where they are: see `groups`.
    if seen.gauges.gated == 0 || has_groups(expected) {
        return Ok(());
    }
    // An event past a gate is in the line, in the channel, or runs.
    let past = (seen.gauges.line + seen.gauges.queued + seen.gauges.inflight) as usize;
    let limits = expected.all().filter(|(_, record)| record.stage.eligible_at().is_some());
    let least = limits.filter_map(|(_, record)| gate_of(seen.config, &record.event)).map(|(_, limit)| limit).min();
    holds(least.is_some_and(|least| least <= past), || {
        let what = format!(
            "{} events wait at gates that let at least {least:?} through, but only {past} are past them",
            seen.gauges.gated
        );
        Broken::new("gates", 1, what)
    })
}

fn has_groups(expected: &ReferenceState) -> bool {
    expected.all().any(|(_, record)| record.event.group().is_some() && !record.status().is_terminal())
}
