//! Whatever the disk does, a journal keeps what it promises of it; and a crash before and after each
//! change of the disk loses nothing that was acknowledged.

use std::collections::BTreeMap;
use std::path::Path;

use eventful_sim::disk::{DiskFault, DiskSetup, DiskTier, Length, Ordeal, Strikes, Survived, Tried, Verdict};
use eventful_sim::failure::Broken;
use eventful_sim::tier::{Probes, Tier as _};

/// Tests with optimisation try as many scenarios of crashes as is promised, the others a part of them.
const SCENARIOS: u64 = if cfg!(debug_assertions) { 15 } else { 1000 };

/// Tests with optimisation try ten times as many trials.
const EFFORT: u64 = if cfg!(debug_assertions) { 1 } else { 10 };

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
fn a_crash_at_any_point_loses_nothing_that_was_acknowledged() {
    crash(Length { openings: 3, groups: 6 });
}

#[test]
fn failures_that_are_told_lose_nothing() {
    let verdicts = suffer(200 * EFFORT, Strikes::Failures, &mut Probes::default());
    assert_eq!(verdicts, [(Verdict::Kept, 200 * EFFORT)].into());
}

#[test]
fn damage_is_refused_and_never_another_fact() {
    let verdicts = suffer(200 * EFFORT, Strikes::Damage, &mut Probes::default());
    assert!(verdicts.contains_key(&Verdict::Refused) && !verdicts.contains_key(&Verdict::Caught));
}

#[test]
fn a_sync_that_lies_is_found_out() {
    let verdicts = suffer(40 * EFFORT, Strikes::Lies, &mut Probes::default());
    assert!(verdicts.contains_key(&Verdict::Caught));
}

#[test]
fn an_ordeal_goes_the_same_way_twice() {
    for seed in 0..60 {
        let ordeal = Ordeal::draw(seed);
        if cfg!(debug_assertions) && ordeal.setup.strikes == Strikes::Crashes {
            continue;
        }
        assert_eq!(run(&ordeal), run(&ordeal), "{ordeal:?}");
    }
}

#[test]
fn every_kind_of_fault_strikes() {
    let mut probes = Probes::default();
    for strikes in [Strikes::Failures, Strikes::Damage, Strikes::Lies] {
        suffer(100, strikes, &mut probes);
    }
    assert_eq!(DiskTier::missing(&probes), Vec::<String>::new());
}

#[test]
fn an_ordeal_that_is_written_and_read_back_is_the_same() {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("written.json");
    for seed in 0..20 {
        let ordeal = Ordeal::draw(seed);
        ordeal.write(&file).expect("the test's own folder");
        assert_eq!(Ordeal::read(&file).expect("an ordeal"), ordeal);
    }
}

#[test]
fn a_file_that_asks_for_too_much_is_refused() {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("endless.json");
    let length = Length { openings: u32::MAX, groups: u32::MAX };
    ordeal(1, Strikes::Failures, length).write(&file).expect("the test's own folder");
    let said = Ordeal::read(&file).expect_err("too long").to_string();
    assert!(said.contains("openings times groups are over 10000: lower it"), "{said}");
}

const fn ordeal(seed: u64, strikes: Strikes, length: Length) -> Ordeal {
    Ordeal::of(seed, DiskSetup { strikes, length })
}

/// Crashes as many histories as are promised, everywhere.
fn crash(length: Length) {
    let mut tried = Tried::default();
    for seed in 0..SCENARIOS {
        let Survived::Crashes(more) = run(&ordeal(seed, Strikes::Crashes, length)) else { panic!("crashes") };
        tried.add(&more);
    }
    println!("{tried:?}");
    assert!(tried.interrupted > 0 && tried.snapshots > 0, "{tried:?}");
    for fault in OF_CRASHES {
        assert!(tried.probes.count(fault) > 0, "{fault:?} never struck");
    }
}

/// How trials of these seeds end.
fn suffer(seeds: u64, strikes: Strikes, probes: &mut Probes) -> BTreeMap<Verdict, u64> {
    let mut verdicts = BTreeMap::new();
    for seed in 0..seeds {
        let survived = run(&ordeal(seed, strikes, Length::TRIAL));
        probes.add(survived.probes());
        let Survived::Trial(trial) = survived else { panic!("trials") };
        *verdicts.entry(trial.verdict).or_default() += 1;
    }
    println!("{strikes:?}: {verdicts:?}");
    verdicts
}

fn run(ordeal: &Ordeal) -> Survived {
    ordeal.go_through().unwrap_or_else(|broken| fail(ordeal, &broken))
}

/// Says what is broken, and how to see it again.
fn fail(ordeal: &Ordeal, broken: &Broken) -> ! {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("ordeal-{}.json", ordeal.seed));
    let saved = ordeal.write(&file).map_or_else(|error| error.to_string(), |()| file.display().to_string());
    panic!("{broken}\n{ordeal:?}\nreplay  cargo sim replay {saved}");
}
