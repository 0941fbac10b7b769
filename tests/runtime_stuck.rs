//! The adapter with a journal that does not respond, has no room, or is not there.

#[path = "harness/disk.rs"]
mod disk;
mod harness;

use std::fmt;
use std::pin::pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Waker};
use std::time::Duration;

use disk::{AppendFate, TroubledDisk};
use eventful::journal::{Intercept, Intercepted, Journal, Sequence, WriteError};
use eventful::{
    Attempt, Config, Cursor, Durability, Event, Eventful, Failure, Filter, Status, SubmitError, Submitted, Timestamp,
    Unavailable, WaitError,
    clock::{Clock as _, ManualClock},
    engine::Bound,
    metrics::{JournalState, NotReady, Readiness, RejectReason},
    operator::{DiscardError, PauseError, RedriveError},
};
use harness::*;
use tokio::task::JoinHandle;

const TIMEOUT: Duration = Duration::from_secs(4);
const UNKNOWN: Result<Submitted, SubmitError> = Err(SubmitError::Unavailable(Unavailable::Unknown));

/// An adapter on a journal with a thread, by a clock that stands still, whose event `known` is durable
/// and being handled.
struct StuckScene {
    disk: TroubledDisk,
    clock: Arc<ManualClock>,
    gate: Arc<HandlerGate>,
    eventful: Eventful,
}

impl StuckScene {
    async fn new() -> Self {
        let (disk, gate) = (TroubledDisk::with_thread(), HandlerGate::closed());
        let clock = Arc::new(ManualClock::new(Timestamp::from_micros(1_700_000_000_000_000)));
        let builder = Eventful::builder().config(Config::durable()).seed(1).clock(clock.clone());
        let eventful = builder.journal(disk.store(), Durability::default()).start(gate.handler()).expect("it opens");
        let scene = Self { disk, clock, gate, eventful };
        assert_eq!(scene.eventful.try_submit(event("known")).await, Ok(Submitted::Accepted));
        until("the handler is called", || scene.gate.came() == 1).await;
        scene.is_durable().await;
        scene.clock.advance(SECOND);
        scene
    }

    /// The same, with `new` on its way to a journal that does not respond since `since`.
    async fn stuck() -> (Self, JoinHandle<Result<Submitted, SubmitError>>, Timestamp) {
        let scene = Self::new().await;
        let since = scene.clock.now();
        scene.disk.block();
        let submitter = scene.submitting("new");
        holds_one_up(&scene.disk).await;
        (scene, submitter, since)
    }

    fn submitting(&self, id: &str) -> JoinHandle<Result<Submitted, SubmitError>> {
        let (eventful, event) = (self.eventful.clone(), event(id));
        tokio::spawn(async move { eventful.try_submit(event).await })
    }

    async fn is_durable(&self) {
        until("all is durable", || stats(&self.eventful).unsynced == 0).await;
    }

    /// Lets the time pass after which results wait no longer.
    async fn waits_too_long(&self) {
        self.clock.advance(TIMEOUT);
        settle_down().await;
    }
}

#[tokio::test]
async fn submission_on_a_stuck_journal_is_unknown_and_not_lost() {
    let (scene, submitter, _) = StuckScene::stuck().await;
    scene.clock.advance(TIMEOUT - Duration::from_micros(1));
    settle_down().await;
    assert!(!submitter.is_finished(), "it waits as long as it may");
    scene.clock.advance(Duration::from_micros(1));
    assert_eq!(submitter.await.expect("no panic"), UNKNOWN);
    assert_eq!(at_once(scene.eventful.try_submit(event("new"))), UNKNOWN, "it is taken, and not durable");

    scene.disk.unblock();
    scene.is_durable().await;
    assert!(matches!(scene.eventful.try_submit(event("new")).await, Ok(Submitted::Duplicate(_))));
    until("its handler is called", || scene.gate.came() == 2).await;
}

#[tokio::test]
async fn new_event_is_refused_up_front_while_the_journal_is_stuck() {
    let (scene, submitter, _) = StuckScene::stuck().await;
    let young = scene.submitting("young");
    settle_down().await;
    assert!(!young.is_finished(), "the journal is not known to be stuck yet");
    scene.waits_too_long().await;
    assert_eq!((submitter.await.expect("no panic"), young.await.expect("no panic")), (UNKNOWN, UNKNOWN));

    let retry_after = scene.eventful.config().overload_retry_after;
    let refused = Err(SubmitError::Overloaded { bound: Bound::JournalSlow, retry_after });
    assert_eq!(at_once(scene.eventful.try_submit(event("late"))), refused);
    assert_eq!(at_once(scene.eventful.submit_batch([event("late")])), [refused]);
    let stats = stats(&scene.eventful);
    assert_eq!(stats.engine.tallies.rejected(RejectReason::JournalSlow), 2);
    assert_eq!(stats.engine.facts.accepted, 3, "a refusal inserts nothing");

    scene.disk.unblock();
    scene.is_durable().await;
    assert_eq!(scene.eventful.try_submit(event("late")).await, Ok(Submitted::Accepted));
}

#[tokio::test]
async fn submitter_waiting_for_room_enters_when_the_journal_responds() {
    let (scene, _, _) = StuckScene::stuck().await;
    scene.waits_too_long().await;
    let (eventful, late) = (scene.eventful.clone(), event("late"));
    let waits = tokio::spawn(async move { eventful.submit(late).await });
    settle_down().await;
    assert!(!waits.is_finished());
    scene.disk.unblock();
    assert_eq!(waits.await.expect("no panic"), Ok(Submitted::Accepted));
}

#[tokio::test]
async fn durable_record_is_read_at_once_while_the_journal_is_stuck() {
    let (scene, _, _) = StuckScene::stuck().await;
    let known = at_once(scene.eventful.get(&key("known"))).expect("open").expect("it is there");
    assert_eq!((known.status, known.durable), (Status::Processing, true));
    assert!(
        at_once(scene.eventful.explain(&key("known"))).expect("open").is_some_and(|text| !text.contains("durable"))
    );

    scene.clock.advance(SECOND);
    assert!(matches!(at_once(scene.eventful.try_submit(event("known"))), Ok(Submitted::Duplicate(_))));
    let other = Event::with_id("known", "another payload").expect("an event");
    assert!(matches!(at_once(scene.eventful.try_submit(other)), Err(SubmitError::Conflict(_))));
    let batch = at_once(scene.eventful.submit_batch([event("known")]));
    assert!(matches!(batch[..], [Ok(Submitted::Duplicate(_))]), "{batch:?}");
}

#[tokio::test]
async fn duplicate_in_a_batch_is_known_beside_a_new_event() {
    let (scene, _submitter, _) = StuckScene::stuck().await;
    scene.clock.advance(SECOND);
    let eventful = scene.eventful.clone();
    let batch =
        tokio::spawn(async move { eventful.submit_batch([event("known"), event("young"), event("known")]).await });
    settle_down().await;
    scene.waits_too_long().await;
    let results = batch.await.expect("no panic");
    let [Ok(Submitted::Duplicate(_)), unknown, Ok(Submitted::Duplicate(_))] = results[..] else {
        panic!("{results:?}");
    };
    assert_eq!(unknown, UNKNOWN);
    scene.disk.unblock();
}

#[tokio::test]
async fn page_read_across_a_failure_shows_nothing_lost_as_durable() {
    let scene = StuckScene::new().await;
    scene.eventful.pause().await.expect("it runs");
    // So many that the page gives way to others while it is read.
    scene.eventful.submit_batch((0..8400).map(|id| event(&id.to_string()))).await;
    scene.is_durable().await;
    scene.clock.advance(SECOND);
    scene.disk.block();
    scene.disk.decide(&[AppendFate::FailsBefore]);
    assert_eq!(poll_once(pin!(scene.eventful.resume())), None, "it waits, and with it the first starts");
    holds_one_up(&scene.disk).await;
    let mut page = pin!(scene.eventful.list(None, Cursor::START, 16_000));
    assert_eq!(poll_once(page.as_mut()), None);

    scene.disk.unblock();
    until("it is opened again", || stats(&scene.eventful).journal_reopenings == 1).await;
    scene.is_durable().await;
    scene.disk.block();
    let _later = scene.submitting("later");
    holds_one_up(&scene.disk).await;
    let (shown, ()) = tokio::join!(page, async {
        settle_down().await;
        scene.disk.unblock();
    });
    assert_eq!(shown, Err(Unavailable::Unknown), "its first records may be others now");
}

/// Returns the value of a future that is ready at its first poll.
fn poll_once<F: Future>(future: std::pin::Pin<&mut F>) -> Option<F::Output> {
    match future.poll(&mut Context::from_waker(Waker::noop())) {
        std::task::Poll::Ready(value) => Some(value),
        std::task::Poll::Pending => None,
    }
}

#[tokio::test]
async fn record_that_is_not_durable_is_shown_as_such_after_the_wait() {
    let (scene, _, _) = StuckScene::stuck().await;
    let (eventful, id) = (scene.eventful.clone(), key("new"));
    let look = tokio::spawn(async move { eventful.get(&id).await });
    let eventful = scene.eventful.clone();
    let page = tokio::spawn(async move { eventful.list(None, Cursor::START, 10).await });
    let eventful = scene.eventful.clone();
    let absent = tokio::spawn(async move { eventful.get(&key("absent")).await });
    settle_down().await;
    assert!(!look.is_finished() && !page.is_finished() && !absent.is_finished());

    scene.waits_too_long().await;
    let new = look.await.expect("no panic").expect("open").expect("it is taken");
    assert_eq!((new.status, new.durable), (Status::Received, false));
    let marks = |page: eventful::Page| {
        let mut marks: Vec<_> =
            page.records.into_iter().map(|record| (record.key.id().to_string(), record.durable)).collect();
        marks.sort();
        marks
    };
    let expected = [("known".to_owned(), true), ("new".to_owned(), false)];
    assert_eq!(marks(page.await.expect("no panic").expect("open")), expected);
    assert_eq!(absent.await.expect("no panic"), Err(Unavailable::Unknown), "an absence is shown when it is durable");
    assert_eq!(marks(at_once(scene.eventful.list(None, Cursor::START, 10)).expect("open")), expected);
    let sentence = at_once(scene.eventful.explain(&key("new"))).expect("open").expect("it is taken");
    assert!(sentence.ends_with(" This is not durable yet, as the journal does not respond."), "{sentence}");

    scene.disk.unblock();
    scene.is_durable().await;
    assert!(at_once(scene.eventful.get(&key("new"))).expect("open").is_some_and(|record| record.durable));
}

#[tokio::test]
async fn page_of_discards_waits_for_its_journal_once() {
    let (scene, submitter, _) = StuckScene::stuck().await;
    let more = scene.submitting("more");
    settle_down().await;
    let eventful = scene.eventful.clone();
    let filter = Filter::default();
    let page =
        tokio::spawn(
            async move { eventful.discard_matching(Status::Received, &filter, Cursor::START, usize::MAX).await },
        );
    until("both are discarded", || stats(&scene.eventful).engine.gauges.records(Status::Discarded) == 2).await;
    assert!(!page.is_finished(), "it waits until both are durable");

    scene.disk.unblock();
    let discarded = page.await.expect("no panic").expect("open");
    assert_eq!((discarded.count, discarded.left, discarded.next), (2, 0, None));
    for submitter in [submitter, more] {
        assert_eq!(submitter.await.expect("no panic"), Ok(Submitted::Accepted));
    }
    scene.eventful.check().expect("every invariant holds");
}

#[tokio::test]
async fn numbers_are_those_of_now_while_the_journal_is_stuck() {
    let (scene, _, since) = StuckScene::stuck().await;
    scene.clock.advance(SECOND * 3);
    let stats = stats(&scene.eventful);
    assert_eq!((stats.engine.facts.accepted, stats.unsynced, stats.unsynced_for), (2, 1, SECOND * 3));
    assert_eq!(stats.journal, Some(JournalState::Stalled { since }));
    assert!(stats.unsynced_bytes > 0);

    scene.disk.unblock();
    scene.is_durable().await;
    // The answer leaves before the thread of the journal has ended its step, and the run's facts follow.
    let at_rest = |now: &eventful::metrics::Stats| {
        (now.unsynced_bytes, now.unsynced_for, now.journal) == (0, Duration::ZERO, Some(JournalState::Working))
    };
    until("the journal is at rest", || scene.eventful.stats().is_ok_and(|now| at_rest(&now))).await;
    let after = scene.eventful.stats().expect("open");
    assert!(after.journal_groups > stats.journal_groups);
}

#[tokio::test]
async fn engine_is_not_ready_a_second_after_the_journal_is_stuck() {
    let (scene, _, since) = StuckScene::stuck().await;
    scene.clock.advance(SECOND - Duration::from_micros(1));
    assert_eq!(scene.eventful.readiness(), Readiness::Ready);
    scene.clock.advance(Duration::from_micros(1));
    assert_eq!(scene.eventful.readiness(), Readiness::NotReady(NotReady::JournalStalled { since }));
    scene.disk.unblock();
    until("it is ready", || scene.eventful.readiness() == Readiness::Ready).await;
}

#[tokio::test]
async fn operator_is_answered_in_time_while_the_journal_is_stuck() {
    let (scene, _, _) = StuckScene::stuck().await;
    let eventful = scene.eventful.clone();
    let calls = tokio::spawn(async move {
        tokio::join!(async { eventful.pause().await }, async { eventful.discard(&key("known")).await }, eventful.sync())
    });
    settle_down().await;
    assert!(!calls.is_finished());
    scene.waits_too_long().await;
    let unknown = Unavailable::Unknown;
    let (paused, discarded, synced) = calls.await.expect("no panic");
    assert_eq!(paused, Err(PauseError::Unavailable(unknown)));
    assert_eq!((discarded, synced), (Err(DiscardError::Unavailable(unknown)), Err(unknown)));
    assert!(stats(&scene.eventful).paused, "it is done, and not durable");
    assert_eq!(at_once(scene.eventful.sync()), Err(unknown), "once the journal is stuck, nothing waits for it");

    scene.disk.unblock();
    scene.is_durable().await;
    assert_eq!(scene.eventful.resume().await, Ok(()));
}

#[tokio::test]
async fn failed_event_gets_no_other_life_from_a_stuck_journal() {
    let (disk, clock) =
        (TroubledDisk::with_thread(), Arc::new(ManualClock::new(Timestamp::from_micros(1_700_000_000_000_000))));
    let fails = |_: Event, _: Attempt| async { Err(Failure::permanent("no")) };
    let builder = Eventful::builder().clock(clock.clone()).journal(disk.store(), Durability::default());
    let eventful = builder.start(fails).expect("it opens");
    eventful.try_submit(event("a")).await.expect("room");
    until("it has failed, durably", || {
        let stats = stats(&eventful);
        stats.engine.gauges.records(Status::Failed) == 1 && stats.unsynced == 0
    })
    .await;
    clock.advance(SECOND);
    disk.block();
    let (stuck, b) = (eventful.clone(), event("b"));
    let submitter = tokio::spawn(async move { stuck.try_submit(b).await });
    holds_one_up(&disk).await;
    clock.advance(TIMEOUT);
    assert_eq!(submitter.await.expect("no panic"), UNKNOWN);

    let retry_after = eventful.config().overload_retry_after;
    let refused = RedriveError::Overloaded { bound: Bound::JournalSlow, retry_after };
    assert_eq!(at_once(eventful.redrive(&key("a"))), Err(refused));
    assert_eq!(at_once(eventful.redrive_all(Cursor::START)), Err(refused));
    assert_eq!(stats(&eventful).engine.facts.redriven, 0);
    disk.unblock();
    until("all is durable", || stats(&eventful).unsynced == 0).await;
    assert_eq!(eventful.redrive(&key("a")).await, Ok(()));
}

#[tokio::test(start_paused = true)]
async fn shutdown_ends_in_its_bound_while_the_journal_is_stuck() {
    let (disk, gate) = (TroubledDisk::with_thread(), HandlerGate::closed());
    let eventful =
        Eventful::builder().journal(disk.store(), Durability::default()).start(gate.handler()).expect("it opens");
    disk.block();
    let waits = tokio::spawn({
        let eventful = eventful.clone();
        async move { eventful.try_submit(event("a")).await }
    });
    holds_one_up(&disk).await;
    let config = eventful.config().clone();

    let report = eventful.shutdown(Some(SECOND)).await;

    assert!(report.took <= SECOND + config.abort_grace + config.sync_grace, "{report:?}");
    assert_eq!((report.unsynced, report.left), (1, 1));
    assert_eq!(waits.await.expect("no panic"), UNKNOWN);
    disk.unblock();
}

#[tokio::test(start_paused = true)]
async fn result_is_in_time_while_a_shutdown_waits_for_the_journal() {
    let (disk, gate) = (TroubledDisk::with_thread(), HandlerGate::closed());
    let mut config = Config::durable();
    config.sync_grace = TIMEOUT * 100;
    let builder = Eventful::builder().config(config).journal(disk.store(), Durability::default());
    let eventful = builder.start(gate.handler()).expect("it opens");
    disk.block();
    let began = eventful.now();
    let waits = tokio::spawn({
        let eventful = eventful.clone();
        async move { eventful.try_submit(event("a")).await }
    });
    holds_one_up(&disk).await;
    let shutdown = tokio::spawn({
        let eventful = eventful.clone();
        async move { eventful.shutdown(Some(Duration::ZERO)).await }
    });
    assert_eq!(waits.await.expect("no panic"), UNKNOWN);
    assert!(eventful.now().since(began) <= TIMEOUT + SECOND && !shutdown.is_finished());
    disk.unblock();
}

#[tokio::test(start_paused = true)]
async fn result_still_waiting_when_a_shutdown_has_ended_is_unknown() {
    let (disk, gate) = (TroubledDisk::with_thread(), HandlerGate::closed());
    let mut durability = Durability::default();
    durability.answer_timeout = SECOND * 1000;
    let builder = Eventful::builder().journal(disk.store(), durability);
    let eventful = builder.start(gate.handler()).expect("it opens");
    disk.block();
    let waits = tokio::spawn({
        let eventful = eventful.clone();
        async move { eventful.try_submit(event("a")).await }
    });
    holds_one_up(&disk).await;
    eventful.shutdown(Some(SECOND)).await;
    assert_eq!(waits.await.expect("no panic"), UNKNOWN);
    disk.unblock();
}

#[tokio::test]
async fn wait_for_an_end_returns_when_a_shutdown_has_ended() {
    let scene = StuckScene::new().await;
    scene.disk.block();
    let eventful = scene.eventful.clone();
    let waits = tokio::spawn(async move { eventful.wait(&key("known")).await });
    scene.gate.let_through(1);
    holds_one_up(&scene.disk).await;
    // Those who are not patient are let go before.
    scene.waits_too_long().await;
    assert!(!waits.is_finished());
    let eventful = scene.eventful.clone();
    let shutdown = tokio::spawn(async move { eventful.shutdown(Some(SECOND)).await });
    until("it has ended", || {
        scene.clock.advance(SECOND);
        shutdown.is_finished()
    })
    .await;
    until("the wait has ended, too", || waits.is_finished()).await;
    assert_eq!(waits.await.expect("no panic"), Err(WaitError::Unavailable(Unavailable::Unknown)));
    scene.disk.unblock();
}

/// An adapter on a journal without a thread, in virtual time.
async fn in_virtual_time() -> (TroubledDisk, Arc<HandlerGate>, Eventful) {
    let (disk, gate) = (TroubledDisk::new(), HandlerGate::closed());
    let eventful = Eventful::builder()
        .seed(1)
        .journal(disk.store(), Durability::default())
        .start(gate.handler())
        .expect("it opens");
    assert_eq!(eventful.try_submit(event("known")).await, Ok(Submitted::Accepted));
    until("the handler is called", || gate.came() == 1).await;
    eventful.sync().await.expect("open");
    tokio::time::sleep(SECOND).await;
    (disk, gate, eventful)
}

#[tokio::test(start_paused = true)]
async fn journal_that_is_gone_keeps_what_waits_until_it_is_back() {
    let (disk, gate, eventful) = in_virtual_time().await;
    disk.with(|trouble| trouble.is_gone = true);
    assert_eq!(eventful.try_submit(event("a")).await, UNKNOWN);
    let refused = eventful.try_submit(event("b")).await;
    assert!(matches!(refused, Err(SubmitError::Overloaded { bound: Bound::JournalUnreachable, .. })), "{refused:?}");
    assert_eq!(stats(&eventful).engine.tallies.rejected(RejectReason::JournalUnreachable), 1);
    assert!(at_once(eventful.get(&key("known"))).expect("open").is_some_and(|record| record.durable));

    disk.with(|trouble| trouble.is_gone = false);
    until_time("all is durable", || stats(&eventful).unsynced == 0).await;
    assert!(matches!(eventful.try_submit(event("a")).await, Ok(Submitted::Duplicate(_))));
    assert_eq!(eventful.try_submit(event("b")).await, Ok(Submitted::Accepted));
    until_time("the handlers are called", || gate.came() == 3).await;
    assert_eq!(stats(&eventful).journal_reopenings, 0);
}

#[tokio::test(start_paused = true)]
async fn idle_engine_sees_within_a_second_that_its_journal_is_gone() {
    let (disk, _gate, eventful) = in_virtual_time().await;
    for (trouble, why) in [(true, NotReady::JournalUnreachable), (false, NotReady::DiskFull)] {
        disk.with(|state| (state.is_gone, state.room) = (trouble, if trouble { 1 << 40 } else { 100 }));
        tokio::time::sleep(SECOND).await;
        assert_eq!(eventful.readiness(), Readiness::NotReady(why));
        disk.with(|state| (state.is_gone, state.room) = (false, 1 << 40));
        tokio::time::sleep(SECOND).await;
        assert_eq!(eventful.readiness(), Readiness::Ready);
    }
}

/// A fault of a disk, the bound that refuses new events then, and why the engine is not ready.
type Ailing = (fn(&TroubledDisk), Bound, NotReady);

const AILING: [Ailing; 2] = [
    (|disk| disk.with(|trouble| trouble.is_gone = true), Bound::JournalUnreachable, NotReady::JournalUnreachable),
    (fill, Bound::Disk, NotReady::DiskFull),
];

fn fill(disk: &TroubledDisk) {
    disk.decide(&[AppendFate::Full; 100]);
    disk.with(|trouble| trouble.room = 0);
}

/// Calls a function with the number of each part of a snapshot, before it is put.
#[derive(Clone)]
struct OnPart(Arc<dyn Fn(u32) + Send + Sync>);

impl fmt::Debug for OnPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OnPart").finish_non_exhaustive()
    }
}

impl Intercept for OnPart {
    fn put_snapshot(
        &mut self,
        journal: &mut dyn Journal,
        at: Sequence,
        part: u32,
        bytes: &[u8],
        last: bool,
    ) -> Result<(), WriteError> {
        (self.0)(part);
        journal.put_snapshot(at, part, bytes, last)
    }
}

/// An adapter on a journal without a thread, by a clock that stands still. Its next snapshot is a long one, of which
/// the third part finds a disk that `ails`; each part calls `on_part`.
async fn in_a_snapshot(
    clock: &Arc<ManualClock>,
    ails: fn(&TroubledDisk),
    on_part: impl Fn(&Eventful, u32) + Send + Sync + 'static,
) -> Eventful {
    let (disk, started, mut durability) =
        (TroubledDisk::new(), Arc::new(OnceLock::<Eventful>::new()), Durability::default());
    // One is due once the last of the events below is durable.
    durability.snapshot_after_bytes = 24 * (300 << 10);
    let (ailing, handle) = (disk.clone(), Arc::clone(&started));
    let on_part = OnPart(Arc::new(move |part| {
        if part == 2 {
            ails(&ailing);
        }
        handle.get().into_iter().for_each(|eventful| on_part(eventful, part));
    }));
    let store = Intercepted::new(Box::new(disk.store()), on_part);
    let builder = Eventful::builder().config(Config::durable()).seed(1).clock(clock.clone());
    let eventful = builder.journal(store, durability).start(hang).expect("it opens");
    assert!(started.set(eventful.clone()).is_ok(), "nothing else sets it");
    eventful.pause().await.expect("it runs");
    // Each is larger than a part of a snapshot, and a step of the writer puts one part.
    let large = |number: u8| Event::new(key(&number.to_string()), vec![number; 300 << 10]);
    let taken = eventful.submit_batch((0..24).map(large)).await;
    assert!(taken.iter().all(|taken| *taken == Ok(Submitted::Accepted)), "{taken:?}");
    until("the disk ails", || disk.with(|trouble| trouble.is_gone || trouble.room == 0)).await;
    eventful
}

#[tokio::test]
async fn long_snapshot_takes_no_event_once_the_journal_refused_one() {
    for (ails, bound, why) in AILING {
        let clock = Arc::new(ManualClock::new(Timestamp::from_micros(1_700_000_000_000_000)));
        let taken = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&taken);
        let eventful = in_a_snapshot(&clock, ails, move |eventful, part| {
            let mut submitting = pin!(eventful.try_submit(event(&format!("during part {part}"))));
            let is_taken = submitting.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending();
            counted.fetch_add(u32::from(is_taken && part > 2), Ordering::SeqCst);
        })
        .await;
        until("the engine is not ready", || eventful.readiness() == Readiness::NotReady(why)).await;
        let retry_after = eventful.config().overload_retry_after;
        let late = at_once(eventful.try_submit(event("late")));
        assert_eq!(late, Err(SubmitError::Overloaded { bound, retry_after }));
        let taken = taken.load(Ordering::SeqCst);
        assert!(taken <= 1, "{why:?}: {taken} events were taken, and the group of the first was refused at once");
    }
}

#[tokio::test]
async fn long_snapshot_does_not_hide_for_a_second_how_the_disk_is() {
    for (ails, _, why) in AILING {
        let clock = Arc::new(ManualClock::new(Timestamp::from_micros(1_700_000_000_000_000)));
        let parts = Arc::new(AtomicU32::new(0));
        let (counted, time) = (Arc::clone(&parts), Arc::clone(&clock));
        let eventful = in_a_snapshot(&clock, ails, move |eventful, _| {
            if eventful.readiness() != Readiness::NotReady(why) {
                counted.fetch_add(1, Ordering::SeqCst);
            }
            time.advance(SECOND / 10);
        })
        .await;
        until("the engine is not ready", || eventful.readiness() == Readiness::NotReady(why)).await;
        let parts = parts.load(Ordering::SeqCst);
        assert!(parts <= 3 + 10, "{why:?} was not shown before {parts} parts, a tenth of a second each");
    }
}

#[tokio::test(start_paused = true)]
async fn full_disk_and_slow_journal_are_distinguished() {
    let mut durability = Durability::default();
    durability.max_unsynced_bytes = 1;
    let (disk, gate) = (TroubledDisk::new(), HandlerGate::closed());
    let builder = Eventful::builder().journal(disk.store(), durability);
    let eventful = builder.start(gate.handler()).expect("it opens");
    let slow = eventful.submit_batch([event("a"), event("b")]).await;
    assert!(matches!(slow[1], Err(SubmitError::Overloaded { bound: Bound::JournalSlow, .. })), "{slow:?}");

    disk.with(|trouble| trouble.room = 100);
    tokio::time::sleep(SECOND).await;
    let full = eventful.try_submit(event("c")).await;
    assert!(matches!(full, Err(SubmitError::Overloaded { bound: Bound::Disk, .. })), "{full:?}");
    let tallies = stats(&eventful).engine.tallies;
    let counted = [RejectReason::Disk, RejectReason::JournalSlow, RejectReason::JournalUnreachable];
    assert_eq!(counted.map(|reason| tallies.rejected(reason)), [1, 1, 0]);
}

#[tokio::test(start_paused = true)]
async fn records_without_lost_facts_are_read_while_journal_is_down() {
    for (fate, why) in
        [(AppendFate::FailsBefore, Unavailable::Reopening), (AppendFate::Fenced, Unavailable::JournalDown)]
    {
        let (disk, _gate, eventful) = in_virtual_time().await;
        disk.decide(&[fate]);
        disk.fail_openings(1000);
        assert_eq!(eventful.try_submit(event("lost")).await, UNKNOWN);
        settle_down().await;

        let known = at_once(eventful.get(&key("known"))).expect("it is durable").expect("it is there");
        assert_eq!((known.status, known.durable), (Status::Processing, true));
        assert!(at_once(eventful.explain(&key("known"))).is_ok_and(|sentence| sentence.is_some()));
        assert_eq!(at_once(eventful.get(&key("lost"))), Err(why), "it may have been written, or not");
        assert_eq!(at_once(eventful.get(&key("absent"))), Err(why));
        let page = at_once(eventful.list(None, Cursor::START, 10)).expect("it can be read");
        let marks: Vec<_> = page.records.iter().map(|record| record.durable).collect();
        assert_eq!(marks, [true, false]);
        let stats = stats(&eventful);
        assert_eq!((stats.engine.facts.accepted, stats.unsynced), (2, 1));
        let states = [JournalState::Reopening, JournalState::Down];
        assert!(stats.journal.is_some_and(|state| states.contains(&state)), "{stats:?}");
    }
}

#[tokio::test]
async fn answer_timeout_of_zero_is_refused_at_the_start() {
    let mut durability = Durability::default();
    durability.answer_timeout = Duration::ZERO;
    let builder = Eventful::builder().journal(TroubledDisk::new().store(), durability);
    let refused = builder.start(succeed).map(drop).map_err(|error| error.to_string());
    assert_eq!(refused, Err("durability.answer_timeout is zero: set it to at least 1".to_owned()));
}

/// Waits until an append is held up.
async fn holds_one_up(disk: &TroubledDisk) {
    until("an append waits", || disk.holds_one_up()).await;
}
