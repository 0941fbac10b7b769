//! The core alone: the cost of a life of an event, of a retained tombstone, and of a sweep with nothing due.
//!
//! Each figure comes from a fresh process, so that no memory freed by another one flatters it. The baseline is a plain
//! map of records under their ids. `-- --quick` leaves out the 10⁷ records, which need about 6 GB.

mod cycle;
mod ids;
mod report;
mod stopwatch;

use std::collections::HashMap;
use std::hint::black_box;
use std::process::Command;
use std::time::Duration;

use bytes::Bytes;
use eventful::{Digest, Event, Status, Timestamp};

use cycle::{Cycle, Form, payload};
use stopwatch::{median, time};

const ROUNDS: u64 = 9;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    match arguments.iter().position(|argument| argument == "--one") {
        Some(at) => measure_one(&arguments[at + 1..]),
        None => compare(),
    }
}

fn compare() {
    let sizes: &[u64] = if report::quick() { &[10_000, 1_000_000] } else { &[10_000, 1_000_000, 10_000_000] };
    let mut rows = Vec::new();
    for &size in sizes {
        for (_, form) in Form::ALL {
            let [ours, map] = ["engine", "map"].map(|system| in_fresh_process(system, form, size));
            rows.push([
                size.to_string(),
                form.into(),
                format!("{:.0}", ours.life_ns),
                format!("{:.0}", map.life_ns),
                format!("{:.2}", map.life_ns / ours.life_ns),
                format!("{:.0}", ours.record_bytes),
                format!("{:.0}", map.record_bytes),
                format!("{:.0}", ours.sweep_ns),
            ]);
        }
    }
    let heads = ["retained", "ids", "ns a life", "map ns", "map / engine", "bytes each", "map bytes", "idle sweep ns"];
    report::print_table("The core: submit + start + settle (resident bytes; digest not included)", heads, &rows);
}

struct EngineFigures {
    life_ns: f64,
    record_bytes: f64,
    sweep_ns: f64,
}

fn in_fresh_process(system: &str, form: &str, size: u64) -> EngineFigures {
    let program = std::env::current_exe().expect("the path of this program");
    let output = Command::new(program).args(["--one", system, form, &size.to_string()]).output().expect("a child");
    assert!(output.status.success(), "{system} at {size}: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8_lossy(&output.stdout);
    let mut numbers = text.split_whitespace().map(|number| number.parse().expect("a number"));
    let mut next = || numbers.next().expect("three numbers");
    EngineFigures { life_ns: next(), record_bytes: next(), sweep_ns: next() }
}

fn measure_one(arguments: &[String]) {
    let [system, form, size] = arguments else { panic!("--one SYSTEM FORM SIZE") };
    let (form, _) = Form::ALL.into_iter().find(|(_, name)| name == form).expect("uuid or text");
    let size = size.parse().expect("a number of records");
    let figures = match system.as_str() {
        "engine" => measure(Cycle::new(Duration::from_secs(1_000_000)), form, size),
        _ => measure(PlainMap::default(), form, size),
    };
    println!("{} {} {}", figures.life_ns, figures.record_bytes, figures.sweep_ns);
}

fn measure(mut system: impl MeasuredSystem, form: Form, size: u64) -> EngineFigures {
    let mut next = 0;
    let before = resident_bytes();
    while next < size {
        let count = (size - next).min(1000);
        live(&mut system, form, &mut next, count);
    }
    let record_bytes = (resident_bytes() - before) / size as f64;
    // Few enough lives that the store stays about as large as it is said to be.
    let lives = (size / 50).min(100_000);
    let life = (0..ROUNDS).map(|_| nanos_each(live(&mut system, form, &mut next, lives), lives)).collect();
    let sweep = (0..ROUNDS).map(|_| nanos_each(time(|| (0..10_000).for_each(|_| system.sweep())), 10_000)).collect();
    EngineFigures { life_ns: median(life), record_bytes, sweep_ns: median(sweep) }
}

fn live(system: &mut impl MeasuredSystem, form: Form, next: &mut u64, count: u64) -> Duration {
    let events: Vec<_> =
        (*next..*next + count).map(|n| Event::with_id(&form.id(n), payload()).expect("a valid event")).collect();
    *next += count;
    time(|| events.into_iter().for_each(|event| system.live(event)))
}

fn nanos_each(took: Duration, count: u64) -> f64 {
    took.as_nanos() as f64 / count as f64
}

/// Returns the resident bytes of this process, or 0 where the system does not report them.
fn resident_bytes() -> f64 {
    let pages = std::fs::read_to_string("/proc/self/statm").ok();
    pages.and_then(|text| text.split(' ').nth(1)?.parse::<f64>().ok()).unwrap_or_default() * 4096.0
}

trait MeasuredSystem {
    fn live(&mut self, event: Event);
    fn sweep(&mut self);
}

impl MeasuredSystem for Cycle {
    fn live(&mut self, event: Event) {
        Self::live(self, event);
    }

    fn sweep(&mut self) {
        Self::sweep(self);
    }
}

/// The usual first version: every record whole, under its id.
#[derive(Default)]
struct PlainMap(HashMap<String, PlainRecord>);

struct PlainRecord {
    digest: Digest,
    status: Status,
    payload: Option<Bytes>,
    attempt: u32,
    times: [Timestamp; 3],
    history: Vec<(u32, Status, Timestamp)>,
}

impl MeasuredSystem for PlainMap {
    fn live(&mut self, event: Event) {
        let id = event.key().id().to_string();
        let now = Timestamp::from_micros(self.0.len() as u64);
        let record = PlainRecord {
            digest: *event.digest(),
            status: Status::Received,
            payload: Some(event.payload().clone()),
            attempt: 0,
            times: [now; 3],
            history: Vec::new(),
        };
        self.0.entry(id.clone()).or_insert(record);
        self.with(&id, |record| {
            record.status = Status::Processing;
            record.attempt += 1;
            record.times[1] = now;
            black_box((record.payload.clone(), &record.digest));
        });
        self.with(&id, |record| {
            record.status = Status::Completed;
            record.times[2] = now;
            record.history.push((record.attempt, record.status, now));
            record.payload = None;
        });
    }

    fn sweep(&mut self) {}
}

impl PlainMap {
    fn with(&mut self, id: &str, change: impl FnOnce(&mut PlainRecord)) {
        self.0.get_mut(id).map(change).expect("the record just kept");
    }
}
