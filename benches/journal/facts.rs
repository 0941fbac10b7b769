//! The facts of whole lives of events: accepted, started, finished.

use bytes::Bytes;
use eventful::{
    Event, Key, Timestamp,
    engine::{
        Epoch, RunId,
        facts::{AfterRun, AttemptEnd, Change, Charge, Fact},
    },
};

use crate::ids;

/// Bytes of each payload, as in the benchmarks of the adapter.
pub(crate) const PAYLOAD_BYTES: usize = 256;

const START: Timestamp = Timestamp::from_micros(1_700_000_000_000_000);
const EPOCH: Epoch = Epoch::new(START.as_micros());

/// Returns the fact that opens a journal.
pub(crate) fn opening() -> Fact {
    Fact { at: START, change: Change::Epoch(EPOCH) }
}

/// Returns the fact that event number `n` was accepted.
pub(crate) fn accepted(n: u64) -> Fact {
    let payload = Bytes::from_static(&[b'x'; PAYLOAD_BYTES]);
    Fact { at: START, change: Change::Accepted(Event::new(key(n), payload)) }
}

/// Returns the facts of its run, started and done.
pub(crate) fn run(n: u64) -> [Fact; 2] {
    let run = RunId::new(EPOCH, n + 1);
    let charge = Charge { charged: 1, snoozes: 0, refunds: 0 };
    let (end, next) = (AttemptEnd::Done, AfterRun::Completed);
    let changes =
        [Change::Started { key: key(n), run }, Change::Finished { key: key(n), run, end, error: None, next, charge }];
    changes.map(|change| Fact { at: START, change })
}

fn key(n: u64) -> Key {
    Key::new("", &ids::uuid(n)).expect("a key")
}

/// Returns group number `group`, with this many events, whose runs end in the same group.
pub(crate) fn lives(group: u64, size: u64) -> Vec<Fact> {
    let events = || group * size..(group + 1) * size;
    events().map(accepted).chain(events().flat_map(run)).collect()
}
