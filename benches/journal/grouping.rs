//! Groups of events made durable, one after the other: three facts per event, completions included.

use super::facts;
use super::media::{self, Before, DurableMedium, Raw, RawGroup};
use crate::report;
use crate::stopwatch::{median, time};

/// The numbers of events in a group: from one event to a full batch.
const SIZES: [u64; 5] = [1, 64, 100, 1000, 1024];

/// Groups that a medium writes before the other medium has its turn. The first ones after a change find more to be
/// synced by the file system than their own; fewer groups would make these dominate.
const BOUT: u64 = 50;

pub(crate) fn measure() {
    let events = if report::quick() { 50_000 } else { 500_000 };
    let rows: Vec<_> = SIZES.map(|size| row(size, (events / size).clamp(100, 5000))).into();
    let heads = [
        "events a group",
        "ours/s",
        "zeroed file/s",
        "× zeroed",
        "× allocated",
        "p50 µs",
        "p99 µs",
        "zeroed p50",
        "zeroed p99",
        "× p50",
    ];
    report::print_table("Groups of events made durable, the media taking turns", heads, &rows);
}

/// Lets the media take turns often, so that a noisy minute hits both of them.
fn row(size: u64, groups: u64) -> [String; 10] {
    let directory = media::directory();
    let path = directory.path();
    let mut ours = media::open(path);
    ours.append(&[facts::opening()]).expect("room");
    let bytes = RawGroup::new(facts::lives(groups, size)).bytes.len() as u64;
    let [mut zeroed, mut allocated] =
        [Before::Zeroed, Before::Allocated].map(|before| Raw::create(path, bytes * groups, before));
    let mut media: [&mut dyn DurableMedium; 3] = [&mut ours, &mut zeroed, &mut allocated];
    let mut waits = [const { Vec::new() }; 3];
    for turn in 0..groups / BOUT {
        let bout: Vec<_> =
            (turn * BOUT..(turn + 1) * BOUT).map(|number| RawGroup::new(facts::lives(number, size))).collect();
        for (medium, waits) in media.iter_mut().zip(&mut waits) {
            waits.extend(bout.iter().map(|group| time(|| medium.write(group)).as_secs_f64() * 1e6));
        }
    }
    let [ours, file, allocated] = waits.map(|waits| GroupFigures::of(waits, size));
    let whole = |value: f64| format!("{value:.0}");
    let ratio = |ours: f64, base: f64| format!("{:.2}", ours / base);
    let [ours_rate, file_rate] = [&ours, &file].map(|of| whole(of.rate));
    let [p50, p99, file_p50, file_p99] = [ours.p50, ours.p99, file.p50, file.p99].map(whole);
    let (by_rate, by_wait) = (ratio(ours.rate, file.rate), ratio(ours.p50, file.p50));
    let by_allocated = ratio(ours.rate, allocated.rate);
    [size.to_string(), ours_rate, file_rate, by_rate, by_allocated, p50, p99, file_p50, file_p99, by_wait]
}

/// The figures of one medium.
struct GroupFigures {
    /// Events per second.
    rate: f64,
    p50: f64,
    p99: f64,
}

impl GroupFigures {
    fn of(mut waits: Vec<f64>, size: u64) -> Self {
        let rate = (waits.len() as u64 * size) as f64 / waits.iter().sum::<f64>() * 1e6;
        waits.sort_by(f64::total_cmp);
        let p99 = waits[(waits.len() - 1) * 99 / 100];
        Self { rate, p50: median(waits), p99 }
    }
}
