//! The findings of checks of handlers.
#![cfg(feature = "check")]

use std::any::Any;
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use eventful::{Attempt, Event, Failure, Handler, handler::json};
use eventful_sim::{Check, HandlerFault, check};
use tokio::sync::Semaphore;
use tokio::time::sleep;

/// The number of charges of each key.
type ChargedByKey = Arc<Mutex<BTreeMap<String, u32>>>;

#[test]
fn good_handler_passes() {
    check(|| |_: Event, _: Attempt| async { Ok::<(), Failure>(()) });
}

#[test]
fn handler_that_sets_what_it_sets_passes() {
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
fn handler_that_counts_its_runs_is_not_idempotent() {
    let said = finding(Check::observing(|| {
        observed(|ledger, event| async move {
            *ledger.lock().unwrap().entry(event.key().to_string()).or_default() += 1;
            Ok(())
        })
    }));
    assert_says(&said, &["not idempotent"]);
}

/// The README's example.
#[test]
#[should_panic(expected = "the handler is not idempotent")]
fn charges_once() {
    eventful_sim::Check::observing(|| {
        let ledger = Arc::new(Mutex::new(BTreeMap::new()));
        let world = Arc::clone(&ledger);
        let handler = move |event: Event, _: Attempt| {
            *ledger.lock().unwrap().entry(event.key().to_string()).or_insert(0) += 1;
            async { Ok::<(), Failure>(()) }
        };
        (handler, move || world.lock().unwrap().clone())
    })
    .run();
}

#[test]
fn handler_that_remembers_before_it_acts_is_not_cancel_safe() {
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
fn handler_dropped_at_a_ready_await_is_not_cancel_safe() {
    let said = finding(Check::observing(|| {
        let accounts = Arc::new(tokio::sync::Mutex::new(BTreeMap::new()));
        let world = Arc::clone(&accounts);
        let handler = move |event: Event, _: Attempt| {
            let accounts = Arc::clone(&accounts);
            async move {
                let key = event.key().to_string();
                let is_new = accounts.lock().await.insert(key.clone(), "taken").is_none();
                if is_new {
                    accounts.lock().await.insert(key + "'s counterpart", "given");
                }
                Ok::<(), Failure>(())
            }
        };
        (handler, move || world.blocking_lock().clone())
    }));
    assert_says(&said, &["not cancel-safe", "dropped at an await (run 1, 2nd await"]);
}

#[test]
fn panic_of_a_handler_is_reported_with_its_message() {
    let said = finding(Check::new(|| {
        |event: Event, _: Attempt| async move {
            assert!(!event.payload().ends_with(b"3}"), "no threes");
            Ok::<(), Failure>(())
        }
    }));
    assert_says(&said, &["the handler panics", "no threes", "event-3"]);
}

#[test]
fn handler_that_uses_the_network_is_advised_to_use_a_stand_in() {
    let said = finding(Check::new(|| {
        |_: Event, _: Attempt| async move {
            tokio::net::TcpStream::connect("127.0.0.1:9").await?;
            Ok::<(), Failure>(())
        }
    }));
    assert_says(&said, &["uses the network", "there is no network in a check: give the handler a stand-in"]);
}

#[test]
fn panic_of_a_repeated_run_is_reported_with_its_fault() {
    let said = finding(Check::observing(|| {
        observed(|ledger, event| async move {
            let earlier = ledger.lock().expect("not poisoned").insert(event.key().to_string(), 1);
            assert_eq!(earlier, None, "charged already");
            Ok(())
        })
    }));
    assert_says(&said, &["the handler panics", "charged already", "fault    event-", "the worker crashed after"]);
}

#[test]
fn handler_that_waits_for_ever_hangs() {
    let said = finding(Check::new(|| |_: Event, _: Attempt| std::future::pending::<Result<(), Failure>>()));
    assert_says(&said, &["the handler hangs"]);
}

#[test]
fn handler_that_is_always_ready_hangs() {
    let said = finding(Check::new(|| {
        |_: Event, _: Attempt| async {
            loop {
                tokio::task::yield_now().await;
            }
        }
    }));
    assert_says(&said, &["the handler hangs"]);
}

#[test]
fn stale_write_after_an_await_does_not_support_overlap() {
    let said = finding(
        Check::observing(|| {
            observed(|ledger, _| async move {
                let total = ledger.lock().unwrap().get("total").copied().unwrap_or(0);
                sleep(Duration::from_secs(1)).await;
                ledger.lock().unwrap().insert("total".to_owned(), total + 1);
                Ok(())
            })
        })
        .only([HandlerFault::Overlap]),
    );
    assert_says(&said, &["does not bear runs that overlap", "fault    runs of different events overlapped"]);
}

#[test]
fn handler_that_keeps_the_last_event_depends_on_the_order() {
    let said = finding(
        Check::observing(|| {
            observed(|ledger, event| async move {
                let number = u32::from(event.payload().iter().find(|byte| byte.is_ascii_digit()).copied().unwrap_or(0));
                ledger.lock().unwrap().insert("last".to_owned(), number);
                Ok(())
            })
        })
        .only([HandlerFault::Order]),
    );
    assert_says(&said, &["depends on the order", "without(Fault::Order)"]);
}

#[test]
fn handler_that_refuses_its_own_earlier_work_cannot_run_again() {
    let said = finding(Check::observing(|| {
        observed(|ledger, event| async move {
            match ledger.lock().unwrap().insert(event.key().to_string(), 1) {
                Some(_) => Err(Failure::permanent("it exists already")),
                None => Ok(()),
            }
        })
    }));
    assert_says(&said, &["does not survive being run again", "it exists already", "the worker crashed after"]);
}

#[test]
fn handler_that_loses_a_permit_when_it_is_dropped_hangs_later() {
    let said = finding(Check::new(|| {
        let pool = Arc::new(Semaphore::new(1));
        move |_: Event, _: Attempt| {
            let pool = Arc::clone(&pool);
            async move {
                pool.acquire().await?.forget();
                sleep(Duration::from_secs(1)).await;
                pool.add_permits(1);
                Ok::<(), Failure>(())
            }
        }
    }));
    assert_says(&said, &["hangs after it was disturbed", "the run was dropped at an await (run 1, 1st await"]);
}

#[test]
fn failure_without_faults_is_reported_unless_allowed() {
    let refuse = || |_: Event, _: Attempt| async { Err::<(), _>(Failure::permanent("not my kind")) };
    let said = finding(Check::new(refuse));
    assert_says(&said, &["fails although nothing disturbs it", "not my kind", "Check::events"]);
    Check::new(refuse).may_fail().run();
}

#[test]
fn shared_world_is_distinguished_from_a_flaw_of_the_handler() {
    let ledger = ChargedByKey::default();
    let said = finding(Check::observing(move || {
        let (mine, seen) = (Arc::clone(&ledger), Arc::clone(&ledger));
        let handler = move |_: Event, _: Attempt| {
            *mine.lock().unwrap().entry("all".to_owned()).or_default() += 1;
            async { Ok::<(), Failure>(()) }
        };
        (handler, move || seen.lock().unwrap().clone())
    }));
    assert_says(&said, &["not the same after two calm runs", "build a new world in each call"]);
}

#[test]
fn command_of_a_finding_shows_it_again() {
    let said = said(charges_once);
    let (_, named) = said.split_once("EVENTFUL_SIM_SEED=").expect("a seed");
    let (seed, command) = named.split_once(' ').expect("a command");
    assert_eq!(command.trim_end(), "cargo test command_of_a_finding_shows_it_again");
    let panics_with = |seed: &str| {
        let mut test = Command::new(std::env::current_exe().expect("a program"));
        let run = test.args(["--exact", "charges_once"]).env("EVENTFUL_SIM_SEED", seed).output();
        run.expect("it runs").status.success()
    };
    assert!(panics_with(seed), "seed {seed} finds nothing");
    assert!(!panics_with("0"), "seed 0 finds something, so the given seed was ignored");
}

#[test]
fn seed_says_the_same_each_time() {
    let counting = || {
        Check::observing(|| {
            observed(|ledger, event| async move {
                sleep(Duration::from_millis(10)).await;
                *ledger.lock().unwrap().entry(event.key().to_string()).or_default() += 1;
                Ok(())
            })
        })
    };
    assert_eq!(finding(counting()), finding(counting()));
}

#[test]
fn fault_that_is_left_out_does_not_strike() {
    let keeping_the_last = || {
        Check::observing(|| {
            observed(|ledger, event| async move {
                ledger.lock().unwrap().insert("last".to_owned(), u32::from(event.payload()[10]));
                Ok(())
            })
        })
    };
    finding(keeping_the_last().only([HandlerFault::Order, HandlerFault::Duplicate]));
    keeping_the_last().only([HandlerFault::Order, HandlerFault::Duplicate]).without(HandlerFault::Order).run();
}

#[test]
fn handler_that_waits_retries_snoozes_and_beats_passes() {
    Check::observing(|| {
        let ledger = ChargedByKey::default();
        let (seen, lock) = (Arc::clone(&ledger), Arc::new(tokio::sync::Mutex::new(())));
        let handler = move |event: Event, attempt: Attempt| {
            let (ledger, lock) = (Arc::clone(&ledger), Arc::clone(&lock));
            async move {
                if attempt.number() == 1 {
                    return Err(Failure::snooze(Duration::from_secs(5)));
                }
                if attempt.number() == 2 {
                    return Err(Failure::retry("not yet"));
                }
                attempt.heartbeat()?;
                let _turn = lock.lock().await;
                sleep(Duration::from_millis(100)).await;
                let key = event.key().to_string();
                let known = tokio::task::spawn_blocking(move || ledger.lock().unwrap().insert(key, 1)).await?;
                sleep(Duration::from_millis(u64::from(known.unwrap_or(0)))).await;
                Ok(())
            }
        };
        (handler, move || seen.lock().unwrap().clone())
    })
    .seeds(50)
    .run();
}

/// Returns a handler with a ledger, and a view on the ledger.
fn observed<F, Fut>(handle: F) -> (impl Handler, impl Fn() -> BTreeMap<String, u32>)
where
    F: Fn(ChargedByKey, Event) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<(), Failure>> + Send,
{
    let ledger = ChargedByKey::default();
    let seen = Arc::clone(&ledger);
    let handler = move |event: Event, _: Attempt| handle(Arc::clone(&ledger), event);
    (handler, move || seen.lock().expect("no panic under the lock").clone())
}

#[test]
fn check_inside_a_runtime_says_where_it_belongs() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let said = said(|| runtime.block_on(async { check(|| |_: Event, _: Attempt| async { Ok::<(), Failure>(()) }) }));
    assert_says(&said, &["a plain #[test]", "#[tokio::test]"]);
}

#[test]
fn check_of_no_events_is_refused() {
    let no_events = || Check::new(|| |_: Event, _: Attempt| async { Ok::<(), Failure>(()) }).events([]);
    assert_says(&said(|| no_events().run()), &["no events"]);
}

/// Returns the text with which the check fails.
fn finding<H: Handler, T: PartialEq + Debug>(check: Check<H, T>) -> String {
    said(|| check.run())
}

/// Returns the message with which `act` panics.
fn said(act: impl FnOnce()) -> String {
    let panic = catch_unwind(AssertUnwindSafe(act)).expect_err("nothing was found");
    let fixed = |panic: Box<dyn Any + Send>| panic.downcast::<&str>().map(|text| text.to_string());
    panic.downcast::<String>().map_or_else(|panic| fixed(panic).expect("a text"), |text| *text)
}

fn assert_says(said: &str, wanted: &[&str]) {
    println!("{said}");
    for wanted in wanted {
        assert!(said.contains(wanted), "`{wanted}` is not in:\n{said}");
    }
}

#[test]
fn readme_shows_the_example_that_is_tested() {
    let lines = |text: &str| text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n");
    let tests = lines(include_str!("check.rs"));
    let start = tests.find("fn charges_once()").expect("the example");
    let example = &tests[start..start + tests[start..].find("\n}").expect("its end") + 2];
    assert!(
        lines(include_str!("../../README.md")).contains(example),
        "the README shows something else than:\n{example}"
    );
}

#[test]
fn typed_handler_is_checked_as_a_plain_one() {
    check(|| {
        json(
            |payload: Numbered, _: Attempt| async move { if payload.number < 8 { Ok(()) } else { Err("of another")? } },
        )
    });

    let said = said(|| check(|| json(|payload: Numbered, _: Attempt| async move { panic!("{}", payload.number) })));
    assert_says(&said, &["panic"]);
}

/// The payload of the events that a check submits.
#[derive(serde::Deserialize)]
struct Numbered {
    number: u64,
}

#[test]
fn follow_ups_are_checked_as_their_events_are() {
    // A good chain: each key follows from that of its event.
    check(|| {
        |event: Event, attempt: Attempt| async move {
            sleep(Duration::from_secs(1)).await;
            if event.event_type() != Some("mail") {
                let key = eventful::Key::new("mail", &event.key().to_string())?;
                attempt.follow_up(Event::new(key, "").with_type("mail")?)?;
            }
            Ok::<(), Failure>(())
        }
    });
}

#[test]
fn follow_up_that_fails_is_named() {
    let said = finding(Check::new(|| {
        |event: Event, attempt: Attempt| async move {
            if event.event_type() == Some("mail") {
                return Err(Failure::permanent("no address"));
            }
            let key = eventful::Key::new("mail", &event.key().id().to_string())?;
            attempt.follow_up(Event::new(key, "").with_type("mail")?)?;
            Ok(())
        }
    }));
    assert_says(&said, &["the handler fails", "no address", "mail"]);
}
