//! P5: no more events of a type run at one time than its policy allows; an event without a policy waits if the
//! configuration says so. P7: the numbers of each policy agree with the totals.

use eventful::{
    Config,
    engine::facts::{Change, Fact},
};

use super::Observation;
use super::metrics::same;
use crate::failure::{Broken, holds};
use crate::spec::{ReferenceState, gate_of, policy_of};

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

/// Checks the numbers of each policy: runs by a recount, the rest by the events of the policy that wait, and their sums
/// by the totals.
pub(super) fn judge_stats(expected: &ReferenceState, seen: &Observation<'_>) -> Result<(), Broken> {
    if seen.config.types.is_empty() {
        return Ok(());
    }
    let (stats, unmatched) = (seen.engine.type_stats(), seen.engine.unmatched());
    let patterns = seen.config.types.iter().map(|(pattern, _)| pattern);
    same("policies with numbers", stats.iter().map(|of| of.pattern.clone()).collect(), patterns.collect::<Vec<_>>())?;
    for (number, of) in stats.iter().enumerate() {
        same("runs of a policy", of.running, running(expected, seen.config, number) as u64)?;
        let waiting = waiting(expected, seen, number);
        holds(of.gated + of.unstarted <= waiting, || wrong(format!("{of:?}, but {waiting} of its events wait")))?;
    }
    let gated = stats.iter().map(|of| of.gated).sum::<u64>() + unmatched;
    let is_all = has_groups(expected) || gated == seen.gauges.gated;
    holds(gated <= seen.gauges.gated && is_all, || {
        wrong(format!("{gated} events wait for policies, of {} that wait at gates", seen.gauges.gated))
    })?;
    let unstarted = stats.iter().map(|of| of.unstarted).sum::<u64>();
    let plain = waiting(expected, seen, usize::MAX);
    let past = seen.gauges.line + seen.gauges.queued;
    holds((unstarted..=unstarted + plain).contains(&past), || {
        wrong(format!("{unstarted} events with a policy and at most {plain} without may start, but {past} may"))
    })
}

/// Returns how many events wait of this policy, or of none when there is none of this number.
fn waiting(expected: &ReferenceState, seen: &Observation<'_>, number: usize) -> u64 {
    let number = Some(number).filter(|number| *number < usize::MAX);
    let waiting = expected.all().filter(|(_, record)| record.stage.eligible_at().is_some_and(|at| at <= seen.now));
    let of = |event_type| policy_of(seen.config, event_type).map(|(of, _)| of);
    waiting.filter(|(_, record)| of(record.event.event_type()) == number).count() as u64
}

fn wrong(what: String) -> Broken {
    Broken::new("gates", 7, what)
}

fn has_groups(expected: &ReferenceState) -> bool {
    expected.all().any(|(_, record)| record.event.group().is_some() && !record.status().is_terminal())
}
