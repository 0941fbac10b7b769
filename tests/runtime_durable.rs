//! The adapter with a journal: what leaves it is durable, and what fails is opened again.

#[path = "harness/disk.rs"]
mod disk;
mod harness;

use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Waker};
use std::time::Duration;

use bytes::Bytes;
use disk::{AppendFate, TroubledDisk};
use eventful::journal::{
    Intercept, Intercepted, Journal, JournalStore, MemoryStore, OpenError, Owner, Recovered, WriteError,
};
use eventful::{
    Attempt, Builder, Config, Durability, Event, Eventful, Failure, Notice, StartError, Status, SubmitError, Submitted,
    Timestamp, Unavailable, WaitError,
    clock::{Clock as _, ManualClock},
    durability::StartDurability,
    engine::Bound,
    metrics::{NotReady, Readiness},
};
use harness::*;
use tokio::task::JoinHandle;

fn builder(disk: &TroubledDisk) -> Builder {
    builder_with(disk, Durability::default())
}

fn builder_with(disk: &TroubledDisk, durability: Durability) -> Builder {
    Eventful::builder().config(config()).seed(1).journal(disk.store(), durability)
}

fn config() -> Config {
    let mut config = Config::default();
    config.abort_grace = SECOND;
    config
}

fn open(disk: &TroubledDisk, gate: &Arc<HandlerGate>) -> Eventful {
    builder(disk).start(gate.handler()).expect("it opens")
}

fn submitting(eventful: &Eventful, id: &str) -> JoinHandle<Result<Submitted, SubmitError>> {
    let (eventful, event) = (eventful.clone(), event(id));
    tokio::spawn(async move { eventful.try_submit(event).await })
}

/// Waits in virtual time until the event has this status.
async fn comes_to(eventful: &Eventful, id: &str, wanted: Status) {
    for _ in 0..10_000 {
        let record = eventful.get(&key(id)).await;
        if matches!(record, Ok(Some(record)) if record.status == wanted) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{id} is never {wanted}: {:?}", eventful.explain(&key(id)).await);
}

#[tokio::test(start_paused = true)]
async fn payload_is_dropped_as_soon_as_its_group_is_durable() {
    struct Payload(#[allow(dead_code, reason = "it counts")] Arc<()>);
    impl AsRef<[u8]> for Payload {
        fn as_ref(&self) -> &[u8] {
            b"payload"
        }
    }
    let (disk, gate) = (TroubledDisk::new(), HandlerGate::closed());
    let eventful = open(&disk, &gate);
    eventful.pause().await.expect("it is ready");
    let held = Arc::new(());
    let key = key("a");
    let event = Event::new(key.clone(), Bytes::from_owner(Payload(Arc::clone(&held))));

    // Both are in one group, and nothing is written after it.
    let (submitted, discarded) = tokio::join!(eventful.try_submit(event), eventful.discard(&key));

    assert!(submitted.is_ok() && discarded.is_ok(), "{submitted:?}, {discarded:?}");
    assert_eq!(Arc::strong_count(&held), 1);
}

#[tokio::test(start_paused = true)]
async fn completed_events_are_known_after_a_restart_and_not_run_again() {
    let (disk, gate) = (TroubledDisk::new(), HandlerGate::closed());
    gate.let_through(1000);
    let eventful = open(&disk, &gate);
    assert_eq!(eventful.submit(event("a")).await, Ok(Submitted::Accepted));
    comes_to(&eventful, "a", Status::Completed).await;
    let report = eventful.shutdown(None).await;
    assert_eq!((report.unsynced, report.left), (0, 0));

    let eventful = open(&disk, &gate);
    assert!(
        matches!(eventful.submit(event("a")).await, Ok(Submitted::Duplicate(known)) if known.status == Status::Completed)
    );
    let other = Event::with_id("a", "another payload").expect("an event");
    assert!(matches!(eventful.submit(other).await, Err(SubmitError::Conflict(_))));
    assert_eq!((gate.came(), stats(&eventful).engine.facts.accepted), (1, 1));
}

#[tokio::test]
async fn snapshot_after_bytes_of_zero_is_refused_before_the_opening() {
    let disk = TroubledDisk::new();
    disk.with(|trouble| trouble.refusals = vec![OpenError::InUse { owner: "another process".into() }]);
    let mut durability = Durability::default();
    durability.snapshot_after_bytes = 0;

    let refused = builder_with(&disk, durability).start(HandlerGate::closed().handler()).map(drop);

    let words = "durability.snapshot_after_bytes is zero: set it to at least 1";
    assert_eq!(refused.map_err(|error| error.to_string()), Err(words.to_owned()));
}

#[tokio::test(start_paused = true)]
async fn run_open_when_the_process_died_is_charged_as_crashed() {
    let (disk, gate) = (TroubledDisk::new(), HandlerGate::closed());
    let eventful = open(&disk, &gate);
    eventful.submit(event("a")).await.expect("room");
    until_time("the handler is called", || gate.came() == 1).await;
    assert_eq!(disk.status("a"), Some(Status::Processing), "its start is durable before it is called");
    drop(eventful);

    let eventful = open(&disk, &gate);
    let record = eventful.get(&key("a")).await.expect("open").expect("it is known");
    assert_eq!(record.charge.charged + record.charge.refunds, 1);
    gate.let_through(1000);
    comes_to(&eventful, "a", Status::Completed).await;
    assert_eq!(gate.came(), 2);
}

#[tokio::test(start_paused = true)]
async fn result_that_is_not_durable_is_unknown_and_safe_to_repeat() {
    for (fate, again) in [(AppendFate::FailsBefore, true), (AppendFate::FailsAfter, false), (AppendFate::Panics, true)]
    {
        let (disk, gate) = (TroubledDisk::new(), HandlerGate::closed());
        let eventful = open(&disk, &gate);
        let mut facts = eventful.subscribe(100).expect("open");
        disk.decide(&[fate]);

        let unknown = Err(SubmitError::Unavailable(Unavailable::Unknown));
        assert_eq!(eventful.try_submit(event("a")).await, unknown, "{fate:?}");
        until_time("it is open again", || eventful.readiness() == Readiness::Ready).await;

        let accepted = eventful.try_submit(event("a")).await.expect("it is open") == Submitted::Accepted;
        assert_eq!(accepted, again, "{fate:?}");
        assert_eq!(facts.recv().await, Some(Notice::Reopened), "{fate:?}");
        gate.let_through(1000);
        comes_to(&eventful, "a", Status::Completed).await;
        assert_eq!((stats(&eventful).journal_reopenings, stats(&eventful).engine.facts.accepted), (1, 1), "{fate:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn submitter_that_waits_for_the_journal_does_not_wait_for_room() {
    let (disk, gate) = (TroubledDisk::new(), HandlerGate::closed());
    let full = |config: &mut Config| (config.max_pending, config.concurrency) = (1, 1.try_into().expect("not zero"));
    let eventful = builder(&disk).configure(full).start(gate.handler()).expect("it opens");
    eventful.submit(event("a")).await.expect("room");
    until_time("the handler is called", || gate.came() == 1).await;
    let waiting = tokio::spawn({
        let eventful = eventful.clone();
        async move { eventful.submit(event("b")).await }
    });
    until_time("it waits for room", || stats(&eventful).submitters_waiting == 1).await;

    disk.decide(&[AppendFate::Full; 3]);
    gate.let_through(1);
    until_time("it is taken", || stats(&eventful).engine.facts.accepted == 2).await;

    assert_eq!(stats(&eventful).submitters_waiting, 0);
    assert!(stats(&eventful).unsynced > 0 && !waiting.is_finished());
    assert_eq!(waiting.await.expect("no panic"), Ok(Submitted::Accepted));
    gate.let_through(1000);
}

#[tokio::test(start_paused = true)]
async fn waits_return_when_the_end_is_durable() {
    let (disk, gate) = (TroubledDisk::new(), HandlerGate::closed());
    let eventful = open(&disk, &gate);
    eventful.submit(event("a")).await.expect("room");
    until_time("the handler is called", || gate.came() == 1).await;
    let (one, all) = (eventful.clone(), eventful.clone());
    let one = tokio::spawn(async move { one.wait(&key("a")).await.map(|record| record.status) });
    let all = tokio::spawn(async move { all.wait_idle().await });
    disk.decide(&[AppendFate::Full; 3]);
    gate.let_through(1000);
    until_time("it is completed in memory", || stats(&eventful).engine.gauges.records(Status::Completed) == 1).await;
    assert!(!one.is_finished() && !all.is_finished());
    assert_eq!(one.await.expect("no panic"), Ok(Status::Completed));
    assert_eq!(all.await.expect("no panic"), Ok(()));
    assert_eq!(disk.status("a"), Some(Status::Completed));
}

#[tokio::test(start_paused = true)]
async fn waits_end_with_an_error_when_the_journal_fails() {
    let (disk, gate) = (TroubledDisk::new(), HandlerGate::closed());
    let eventful = open(&disk, &gate);
    eventful.submit(event("a")).await.expect("room");
    until_time("the handler is called", || gate.came() == 1).await;
    let (one, all) = (eventful.clone(), eventful.clone());
    let one = tokio::spawn(async move { one.wait(&key("a")).await });
    let all = tokio::spawn(async move { all.wait_idle().await });
    disk.decide(&[AppendFate::FailsBefore]);
    gate.let_through(1000);
    assert!(matches!(one.await.expect("no panic"), Err(WaitError::Unavailable(why)) if why.is_temporary()));
    assert!(matches!(all.await.expect("no panic"), Err(WaitError::Unavailable(why)) if why.is_temporary()));
    until_time("it is open again", || eventful.readiness() == Readiness::Ready).await;
    assert_eq!(eventful.wait(&key("a")).await.map(|record| record.status), Ok(Status::Completed));
}

#[tokio::test(start_paused = true)]
async fn a_duplicate_and_a_look_wait_for_the_original() {
    let (disk, gate) = (TroubledDisk::new(), HandlerGate::closed());
    let eventful = open(&disk, &gate);
    disk.decide(&[AppendFate::FailsBefore]);
    let original = submitting(&eventful, "a");
    let duplicate = submitting(&eventful, "a");
    let look = tokio::spawn({
        let eventful = eventful.clone();
        async move { eventful.get(&key("a")).await }
    });
    let unknown = Err(SubmitError::Unavailable(Unavailable::Unknown));
    assert_eq!(original.await.expect("no panic"), unknown);
    assert_eq!(duplicate.await.expect("no panic"), unknown);
    assert_eq!(look.await.expect("no panic"), Err(Unavailable::Unknown));
}

#[tokio::test(start_paused = true)]
async fn runs_of_an_abandoned_engine_are_stopped_and_run_again() {
    let (disk, gate) = (TroubledDisk::new(), HandlerGate::closed());
    let eventful = open(&disk, &gate);
    eventful.submit(event("a")).await.expect("room");
    until_time("the handler is called", || gate.came() == 1).await;
    disk.decide(&[AppendFate::FailsBefore]);
    assert!(eventful.try_submit(event("b")).await.is_err());
    until_time("it is open again", || eventful.readiness() == Readiness::Ready).await;

    gate.let_through(1000);
    comes_to(&eventful, "a", Status::Completed).await;
    assert_eq!(gate.came(), 2);
    until_time("all permits are back", || stats(&eventful).workers_running == 0).await;
    assert_eq!(eventful.get(&key("b")).await, Ok(None), "it was not written");
}

#[tokio::test(start_paused = true)]
async fn events_are_refused_while_the_journal_is_opened_again() {
    let (disk, gate) = (TroubledDisk::new(), HandlerGate::closed());
    let eventful = open(&disk, &gate);
    disk.fail_openings(3);
    disk.decide(&[AppendFate::FailsBefore]);
    assert!(eventful.try_submit(event("a")).await.is_err());
    settle_down().await;
    assert_eq!(eventful.readiness(), Readiness::NotReady(NotReady::Reopening));
    let reopening = Err(SubmitError::Unavailable(Unavailable::Reopening));
    assert_eq!(eventful.try_submit(event("a")).await, reopening);
    assert_eq!(eventful.submit(event("a")).await, reopening);
    assert_eq!(eventful.submit_batch([event("a")]).await, [reopening]);
    assert_eq!(eventful.pause().await, Err(eventful::operator::PauseError::Unavailable(Unavailable::Reopening)));

    until_time("it is open again", || eventful.readiness() == Readiness::Ready).await;
    assert_eq!(eventful.try_submit(event("a")).await, Ok(Submitted::Accepted));
}

#[tokio::test(start_paused = true)]
async fn journal_taken_by_another_owner_stays_down() {
    let (disk, gate) = (TroubledDisk::new(), HandlerGate::closed());
    let eventful = open(&disk, &gate);
    eventful.submit(event("a")).await.expect("room");
    disk.decide(&[AppendFate::Fenced]);
    assert_eq!(eventful.try_submit(event("b")).await, Err(SubmitError::Unavailable(Unavailable::Unknown)));
    settle_down().await;
    assert_eq!(eventful.readiness(), Readiness::NotReady(NotReady::JournalDown));
    assert_eq!(eventful.try_submit(event("b")).await, Err(SubmitError::Unavailable(Unavailable::JournalDown)));
    let report = eventful.shutdown(None).await;
    assert!(report.took <= SECOND * 40, "{report:?}");
}

#[tokio::test(start_paused = true)]
async fn a_journal_that_is_opened_in_vain_is_not_opened_again_at_once() {
    let (disk, gate) = (TroubledDisk::new(), HandlerGate::closed());
    let eventful = open(&disk, &gate);
    let before = disk.with(|trouble| trouble.appends);
    disk.decide(&[AppendFate::FailsBefore; 4]);
    assert!(eventful.try_submit(event("a")).await.is_err());
    settle_down().await;
    assert_eq!(disk.with(|trouble| trouble.appends) - before, 2, "one write, and one after the first opening");

    until_time("the disk works again", || disk.has_no_more_fates()).await;
    until_time("it is ready", || eventful.readiness() == Readiness::Ready).await;
    assert_eq!(eventful.try_submit(event("a")).await, Ok(Submitted::Accepted));
}

#[tokio::test(start_paused = true)]
async fn group_without_room_is_written_when_there_is_room() {
    let (disk, gate) = (TroubledDisk::new(), HandlerGate::closed());
    let eventful = open(&disk, &gate);
    eventful.submit(event("a")).await.expect("room");
    until_time("the handler is called", || gate.came() == 1).await;
    disk.decide(&[AppendFate::Full; 3]);

    let accepted = submitting(&eventful, "b");
    settle_down().await;
    assert!(!accepted.is_finished(), "it is not durable yet");
    assert_eq!(accepted.await.expect("no panic"), Ok(Submitted::Accepted));

    until_time("the handler is called for b", || gate.came() == 2).await;
    let stats = stats(&eventful);
    assert_eq!((stats.journal_reopenings, stats.engine.gauges.inflight), (0, 2), "a was not stopped");
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_without_room_for_the_last_facts_ends_and_says_so() {
    let (disk, gate) = (TroubledDisk::new(), HandlerGate::closed());
    let eventful = open(&disk, &gate);
    eventful.submit(event("a")).await.expect("room");
    until_time("the handler is called", || gate.came() == 1).await;
    disk.decide(&[AppendFate::Full; 1000]);
    let report = eventful.shutdown(Some(SECOND)).await;
    assert_eq!((report.interrupted, report.left, report.unsynced), (1, 1, 1), "{report:?}");
    assert!(report.took <= SECOND * 8, "{report:?}");
}

#[tokio::test(start_paused = true)]
async fn freed_room_is_noticed_without_anything_to_write() {
    let (disk, gate) = (TroubledDisk::new(), HandlerGate::closed());
    let eventful = open(&disk, &gate);
    disk.with(|trouble| trouble.room = 10);
    assert_eq!(eventful.try_submit(event("a")).await, Ok(Submitted::Accepted), "the room was not measured yet");
    settle_down().await;
    assert!(matches!(eventful.try_submit(event("b")).await, Err(SubmitError::Overloaded { bound: Bound::Disk, .. })));
    let waiting = eventful.clone();
    let waits = tokio::spawn(async move { waiting.submit(event("c")).await });
    settle_down().await;
    disk.with(|trouble| trouble.room = u64::MAX);

    assert_eq!(waits.await.expect("no panic"), Ok(Submitted::Accepted));
    assert_eq!(eventful.try_submit(event("b")).await, Ok(Submitted::Accepted));
}

#[tokio::test]
async fn panic_of_a_store_that_blocks_is_passed_on_by_open() {
    let store = Intercepted::new(Box::new(MemoryStore::new()), PanickingStore);
    let builder = Eventful::builder().config(Config::durable()).journal(store, Durability::default());
    let opening = tokio::spawn(async move { builder.open(succeed).await.map(drop) });
    let panic = opening.await.expect_err("the store panics").into_panic();
    assert_eq!(panic.downcast_ref::<&str>(), Some(&"a bug in the store"));
}

#[tokio::test(start_paused = true)]
async fn tallies_continue_when_the_journal_is_opened_again() {
    let (disk, gate) = (TroubledDisk::new(), HandlerGate::closed());
    let eventful = open(&disk, &gate);
    eventful.submit(event("a")).await.expect("room");
    eventful.submit(event("a")).await.expect("a duplicate");
    let before = stats(&eventful).engine;
    disk.decide(&[AppendFate::FailsBefore]);
    assert!(eventful.try_submit(event("b")).await.is_err());
    until_time("it is open again", || eventful.readiness() == Readiness::Ready).await;

    let after = stats(&eventful).engine;
    assert_eq!((before.tallies.deduplicated, after.tallies.deduplicated), (1, 1));
    assert!(after.histograms.queue_time.count() >= before.histograms.queue_time.count());
}

#[tokio::test(start_paused = true)]
async fn readers_get_the_last_facts_of_a_shutdown_before_its_end() {
    let (disk, gate) = (TroubledDisk::new(), HandlerGate::closed());
    let eventful = open(&disk, &gate);
    for id in ["a", "b", "c"] {
        eventful.submit(event(id)).await.expect("room");
    }
    until_time("the handlers are called", || gate.came() == 3).await;
    let mut facts = eventful.subscribe(100).expect("open");
    let reading = tokio::spawn(async move {
        let mut read = 0;
        while facts.recv().await.is_some() {
            read += 1;
        }
        read
    });
    settle_down().await;
    let report = eventful.shutdown(Some(Duration::ZERO)).await;
    assert_eq!((report.interrupted, reading.await.expect("no panic")), (3, 3));
}

#[tokio::test(start_paused = true)]
async fn a_journal_that_has_lost_what_was_durable_stays_down() {
    let (disk, gate) = (TroubledDisk::new(), HandlerGate::closed());
    let eventful = open(&disk, &gate);
    eventful.submit(event("a")).await.expect("room");
    disk.with(|trouble| trouble.is_emptied = true);
    disk.decide(&[AppendFate::FailsBefore]);
    assert_eq!(eventful.try_submit(event("b")).await, Err(SubmitError::Unavailable(Unavailable::Unknown)));
    settle_down().await;
    assert_eq!(eventful.readiness(), Readiness::NotReady(NotReady::JournalDown));
    eventful.shutdown(None).await;
}

/// Asks this engine to end while the journal is opened the next time.
#[derive(Debug, Clone, Default)]
struct EndsAtOpening(Arc<Mutex<Option<Eventful>>>);

impl Intercept for EndsAtOpening {
    fn open(&mut self, store: &mut dyn JournalStore, owner: &Owner) -> Result<Box<dyn Journal>, OpenError> {
        if let Some(eventful) = self.0.lock().expect("no panic").take() {
            let asked = pin!(eventful.shutdown(Some(SECOND))).poll(&mut Context::from_waker(Waker::noop()));
            assert!(asked.is_pending());
        }
        store.open(owner)
    }
}

#[tokio::test(start_paused = true)]
async fn shutdown_waits_for_a_journal_that_is_opened_again() {
    let (disk, gate, ends) = (TroubledDisk::new(), HandlerGate::closed(), EndsAtOpening::default());
    gate.let_through(1000);
    let store = Intercepted::new(Box::new(disk.store()), ends.clone());
    let builder = Eventful::builder().config(config()).seed(1).journal(store, Durability::default());
    let eventful = builder.start(gate.handler()).expect("it opens");
    eventful.submit(event("a")).await.expect("room");
    comes_to(&eventful, "a", Status::Completed).await;
    eventful.pause().await.expect("it runs");
    eventful.submit(event("b")).await.expect("room");
    *ends.0.lock().expect("no panic") = Some(eventful.clone());
    disk.decide(&[AppendFate::FailsBefore]);
    assert!(eventful.try_submit(event("c")).await.is_err());

    let report = eventful.shutdown(None).await;

    let reported = (report.drained, report.interrupted, report.left, report.unsynced);
    assert_eq!(reported, (0, 0, 1, 0), "the run of a had ended before, and b waits");
    assert_eq!(disk.status("b"), Some(Status::Received));
}

#[tokio::test(start_paused = true)]
async fn shutdown_ends_while_the_journal_cannot_be_opened_again() {
    let (disk, gate) = (TroubledDisk::new(), HandlerGate::closed());
    let eventful = open(&disk, &gate);
    disk.fail_openings(1000);
    disk.decide(&[AppendFate::FailsBefore]);
    assert!(eventful.try_submit(event("a")).await.is_err());
    let report = eventful.shutdown(Some(SECOND)).await;
    assert!(report.took <= SECOND * 8, "{report:?}");
    assert_eq!(eventful.readiness(), Readiness::NotReady(NotReady::JournalDown));
}

#[tokio::test(start_paused = true)]
async fn a_full_journal_refuses_new_events_and_still_records_outcomes() {
    let (disk, gate) = (TroubledDisk::new(), HandlerGate::closed());
    let eventful = open(&disk, &gate);
    eventful.submit(event("a")).await.expect("room");
    until_time("the handler is called", || gate.came() == 1).await;
    disk.with(|trouble| trouble.room = 1 << 20);
    eventful.pause().await.expect("open");

    let full = eventful.try_submit(event("b")).await;
    assert!(matches!(full, Err(SubmitError::Overloaded { bound: Bound::Disk, .. })), "{full:?}");
    assert!(matches!(eventful.try_submit(event("a")).await, Ok(Submitted::Duplicate(_))), "it is known");
    eventful.resume().await.expect("open");
    gate.let_through(1000);
    comes_to(&eventful, "a", Status::Completed).await;
    assert_eq!(disk.status("a"), Some(Status::Completed));
    assert_eq!(stats(&eventful).engine.tallies.rejected(eventful::metrics::RejectReason::Disk), 1);

    disk.with(|trouble| trouble.room = u64::MAX);
    eventful.pause().await.expect("open");
    assert_eq!(eventful.try_submit(event("b")).await, Ok(Submitted::Accepted));
}

#[tokio::test(start_paused = true)]
async fn decisions_during_a_write_form_one_group() {
    let (disk, gate) = (TroubledDisk::new(), HandlerGate::closed());
    let eventful = open(&disk, &gate);
    eventful.pause().await.expect("open");
    let before = disk.with(|trouble| trouble.appends);
    let submitters: Vec<_> = (0..100).map(|id| submitting(&eventful, &id.to_string())).collect();
    for submitter in submitters {
        assert_eq!(submitter.await.expect("no panic"), Ok(Submitted::Accepted));
    }
    let appends = disk.with(|trouble| trouble.appends) - before;
    assert!(appends <= 3, "{appends} appends for 100 events at once");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_hangs_up_loses_nothing() {
    let (disk, gate) = (TroubledDisk::new(), HandlerGate::closed());
    let eventful = open(&disk, &gate);
    let submitter = submitting(&eventful, "a");
    tokio::task::yield_now().await;
    submitter.abort();
    gate.let_through(1000);
    comes_to(&eventful, "a", Status::Completed).await;
}

#[tokio::test(start_paused = true)]
async fn relaxed_start_does_not_wait_for_the_journal() {
    for starts in [StartDurability::Synced, StartDurability::Relaxed] {
        let (disk, gate) = (TroubledDisk::new(), HandlerGate::closed());
        let mut durability = Durability::default();
        durability.starts = starts;
        let eventful = builder_with(&disk, durability).start(gate.handler()).expect("it opens");
        eventful.submit(event("a")).await.expect("room");
        until_time("the handler is called", || gate.came() == 1).await;
        let on_disk = disk.status("a").expect("it was acknowledged");
        let may_be_unstarted = starts == StartDurability::Relaxed && on_disk == Status::Received;
        assert!(may_be_unstarted || on_disk == Status::Processing, "{starts:?}: {on_disk}");
    }
}

#[tokio::test(start_paused = true)]
async fn shutdown_makes_everything_durable_and_seals_the_journal() {
    let (disk, gate) = (TroubledDisk::new(), HandlerGate::closed());
    let eventful = open(&disk, &gate);
    eventful.submit_batch((0..50).map(|id| event(&id.to_string()))).await;
    until_time("some are called", || gate.came() > 10).await;
    let report = eventful.shutdown(Some(Duration::ZERO)).await;
    assert_eq!((report.unsynced, report.left), (0, 50));
    assert!(report.interrupted > 0 && disk.with(|trouble| trouble.seals) > 0, "{report:?}");
    let Recovered { replay, .. } = disk.recovered();
    assert_eq!(replay.state().counters.finished_total(), report.interrupted);
}

#[tokio::test(start_paused = true)]
async fn shutdown_reports_facts_that_a_failed_journal_may_not_hold() {
    let (disk, gate) = (TroubledDisk::new(), HandlerGate::closed());
    let eventful = open(&disk, &gate);
    eventful.submit(event("a")).await.expect("room");
    until_time("the handler is called", || gate.came() == 1).await;
    disk.decide(&[AppendFate::FailsBefore]);
    let report = eventful.shutdown(Some(Duration::ZERO)).await;
    assert_eq!((report.interrupted, report.unsynced), (1, 1), "{report:?}");
}

#[tokio::test(start_paused = true)]
async fn counters_continue_over_restarts() {
    let (disk, gate) = (TroubledDisk::new(), HandlerGate::closed());
    gate.let_through(1000);
    for round in 1..=5u64 {
        let eventful = open(&disk, &gate);
        eventful.submit(event(&round.to_string())).await.expect("room");
        comes_to(&eventful, &round.to_string(), Status::Completed).await;
        let facts = stats(&eventful).engine.facts;
        assert_eq!((facts.accepted, facts.started, facts.finished_total()), (round, round, round));
        eventful.shutdown(None).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_journal_that_cannot_be_opened_is_a_reason_not_to_start() {
    let (disk, gate) = (TroubledDisk::new(), HandlerGate::closed());
    disk.with(|trouble| trouble.refusals = vec![OpenError::InUse { owner: "process 7".to_owned() }]);
    let refused = builder(&disk).start(gate.handler()).expect_err("it is in use");
    assert_eq!(
        refused.to_string(),
        "the journal was not opened: the journal is in use by process 7: stop that one, or use another directory"
    );
    disk.decide(&[AppendFate::Full]);
    let full = builder(&disk).start(gate.handler()).expect_err("there is no room for its epoch");
    assert_eq!(full, StartError::Write(WriteError::Full));
}

#[tokio::test]
async fn disk_that_hangs_delays_results_and_readiness_reports_it() {
    let (disk, gate) = (TroubledDisk::with_thread(), HandlerGate::closed());
    let clock = Arc::new(ManualClock::new(Timestamp::from_micros(1_700_000_000_000_000)));
    let builder = Eventful::builder().clock(clock.clone()).journal(disk.store(), Durability::default());
    let eventful = builder.start(gate.handler()).expect("it opens");
    disk.block();

    let submitter = submitting(&eventful, "a");
    until("the event is being written", || disk.holds_one_up()).await;
    assert_eq!(eventful.readiness(), Readiness::Ready);
    let since = clock.now();
    clock.advance(SECOND);
    assert_eq!(eventful.readiness(), Readiness::NotReady(NotReady::JournalStalled { since }));
    settle_down().await;
    assert!(!submitter.is_finished(), "no result is returned before it is durable");
    assert_eq!((gate.came(), stats(&eventful).unsynced), (0, 1));

    disk.unblock();
    assert_eq!(submitter.await.expect("no panic"), Ok(Submitted::Accepted));
    assert_eq!(eventful.sync().await, Ok(()));
    // The answer leaves before the thread of the journal has ended its step.
    until("it is ready", || eventful.readiness() == Readiness::Ready).await;
}

#[tokio::test]
async fn batch_across_a_failure_gets_its_results_part_by_part() {
    let (disk, gate) = (TroubledDisk::with_thread(), HandlerGate::closed());
    let eventful =
        Eventful::builder().journal(disk.store(), Durability::default()).start(gate.handler()).expect("it opens");
    eventful.pause().await.expect("open");
    disk.decide(&[AppendFate::FailsBefore]);
    let waiting = eventful.clone();
    // Events are drawn 64 at a time: the 65th is drawn when the first ones are with the engine.
    let events = (0..100).inspect(move |id| {
        while *id == 64 && waiting.stats().map_or(0, |stats| stats.journal_reopenings) == 0 {
            std::thread::yield_now();
        }
    });

    let results = eventful.submit_batch(events.map(|id| event(&id.to_string()))).await;

    let unknown = Err(SubmitError::Unavailable(Unavailable::Unknown));
    assert_eq!((&results[..64], &results[64..]), (&[unknown; 64][..], &[Ok(Submitted::Accepted); 36][..]));
    assert_eq!(disk.recovered().replay.state().records.len(), 36);
}

#[tokio::test]
async fn time_does_not_go_back_behind_what_the_journal_holds() {
    let (disk, gate) = (TroubledDisk::new(), HandlerGate::closed());
    let far = Timestamp::from_micros(4_000_000_000_000_000);
    let ahead = Arc::new(ManualClock::new(far));
    let eventful = builder(&disk).clock(ahead).start(gate.handler()).expect("it opens");
    eventful.submit(event("a")).await.expect("room");
    drop(eventful);

    let eventful = open(&disk, &gate);

    assert!(eventful.now() >= far, "the machine's clock says {}", eventful.now());
}

#[tokio::test]
async fn recovery_counts_what_the_journal_held() {
    let (disk, gate) = (TroubledDisk::new(), HandlerGate::closed());
    let clock = Arc::new(ManualClock::new(Timestamp::from_micros(1_700_000_000_000_000)));
    let handle = |event: Event, _: Attempt| async move {
        match &*event.key().id() {
            "done" => Ok(()),
            _ => Err(Failure::permanent("no")),
        }
    };
    let eventful = builder(&disk).clock(clock.clone()).start(handle).expect("it opens");
    let recovery = *eventful.recovery().expect("a journal");
    let seen = (recovery.is_new, recovery.records, recovery.oldest_pending, recovery.paused);
    assert_eq!(seen, (true, 0, None, false));
    for id in ["done", "failed"] {
        eventful.submit(event(id)).await.expect("room");
    }
    while stats(&eventful).engine.gauges.pending() > 0 {
        tokio::task::yield_now().await;
    }
    eventful.pause().await.expect("open");
    let mut accepted = Vec::new();
    for id in ["a", "b", "c"] {
        clock.advance(SECOND);
        eventful.submit(event(id)).await.expect("room");
        accepted.push(eventful.now());
    }
    eventful.shutdown(None).await;

    let eventful = builder(&disk).clock(clock).start(gate.handler()).expect("it opens");

    let recovery = *eventful.recovery().expect("a journal");
    let counts = (recovery.is_new, recovery.records, recovery.pending, recovery.failed);
    assert_eq!(counts, (false, 5, 3, 1));
    assert_eq!((recovery.oldest_pending, recovery.paused), (Some(accepted[0]), true));
    let in_memory = Eventful::builder().start(gate.handler()).expect("it starts");
    assert_eq!(in_memory.recovery(), None);
}

/// A store that blocks, and has a bug.
#[derive(Debug, Clone)]
struct PanickingStore;

impl Intercept for PanickingStore {
    fn open(&mut self, _: &mut dyn JournalStore, _: &Owner) -> Result<Box<dyn Journal>, OpenError> {
        panic!("a bug in the store")
    }

    fn blocks(&self, _: &dyn JournalStore) -> bool {
        true
    }
}
