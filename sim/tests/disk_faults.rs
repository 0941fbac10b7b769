//! Whatever the disk does, a journal keeps what it promises of it.

use std::collections::BTreeMap;

use eventful_sim::disk::{DiskFault, DiskProbes, Family, Maker, PlainStore, Trust, Verdict, disk_store, suffer};

/// Tests with optimisation try ten times as much.
const EFFORT: u64 = if cfg!(debug_assertions) { 1 } else { 10 };

fn plain(seeds: u64, family: Family, probes: &mut DiskProbes) -> BTreeMap<Verdict, u64> {
    run(seeds, family, Trust::PLAIN, probes, &|drive| Box::new(PlainStore::new(drive)))
}

fn redb(seeds: u64, family: Family, probes: &mut DiskProbes) -> BTreeMap<Verdict, u64> {
    run(seeds, family, Trust::REDB, probes, &|drive| Box::new(disk_store(&drive)))
}

fn run(seeds: u64, family: Family, trust: Trust, probes: &mut DiskProbes, make: Maker<'_>) -> BTreeMap<Verdict, u64> {
    let mut verdicts = BTreeMap::new();
    for seed in 0..seeds {
        match suffer(seed, family, trust, make) {
            Ok(trial) => {
                *verdicts.entry(trial.verdict).or_default() += 1;
                probes.add(&trial.probes);
            }
            Err(broken) => panic!("seed {seed} of {family:?}: {broken}"),
        }
    }
    println!("{family:?}: {verdicts:?}");
    verdicts
}

#[test]
fn failures_that_are_told_lose_nothing_of_a_plain_journal() {
    let verdicts = plain(200 * EFFORT, Family::Failures, &mut DiskProbes::default());
    assert_eq!(verdicts, [(Verdict::Kept, 200 * EFFORT)].into());
}

#[test]
fn failures_that_are_told_lose_nothing_of_the_journal_on_redb() {
    let verdicts = redb(30 * EFFORT, Family::Failures, &mut DiskProbes::default());
    assert_eq!(verdicts, [(Verdict::Kept, 30 * EFFORT)].into());
}

#[test]
fn damage_to_a_plain_journal_is_refused_and_never_another_fact() {
    let verdicts = plain(200 * EFFORT, Family::Damage, &mut DiskProbes::default());
    assert!(verdicts.contains_key(&Verdict::Refused) && !verdicts.contains_key(&Verdict::Caught));
}

#[test]
fn damage_to_the_journal_on_redb_is_refused_and_never_another_fact() {
    let verdicts = redb(30 * EFFORT, Family::Damage, &mut DiskProbes::default());
    assert!(verdicts.contains_key(&Verdict::Refused) && !verdicts.contains_key(&Verdict::Caught));
}

#[test]
fn a_sync_that_lies_is_found_out() {
    let mut probes = DiskProbes::default();
    assert!(plain(50 * EFFORT, Family::Lies, &mut probes).contains_key(&Verdict::Caught));
    assert!(redb(30 * EFFORT, Family::Lies, &mut probes).contains_key(&Verdict::Caught));
}

#[test]
fn a_seed_lives_through_the_same_faults_twice() {
    for family in [Family::Failures, Family::Damage, Family::Lies] {
        let plain = |seed| suffer(seed, family, Trust::PLAIN, &|drive| Box::new(PlainStore::new(drive)));
        let redb = |seed| suffer(seed, family, Trust::REDB, &|drive| Box::new(disk_store(&drive)));
        (0..20).for_each(|seed| assert_eq!(plain(seed), plain(seed), "seed {seed} of {family:?}"));
        (0..5).for_each(|seed| assert_eq!(redb(seed), redb(seed), "seed {seed} of {family:?}"));
    }
}

#[test]
fn every_kind_of_fault_strikes() {
    let mut probes = DiskProbes::default();
    for family in [Family::Failures, Family::Damage, Family::Lies] {
        plain(100, family, &mut probes);
    }
    assert_eq!(probes.missing(), Vec::<DiskFault>::new());
}

#[test]
fn a_page_that_is_damaged_while_rows_are_removed_does_not_end_the_process() {
    let trial = suffer(10971, Family::Damage, Trust::REDB, &|drive| Box::new(disk_store(&drive)));
    assert!(trial.is_ok(), "{trial:?}");
}
