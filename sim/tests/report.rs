//! The page that shows a run.

use eventful_sim::failure::Broken;
use eventful_sim::report::html;
use eventful_sim::scenario::{CoreScenario, DrawPlan};
use eventful_sim::tier::{Keep, Probes};
use eventful_sim::trace::{Lane, Trace};

fn run(seed: u64) -> (CoreScenario, Trace) {
    let scenario = CoreScenario::draw(seed, DrawPlan { submits: 20, swarm: true, journals: true });
    let keep = Keep { trace: true, ..Keep::default() };
    let report = scenario.run(keep, &mut Probes::default());
    (scenario, report.trace.expect("it was asked for"))
}

#[test]
fn page_needs_nothing_from_elsewhere() {
    let (scenario, trace) = run(3);
    let page = html(&scenario, None, &trace);
    for reference in ["src=", "@import", "url(http", "<link", "fetch(", "XMLHttpRequest"] {
        assert!(!page.contains(reference), "{reference}");
    }
    let outside = page.replace("http://www.w3.org/", "");
    assert!(!outside.contains("http://") && !outside.contains("https://"), "an external address");
}

#[test]
fn page_has_a_lane_for_each_part_that_did_something() {
    let (scenario, trace) = run(3);
    let page = html(&scenario, None, &trace).to_lowercase();
    for entry in &trace.entries {
        let name = match entry.lane {
            Lane::Client(number) => format!("client {number}"),
            Lane::Engine => "engine".to_owned(),
            Lane::Channel => "channel".to_owned(),
            Lane::Dispatcher => "dispatcher".to_owned(),
            Lane::Worker(_) => "worker".to_owned(),
            Lane::Sweeper => "sweeper".to_owned(),
            Lane::Journal => "journal".to_owned(),
            Lane::World => "world".to_owned(),
        };
        assert!(page.contains(&name), "{name}");
    }
}

#[test]
fn what_is_shown_stays_text() {
    let (mut scenario, mut trace) = run(3);
    let hostile = "</script><script>alert(1)</script><!--<b>";
    scenario.about = hostile.to_owned();
    trace.entries[0].note = hostile.to_owned();
    trace.entries[1].record = Some(hostile.to_owned());
    let page = html(&scenario, Some(&Broken::new("ledger", 1, hostile)), &trace);
    assert!(!page.contains("<script>alert") && !page.contains("<!--<b>"), "it would run");
    assert!(page.contains("P1") && page.contains("ledger"));
}

#[test]
fn same_run_gives_the_same_page() {
    let ((scenario, trace), (again, diary)) = (run(5), run(5));
    assert_eq!(html(&scenario, None, &trace), html(&again, None, &diary));
}
