//! A journal keeps its promises under every fault of the disk, and a crash before and after each change of the disk
//! loses nothing that was acknowledged.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::Path;
use std::thread;

use eventful_sim::disk::{
    DiskFault, DiskScenario, DiskSetup, DiskTier, FaultProfile, Length, RunVerdict, Survived, Tried,
};
use eventful_sim::failure::Broken;
use eventful_sim::tier::{Probes, Tier as _};

/// The number of scenarios of crashes: with optimization as many as are promised, else a part, as a debug build is
/// slow.
const SCENARIOS: u64 = if cfg!(debug_assertions) { 15 } else { 1000 };

/// The factor of runs under random faults, by the speed of the build.
const EFFORT: u64 = if cfg!(debug_assertions) { 1 } else { 10 };

/// The faults that a crash can cause.
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
fn crash_at_any_point_loses_nothing_that_was_acknowledged() {
    crash(Length { openings: 3, groups: 6 });
}

#[test]
fn reported_failures_lose_nothing() {
    let verdicts = run_seeds(200 * EFFORT, FaultProfile::Failures, &mut Probes::default());
    assert_eq!(verdicts, [(RunVerdict::Kept, 200 * EFFORT)].into());
}

#[test]
fn damage_is_refused_and_never_another_fact() {
    let verdicts = run_seeds(200 * EFFORT, FaultProfile::Damage, &mut Probes::default());
    assert!(verdicts.contains_key(&RunVerdict::Refused) && !verdicts.contains_key(&RunVerdict::Caught));
}

#[test]
fn sync_that_lies_is_found_out() {
    let verdicts = run_seeds(40 * EFFORT, FaultProfile::Lies, &mut Probes::default());
    assert!(verdicts.contains_key(&RunVerdict::Caught));
}

#[test]
fn ordeal_goes_the_same_way_twice() {
    for seed in 0..60 {
        let scenario = DiskScenario::draw(seed);
        if cfg!(debug_assertions) && scenario.setup.profile == FaultProfile::Crashes {
            continue;
        }
        assert_eq!(run(&scenario), run(&scenario), "{scenario:?}");
    }
}

#[test]
fn every_kind_of_fault_strikes() {
    let mut probes = Probes::default();
    for profile in [FaultProfile::Failures, FaultProfile::Damage, FaultProfile::Lies] {
        run_seeds(100, profile, &mut probes);
    }
    assert_eq!(DiskTier::missing(&probes), Vec::<String>::new());
}

#[test]
fn ordeal_that_is_written_and_read_back_is_the_same() {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("written.json");
    for seed in 0..20 {
        let scenario = DiskScenario::draw(seed);
        scenario.write(&file).expect("the test's own folder");
        assert_eq!(DiskScenario::read(&file).expect("a scenario"), scenario);
    }
}

#[test]
fn file_that_asks_for_too_much_is_refused() {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("endless.json");
    let length = Length { openings: u32::MAX, groups: u32::MAX };
    scenario(1, FaultProfile::Failures, length).write(&file).expect("the test's own folder");
    let said = DiskScenario::read(&file).expect_err("too long").to_string();
    assert!(said.contains("openings times groups are more than 10000: lower it"), "{said}");
}

const fn scenario(seed: u64, profile: FaultProfile, length: Length) -> DiskScenario {
    DiskScenario::of(seed, DiskSetup { profile, length })
}

/// Crashes the promised number of histories at every change, on each core a part of them.
fn crash(length: Length) {
    let threads = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let crash_part = |first| {
        let mut tried = Tried::default();
        for seed in (first..SCENARIOS).step_by(threads) {
            let Survived::Crashes(more) = run(&scenario(seed, FaultProfile::Crashes, length)) else {
                panic!("crashes")
            };
            tried.add(&more);
        }
        tried
    };
    let mut tried = Tried::default();
    thread::scope(|scope| {
        let parts: Vec<_> = (0..threads as u64).map(|first| scope.spawn(move || crash_part(first))).collect();
        parts.into_iter().for_each(|part| tried.add(&part.join().expect("no broken promise")));
    });
    println!("{tried:?}");
    assert!(tried.interrupted > 0 && tried.snapshots > 0, "{tried:?}");
    for fault in OF_CRASHES {
        assert!(tried.probes.count(fault) > 0, "{fault:?} never struck");
    }
}

/// Returns the verdicts of these seeds.
fn run_seeds(seeds: u64, profile: FaultProfile, probes: &mut Probes) -> BTreeMap<RunVerdict, u64> {
    let mut verdicts = BTreeMap::new();
    for seed in 0..seeds {
        let survived = run(&scenario(seed, profile, Length::TRIAL));
        probes.add(survived.probes());
        let Survived::Trial(trial) = survived else { panic!("trials") };
        *verdicts.entry(trial.verdict).or_default() += 1;
    }
    println!("{profile:?}: {verdicts:?}");
    verdicts
}

fn run(scenario: &DiskScenario) -> Survived {
    scenario.go_through().unwrap_or_else(|broken| fail(scenario, &broken))
}

/// Panics with the broken promise, and the command that replays it.
fn fail(scenario: &DiskScenario, broken: &Broken) -> ! {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("scenario-{}.json", scenario.seed));
    let saved = scenario.write(&file).map_or_else(|error| error.to_string(), |()| file.display().to_string());
    panic!("{broken}\n{scenario:?}\nreplay  cargo sim replay {saved}");
}
