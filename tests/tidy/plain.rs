//! Plain words: the terms of the field, docs that begin with what an item is or does, and one name for one type.

use std::collections::BTreeMap;

use super::source::{SourceFile, find_words};

/// Words that have a plainer one, and that one.
const BANNED: [(&str, &str); 17] = [
    ("tell", "say, report, return"),
    ("tells", "says, reports, returns"),
    ("told", "given, informed, reported"),
    ("somebody", "name who: a caller, a client"),
    ("nobody", "no caller, no client"),
    ("whoever", "name who: the caller that"),
    ("anew", "again"),
    ("goes on", "continues"),
    ("go on", "continue"),
    ("for good", "permanently"),
    ("look at", "read, inspect"),
    ("looks at", "reads, inspects"),
    ("looked at", "read, inspected"),
    ("is over", "has ended"),
    ("are over", "have ended"),
    ("stands for", "represents, means"),
    ("stand for", "represent, mean"),
];

/// Words that begin a doc comment without a word of what the item is.
const EMPTY_OPENINGS: [&str; 16] = [
    "It", "What", "Whether", "Who", "Nothing", "Nobody", "How", "Where", "When", "Which", "That", "These", "This",
    "They", "Why", "If",
];

fn is_read(source: &SourceFile) -> bool {
    source.path.ends_with(".rs")
}

/// Returns whether users, or engineers, read its words as code.
fn has_our_words(source: &SourceFile) -> bool {
    [".rs", ".js", ".mjs", ".html"].iter().any(|end| source.path.ends_with(end))
}

/// Files that show what these rules find.
const EXAMPLES: [&str; 2] = ["tests/tidy.rs", "tests/tidy/plain.rs"];

/// Banned words in comments, messages and names.
pub(crate) fn banned(source: &SourceFile) -> Vec<String> {
    if !has_our_words(source) || EXAMPLES.contains(&source.path.as_str()) {
        return Vec::new();
    }
    let low = source.text.to_ascii_lowercase().replace('_', " ");
    let find = |(word, plain): &(&str, &str)| -> Vec<String> {
        find_words(&low, word).map(|at| source.finding(at, &format!("`{word}`: {plain}"))).collect()
    };
    BANNED.iter().flat_map(find).collect()
}

/// Doc comments that begin with a pronoun or a clause.
pub(crate) fn empty_openings(source: &SourceFile) -> Vec<String> {
    let mut findings = Vec::new();
    let (mut offset, mut in_doc) = (0, false);
    for line in source.text.split_inclusive('\n').filter(|_| is_read(source)) {
        let text = line.trim_start();
        let doc = text.strip_prefix("/// ").or_else(|| text.strip_prefix("//! "));
        let first = doc.filter(|_| !in_doc).and_then(|doc| doc.split([' ', '\n', ',']).next());
        if let Some(word) = first.filter(|word| EMPTY_OPENINGS.contains(word)) {
            findings.push(source.finding(offset, &format!("a doc that begins with `{word}`: begin with what it is")));
        }
        in_doc = text.starts_with("///") || text.starts_with("//!");
        offset += line.len();
    }
    findings
}

/// The largest number of characters in the name of a function. Tests have the longest names: longer ones hide their
/// subject, and do not fit a line of a test report.
const MAX_NAME: usize = 60;

/// Names of functions, of tests above all, that are too long.
pub(crate) fn long_names(source: &SourceFile) -> Vec<String> {
    let read = find_words(&source.code, "fn").filter(|_| is_read(source));
    let name_at = |at: usize| {
        let rest = source.code[at + 2..].trim_start();
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        &rest[..end]
    };
    read.filter(|&at| name_at(at).chars().count() > MAX_NAME)
        .map(|at| source.finding(at, &format!("`{}` is longer than {MAX_NAME} characters: shorten it", name_at(at))))
        .collect()
}

/// Modules that the table in the docs of their parent leaves out, and rows of that table without a module.
pub(crate) fn incomplete_tables(source: &SourceFile) -> Vec<String> {
    let docs: Vec<&str> = source.text.lines().filter(|line| line.starts_with("//!")).collect();
    let modules: Vec<&str> = source.code.lines().filter_map(module_of).collect();
    // The map at the root is one of public modules, and a file without modules has a table of something else.
    let has_other_table = source.path.ends_with("lib.rs") || modules.is_empty();
    if has_other_table || !docs.contains(&"//! |---|---|") || !is_read(source) {
        return Vec::new();
    }
    let in_table = docs.iter().filter_map(|line| line.strip_prefix("//! |")?.split('|').next()).skip(2);
    let named: Vec<&str> = in_table.flat_map(|cell| cell.split('`').skip(1).step_by(2)).collect();
    let unnamed = modules.iter().filter(|module| !named.contains(module)).map(|module| (module, "has no row"));
    // Files of data may have a row as well.
    let is_module = |name: &&&str| modules.contains(name) || name.contains('.');
    let strangers = named.iter().filter(|name| !is_module(name)).map(|name| (name, "is no module"));
    unnamed
        .chain(strangers)
        .map(|(name, problem)| format!("{}: in its table of modules `{name}` {problem}", source.path))
        .collect()
}

/// Returns the module that this line declares in a file of its own.
fn module_of(line: &str) -> Option<&str> {
    let (before, name) = line.strip_suffix(';')?.split_once("mod ")?;
    (before.is_empty() || before.starts_with("pub")).then_some(name)
}

/// Names under which more than one type is defined.
pub(crate) fn repeated_types(tree: &[SourceFile]) -> Vec<String> {
    let mut places: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for source in tree.iter().filter(|source| source.is_product()) {
        for kind in ["struct ", "enum ", "trait "] {
            for at in find_words(&source.product, kind) {
                let rest = &source.product[at + kind.len()..];
                let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
                if end > 0 {
                    places.entry(&rest[..end]).or_default().push(source.path.clone());
                }
            }
        }
    }
    let repeated = places.into_iter().filter(|(_, places)| places.len() > 1);
    repeated
        .map(|(name, places)| format!("`{name}` is defined in {}: one name, one type", places.join(" and ")))
        .collect()
}
