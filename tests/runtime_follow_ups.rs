//! Handlers that end with follow-ups.

#[path = "harness/disk.rs"]
mod disk;
mod harness;

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use disk::{AppendFate, TroubledDisk};
use eventful::cluster::ClusterConfig;
use eventful::handler::{FollowUpError, LeaseDesk};
use eventful::{Attempt, Config, Durability, Event, Eventful, Failure, Handler, Status, TypePolicy, Unavailable};
use harness::*;

#[tokio::test(start_paused = true)]
async fn chain_of_follow_ups_runs_to_its_end() {
    let eventful = start(Config::default(), |event: Event, attempt: Attempt| async move {
        let number: u32 = str::from_utf8(event.payload())?.parse()?;
        for next in (number * 2..number * 2 + 2).filter(|next| *next < 16) {
            attempt.follow_up(Event::with_id(&next.to_string(), next.to_string())?)?;
        }
        Ok(())
    });
    eventful.submit(Event::with_id("1", "1").expect("an event")).await.expect("room");
    until_status(&eventful, "15", Status::Completed).await;
    assert!((1..16).all(|id| status(&eventful, &id.to_string()) == Some(Status::Completed)));
    assert_eq!(stats(&eventful).engine.facts.accepted, 15);
}

#[tokio::test(start_paused = true)]
async fn attempt_that_fails_leaves_no_follow_ups() {
    let ends: [fn() -> Result<(), Failure>; 3] =
        [|| Err(Failure::retry("not now")), || panic!("it broke"), || Err(Failure::permanent("never"))];
    for (end, last) in ends.into_iter().zip([Status::Completed, Status::Completed, Status::Failed]) {
        let eventful = start(Config::default(), move |event: Event, attempt: Attempt| async move {
            if *event.payload() == "a" {
                attempt.follow_up(Event::with_id(&format!("of {}", attempt.number()), "")?)?;
                if attempt.number() == 1 {
                    return end();
                }
            }
            Ok(())
        });
        eventful.submit(event("a")).await.expect("room");
        until_time("all has ended", || stats(&eventful).engine.gauges.pending() == 0).await;
        assert_eq!(status(&eventful, "a"), Some(last));
        let second = (last == Status::Completed).then_some(Status::Completed);
        assert_eq!([status(&eventful, "of 1"), status(&eventful, "of 2")], [None, second]);
    }
}

#[tokio::test(start_paused = true)]
async fn follow_up_that_cannot_be_one_is_refused_at_once() {
    let mut config = Config::default();
    (config.max_follow_ups, config.max_event_bytes) = (2, 20);
    let (errors, eventful) = collected(config, |attempt| {
        let sized = |id: &str, bytes| Event::with_id(id, vec![b'x'; bytes]).expect("an event");
        vec![
            attempt.follow_up(sized("large", 16)),
            attempt.follow_up(sized("b", 11)),
            attempt.follow_up(sized("c", 8)),
            attempt.follow_up(sized("c", 7)),
            attempt.follow_up(sized("d", 0)),
        ]
    });
    eventful.submit(event("a")).await.expect("room");
    until_status(&eventful, "a", Status::Completed).await;
    let too_large = |bytes| Err(FollowUpError::TooLarge { bytes, limit_bytes: 20 });
    let errors = errors.lock().expect("no panic").remove(0);
    let many = FollowUpError::TooMany { max: 2 };
    assert_eq!(
        many.to_string(),
        "the run has 2 follow-ups, as many as max_follow_ups allows: raise it, or end with fewer"
    );
    assert_eq!(errors, [too_large(21), Ok(()), too_large(21), Ok(()), Err(many)]);
    until("all has ended", || stats(&eventful).engine.gauges.pending() == 0).await;
    assert_eq!(["large", "b", "c", "d"].map(|id| status(&eventful, id).is_some()), [false, true, true, false]);
}

#[tokio::test(start_paused = true)]
async fn follow_up_that_comes_after_the_end_is_refused() {
    let kept = Arc::<Mutex<Vec<Attempt>>>::default();
    let attempts = Arc::clone(&kept);
    let eventful = start(Config::default(), move |_: Event, attempt: Attempt| {
        attempts.lock().expect("no panic").push(attempt);
        async { Ok(()) }
    });
    eventful.submit(event("a")).await.expect("room");
    until_status(&eventful, "a", Status::Completed).await;
    let attempt = kept.lock().expect("no panic").remove(0);
    assert_eq!(attempt.follow_up(event("b")), Err(FollowUpError::Ended));
    assert_eq!(status(&eventful, "b"), None);
}

#[tokio::test(start_paused = true)]
async fn follow_up_of_another_shard_is_refused() {
    let found = Arc::<Mutex<Vec<Vec<Result<(), FollowUpError>>>>>::default();
    let handler = collecting(&found, |attempt| ids().map(|id| attempt.follow_up(event(&id))).collect());
    let eventful = Eventful::cluster(ClusterConfig::new(2)).seed(1).start(handler).expect("a valid configuration");
    eventful.submit(event("a")).await.expect("room");
    until_status(&eventful, "a", Status::Completed).await;
    let results = found.lock().expect("no panic").remove(0);
    let own = eventful.shard_of(&key("a"));
    let (mut taken, mut refused) = (0, 0);
    for (id, result) in ids().zip(results) {
        match eventful.shard_of(&key(&id)) == own {
            true => assert_eq!((result, taken += 1), (Ok(()), ())),
            false => assert_eq!((result, refused += 1), (Err(FollowUpError::OtherShard(key(&id))), ())),
        }
    }
    assert!(taken > 0 && refused > 0, "{taken}, {refused}");
    until("all has ended", || stats(&eventful).engine.gauges.pending() == 0).await;
    assert_eq!(stats(&eventful).engine.facts.accepted, 1 + taken);
}

#[tokio::test(start_paused = true)]
async fn conflicting_follow_up_fails_the_event_with_its_key() {
    let eventful = start(Config::default(), |event: Event, attempt: Attempt| async move {
        if *event.payload() == "a" {
            attempt.follow_up(Event::with_id("new", "")?)?;
            attempt.follow_up(Event::with_id("known", "another payload")?)?;
        }
        Ok(())
    });
    eventful.submit(event("known")).await.expect("room");
    eventful.submit(event("a")).await.expect("room");
    until_status(&eventful, "a", Status::Failed).await;
    let record = eventful.get(&key("a")).await.expect("open").expect("it is known");
    let error = record.last_error.expect("it has failed").to_string();
    assert!(error.contains("under the key of its follow-up known"), "{error}");
    assert_eq!(status(&eventful, "new"), None);
}

#[tokio::test(start_paused = true)]
async fn completion_and_follow_ups_are_durable_together_or_not_at_all() {
    for fate in [AppendFate::Works, AppendFate::FailsBefore, AppendFate::FailsAfter, AppendFate::Panics] {
        let (disk, gate) = (TroubledDisk::new(), HandlerGate::closed());
        let eventful = open(&disk, &gate);
        eventful.submit(event("a")).await.expect("room");
        until_time("the handler is called", || gate.came() == 1).await;
        disk.decide(&[fate]);
        gate.let_through(1);
        until_time("the append has its fate", || disk.has_no_more_fates()).await;
        let found = ["a", "a1", "a2"].map(|id| disk.status(id));
        let is_kept = matches!(fate, AppendFate::Works | AppendFate::FailsAfter);
        assert_eq!(found[1..].iter().flatten().count(), if is_kept { 2 } else { 0 }, "{fate:?}: {found:?}");
        assert_eq!(found[0] == Some(Status::Completed), is_kept, "{fate:?}: {found:?}");
        gate.let_through(100);
        for id in ["a", "a1", "a2"] {
            comes_to(&eventful, id, Status::Completed).await;
        }
        drop(eventful);
        assert_eq!(["a", "a1", "a2"].map(|id| disk.status(id)), [Some(Status::Completed); 3]);
    }
}

#[tokio::test(start_paused = true)]
async fn follow_ups_wait_while_the_journal_has_no_room_for_them() {
    let (disk, gate) = (TroubledDisk::new(), HandlerGate::closed());
    let eventful = open(&disk, &gate);
    eventful.submit(event("a")).await.expect("room");
    until_time("the handler is called", || gate.came() == 1).await;
    let room = disk.with(|trouble| std::mem::replace(&mut trouble.room, 0));
    until_time("it is full", || stats(&eventful).journal_room_bytes == Some(0)).await;
    gate.let_through(1);
    comes_to(&eventful, "a", Status::FailedRetry).await;
    let record = eventful.get(&key("a")).await.expect("open").expect("it is known");
    let error = record.last_error.expect("it waits for room").to_string();
    assert!(error.contains("its follow-ups have no room: the bound on room in the journal"), "{error}");
    assert_eq!((record.charge.charged, record.charge.snoozes), (0, 1));
    disk.with(|trouble| trouble.room = room);
    gate.let_through(100);
    for id in ["a", "a1", "a2"] {
        comes_to(&eventful, id, Status::Completed).await;
    }
}

#[tokio::test(start_paused = true)]
async fn typed_handler_and_its_follow_up_have_handlers_of_their_own() {
    let shipped = Arc::new(AttemptLog::default());
    let log = Arc::clone(&shipped);
    let ship = move |event: Event, _: Attempt| {
        log.count(&event);
        async { Ok(()) }
    };
    let order = |total: u64, attempt: Attempt| async move {
        let key = eventful::Key::new("ship", &attempt.key().id().to_string())?;
        attempt.follow_up(Event::new(key, total.to_string()).with_type("ship")?)?;
        Ok(())
    };
    let builder = Eventful::builder().seed(1).on_json("order", order, TypePolicy::new());
    let eventful = builder.on("ship", ship, TypePolicy::new()).start_typed().expect("a valid configuration");
    let order = Event::with_id("1", "17").expect("an event").with_type("order").expect("a type");
    eventful.submit(order).await.expect("room");
    let ship = eventful::Key::new("ship", "1").expect("a key");
    until("it is shipped", || shipped.runs(&ship.to_string()) == 1).await;
}

#[tokio::test(start_paused = true)]
async fn worker_that_has_a_lease_ends_it_with_follow_ups() {
    let desk = LeaseDesk::new();
    let eventful = start(Config::default(), desk.clone());
    eventful.submit(event("a")).await.expect("room");
    let leases = desk.lease(&eventful, NonZeroUsize::MIN, SECOND).await.expect("it is available");
    leases[0].attempt.follow_up(event("b")).expect("room");
    let settled = desk.settle(leases[0].attempt.run(), Ok(())).await;
    assert_eq!(settled, Ok(Status::Completed));
    assert_eq!(status(&eventful, "b"), Some(Status::Received));
}

/// A handler of "a" ends with two follow-ups. All pass the gate.
fn follows(gate: &Arc<HandlerGate>) -> impl Handler {
    let gate = Arc::clone(gate);
    move |event: Event, attempt: Attempt| {
        let gate = Arc::clone(&gate);
        async move {
            gate.pass().await;
            if *event.payload() == "a" {
                attempt.follow_up(Event::with_id("a1", "")?)?;
                attempt.follow_up(Event::with_id("a2", "")?)?;
            }
            Ok(())
        }
    }
}

fn open(disk: &TroubledDisk, gate: &Arc<HandlerGate>) -> Eventful {
    let builder = Eventful::builder().seed(1).journal(disk.store(), Durability::default());
    builder.start(follows(gate)).expect("it opens")
}

type Results = Vec<Result<(), FollowUpError>>;

/// Returns a handler of "a" that adds follow-ups, with the results.
fn collecting(
    results: &Arc<Mutex<Vec<Results>>>,
    add: impl Fn(&Attempt) -> Results + Send + Sync + 'static,
) -> impl Handler {
    let results = Arc::clone(results);
    move |event: Event, attempt: Attempt| {
        if *event.payload() == "a" {
            results.lock().expect("no panic").push(add(&attempt));
        }
        async { Ok(()) }
    }
}

fn collected(
    config: Config,
    add: impl Fn(&Attempt) -> Results + Send + Sync + 'static,
) -> (Arc<Mutex<Vec<Results>>>, Eventful) {
    let results = Arc::default();
    let eventful = start(config, collecting(&results, add));
    (results, eventful)
}

fn ids() -> impl Iterator<Item = String> {
    (0..20).map(|id| format!("id {id}"))
}

/// Waits in virtual time until the event has this status.
async fn comes_to(eventful: &Eventful, id: &str, wanted: Status) {
    for _ in 0..10_000 {
        let record = eventful.get(&key(id)).await;
        match record {
            Ok(Some(record)) if record.status == wanted => return,
            Ok(_) | Err(Unavailable::Reopening | Unavailable::Unknown) => {}
            Err(error) => panic!("{error}"),
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{id} is never {wanted}: {:?}", eventful.explain(&key(id)).await);
}
