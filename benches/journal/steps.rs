//! The durations of the steps of snapshots, between the appends of a journal that is written all the time.

use eventful::journal::{Maintained, Owner, Recovered, recover};
use eventful::metrics::Gauges;

use super::{facts, media};
use crate::report;
use crate::stopwatch::time;

/// Events in a group, whose runs end in the same group.
const GROUP: u64 = 100;

/// Bytes of frames after which a snapshot is made, as by default.
const SNAPSHOT_AFTER: u64 = 64 << 20;

/// The duration from which a step counts as long, as it holds up the next group: a free choice.
const LONG_MILLIS: f64 = 5.0;

pub(crate) fn measure() {
    let events = if report::quick() { 400_000 } else { 2_000_000 };
    let heads = ["events", "snapshots", "steps", "p50 ms", "p99 ms", "longest ms", "over 5 ms", "target ms"];
    report::print_table("Steps of snapshots, one after each append", heads, &[row(events)]);
}

fn row(events: u64) -> [String; 8] {
    let directory = media::directory();
    let (owner, config) = (Owner::new("a bench"), media::config());
    let recovered = recover(&mut media::store(directory.path()), &owner, &config, SNAPSHOT_AFTER, &mut |_| {});
    let Recovered { mut log, .. } = recovered.expect("a new journal");
    log.append(&[facts::opening()]).expect("room");
    let (mut snapshots, mut steps) = (0, Vec::new());
    for group in 0..events / GROUP {
        log.append(&facts::lives(group, GROUP)).expect("room");
        let mut made = Maintained::Nothing;
        let took = time(|| made = log.maintain(&Gauges::default).expect("room"));
        if made != Maintained::Nothing {
            steps.push(took.as_secs_f64() * 1e3);
        }
        snapshots += u64::from(matches!(made, Maintained::Snapshot(_)));
    }
    assert!(snapshots > 0, "a snapshot is made");
    steps.sort_by(f64::total_cmp);
    let at = |per_mille: usize| format!("{:.1}", steps[(steps.len() - 1) * per_mille / 1000]);
    let long = steps.iter().filter(|took| **took > LONG_MILLIS).count();
    let counts = [events, snapshots, steps.len() as u64].map(|count| count.to_string());
    let [events, snapshots, steps] = counts;
    [events, snapshots, steps, at(500), at(990), at(1000), long.to_string(), format!("≤ {LONG_MILLIS:.0}")]
}
