//! The builder: the order of its calls changes nothing, and what cannot work does not start.

mod harness;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use eventful::{Attempt, Builder, Config, Event, Eventful, Failure, Status};
use harness::*;

const HOUR: Duration = Duration::from_secs(3600);

#[tokio::test]
async fn configure_changes_one_field_of_the_defaults() {
    let eventful = started(Eventful::builder().configure(|config| config.max_attempts = 3));
    assert_eq!((eventful.config().max_attempts, eventful.config().retention), (3, HOUR));
}

#[tokio::test]
async fn config_and_configure_mean_the_same_in_any_order() {
    let edit = |config: &mut Config| config.max_attempts = 3;
    let first = started(Eventful::builder().seed(7).configure(edit).config(narrow()));
    let last = started(Eventful::builder().config(narrow()).configure(edit).seed(7));
    assert_eq!(first.config(), last.config());
    assert_eq!((first.config().max_attempts, first.config().backoff.jitter_percent), (3, 0));
}

#[tokio::test]
async fn seed_of_the_configuration_is_used() {
    let mut config = narrow();
    config.seed = Some(7);
    assert_eq!(started(Eventful::builder().config(config)).config().seed, Some(7));
}

#[tokio::test]
async fn unset_seed_is_drawn_at_random() {
    let seed = || started(Eventful::builder().config(narrow())).config().seed;
    let drawn = [seed(), seed()];
    assert!(drawn[0].is_some() && drawn[0] != drawn[1], "{drawn:?}");
}

#[tokio::test]
async fn builder_without_runs_keeps_events_and_handles_none() {
    let handled = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&handled);
    let handler = move |_: Event, _: Attempt| {
        count.fetch_add(1, Ordering::Relaxed);
        async { Ok::<_, Failure>(()) }
    };
    let eventful = Eventful::builder().without_runs().start(handler).expect("it starts");
    eventful.submit(event("order-17")).await.expect("it is accepted");
    // Every task that could begin has had its turn.
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert_eq!(status(&eventful, "order-17"), Some(Status::Received));
    let report = eventful.shutdown(None).await;
    assert_eq!((report.left, handled.load(Ordering::Relaxed)), (1, 0), "{report:?}");
}

#[cfg(feature = "durable")]
mod durable {
    use super::*;
    use eventful::journal::{DiskStore, MemoryStore};
    use eventful::{Durability, StartError, Submitted, engine::InvalidConfig};

    fn journal(builder: Builder) -> Builder {
        builder.journal(MemoryStore::new(), Durability::default())
    }

    #[tokio::test]
    async fn journal_brings_its_defaults_before_and_after_configure() {
        let edit = |config: &mut Config| config.max_attempts = 3;
        let first = started(journal(Eventful::builder().seed(7)).configure(edit));
        let last = started(journal(Eventful::builder().configure(edit)).seed(7));
        assert_eq!(first.config(), last.config());
        assert_eq!((first.config().max_attempts, first.config().retention), (3, 96 * HOUR));
    }

    #[tokio::test]
    async fn retention_that_is_set_stays_with_a_journal() {
        let edit = |config: &mut Config| config.retention = HOUR;
        let (before, after) = (Eventful::builder().configure(edit), journal(Eventful::builder()).configure(edit));
        assert_eq!(started(journal(before)).config().retention, HOUR);
        assert_eq!(started(after).config().retention, HOUR);
        assert_eq!(started(journal(Eventful::builder().config(Config::default()))).config().retention, HOUR);
    }

    #[tokio::test]
    async fn on_recovery_is_called_when_set_before_and_after_journal() {
        for is_first in [true, false] {
            let calls = Arc::new(AtomicU32::new(0));
            let counted = Arc::clone(&calls);
            let count = move |_| _ = counted.fetch_add(1, Ordering::SeqCst);
            let builder = Eventful::builder();
            let builder = match is_first {
                true => journal(builder.on_recovery(count)),
                false => journal(builder).on_recovery(count),
            };
            let _eventful = started(builder);
            assert_eq!(calls.load(Ordering::SeqCst), 1, "called first: {is_first}");
        }
    }

    #[tokio::test]
    async fn on_recovery_without_a_journal_is_refused() {
        let refused = Eventful::builder().on_recovery(|_| {}).start(succeed).err();
        assert_eq!(refused, Some(StartError::NoJournal));
    }

    #[tokio::test]
    async fn durability_that_refuses_every_event_is_refused() {
        let refused = |change: fn(&mut Durability)| {
            let mut durability = Durability::default();
            change(&mut durability);
            let started = Eventful::builder().journal(MemoryStore::new(), durability).start(succeed);
            started.expect_err("it is refused").to_string()
        };
        let zero = "durability.max_unsynced_bytes is zero: set it to at least 1";
        assert_eq!(refused(|durability| durability.max_unsynced_bytes = 0), zero);
        let reserve = "max_bytes of the journal less durability.reserve_bytes is less than max_event_bytes: raise max_bytes of \
                       the journal less durability.reserve_bytes or lower max_event_bytes";
        assert_eq!(refused(|durability| durability.reserve_bytes = u64::MAX), reserve);
    }

    #[tokio::test]
    async fn event_that_may_be_longer_than_a_frame_is_refused() {
        let mut config = Config::durable();
        (config.max_event_bytes, config.max_bytes, config.max_failed_bytes) = (5 << 30, 5 << 30, 5 << 30);
        let builder = Eventful::builder().config(config).journal(MemoryStore::new(), Durability::default());
        let error = builder.start(succeed).expect_err("it is refused").to_string();
        // A frame has 4 GiB, and a group may have 1 MiB before the event.
        assert_eq!(error, "max_event_bytes is more than 4292870143, the most that is allowed: lower it");
    }

    #[tokio::test]
    async fn journal_without_room_for_one_event_is_refused() {
        let directory = tempfile::tempdir().expect("a directory");
        let place = directory.path().join("data");
        let least = Durability::default().reserve_bytes + Config::default().max_event_bytes as u64;
        let refused = |max_bytes| {
            let store = DiskStore::new(&place).max_bytes(max_bytes);
            Eventful::builder().journal(store, Durability::default()).start(succeed).err()
        };
        let words = Some(StartError::InvalidConfig(InvalidConfig::Less(
            "max_bytes of the journal less durability.reserve_bytes",
            "max_event_bytes",
        )));
        assert_eq!(refused(least - 1), words);
        assert!(!place.exists());
        assert_eq!(refused(least), None);
    }

    #[tokio::test]
    async fn event_size_that_no_frame_takes_is_refused() {
        let directory = tempfile::tempdir().expect("a directory");
        let refused = |max_event_bytes| {
            let large = move |config: &mut Config| {
                (config.max_bytes, config.max_failed_bytes, config.max_event_bytes) =
                    (2 << 30, 2 << 30, max_event_bytes);
            };
            let builder = Eventful::builder().journal(DiskStore::new(directory.path()), Durability::default());
            builder.configure(large).start(succeed).err()
        };
        // Room for a group that is not full yet, and for what is beside its facts.
        let limit = (1 << 30) - (2 << 20);
        let words = Some(StartError::InvalidConfig(InvalidConfig::Greater("max_event_bytes", limit as u64)));
        assert_eq!(refused(limit + 1), words);
        assert_eq!(refused(limit), None);
    }

    #[tokio::test]
    async fn opened_on_another_thread_it_serves_what_the_journal_holds() {
        let directory = tempfile::tempdir().expect("a directory");
        let builder = || Eventful::builder().journal(DiskStore::new(directory.path()), Durability::default());
        let eventful = builder().open(succeed).await.expect("it opens");
        assert_eq!(eventful.submit(event("a")).await, Ok(Submitted::Accepted));
        eventful.shutdown(None).await;

        let eventful = builder().open(succeed).await.expect("it opens again");
        assert!(matches!(eventful.submit(event("a")).await, Ok(Submitted::Duplicate(_))));
        eventful.shutdown(None).await;
    }

    #[tokio::test]
    async fn opening_lets_the_runtime_run_meanwhile() {
        let directory = tempfile::tempdir().expect("a directory");
        let (began, wait) = std::sync::mpsc::channel::<()>();
        // The journal is not read before another task of this runtime, of one thread, says so.
        let held = move |_| wait.recv().expect("it is let go");
        let builder = Eventful::builder().journal(DiskStore::new(directory.path()), Durability::default());
        let opening = tokio::spawn(builder.on_recovery(held).open(succeed));
        tokio::task::yield_now().await;
        began.send(()).expect("it waits");
        opening.await.expect("no panic").expect("it opens").shutdown(None).await;
    }

    #[tokio::test]
    async fn open_passes_on_why_it_does_not_start() {
        let directory = tempfile::tempdir().expect("a directory");
        let builder = || Eventful::builder().journal(DiskStore::new(directory.path()), Durability::default());
        let first = builder().open(succeed).await.expect("it opens");
        let refused = builder().open(succeed).await.err();
        assert!(matches!(refused, Some(StartError::Open(_))), "{refused:?}");
        first.shutdown(None).await;
    }

    #[test]
    fn open_outside_of_a_runtime_is_refused() {
        let directory = tempfile::tempdir().expect("a directory");
        let builder = Eventful::builder().journal(DiskStore::new(directory.path()), Durability::default());
        assert_eq!(at_once(builder.open(succeed)).err(), Some(StartError::NoRuntime));
    }
}

fn started(builder: Builder) -> Eventful {
    builder.start(succeed).expect("it starts")
}
