//! What durability costs: the journal on disk against a raw file and raw redb, recovery, and bytes on disk.
//!
//! The disk is the one of the target directory.

mod ids;
mod journal;
mod report;
mod stopwatch;

fn main() {
    journal::grouping::measure();
    journal::recovery::measure();
}
