//! What durability costs: the journal on disk against a raw file and raw redb, recovery, and bytes on disk.
//!
//! The disk is the one of the target directory. `-- --only groups` or `-- --only recovery` measures one of them.

mod ids;
mod journal;
mod report;
mod stopwatch;

/// The parts, by name.
const PARTS: [(&str, fn()); 2] = [("groups", journal::grouping::measure), ("recovery", journal::recovery::measure)];

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let only = arguments.iter().position(|argument| argument == "--only").and_then(|at| arguments.get(at + 1));
    for (name, measure) in PARTS {
        if only.is_none_or(|only| only == name) {
            measure();
        }
    }
}
