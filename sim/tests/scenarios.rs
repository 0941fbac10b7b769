//! Every committed scenario keeps every promise. Each once broke one, with a bug that is fixed, or with one of
//! `sim/planted/`.

use std::error::Error;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use eventful_sim::scenario::{Behaviour, CoreScenario, DrawPlan, Injection};
use eventful_sim::tier::{Keep, Probes};

fn committed() -> Vec<PathBuf> {
    files_in("scenarios")
}

fn files_in(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let files = std::fs::read_dir(folder).expect("a folder of scenarios");
    let files = files.map(|file| file.expect("a file").path());
    let mut files: Vec<_> = files.filter(|path| path.is_file()).collect();
    files.sort();
    files
}

#[test]
fn every_committed_scenario_keeps_every_promise() {
    for file in committed() {
        let scenario = CoreScenario::read(&file).expect("a scenario");
        let report = scenario.run(Keep::default(), &mut Probes::default());
        assert_eq!(report.broken, None, "cargo sim replay {}", file.display());
        assert!(!scenario.about.is_empty(), "{} does not say what it shows", file.display());
    }
}

#[test]
#[cfg(feature = "turmoil")]
fn every_committed_scenario_of_the_network_keeps_every_promise() {
    for file in files_in("scenarios/network") {
        let scenario = eventful_sim::network::NetworkScenario::read(&file).expect("a scenario");
        let report = scenario.run(Keep::default(), &mut Probes::default());
        assert_eq!(report.broken, None, "cargo sim replay {}", file.display());
        assert!(!scenario.about.is_empty(), "{} does not say what it shows", file.display());
    }
}

#[test]
fn file_that_is_no_scenario_says_what_is_wrong() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let written = |name: &str, text: &str| {
        let file = folder.join(name);
        std::fs::write(&file, text).expect("the test's own folder");
        problem(&file)
    };
    let mut scenario = CoreScenario::read(&committed()[0]).expect("a scenario");
    let good = scenario.to_json();
    let missing = problem(&folder.join("missing.json"));
    assert!(missing.contains("missing.json") && missing.contains("check the path"), "{missing}");
    assert_eq!(missing.matches("os error").count(), 1, "{missing}");
    let broken = written("broken.json", "{");
    assert!(broken.contains("broken.json is not a scenario"), "{broken}");
    let later = written("later.json", &good.replace("\"format\": 2", "\"format\": 3"));
    assert!(later.contains("has format 3, this program reads 2"), "{later}");
    let unknown = written("unknown.json", &good.replace("\"seed\"", "\"sead\""));
    assert!(unknown.contains("unknown field `sead`"), "{unknown}");
    scenario.setup.settings.max_attempts = 0;
    let zero = written("zero.json", &scenario.to_json());
    assert_eq!(zero.matches("max_attempts is zero").count(), 1, "{zero}");
}

#[test]
fn file_with_numbers_that_no_run_can_reach_is_refused() {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("large.json");
    let small = CoreScenario::draw(7, DrawPlan { submits: 2, swarm: false, journals: true });
    let largest = |change: &dyn Fn(&mut CoreScenario)| {
        let mut scenario = small.clone();
        change(&mut scenario);
        scenario.write(&file).expect("the test's own folder");
        problem(&file)
    };
    let fault = |fault| move |scenario: &mut CoreScenario| scenario.faults = vec![fault];
    for said in [
        largest(&|scenario| scenario.operations[0].at = u64::MAX),
        largest(&fault(Injection::WorkersStalled { lasts: u64::MAX }.at(0))),
        largest(&fault(Injection::Handler { event: 0, attempt: 1, does: Behaviour::Slow { lasts: u64::MAX } }.at(0))),
        largest(&|scenario| scenario.setup.settings.channel_capacity = NonZeroUsize::MAX),
        largest(&|scenario| scenario.setup.settings.concurrency = NonZeroUsize::MAX),
    ] {
        assert!(said.contains("more than 3000000000000") && said.contains("lower it"), "{said}");
    }
    let crowd = largest(&|scenario| scenario.setup.settings.concurrency = NonZeroUsize::MIN.saturating_add(70_000));
    assert!(crowd.contains("concurrency is more than 65535"), "{crowd}");
}

/// Returns the error of reading a file, with all causes.
fn problem(file: &Path) -> String {
    let error = CoreScenario::read(file).expect_err("not a scenario");
    let mut causes: Vec<&dyn Error> = vec![&error];
    while let Some(cause) = causes.last().copied().and_then(Error::source) {
        causes.push(cause);
    }
    causes.iter().map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
