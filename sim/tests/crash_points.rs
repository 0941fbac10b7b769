//! A crash before and after every change of the disk loses nothing that was acknowledged.

use eventful_sim::disk::{Effort, PlainStore, Tried, crash_everywhere};

/// Tests with optimisation try as much as is promised, the others a part of it.
const SCENARIOS: u64 = if cfg!(debug_assertions) { 40 } else { 1000 };

#[test]
fn a_crash_at_any_point_of_a_plain_journal_loses_nothing_that_was_acknowledged() {
    let effort = Effort { groups: 8, draws: 12, again: 64, whole_head: 0 };
    let mut tried = Tried::default();
    for seed in 0..SCENARIOS {
        match crash_everywhere(seed, effort, &|drive| Box::new(PlainStore::new(drive))) {
            Ok(more) => tried.add(&more),
            Err(broken) => panic!("seed {seed}: {broken}"),
        }
    }
    println!("{tried:?}");
}
