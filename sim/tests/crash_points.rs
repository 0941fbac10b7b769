//! A crash before and after every change of the disk loses nothing that was acknowledged.

use eventful_sim::disk::{DiskFault, Effort, Maker, PlainStore, Tried, crash_everywhere, disk_store};

/// Tests with optimisation try as much as is promised, the others a part of it.
const SCENARIOS: u64 = if cfg!(debug_assertions) { 15 } else { 1000 };

/// What a crash can leave behind.
const OF_CRASHES: [DiskFault; 9] = [
    DiskFault::Kill,
    DiskFault::PowerCut,
    DiskFault::SectorLost,
    DiskFault::SectorTorn,
    DiskFault::SectorGarbage,
    DiskFault::OutOfOrder,
    DiskFault::LengthWithoutData,
    DiskFault::DataWithoutLength,
    DiskFault::NameLost,
];

#[test]
fn a_crash_at_any_point_of_a_plain_journal_loses_nothing_that_was_acknowledged() {
    let effort = Effort { openings: 3, groups: 6, kills: 1, draws: 12, again: 100, whole_head: 0 };
    try_all(SCENARIOS, effort, &|drive| Box::new(PlainStore::new(drive)));
}

#[test]
fn a_crash_at_any_point_of_the_journal_on_redb_loses_nothing_that_was_acknowledged() {
    let effort = Effort { openings: 1, groups: 3, kills: 8, draws: 2, again: 500, whole_head: 512 };
    try_all(SCENARIOS, effort, &|drive| Box::new(disk_store(&drive)));
}

fn try_all(scenarios: u64, effort: Effort, make: Maker<'_>) {
    let mut tried = Tried::default();
    for seed in 0..scenarios {
        match crash_everywhere(seed, effort, make) {
            Ok(more) => tried.add(&more),
            Err(broken) => panic!("seed {seed}: {broken}"),
        }
    }
    println!("{tried:?}");
    assert!(tried.interrupted > 0 && tried.snapshots > 0, "{tried:?}");
    for fault in OF_CRASHES {
        assert!(tried.probes.of(fault) > 0, "{fault:?} never struck");
    }
}
