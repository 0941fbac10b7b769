//! The adapter and the HTTP front on a simulated network: every promise holds under every fault.
#![cfg(feature = "turmoil")]

use std::num::NonZeroUsize;
use std::path::Path;
use std::process::Command;

use eventful_sim::network::{
    AdapterFault, ClientCall, ClientManner, HandlerEnding, HandlerScript, LinkFault, NetworkFault, NetworkFaultKind,
    NetworkScenario, Outage, Request, ScriptTurn, SubmittedItem, TurmoilTier,
};
use eventful_sim::tier::{Keep, Probes, Report, Tier as _, shrink};

#[test]
fn every_promise_holds_in_the_scenarios_of_many_seeds() {
    for seed in 0..48 {
        assert_holds(&NetworkScenario::generate(seed));
    }
}

#[test]
fn equal_scenarios_have_equal_runs() {
    for seed in 100..112 {
        let scenario = NetworkScenario::generate(seed);
        let [(first, one), (second, other)] = [reached(&scenario), reached(&scenario)];
        assert_eq!(scenario.run_again(first.clone()).broken, None, "seed {seed}");
        assert_eq!((first.virtual_micros, one), (second.virtual_micros, other), "seed {seed}");
    }
}

#[test]
fn equal_scenarios_have_equal_runs_beside_other_work() {
    let threads = [(); 3].map(|()| std::thread::spawn(hashes_of_a_few_runs));
    let hashes = threads.map(|thread| thread.join().expect("no panic"));
    assert_eq!((&hashes[0], &hashes[0]), (&hashes[1], &hashes[2]));
}

#[test]
fn equal_scenarios_have_equal_runs_in_another_process() {
    let hashes = hashes_of_a_few_runs();
    let this = std::env::current_exe().expect("a test has a path");
    let other = Command::new(this).args(["--exact", PRINTS_HASHES, "--nocapture"]).output().expect("it starts");
    let printed = String::from_utf8_lossy(&other.stdout);
    assert!(printed.contains(&hashes), "{hashes} is not in {printed}");
}

#[test]
fn hashes_of_a_few_runs_are_printed() {
    println!("{}", hashes_of_a_few_runs());
}

#[test]
fn trace_changes_nothing_and_ends_with_the_hash() {
    let scenario = NetworkScenario::generate(7);
    let traced = scenario.run(Keep { trace: true, hashes: true }, &mut Probes::default());
    assert_eq!(traced.hash, reached(&scenario).0.hash);
    assert_eq!(traced.hashes.last(), Some(&traced.hash));
    assert!(traced.trace.is_some_and(|trace| !trace.entries.is_empty()));
}

#[test]
fn scenario_survives_being_saved() {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("network.json");
    let scenario = NetworkScenario::generate(3);
    scenario.write(&file).expect("the test's own folder");
    assert_eq!(NetworkScenario::read(&file).expect("it can be read"), scenario);
}

#[test]
fn every_kind_of_fault_happens_in_a_few_hundred_scenarios() {
    let mut reached = Probes::default();
    let missing = |reached: &Probes| TurmoilTier::faults(reached).iter().filter(|(_, count)| *count == 0).count();
    for seed in 1_000..1_400 {
        if missing(&reached) == 0 {
            break;
        }
        reached.add(&assert_holds(&NetworkScenario::generate(seed)));
    }
    assert_eq!(missing(&reached), 0, "not reached: {:?}", TurmoilTier::missing(&reached));
}

#[test]
fn worker_crash_under_a_partition_costs_one_attempt() {
    let mut scenario = calm();
    scenario.operations = vec![submit(0, 0, 1), submit(1, 40, 1), look(1, 300, 1)];
    scenario.setup.scripts =
        vec![HandlerScript { key: 1, turns: vec![ScriptTurn { takes_ms: 20, ending: HandlerEnding::Done }] }];
    scenario.faults = vec![
        NetworkFault { at_ms: 0, kind: disturb(AdapterFault::WorkerPanicsBeforeSettle) },
        NetworkFault { at_ms: 10, kind: partition(0, 200) },
    ];
    let probes = assert_holds(&scenario);
    let reached = |name| probes.count(name);
    assert_eq!(reached("worker panics before settle"), 1);
    assert_eq!((reached("response: accepted"), reached("response: duplicate")), (0, 2));
    assert!(reached("no answer in time") > 0);
    assert_eq!(reached("response: record"), 1);
}

#[test]
fn shutdown_with_a_backlog_leaves_it_to_retrying_clients() {
    let mut scenario = calm();
    scenario.setup.settings.concurrency = NonZeroUsize::new(1).expect("a count");
    scenario.operations = (0..8).map(|key| submit(0, u32::from(key), key)).collect();
    scenario.operations.extend((0..8).map(|key| submit(1, 120 + u32::from(key), key)));
    let slow = |key| HandlerScript { key, turns: vec![ScriptTurn { takes_ms: 25, ending: HandlerEnding::Done }] };
    scenario.setup.scripts = (0..8).map(slow).collect();
    let outage = Outage::ShutdownTwice { timeout_ms: 40, second_ms: 20 };
    scenario.faults = vec![NetworkFault { at_ms: 100, kind: NetworkFaultKind::Outage { outage, down_ms: 50 } }];
    let probes = assert_holds(&scenario);
    let reached = |name| probes.count(name);
    assert_eq!((reached("shutdown twice"), reached("shutdown left events")), (1, 1));
    assert!(reached("connection refused or cut") + reached("response: shutting down") > 0);
    assert_eq!(reached("response: accepted"), 16, "the new process knows none of the old one's events");
}

#[test]
fn client_that_closes_its_sending_side_gets_its_answer() {
    let mut scenario = calm();
    let calls = [
        ClientCall::Submit(ITEM),
        ClientCall::SubmitByHeader(ITEM),
        ClientCall::Batch(vec![ITEM; 3]),
        ClientCall::Stats,
        ClientCall::Ready,
    ];
    scenario.operations = calls.into_iter().map(|call| request(0, 0, call)).collect();
    scenario.operations.iter_mut().for_each(|request| request.manner = ClientManner::ClosesSending);
    let probes = assert_holds(&scenario);
    let reached = |name| probes.count(name);
    assert_eq!((reached("client: closes sending"), reached("sent again")), (5, 0));
    assert_eq!((reached("response: accepted"), reached("response: duplicate")), (1, 1));
}

#[test]
fn client_that_sends_all_before_it_reads_gets_its_answer() {
    let mut scenario = calm();
    for (copies, unread) in [(10, 0), (90, 1)] {
        let batch = request(0, 0, ClientCall::Batch(vec![ITEM; 4]));
        scenario.operations = vec![Request { manner: ClientManner::SendsAllFirst { copies }, ..batch }];
        let probes = assert_holds(&scenario);
        let reached = |name| probes.count(name);
        assert_eq!((reached("client: sends all first"), reached("sent again")), (1, 0));
        assert_eq!(reached("response: results were not read"), unread);
    }
}

#[test]
fn scenario_that_breaks_no_promise_is_not_shrunk() {
    assert!(shrink(&NetworkScenario::generate(5), 1_000).is_none());
}

/// The name of the test above, which another process runs.
const PRINTS_HASHES: &str = "hashes_of_a_few_runs_are_printed";

fn hashes_of_a_few_runs() -> String {
    let hash = |seed| format!("{:016x}", reached(&NetworkScenario::generate(seed)).0.hash);
    (200..208).map(hash).collect::<Vec<_>>().join(" ")
}

const ITEM: SubmittedItem = SubmittedItem { key: 1, payload: 0 };

fn assert_holds(scenario: &NetworkScenario) -> Probes {
    let (report, reached) = reached(scenario);
    assert_eq!(report.broken, None, "seed {}", scenario.seed);
    reached
}

fn reached(scenario: &NetworkScenario) -> (Report, Probes) {
    let mut reached = Probes::default();
    (scenario.run(Keep::default(), &mut reached), reached)
}

/// Returns a scenario without requests and faults.
fn calm() -> NetworkScenario {
    let mut scenario = NetworkScenario::generate(1);
    scenario.setup.journal = None;
    scenario.setup.yields_per_mille = 0;
    scenario.setup.latency_ms = 5;
    scenario.setup.settings.concurrency = NonZeroUsize::new(2).expect("a count");
    scenario.setup.settings.max_attempts = 3;
    scenario.setup.settings.max_pending = 100;
    scenario.setup.settings.run_timeout = 60_000;
    scenario.setup.settings.run_lifetime = 120_000;
    scenario.setup.settings.retention = 60_000_000;
    scenario.operations.clear();
    scenario.setup.scripts.clear();
    scenario.faults.clear();
    scenario
}

fn submit(client: u8, at_ms: u32, key: u8) -> Request {
    request(client, at_ms, ClientCall::Submit(SubmittedItem { key, payload: 0 }))
}

fn look(client: u8, at_ms: u32, key: u8) -> Request {
    request(client, at_ms, ClientCall::Look(key))
}

fn request(client: u8, at_ms: u32, call: ClientCall) -> Request {
    Request { client, at_ms, call, tries: 8, timeout_ms: 50, manner: ClientManner::KeepsConnection }
}

fn disturb(disturbance: AdapterFault) -> NetworkFaultKind {
    NetworkFaultKind::Disturb { disturbance, passes: 1 }
}

fn partition(client: u8, for_ms: u32) -> NetworkFaultKind {
    NetworkFaultKind::Link { client, trouble: LinkFault::Partition, for_ms }
}
