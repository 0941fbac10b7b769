//! Groups of events made durable, one after the other: three facts per event, completions included.

use super::facts;
use super::media::{self, Group, Medium, Raw, Redb};
use crate::report;
use crate::stopwatch::{clock, median};

/// Events in a group.
const SIZES: [u64; 5] = [1, 64, 100, 1000, 1024];

pub(crate) fn measure() {
    let (events, rounds) = if report::quick() { (20_000, 3) } else { (100_000, 5) };
    let rows: Vec<_> = SIZES.map(|size| row(size, (events / size).clamp(40, 1000), rounds)).into();
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
    report::print_table(&format!("Groups of events made durable, {rounds} rounds, medians"), heads, &rows);
}

/// What one system did in one round.
#[derive(Clone, Copy)]
struct Figures {
    rate: f64,
    p50: f64,
    p99: f64,
}

fn row(size: u64, groups: u64, rounds: usize) -> [String; 10] {
    let groups: Vec<_> = facts::lives(groups, size).into_iter().map(Group::new).collect();
    let mut rounds_of = [const { Vec::new() }; 3];
    for _ in 0..rounds {
        let directory = media::directory();
        let path = directory.path();
        let mut ours = media::open(path);
        ours.append(&[facts::opening()]).expect("room");
        rounds_of[0].push(run(&mut ours, &groups, size));
        rounds_of[1].push(run(&mut Raw::create(path), &groups, size));
        rounds_of[2].push(run(&mut Redb::create(path), &groups, size));
    }
    let [ours, file, redb] = rounds_of.map(|rounds| {
        let middle = |figure: fn(&Figures) -> f64| median(rounds.iter().map(figure).collect());
        Figures { rate: middle(|of| of.rate), p50: middle(|of| of.p50), p99: middle(|of| of.p99) }
    });
    let whole = |value: f64| format!("{value:.0}");
    let ratio = |base: Figures| format!("{:.2}", ours.rate / base.rate);
    let [rates @ .., by_file, by_redb] =
        [whole(ours.rate), whole(file.rate), whole(redb.rate), ratio(file), ratio(redb)];
    let [ours_rate, file_rate, redb_rate] = rates;
    let waits = [ours.p50, ours.p99, redb.p50, redb.p99].map(whole);
    let [p50, p99, redb_p50, redb_p99] = waits;
    [size.to_string(), ours_rate, file_rate, redb_rate, by_file, by_redb, p50, p99, redb_p50, redb_p99]
}

fn run(medium: &mut dyn Medium, groups: &[Group], size: u64) -> Figures {
    let mut waits = Vec::with_capacity(groups.len());
    let began = clock();
    for group in groups {
        let before = clock();
        medium.write(group);
        waits.push((clock() - before).as_secs_f64() * 1e6);
    }
    let took = (clock() - began).as_secs_f64();
    waits.sort_by(f64::total_cmp);
    let at = |hundredths: usize| waits[(waits.len() - 1) * hundredths / 100];
    Figures { rate: (groups.len() as u64 * size) as f64 / took, p50: at(50), p99: at(99) }
}
