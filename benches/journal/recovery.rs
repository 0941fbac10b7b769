//! Opening a journal of many records, and what they take on disk.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use eventful::engine::facts::Fact;
use eventful::journal::{Owner, recover};

use super::facts::{self, PAYLOAD_BYTES};
use super::media;
use crate::report;
use crate::stopwatch::time;

/// Events in a group, as in a full batch.
const GROUP: u64 = 1000;

pub(crate) fn measure() {
    let records = if report::quick() { 100_000 } else { 1_000_000 };
    let rows = [row("pending", records, false), row("completed", records, true)];
    let heads = ["records", "form", "MB", "frames/s", "compact s", "snapshot MB", "snapshot/s", "bytes each", "target"];
    report::print_table("Records recovered per second, and their bytes on disk after close and compact", heads, &rows);
}

fn row(form: &str, records: u64, over: bool) -> [String; 9] {
    let directory = media::directory();
    write(directory.path(), records, over);
    let bytes = on_disk(directory.path());
    let frames = recovery(directory.path(), records);
    let compact = time(|| {
        let owner = Owner::new("a bench");
        media::store(directory.path()).compact(&owner, &media::config()).expect("a sound journal");
    });
    let compact_bytes = on_disk(directory.path());
    let snapshot = recovery(directory.path(), records);
    let each = compact_bytes as f64 / records as f64;
    let payload = if over { 0 } else { PAYLOAD_BYTES };
    [
        records.to_string(),
        form.into(),
        (bytes >> 20).to_string(),
        format!("{frames:.0}"),
        format!("{:.1}", compact.as_secs_f64()),
        (compact_bytes >> 20).to_string(),
        format!("{snapshot:.0}"),
        format!("{each:.0}"),
        format!("≤ {:.0}", 1.3 * payload as f64 + 150.0),
    ]
}

fn write(directory: &Path, records: u64, over: bool) {
    let mut log = media::open(directory);
    log.append(&[facts::opening()]).expect("room");
    for group in 0..records / GROUP {
        let events = || group * GROUP..(group + 1) * GROUP;
        let runs = events().filter(|_| over).flat_map(facts::run);
        let facts: Vec<Fact> = events().map(facts::accepted).chain(runs).collect();
        log.append(&facts).expect("room");
    }
}

/// Returns the records per second.
fn recovery(directory: &Path, records: u64) -> f64 {
    let took = time(|| {
        let owner = Owner::new("a bench");
        let recovered = recover(&mut media::store(directory), &owner, &media::config(), u64::MAX, &mut |_| {});
        assert_eq!(recovered.expect("a sound journal").replay.len() as u64, records, "all records are there");
    });
    records as f64 / took.as_secs_f64()
}

/// Returns the bytes of the disk that the journal occupies.
fn on_disk(directory: &Path) -> u64 {
    let files = fs::read_dir(directory.join("journal")).expect("a directory");
    files.map(|file| file.and_then(|file| file.metadata()).map_or(0, |of| of.blocks() * 512)).sum()
}
