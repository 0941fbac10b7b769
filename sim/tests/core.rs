//! The core tier on fixed seeds. `cargo sim run` takes many more.

use std::path::Path;

use eventful_sim::scenario::{CoreScenario, CoreTier, DrawPlan, FaultKind, Injection};
use eventful_sim::scope::small_case;
use eventful_sim::tier::{Keep, Probes, Report, Tier as _};
use eventful_sim::trace::{TraceEntry, What};

fn run(seed: u64, plan: DrawPlan, keep: Keep, probes: &mut Probes) -> Report {
    CoreScenario::draw(seed, plan).run(keep, probes)
}

#[test]
fn fixed_seeds_break_no_promise_in_short_long_or_full_runs() {
    let mut probes = Probes::default();
    let plans = [(800, 20, true, true), (20, 200, true, true), (60, 20, false, true), (60, 20, false, false)];
    for (seeds, submits, swarm, journals) in plans {
        for seed in 0..seeds {
            let report = run(seed, DrawPlan { submits, swarm, journals }, Keep::default(), &mut probes);
            assert_eq!(report.broken, None, "seed {seed}, {submits} submits, swarm {swarm}, journals {journals}");
        }
    }
    let quiet: Vec<_> = FaultKind::ALL.into_iter().filter(|kind| probes.count(*kind) == 0).collect();
    assert!(quiet.is_empty(), "faults that never struck: {quiet:?}");
    assert_eq!(CoreTier::unlisted(&probes), Vec::<String>::new(), "edges that are on no list");
}

#[test]
fn seed_that_runs_twice_takes_the_same_steps() {
    let keep = Keep { hashes: true, ..Keep::default() };
    for seed in 0..100 {
        let plan = DrawPlan { submits: 20, swarm: true, journals: true };
        let (first, second) =
            (run(seed, plan, keep, &mut Probes::default()), run(seed, plan, keep, &mut Probes::default()));
        let differs = first.hashes.iter().zip(&second.hashes).position(|(one, other)| one != other);
        assert_eq!(differs, None, "the first step of seed {seed} that differs");
        assert_eq!((first.hash, first.steps), (second.hash, second.steps), "seed {seed}");
    }
}

#[test]
fn diary_changes_nothing() {
    let plan = DrawPlan { submits: 20, swarm: true, journals: true };
    for seed in 0..50 {
        let silent = run(seed, plan, Keep::default(), &mut Probes::default());
        let traced = run(seed, plan, Keep { trace: true, hashes: true }, &mut Probes::default());
        assert_eq!((silent.hash, silent.steps), (traced.hash, traced.steps), "seed {seed}");
        assert!(traced.trace.is_some_and(|trace| !trace.entries.is_empty()));
    }
}

#[test]
fn scenario_runs_the_same_after_a_round_trip_with_choices() {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("core.json");
    for seed in 0..50 {
        let mut scenario = CoreScenario::draw(seed, DrawPlan { submits: 20, swarm: true, journals: true });
        let drawn = scenario.run(Keep::default(), &mut Probes::default());
        scenario.choices = drawn.choices;
        scenario.write(&file).expect("the test's own folder");
        let read = CoreScenario::read(&file).expect("it reads what it writes");
        assert_eq!(read, scenario);
        let replayed = read.run(Keep::default(), &mut Probes::default());
        assert_eq!((replayed.hash, replayed.steps), (drawn.hash, drawn.steps), "seed {seed}");
    }
}

#[test]
fn golden_runs_are_as_they_were() {
    for line in include_str!("../golden/core.txt").lines() {
        let [seed, submits, hash] = line.split(' ').collect::<Vec<_>>()[..] else { panic!("not a run: {line}") };
        let seed = seed.parse().expect("a seed");
        let plan = DrawPlan { submits: submits.parse().expect("a count"), swarm: true, journals: true };
        let report = run(seed, plan, Keep::default(), &mut Probes::default());
        let advice = "if that is meant: cargo sim golden > sim/golden/core.txt";
        assert_eq!(format!("{:016x}", report.hash), hash, "seed {seed} with {submits} submissions; {advice}");
    }
}

#[test]
fn dead_dispatcher_extends_the_time_in_which_all_must_end() {
    let mut scenario = small_case();
    scenario.faults = vec![Injection::DispatcherDies { lasts: 60_000_000 }.at(0)];
    let report = scenario.run(Keep::default(), &mut Probes::default());
    assert_eq!(report.broken, None);
    assert!(report.virtual_micros > 60_000_000, "{report:?}");
}

#[test]
fn full_channel_holds_up_all_events_until_there_is_room() {
    let mut scenario = small_case();
    scenario.operations.iter_mut().for_each(|operation| operation.at = 1_000);
    scenario.faults = vec![Injection::ChannelFull { lasts: None }.at(0)];
    scenario.choices = Some(Vec::new());
    let keep = Keep { trace: true, ..Keep::default() };
    let report = scenario.run(keep, &mut Probes::default());
    assert_eq!(report.broken, None);
    let entries = report.trace.expect("it was asked for").entries;
    let room = entries.iter().position(|entry| entry.note == "room is made in the channel");
    let room = room.expect("without room nothing ends");
    let starts = |entries: &[TraceEntry]| entries.iter().filter(|entry| entry.what == What::Begin).count();
    assert_eq!((starts(&entries[..room]), starts(&entries[room..])), (0, 3));
}
