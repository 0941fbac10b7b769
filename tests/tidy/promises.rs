//! The promises P1 to P11 of the README, each with the test that defends it.
//!
//! A row is `| P1 | the promise | [`name_of_a_test`](tests/file.rs) |`, with as many links as there are tests.

use super::source::{SourceFile, find_words};

const PROMISES: usize = 11;
/// May say `not yet: why` instead of a link.
const NOT_YET: [&str; 1] = ["P10"];

/// Returns a finding for each promise whose row or test is missing.
pub(crate) fn unkept(readme: &str, tree: &[SourceFile]) -> Vec<String> {
    (1..=PROMISES).filter_map(|n| unkept_one(&format!("P{n}"), readme, tree)).collect()
}

fn unkept_one(promise: &str, readme: &str, tree: &[SourceFile]) -> Option<String> {
    let start = format!("| {promise} |");
    let mut rows = readme.lines().filter(|line| line.starts_with(&start));
    let (Some(row), None) = (rows.next(), rows.next()) else {
        return Some(format!("README.md: {promise} needs exactly one row that begins with `{start}`"));
    };
    let cell = row.trim_end_matches([' ', '|']).rsplit('|').next().unwrap_or_default().trim();
    if cell.starts_with("not yet: ") && NOT_YET.contains(&promise) {
        return None;
    }
    let links = links(cell);
    let missing = links.iter().find(|(name, path)| !has_test(tree, name, path));
    match missing {
        _ if links.is_empty() => Some(format!("README.md: {promise} needs a link like [`test_name`](tests/file.rs)")),
        Some((name, path)) => Some(format!("README.md: {promise} links to `{name}`, which {path} does not have")),
        None => None,
    }
}

/// The (name, path) of every link whose text is a name in backticks.
fn links(cell: &str) -> Vec<(&str, &str)> {
    cell.split("[`").skip(1).filter_map(link).collect()
}

fn link(text: &str) -> Option<(&str, &str)> {
    let (name, rest) = text.split_once("`](")?;
    let (path, _) = rest.split_once(')')?;
    Some((name, path))
}

fn has_test(tree: &[SourceFile], name: &str, path: &str) -> bool {
    let function = format!("fn {name}");
    let mut sources = tree.iter().filter(|source| source.path == path);
    sources.any(|source| find_words(&source.code, &function).any(|at| is_test(&source.code[..at])))
}

/// Returns whether the attribute at the end of `before` makes the function after it a test.
fn is_test(before: &str) -> bool {
    let before = before.trim_end().trim_end_matches("async").trim_end();
    let attribute = before.strip_suffix(']').and_then(|before| before.rsplit_once("#["));
    attribute.is_some_and(|(_, attribute)| attribute.starts_with("test") || attribute.contains("::test"))
}
