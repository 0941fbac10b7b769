//! The memory that a warm engine requests from the allocator: in the life of an event, and for each tombstone that it
//! retains.
//!
//! The counts come from `allocation-counter`, which counts the calls of one thread around the system allocator. Cycles run
//! at a steady number of records, each life forgetting an old one, so that growth of the store does not count as a life.

mod cycle;
mod ids;
mod report;

use std::time::Duration;

use eventful::Event;

use cycle::{Cycle, Form, payload};

fn main() {
    let retained = if report::quick() { 100_000 } else { 1_000_000 };
    let rows: Vec<_> = Form::ALL.iter().map(|(form, name)| row(*form, name, retained)).collect();
    let heads = ["ids", "lives", "allocations", "in making events", "per life", "bytes a tombstone"];
    report::print_table("Allocations of a warm engine (the payload is the caller's)", heads, &rows);
}

fn row(form: Form, name: &str, retained: u64) -> [String; 6] {
    const LIVES: u64 = 10_000;
    let mut warm = Cycle::new(Duration::from_micros(50_000));
    (0..200_000).for_each(|n| live(&mut warm, &form.id(n)));
    let ids: Vec<_> = (200_000..200_000 + LIVES).map(|n| form.id(n)).collect();
    let count = |work: &mut dyn FnMut()| allocation_counter::measure(work).count_total;
    let all = count(&mut || ids.iter().for_each(|id| live(&mut warm, id)));
    let making = count(&mut || ids.iter().for_each(|id| drop(event(id))));
    let per_life = format!("{:.4}", all as f64 / LIVES as f64);
    let bytes = format!("{:.1}", tombstone_bytes(form, retained));
    [name.into(), LIVES.to_string(), all.to_string(), making.to_string(), per_life, bytes]
}

fn live(cycle: &mut Cycle, id: &str) {
    cycle.live(event(id));
    cycle.sweep();
}

fn event(id: &str) -> Event {
    Event::with_id(id, payload()).expect("a valid event")
}

/// Returns the bytes as requested from the allocator; what it adds itself shows in the resident bytes of the `engine`
/// benchmark.
fn tombstone_bytes(form: Form, retained: u64) -> f64 {
    let mut cycle = Cycle::new(Duration::from_secs(1_000_000));
    let held = allocation_counter::measure(|| (0..retained).for_each(|n| cycle.live(event(&form.id(n)))));
    held.bytes_current as f64 / retained as f64
}
