//! The real program, one scenario per test.

use std::path::PathBuf;
use std::process::{Command, Output};

use eventful_sim::scenario::{Behaviour, CoreScenario, DrawPlan, Injection};

#[test]
fn seeds_that_break_nothing_are_summed_up() {
    let said = said(&["run", "--seeds", "50", "--first", "1000"], 0);
    assert!(said.contains("50 seeds from 1000 to 1049"), "{said}");
    assert!(said.contains("seeds/s") && said.contains("virtual:wall") && said.contains("probes"), "{said}");
    assert!(!said.contains("missing") && said.contains("--probes lists the others"), "{said}");
}

#[test]
fn sum_is_one_json_object_when_a_program_asks() {
    let said = said(&["run", "--seeds", "40", "--twice", "--swarm", "--json"], 0);
    let object: serde_json::Value = serde_json::from_str(&said).expect("one JSON object and nothing else");
    assert_eq!(object["seeds"], 40);
    assert_eq!(object["failed_seed"], serde_json::Value::Null);
    assert!(object["seeds_per_second"].as_f64().is_some_and(|rate| rate > 0.0), "{object}");
    assert!(object["probes_missing"].is_array(), "{object}");
}

#[test]
fn same_seeds_are_run_by_any_number_of_jobs() {
    let steps = |jobs| {
        let said = said(&["run", "--seeds", "100", "--jobs", jobs, "--json"], 0);
        serde_json::from_str::<serde_json::Value>(&said).expect("one JSON object")["steps"].clone()
    };
    assert_eq!(steps("1"), steps("3"));
}

#[test]
fn run_for_a_time_says_where_it_begins() {
    let said = said(&["run", "--for", "1ms"], 0);
    let line = said.lines().next().expect("a line");
    assert!(line.starts_with("seeds from ") && line.contains("drawn from the clock"), "{line}");
}

#[test]
fn probe_that_has_not_fired_fails_the_run() {
    let output = call(&["run", "--seeds", "1", "--probes"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(text(&output.stdout).contains("\nmissing "), "{output:?}");
    assert!(text(&output.stderr).contains("a probe has not fired"), "{output:?}");
}

#[test]
fn seed_is_the_same_run_each_time() {
    let arguments = ["replay", "7", "--submits", "50", "--swarm", "--twice"];
    let once = said(&arguments, 0);
    assert!(once.contains("\nhash ") && once.contains("every promise holds"), "{once}");
    assert_eq!(once, said(&arguments, 0));
}

#[test]
fn file_is_the_run_of_the_seed_that_it_was_drawn_from() {
    let scenario = CoreScenario::draw(7, DrawPlan { submits: 20, swarm: false, journals: true });
    let file = folder("a-file").join("seven.json");
    scenario.write(&file).expect("the file is written");
    assert_eq!(said(&["replay", path(&file)], 0), said(&["replay", "7"], 0));
}

#[test]
fn file_of_the_turmoil_tier_is_known_by_its_content() {
    let scenario = eventful_sim::network::NetworkScenario::generate(3);
    let file = folder("turmoil-file").join("three.json");
    scenario.write(&file).expect("the file is written");
    assert_eq!(said(&["replay", path(&file)], 0), said(&["replay", "3", "--tier", "turmoil"], 0));
}

#[test]
fn seeds_of_the_turmoil_tier_run_twice_alike() {
    let said = said(&["run", "--tier", "turmoil", "--seeds", "5", "--twice"], 0);
    assert!(said.contains("5 seeds from 0 to 4") && said.contains("server restarted"), "{said}");
}

#[test]
fn seeds_of_the_disk_tier_run_twice_alike_and_are_files_too() {
    let all = said(&["run", "--tier", "disk", "--seeds", "9", "--twice"], 0);
    assert!(all.contains("9 seeds from 0 to 8") && all.contains("bit_rot") && !all.contains("virtual"), "{all}");
    let scenario = eventful_sim::disk::DiskScenario::draw(7);
    let file = folder("disk-file").join("seven.json");
    scenario.write(&file).expect("the file is written");
    let trace = said(&["replay", path(&file), "--trace"], 0);
    assert_eq!(trace, said(&["replay", "7", "--tier", "disk", "--trace"], 0));
    assert!(trace.contains("groups were acknowledged") && trace.contains("80 groups"), "{trace}");
}

#[test]
fn trace_is_printed_line_by_line() {
    let said = said(&["replay", "7", "--trace"], 0);
    assert!(said.contains("Client(") && said.contains("Dispatcher -> Engine"), "{said}");
}

#[test]
fn nothing_is_shrunk_where_nothing_is_broken() {
    let output = call(&["shrink", "7"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(text(&output.stderr).contains("7 breaks no promise"), "{output:?}");
}

#[test]
fn page_shows_a_scenario() {
    let file = folder("a-page").join("seven.html");
    let said = said(&["report", "7", "-o", path(&file)], 0);
    assert!(said.contains("seven.html"), "{said}");
    let page = std::fs::read_to_string(&file).expect("a page");
    assert!(page.contains("<html") && page.contains("</html>"), "{page}");
}

#[test]
fn page_shows_a_scenario_of_the_disk_tier() {
    let file = folder("a-disk-page").join("three.html");
    said(&["report", "3", "--tier", "disk", "-o", path(&file)], 0);
    let page = std::fs::read_to_string(&file).expect("a page");
    for shown in ["journal", "profile", "openings", "All promises held"] {
        assert!(page.contains(shown), "{shown}");
    }
}

#[test]
fn page_shows_a_scenario_of_the_turmoil_tier() {
    let file = folder("a-turmoil-page").join("three.html");
    said(&["report", "3", "--tier", "turmoil", "-o", path(&file)], 0);
    let page = std::fs::read_to_string(&file).expect("a page");
    for shown in ["client 2", "worker 0", "attempt 1 of event", "202 {", "the faults have ended", "max_attempts"] {
        assert!(page.contains(shown), "{shown}");
    }
}

#[test]
fn golden_hashes_have_a_line_each() {
    let said = said(&["golden"], 0);
    for line in said.lines() {
        let [seed, submits, hash] = line.split(' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
        assert!(seed.parse::<u64>().is_ok() && submits.parse::<u16>().is_ok() && hash.len() == 16, "{line}");
    }
    assert_eq!(said, self::said(&["golden"], 0));
}

#[test]
fn file_that_is_not_there_is_named() {
    let complaint = complaint(&["replay", "nowhere.json"]);
    assert!(complaint.contains("nowhere.json") && complaint.contains("check the path"), "{complaint}");
    assert!(complaint.contains("neither a seed nor a file"), "{complaint}");
}

#[test]
fn file_of_another_tier_than_the_one_that_is_named_is_refused() {
    let file = folder("other-tier").join("core.json");
    CoreScenario::draw(7, DrawPlan { submits: 2, swarm: false, journals: true })
        .write(&file)
        .expect("the file is written");
    let complaint = complaint(&["replay", path(&file), "--tier", "turmoil"]);
    assert!(complaint.contains("core.json is of the core tier: leave --tier out"), "{complaint}");
}

#[test]
fn finding_that_cannot_be_saved_is_still_reported() {
    let mut scenario = CoreScenario::draw(7, DrawPlan { submits: 1, swarm: false, journals: true });
    scenario.setup.settings.concurrency = std::num::NonZeroUsize::MIN;
    scenario.faults = vec![Injection::Handler { event: 0, attempt: 1, does: Behaviour::Stuck }.at(0)];
    let file = folder("not-saved").join("stuck.json");
    scenario.write(&file).expect("the file is written");
    let output = call(&["shrink", path(&file), "-o", "nowhere/small.json"]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(text(&output.stdout).contains("P1 is broken"), "{output:?}");
    assert!(text(&output.stderr).contains("nowhere/small.json"), "{output:?}");
}

#[test]
fn file_of_another_form_is_refused_with_the_place() {
    for (name, content, words) in [
        ("empty.json", "", "is not a scenario"),
        ("words.json", "three events", "line 1"),
        ("list.json", "[1, 2]", "is not a scenario"),
        ("setup.json", "{\"format\": 2, \"tier\": \"turmoil\"}", "is not a scenario of the turmoil tier"),
    ] {
        let file = folder("another-form").join(name);
        std::fs::write(&file, content).expect("the file is written");
        let complaint = complaint(&["replay", path(&file)]);
        assert!(complaint.contains(name) && complaint.contains(words), "{complaint}");
    }
}

#[test]
fn unknown_field_is_refused_by_name() {
    let whole = CoreScenario::draw(7, DrawPlan { submits: 2, swarm: false, journals: true }).to_json();
    for known in ["\"seed\":", "\"settings\":", "\"client\":", "\"fault\":"] {
        let file = folder("unknown-field").join("odd.json");
        std::fs::write(&file, whole.replacen(known, &format!("\"colour\":3,{known}"), 1)).expect("the file is written");
        let complaint = complaint(&["shrink", path(&file)]);
        assert!(complaint.contains("unknown field `colour`"), "{known} {complaint}");
    }
}

#[test]
fn unknown_field_of_the_turmoil_tier_is_refused_by_name() {
    let whole = eventful_sim::network::NetworkScenario::generate(3).to_json();
    for known in ["\"seed\":", "\"latency_ms\":", "\"tries\":", "\"at_ms\":"] {
        let file = folder("unknown-turmoil-field").join("odd.json");
        std::fs::write(&file, whole.replacen(known, &format!("\"colour\":3,{known}"), 1)).expect("the file is written");
        let complaint = complaint(&["replay", path(&file)]);
        assert!(complaint.contains("unknown field `colour`"), "{known} {complaint}");
    }
}

#[test]
fn file_of_another_format_asks_for_another_program() {
    let whole = CoreScenario::draw(7, DrawPlan { submits: 2, swarm: false, journals: true }).to_json();
    for (format, advice) in [(1, "use a program that is older"), (3, "use a program that is newer")] {
        let file = folder("other-format").join("other.json");
        let other = whole.replace("\"format\": 2", &format!("\"format\": {format}"));
        std::fs::write(&file, other).expect("the file is written");
        let complaint = complaint(&["replay", path(&file)]);
        assert!(complaint.contains(advice), "{complaint}");
    }
}

#[test]
fn what_is_said_wrong_is_explained() {
    for (arguments, words) in [
        (&["run"][..], "--seeds"),
        (&["run", "--seeds", "many"], "invalid value 'many'"),
        (&["run", "--seeds", "3", "--for", "3s"], "cannot be used with"),
        (&["run", "--for", "3"], "500ms, 30s, 5m or 2h"),
        (&["run", "--seeds", "3", "--tier", "moon"], "possible values"),
        (&["run", "--seeds", "3", "--tier", "turmoil", "--swarm"], "leave them out"),
        (&["replay"], "FILE|SEED"),
        (&["replay", "seed-7.json", "--swarm"], "leave them out"),
        (&["dance"], "unrecognized subcommand"),
    ] {
        let complaint = complaint(arguments);
        assert!(complaint.contains(words), "{arguments:?}: {complaint}");
    }
}

/// Returns the standard output of the program, which must end with this code.
fn said(arguments: &[&str], code: i32) -> String {
    let output = call(arguments);
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {output:?}");
    text(&output.stdout).to_owned()
}

/// Returns the standard error of the program, which must refuse the arguments.
fn complaint(arguments: &[&str]) -> String {
    let output = call(arguments);
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {output:?}");
    assert_eq!(text(&output.stdout), "", "{arguments:?}");
    text(&output.stderr).to_owned()
}

fn call(arguments: &[&str]) -> Output {
    let mut program = Command::new(env!("CARGO_BIN_EXE_eventful-sim"));
    program.current_dir(folder("work")).args(arguments).output().expect("the program starts")
}

fn folder(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("program").join(name);
    std::fs::create_dir_all(&folder).expect("a folder for files");
    folder
}

fn path(file: &std::path::Path) -> &str {
    file.to_str().expect("a path in UTF-8")
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("the program writes UTF-8")
}
