//! Results of many events, a line each.

use std::vec::Vec;

use serde::Serialize;

use super::problem::Problem;
use super::taken::Taken;
use crate::engine::Key;
use crate::node::Submitted;

/// The result for a line that was not taken.
#[derive(Serialize)]
struct LineRefused<'a> {
    line: u64,
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<&'a str>,
    problem: &'a Problem,
}

/// The result for a line that was taken.
pub(super) fn write_taken(line: u64, key: &Key, submitted: &Submitted, results: &mut Vec<u8>) {
    write_line(&Taken { line: Some(line), key, submitted }, results);
}

/// The result for a line that was not taken.
pub(super) fn write_refused(line: u64, key: Option<&Key>, problem: &Problem, results: &mut Vec<u8>) {
    let id = key.map(Key::id);
    let (id, source) = (id.as_deref(), key.map(Key::source));
    write_line(&LineRefused { line, outcome: problem.kind().name(), id, source, problem }, results);
}

fn write_line(result: &impl Serialize, results: &mut Vec<u8>) {
    // Writing into memory does not fail.
    let _written = serde_json::to_writer(&mut *results, result);
    results.push(b'\n');
}
