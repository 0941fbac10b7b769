//! The adapter with a journal on a simulated network: promises to clients outlive its processes.
#![cfg(feature = "turmoil")]

use std::num::NonZeroUsize;
use std::path::Path;

use eventful_sim::disk::Ailment;
use eventful_sim::network::{
    AdapterFault, ClientCall, ClientManner, HandlerEnding, HandlerScript, JournalSetup, NetworkFault, NetworkFaultKind,
    NetworkScenario, Outage, Request, ScriptTurn, SubmittedItem,
};
use eventful_sim::tier::{Keep, Probes};

#[test]
fn acknowledged_events_survive_a_kill_and_a_power_cut() {
    for outage in [Outage::Crash, Outage::PowerCut] {
        let mut scenario = calm();
        scenario.operations = vec![submit(0, 0, 1), submit(0, 200, 1), submit(1, 220, 2)];
        scenario.faults = vec![at(100, NetworkFaultKind::Outage { outage, down_ms: 20 })];
        let probes = assert_holds(&scenario);
        let reached = |name| probes.count(name);
        assert_eq!((reached("response: accepted"), reached("response: duplicate")), (2, 1), "{outage:?}");
    }
}

#[test]
fn run_that_a_power_cut_ends_is_charged_and_tried_again() {
    let mut scenario = calm();
    scenario.operations = vec![submit(0, 0, 1), look(1, 400, 1)];
    scenario.setup.scripts =
        vec![HandlerScript { key: 1, turns: vec![ScriptTurn { takes_ms: 40, ending: HandlerEnding::Done }] }];
    scenario.faults = vec![at(30, NetworkFaultKind::Outage { outage: Outage::PowerCut, down_ms: 20 })];
    let probes = assert_holds(&scenario);
    assert_eq!(probes.count("run crashed at opening"), 1);
}

#[test]
fn failed_sync_makes_results_unknown_and_reopens_the_journal() {
    let mut scenario = calm();
    scenario.operations = vec![submit(0, 20, 1), submit(1, 1500, 2)];
    scenario.faults = vec![at(5, NetworkFaultKind::Disk { trouble: Ailment::SyncFails, times: 1 })];
    let probes = assert_holds(&scenario);
    let reached = |name| probes.count(name);
    assert_eq!(reached("response: unknown"), 1);
    assert!(reached("journal opened again") > 0);
    assert_eq!(reached("response: accepted") + reached("response: duplicate"), 2);
}

#[test]
fn full_disk_refuses_new_events_without_a_reopening() {
    let mut scenario = calm();
    scenario.operations = vec![submit(0, 0, 1), submit(0, 60, 2), submit(0, 100, 3), submit(1, 110, 1)];
    scenario.faults = vec![at(50, NetworkFaultKind::DiskFull { for_ms: 100 })];
    let probes = assert_holds(&scenario);
    let reached = |name| probes.count(name);
    assert!(reached("refused for want of disk") > 0);
    assert_eq!((reached("journal opened again"), reached("response: duplicate")), (0, 1));
}

#[test]
fn journal_that_stalls_delays_answers_and_loses_none() {
    let mut scenario = calm();
    scenario.operations = vec![submit(0, 20, 1), look(1, 200, 1)];
    let disturbance = AdapterFault::JournalStalls;
    scenario.faults = vec![at(5, NetworkFaultKind::Disturb { disturbance, passes: 3 })];
    let probes = assert_holds(&scenario);
    assert!(probes.count("journal stalls") > 0);
}

#[test]
fn disk_out_of_reach_delays_no_result_and_loses_no_event() {
    for fault in [NetworkFaultKind::DiskBlocks { for_ms: 1200 }, NetworkFaultKind::DiskGone { for_ms: 1200 }] {
        let mut scenario = calm();
        scenario.operations = vec![submit(0, 20, 1), submit(0, 110, 2), submit(1, 300, 3), submit(2, 2500, 2)];
        scenario.operations.iter_mut().take(3).for_each(|request| request.tries = 1);
        scenario.faults = vec![at(100, fault)];
        let probes = assert_holds(&scenario);
        let reached = |name| probes.count(name);
        assert_eq!((reached("response: unknown"), reached("response: overloaded")), (1, 1));
        assert_eq!((reached("response: accepted"), reached("response: duplicate")), (1, 1), "{fault:?}");
        assert!(reached("not ready for a disk") > 0 && reached("journal opened again") == 0);
    }
}

#[test]
fn disk_that_lies_about_its_syncs_is_found_out() {
    let mut scenario = calm();
    scenario.operations = (1..20).map(|key| submit(0, u32::from(key), key)).collect();
    scenario.faults = vec![
        at(0, NetworkFaultKind::Disk { trouble: Ailment::SyncLies, times: 200 }),
        at(150, NetworkFaultKind::Outage { outage: Outage::PowerCut, down_ms: 20 }),
    ];
    let broken = scenario.run(Keep::default(), &mut Probes::default()).broken.expect("what was acknowledged is lost");
    assert_eq!(broken.oracle, "durable", "{broken}");
}

#[test]
fn scenario_file_has_a_journal_field_only_with_a_journal() {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("network-journal.json");
    let read_back = |scenario: &NetworkScenario| {
        scenario.write(&file).expect("the test's own folder");
        NetworkScenario::read(&file).expect("it can be read")
    };
    let mut scenario = calm();
    assert_eq!(read_back(&scenario), scenario);
    scenario.setup.journal = None;
    assert!(!scenario.to_json().contains("journal"), "{}", scenario.to_json());
    assert_eq!(read_back(&scenario), scenario);
}

fn assert_holds(scenario: &NetworkScenario) -> Probes {
    let mut reached = Probes::default();
    let report = scenario.run(Keep::default(), &mut reached);
    assert_eq!(report.broken, None);
    reached
}

/// Returns a scenario with a journal, without requests and faults.
fn calm() -> NetworkScenario {
    let mut scenario = NetworkScenario::generate(1);
    scenario.setup.yields_per_mille = 0;
    scenario.setup.latency_ms = 5;
    scenario.setup.settings.concurrency = NonZeroUsize::new(2).expect("a count");
    scenario.setup.settings.max_attempts = 3;
    scenario.setup.settings.max_pending = 100;
    scenario.setup.settings.max_records = 100;
    scenario.setup.settings.run_timeout = 60_000;
    scenario.setup.settings.run_lifetime = 120_000;
    scenario.setup.settings.retention = 60_000_000;
    scenario.setup.journal =
        Some(JournalSetup { syncs_starts: true, snapshot_after_bytes: 1500, sync_grace_ms: 80, answer_timeout_ms: 40 });
    scenario.operations.clear();
    scenario.setup.scripts.clear();
    scenario.faults.clear();
    scenario
}

fn at(at_ms: u32, kind: NetworkFaultKind) -> NetworkFault {
    NetworkFault { at_ms, kind }
}

fn submit(client: u8, at_ms: u32, key: u8) -> Request {
    request(client, at_ms, ClientCall::Submit(SubmittedItem { key, payload: 0 }))
}

fn look(client: u8, at_ms: u32, key: u8) -> Request {
    request(client, at_ms, ClientCall::Look(key))
}

fn request(client: u8, at_ms: u32, call: ClientCall) -> Request {
    Request { client, at_ms, call, tries: 8, timeout_ms: 100, manner: ClientManner::KeepsConnection }
}
