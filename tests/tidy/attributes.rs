//! Attributes and settings that must say more.

use super::source::{SourceFile, closing, find_words};

/// `allow` and `expect` of a lint, each with its reason.
pub(crate) fn silenced_without_reason(source: &SourceFile) -> Vec<String> {
    let attributes = ["#[", "#!["]
        .into_iter()
        .flat_map(|open| source.code.match_indices(open).map(move |(at, _)| (at, at + open.len() - 1)));
    let silent = attributes
        .filter(|&(_, open)| is_silent(&source.code[open..=closing(&source.code, open).min(source.code.len() - 1)]));
    silent.map(|(at, _)| source.finding(at, "add `reason = \"…\"`: why may this lint be silent here?")).collect()
}

fn is_silent(attribute: &str) -> bool {
    let silences = ["allow(", "expect("].iter().any(|word| find_words(attribute, word).next().is_some());
    silences && find_words(attribute, "reason").next().is_none()
}

/// By default proptest keeps the seeds of tests under `tests/` where no one searches for them.
pub(crate) fn proptest_without_persistence(source: &SourceFile) -> Vec<String> {
    const ADVICE: &str = "set `failure_persistence` to a file in `proptest-regressions/`";
    let needs = |word, setting| {
        let used = find_words(&source.code, word).next();
        used.filter(|_| find_words(&source.code, setting).next().is_none())
    };
    let found = needs("proptest!", "proptest_config")
        .or_else(|| needs("prop_state_machine!", "proptest_config"))
        .or_else(|| needs("ProptestConfig {", "failure_persistence"));
    found.map(|at| source.finding(at, ADVICE)).into_iter().collect()
}
