//! Words that do not belong where they stand.

use super::source::{SourceFile, find_words};

const ENGINE: [(&str, &str); 9] = [
    ("std::", "use `core` or `alloc`: the engine is `no_std`"),
    ("extern crate", "use `core` or `alloc`: the engine is `no_std`"),
    ("cfg(feature", "the engine is the same with every feature: move the difference to the adapter"),
    ("f32", "count in integers: floats round differently from one machine to the next"),
    ("f64", "count in integers: floats round differently from one machine to the next"),
    ("HashMap", "use `Index` or a BTreeMap: the order of a hash map is random"),
    ("HashSet", "use `Index` or a BTreeSet: the order of a hash set is random"),
    ("Instant", "take the time from `now`"),
    ("SystemTime", "take the time from `now`"),
];

const ANYWHERE: [(&str, &str); 6] = [
    ("todo!", "finish it"),
    ("unimplemented!", "finish it"),
    ("dbg!", "remove it, or log with `tracing`"),
    ("#[ignore", "make the test fit to run, or delete it"),
    ("sync::watch", "use `Notify` or an `mpsc`: the order in which a `watch` wakes is random"),
    ("tokio_unstable", "do without: users would have to set the flag too"),
];

const TOPICLESS: [&str; 6] = ["utils", "util", "helpers", "helper", "common", "manager"];

/// Finds what the two sans-IO parts must not use. Only a simulator's view of the node may depend on a feature.
pub(crate) fn forbidden_in_engine(source: &SourceFile) -> Vec<String> {
    if source.path.starts_with("src/engine/") {
        return phrases(source, &source.product, &ENGINE);
    }
    let code = if source.path.starts_with("src/node/") { without_simulation(source) } else { String::new() };
    phrases(source, &code, &ENGINE)
}

/// The code of a file, with each line left out that makes its item depend on feature `sim`.
fn without_simulation(source: &SourceFile) -> String {
    let lines = source.product.split_inclusive('\n').zip(source.text.split_inclusive('\n'));
    let is_for_simulators = |line: &str| line.contains("cfg(feature = \"sim\")");
    lines
        .map(|(code, text)| if is_for_simulators(text) { " ".repeat(code.len() - 1) + "\n" } else { code.into() })
        .collect()
}

/// Finds what must not be anywhere in code or configuration.
pub(crate) fn forbidden(source: &SourceFile) -> Vec<String> {
    if source.path.ends_with(".md") { Vec::new() } else { phrases(source, &source.code, &ANYWHERE) }
}

fn phrases(source: &SourceFile, code: &str, table: &[(&str, &str)]) -> Vec<String> {
    let find = |(phrase, advice): &(&str, &str)| -> Vec<String> {
        find_words(code, phrase).map(|at| source.finding(at, &format!("`{phrase}`: {advice}"))).collect()
    };
    table.iter().flat_map(find).collect()
}

/// Without `biased`, a `select!` picks at random, and no seed repeats the run.
pub(crate) fn unbiased_selects(source: &SourceFile) -> Vec<String> {
    let biased = |at: usize| {
        let inside = source.code[at..].split_once('{').map(|(_, inside)| inside.trim_start());
        inside.is_some_and(|inside| inside.starts_with("biased;"))
    };
    let rust = source.path.ends_with(".rs");
    let selects = find_words(&source.code, "select!").filter(|&at| rust && !biased(at));
    selects.map(|at| source.finding(at, "begin this `select!` with `biased;`, in the order that you mean")).collect()
}

/// A file that could hold anything will.
pub(crate) fn names_without_topic(source: &SourceFile) -> Vec<String> {
    let mut parts = source.path.split('/').map(|part| part.trim_end_matches(".rs"));
    let named = parts.find(|part| TOPICLESS.contains(part));
    named.map(|part| format!("{}: name it after its topic instead of `{part}`", source.path)).into_iter().collect()
}
