//! The intake between a broker and an engine: every promise holds under every fault.

use std::path::Path;

use eventful_sim::broker::{BrokerFaultKind, BrokerKind, BrokerScenario, BrokerTier};
use eventful_sim::scenario::DrawPlan;
use eventful_sim::tier::{Keep, Probes, Report, Tier as _};

#[test]
fn every_promise_holds_in_the_scenarios_of_many_seeds() {
    for seed in 0..300 {
        let scenario = draw(seed);
        let report = scenario.run_again(run(&scenario, &mut Probes::default()));
        assert_eq!(report.broken, None, "cargo sim replay {seed} --tier broker");
    }
}

#[test]
fn every_probe_fires_in_a_few_hundred_scenarios() {
    let mut probes = Probes::default();
    for seed in 1_000..1_400 {
        if BrokerTier::missing(&probes).is_empty() {
            return;
        }
        let report = run(&draw(seed), &mut probes);
        assert_eq!(report.broken, None, "cargo sim replay {seed} --tier broker");
    }
    panic!("not reached: {:?}", BrokerTier::missing(&probes));
}

#[test]
fn scenarios_have_every_kind_of_broker() {
    let kinds: Vec<_> = (0..50).map(|seed| draw(seed).setup.kind).collect();
    assert!(kinds.iter().any(|kind| matches!(kind, BrokerKind::Queue { ack_wait: Some(_) })));
    assert!(kinds.contains(&BrokerKind::Queue { ack_wait: None }));
    assert!(kinds.iter().any(|kind| matches!(kind, BrokerKind::Log { partitions: 2.. })));
}

#[test]
fn scenario_of_a_broker_survives_being_saved() {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("broker.json");
    let scenario = draw(3);
    scenario.write(&file).expect("the test's own folder");
    assert_eq!(BrokerScenario::read(&file).expect("it can be read"), scenario);
}

#[test]
fn bound_of_zero_is_refused() {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("broker-zero.json");
    let mut scenario = draw(3);
    scenario.setup.max_in_flight = 0;
    scenario.write(&file).expect("the test's own folder");
    let refused = BrokerScenario::read(&file).expect_err("nothing could ever be received");
    assert!(refused.to_string().contains("a bound of the setup is 0"), "{refused}");
}

#[test]
fn trace_shows_faults_and_changes_nothing() {
    let with_fault =
        |seed: &u64| draw(*seed).faults.iter().any(|fault| matches!(fault.kind, BrokerFaultKind::Crash { .. }));
    let scenario = draw((0..).find(with_fault).expect("a crash"));
    let traced = scenario.run(Keep { trace: true, hashes: true }, &mut Probes::default());
    assert_eq!(traced.hash, run(&scenario, &mut Probes::default()).hash);
    let trace = traced.trace.expect("it was asked for");
    assert!(trace.entries.iter().any(|entry| entry.note.contains("Crash")));
}

fn draw(seed: u64) -> BrokerScenario {
    BrokerTier::draw(seed, DrawPlan { submits: 0, swarm: false, journals: true })
}

fn run(scenario: &BrokerScenario, probes: &mut Probes) -> Report {
    scenario.run(Keep::default(), probes)
}
