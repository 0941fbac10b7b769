//! The core tier with a journal: its promises, and the detection of violations by oracles.

use std::path::Path;

use eventful_sim::disk::Ailment;
use eventful_sim::failure::Broken;
use eventful_sim::scenario::{
    Act, Behaviour, CoreFault, CoreScenario, DrawPlan, FaultKind, Injection, Journaling, Operation,
};
use eventful_sim::scope::small_case;
use eventful_sim::tier::{Keep, Probes, Report};
use eventful_sim::trace::{Lane, TraceEntry};

#[test]
fn sync_that_lies_before_a_power_cut_is_seen() {
    let lie = |at| Injection::DiskFails { how: Ailment::SyncLies }.at(at);
    let cut = Injection::PowerCut { lasts: 1_000 }.at(5_000);
    let lied = |lies: Vec<CoreFault>| {
        let seeds = 0..40;
        let broken = seeds.filter_map(|seed| {
            let faults = lies.iter().copied().chain([cut]).collect();
            run(&CoreScenario { seed, ..journaled(faults) }, &mut Probes::default()).broken
        });
        broken.collect::<Vec<Broken>>()
    };
    assert_eq!(lied(Vec::new()), [], "a power cut alone loses nothing");
    let found = lied((0..8).map(|_| lie(0)).collect());
    assert!(!found.is_empty(), "eight syncs lied, and no oracle detected it");
    assert!(found.iter().all(|broken| broken.oracle == "journal" && broken.promise.0 == 10), "{found:?}");
}

#[test]
fn result_behind_a_stalled_journal_is_lost_in_a_power_cut() {
    let faults = vec![Injection::JournalStalled { lasts: 3_000 }.at(0), Injection::PowerCut { lasts: 1_000 }.at(2_000)];
    let mut probes = Probes::default();
    let report = run(&journaled(faults), &mut probes);
    assert_eq!(report.broken, None);
    let entries = report.trace.expect("it was asked for").entries;
    let accepted = |entry: &&TraceEntry| entry.lane == Lane::Journal && entry.note.contains("Accepted");
    assert_eq!(entries.iter().filter(accepted).count(), 0, "nothing was durable");
    assert_eq!(probes.count(FaultKind::Recovered), 1);
}

#[test]
fn event_that_kills_its_process_fails_after_its_attempts() {
    let faults =
        (1..=3).map(|attempt| Injection::Handler { event: 0, attempt, does: Behaviour::KillsProcess }.at(0)).collect();
    let mut probes = Probes::default();
    let report = run(&journaled(faults), &mut probes);
    assert_eq!(report.broken, None);
    assert_eq!(probes.count(FaultKind::KillsProcess), 2, "two attempts are allowed");
}

#[test]
fn failed_journal_is_reopened_and_the_result_is_unknown() {
    let mut probes = Probes::default();
    // In some orders nothing is left to be written when the disk fails.
    for seed in 0..20 {
        let faults = vec![Injection::DiskFails { how: Ailment::SyncFails }.at(0)];
        let report = run(&CoreScenario { seed, ..journaled(faults) }, &mut probes);
        assert_eq!(report.broken, None, "seed {seed}");
    }
    assert!(probes.count(FaultKind::Reopened) > 0 && probes.count(FaultKind::AnswerUnknown) > 0);
}

#[test]
fn swarm_gives_about_half_of_the_scenarios_a_journal() {
    let drawn = |swarm| (0..1_000).filter(move |seed| draw(*seed, swarm).setup.journal.is_some()).count();
    assert!((400..600).contains(&drawn(true)), "{}", drawn(true));
    assert_eq!(drawn(false), 1_000);
}

#[test]
fn scenario_file_without_a_journal_field_has_none() {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("no-journal.json");
    let scenario = small_case();
    assert!(!scenario.to_json().contains("journal"), "{}", scenario.to_json());
    scenario.write(&file).expect("the test's own folder");
    assert_eq!(CoreScenario::read(&file).expect("a scenario").setup.journal, None);
}

fn draw(seed: u64, swarm: bool) -> CoreScenario {
    CoreScenario::draw(seed, DrawPlan { submits: 20, swarm, journals: true })
}

/// Returns a scenario of three concurrent events, with a journal and these faults.
fn journaled(faults: Vec<CoreFault>) -> CoreScenario {
    let submit =
        |event| Operation { at: 0, client: 0, hangs_up: false, delay: 0, act: Act::Submit { event, payload: 0 } };
    let mut scenario = CoreScenario { operations: (0..3).map(submit).collect(), faults, ..small_case() };
    scenario.setup.journal = Some(Journaling {
        relaxed_starts: false,
        snapshot_after_bytes: 1 << 20,
        reserve_bytes: 1_000,
        max_unsynced_bytes: 1 << 20,
        group_bytes: None,
        answer_timeout: None,
        hides_room: false,
        failures: None,
        part_bytes: None,
    });
    scenario
}

fn run(scenario: &CoreScenario, probes: &mut Probes) -> Report {
    scenario.run(Keep { trace: true, ..Keep::default() }, probes)
}
