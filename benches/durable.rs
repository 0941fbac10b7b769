//! The cost of durability: the journal on disk against a raw file, alone and under the adapter, recovery, and bytes on
//! disk.
//!
//! The raw file is zeroed before, and gets the same bytes in the same groups: one write and one `fdatasync` each. The
//! journal alone is compared with one that was only allocated, too.
//!
//! The disk is the one of the target directory. `-- --only NAME` measures one of them: `groups`, `events`,
//! `recovery`, `snapshots` or `steps`.

mod adapter;
mod ids;
mod journal;
mod report;
mod stopwatch;

/// The parts, by name.
const PARTS: [(&str, fn()); 5] = [
    ("groups", journal::grouping::measure),
    ("events", adapter::measure),
    ("recovery", journal::recovery::measure),
    ("snapshots", journal::snapshots::measure),
    ("steps", journal::steps::measure),
];

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let only = arguments.iter().position(|argument| argument == "--only").and_then(|at| arguments.get(at + 1));
    for (name, measure) in PARTS {
        if only.is_none_or(|only| only == name) {
            measure();
        }
    }
}
