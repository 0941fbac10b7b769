//! Groups of events made durable, one after the other: three facts per event, completions included.

use super::facts;
use super::media::{self, Group, Medium, Raw, Redb};
use crate::report;
use crate::stopwatch::time;

/// Events in a group.
const SIZES: [u64; 5] = [1, 64, 100, 1000, 1024];

pub(crate) fn measure() {
    let events = if report::quick() { 50_000 } else { 500_000 };
    let rows: Vec<_> = SIZES.map(|size| row(size, (events / size).clamp(100, 5000))).into();
    let heads = [
        "events a group",
        "ours/s",
        "file/s",
        "redb/s",
        "× file",
        "× redb",
        "p50 µs",
        "p99 µs",
        "redb p50",
        "redb p99",
    ];
    report::print_table("Groups of events made durable, the media taking turns group by group", heads, &rows);
}

/// Writes each group to each medium, so that a noisy moment hits all of them.
fn row(size: u64, groups: u64) -> [String; 10] {
    let directory = media::directory();
    let path = directory.path();
    let mut ours = media::open(path);
    ours.append(&[facts::opening()]).expect("room");
    let (mut raw, mut redb) = (Raw::create(path), Redb::create(path));
    let mut media: [&mut dyn Medium; 3] = [&mut ours, &mut raw, &mut redb];
    let mut waits = [const { Vec::new() }; 3];
    for number in 0..groups {
        let group = Group::new(facts::lives(number, size));
        for turn in 0..media.len() {
            let which = (number as usize + turn) % media.len();
            waits[which].push(time(|| media[which].write(&group)).as_secs_f64() * 1e6);
        }
    }
    let [ours, file, redb] = waits.map(|waits| Figures::of(waits, size));
    let whole = |value: f64| format!("{value:.0}");
    let ratio = |base: &Figures| format!("{:.2}", ours.rate / base.rate);
    let [ours_rate, file_rate, redb_rate] = [&ours, &file, &redb].map(|of| whole(of.rate));
    let [p50, p99, redb_p50, redb_p99] = [ours.p50, ours.p99, redb.p50, redb.p99].map(whole);
    let (by_file, by_redb) = (ratio(&file), ratio(&redb));
    [size.to_string(), ours_rate, file_rate, redb_rate, by_file, by_redb, p50, p99, redb_p50, redb_p99]
}

/// What one medium did.
struct Figures {
    /// Events per second.
    rate: f64,
    p50: f64,
    p99: f64,
}

impl Figures {
    fn of(mut waits: Vec<f64>, size: u64) -> Self {
        let rate = (waits.len() as u64 * size) as f64 / waits.iter().sum::<f64>() * 1e6;
        waits.sort_by(f64::total_cmp);
        let at = |hundredths: usize| waits[(waits.len() - 1) * hundredths / 100];
        Self { rate, p50: at(50), p99: at(99) }
    }
}
