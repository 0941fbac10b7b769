//! Simulates a handler: a first version that charges a card twice, and one that does not.
//!
//! `cargo run -p eventful-sim --example simulate`

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};

use eventful::{Attempt, Event, Failure};
use eventful_sim::Check;

/// The payments of each customer. The check compares it after runs that were disturbed with one that was not.
type Accounts = Arc<Mutex<BTreeMap<String, u32>>>;

fn charges_each_time() {
    Check::observing(|| {
        let accounts = Accounts::default();
        let seen = Arc::clone(&accounts);
        let handler = move |event: Event, _: Attempt| {
            *accounts.lock().expect("no handler panics").entry(event.key().to_string()).or_default() += 1;
            async { Ok::<(), Failure>(()) }
        };
        (handler, move || seen.lock().expect("no handler panics").clone())
    })
    .run();
}

fn charges_once() {
    Check::observing(|| {
        let accounts = Accounts::default();
        let seen = Arc::clone(&accounts);
        let handler = move |event: Event, _: Attempt| {
            // The key of the event is that of the payment, so a second run changes nothing.
            accounts.lock().expect("no handler panics").insert(event.key().to_string(), 1);
            async { Ok::<(), Failure>(()) }
        };
        (handler, move || seen.lock().expect("no handler panics").clone())
    })
    .run();
}

fn main() {
    let flaw = catch_unwind(AssertUnwindSafe(charges_each_time));
    assert!(flaw.is_err(), "the check finds that the first version charges twice");
    charges_once();
    println!("the second version charges once, whatever happens");
}
