//! What a check says of a user's handler.
#![cfg(feature = "check")]

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use eventful::{Attempt, Event, Failure, Handler};
use eventful_sim::{Check, check};
use tokio::time::sleep;

/// How often each key was charged.
type Ledger = Arc<Mutex<BTreeMap<String, u32>>>;

#[test]
fn a_good_handler_passes() {
    check(|| |_: Event, _: Attempt| async { Ok::<(), Failure>(()) });
}

#[test]
fn a_handler_that_sets_what_it_sets_passes() {
    Check::observing(|| {
        observed(|ledger, event| async move {
            sleep(Duration::from_secs(1)).await;
            ledger.lock().unwrap().insert(event.key().to_string(), 1);
            sleep(Duration::from_secs(1)).await;
            Ok(())
        })
    })
    .run();
}

#[test]
fn a_handler_that_counts_its_runs_is_not_idempotent() {
    let said = finding(Check::observing(|| {
        observed(|ledger, event| async move {
            *ledger.lock().unwrap().entry(event.key().to_string()).or_default() += 1;
            Ok(())
        })
    }));
    assert_says(&said, &["not idempotent"]);
}

#[test]
fn a_handler_that_remembers_before_it_acts_is_not_cancel_safe() {
    let said = finding(Check::observing(|| {
        observed(|ledger, event| async move {
            let key = event.key().to_string();
            if ledger.lock().unwrap().contains_key(&key) {
                return Ok(());
            }
            ledger.lock().unwrap().insert(key.clone(), 0);
            sleep(Duration::from_secs(1)).await;
            ledger.lock().unwrap().insert(key, 1);
            Ok(())
        })
    }));
    assert_says(&said, &["not cancel-safe"]);
}

#[test]
fn a_handler_that_panics_is_told_with_its_message() {
    let said = finding(Check::new(|| {
        |event: Event, _: Attempt| async move {
            assert!(!event.payload().ends_with(b"3}"), "no threes");
            Ok::<(), Failure>(())
        }
    }));
    assert_says(&said, &["the handler panics", "no threes", "event-3"]);
}

#[test]
fn a_handler_that_waits_for_ever_hangs() {
    let said = finding(Check::new(|| |_: Event, _: Attempt| std::future::pending::<Result<(), Failure>>()));
    assert_says(&said, &["the handler hangs"]);
}

#[test]
fn a_handler_that_is_always_ready_to_go_on_hangs() {
    let said = finding(Check::new(|| {
        |_: Event, _: Attempt| async {
            loop {
                tokio::task::yield_now().await;
            }
        }
    }));
    assert_says(&said, &["the handler hangs"]);
}

/// A handler with a ledger, and a look at the ledger.
fn observed<F, Fut>(handle: F) -> (impl Handler, impl Fn() -> BTreeMap<String, u32>)
where
    F: Fn(Ledger, Event) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<(), Failure>> + Send,
{
    let ledger = Ledger::default();
    let seen = Arc::clone(&ledger);
    let handler = move |event: Event, _: Attempt| handle(Arc::clone(&ledger), event);
    (handler, move || seen.lock().unwrap().clone())
}

/// What the check says when it fails.
fn finding<H: Handler, T: PartialEq + Debug>(check: Check<H, T>) -> String {
    let panic = catch_unwind(AssertUnwindSafe(|| check.run())).expect_err("nothing was found");
    *panic.downcast::<String>().expect("a text")
}

fn assert_says(said: &str, wanted: &[&str]) {
    println!("{said}");
    for wanted in wanted {
        assert!(said.contains(wanted), "`{wanted}` is not in:\n{said}");
    }
}
