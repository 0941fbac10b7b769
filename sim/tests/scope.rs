//! The small scope. `cargo sim scope` explores whole cases; a part of them fits a debug build.

use std::collections::BTreeSet;
use std::hash::Hasher as _;
use std::path::Path;
use std::time::Duration;

use eventful::Config;
use eventful::engine::{ErrorText, Outcome};
use eventful_sim::driver::EngineDriver;
use eventful_sim::scenario::{Act, Behaviour, CoreFault, CoreScenario, Injection, Operation};
use eventful_sim::scope::{crash_case, explore, small_case};
use eventful_sim::state_hash::StateHash;
use eventful_sim::tier::{Keep, Probes};

#[test]
fn orders_of_submissions_crash_and_shutdown_keep_every_promise() {
    let mut scenario = small_case();
    scenario.operations.truncate(2);
    let explored = explore(&scenario);
    assert_eq!(explored.broken, None);
    // Fewer states would mean that orders are missed.
    assert!(explored.states > 1_000, "{explored:?}");
}

#[test]
fn orders_of_disk_failure_or_power_cut_keep_every_promise() {
    let is_cut = |fault: &CoreFault| matches!(fault.what, Injection::PowerCut { .. });
    let is_failure = |fault: &CoreFault| matches!(fault.what, Injection::DiskFails { .. });
    // `cargo sim scope` explores both at once.
    for (without, least) in [(&is_cut as &dyn Fn(&_) -> bool, 5_000), (&is_failure, 2_000)] {
        let mut scenario = crash_case();
        scenario.operations.truncate(1);
        scenario.faults.retain(|fault| !without(fault));
        let explored = explore(&scenario);
        assert_eq!(explored.broken, None);
        assert!(explored.states > least, "{explored:?}");
    }
}

#[test]
fn same_states_are_found_again() {
    let mut scenario = small_case();
    scenario.operations.truncate(1);
    let (first, second) = (explore(&scenario), explore(&scenario));
    assert_eq!((first.states, first.orders, first.depth), (second.states, second.orders, second.depth));
}

#[test]
fn engines_that_differ_in_one_record_are_not_taken_for_one() {
    let fingerprint = |payload, outcome| {
        let mut driver = EngineDriver::new(Config::default());
        driver.submit_payload("a", payload);
        driver.run(outcome);
        let mut hasher = StateHash::default();
        driver.engine().fingerprint(&mut hasher);
        hasher.finish()
    };
    let error = || ErrorText::new("refused");
    let snooze = |millis| Outcome::Snooze { delay: Duration::from_millis(millis), reason: None };
    let seen = [
        fingerprint("apples", Outcome::Done),
        fingerprint("pears", Outcome::Done),
        fingerprint("apples", Outcome::Permanent { error: error() }),
        fingerprint("apples", Outcome::Permanent { error: ErrorText::new("refused at length") }),
        fingerprint("apples", Outcome::Retry { error: error(), after: None }),
        fingerprint("apples", snooze(1)),
        fingerprint("apples", snooze(2)),
    ];
    assert_eq!(seen.iter().collect::<BTreeSet<_>>().len(), seen.len(), "{seen:?}");
    assert_eq!(fingerprint("apples", Outcome::Done), seen[0]);
}

#[test]
fn broken_order_is_a_scenario_that_breaks_the_promise_again() {
    let explored = explore(&stuck_when_late());
    let (broken, found) = explored.broken.expect("the only worker is stuck permanently");
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("scope.json");
    found.write(&file).expect("the test's own folder");
    let read = CoreScenario::read(&file).expect("it reads what it writes");
    assert_eq!(read, found);
    let replayed = read.run(Keep::default(), &mut Probes::default());
    assert_eq!((replayed.broken, replayed.choices), (Some(broken), found.choices));
}

#[test]
fn order_lets_time_pass_although_a_step_is_ready() {
    let mut hasty = stuck_when_late();
    hasty.setup.patience = 0;
    assert_eq!(explore(&hasty).broken, None);
}

/// Returns a case in which the discard comes a millisecond after the submission, and ends an event that would wait for
/// ever for its only, stuck worker. If the submission comes later still, the discard finds nothing.
fn stuck_when_late() -> CoreScenario {
    let mut scenario = small_case();
    scenario.setup.settings.concurrency = std::num::NonZeroUsize::MIN;
    scenario.operations.truncate(1);
    let discard = Act::Discard { event: 0 };
    scenario.operations.push(Operation { at: 1_000, client: 0, hangs_up: false, delay: 0, act: discard });
    scenario.faults = vec![Injection::Handler { event: 0, attempt: 1, does: Behaviour::Stuck }.at(0)];
    scenario
}
