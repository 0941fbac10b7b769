//! Schedules of a running engine: over both changes of clocks, over restarts, and with little room.

mod harness;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use eventful::clock::ManualClock;
use eventful::cluster::ClusterConfig;
use eventful::journal::MemoryStore;
use eventful::schedules::{Cron, InvalidSchedules, Missed, Overlap, Schedule};
use eventful::{Attempt, Builder, Durability, Event, Eventful, Failure, StartError, Status, Timestamp};
use harness::*;

const HOUR: Duration = Duration::from_secs(3600);

/// 2026-03-28 00:00 in UTC, the day before clocks are put forward in Berlin.
const SPRING: Timestamp = Timestamp::from_micros(1_774_656_000_000_000);
/// 2026-10-24 00:00 in UTC, the day before they are put back.
const AUTUMN: Timestamp = Timestamp::from_micros(1_792_800_000_000_000);

type Ids = Arc<Mutex<Vec<String>>>;

#[tokio::test]
async fn nightly_event_comes_once_a_night_over_both_changes_of_clocks() {
    for (begin, nights) in [
        (SPRING, ["2026-03-28T01:30:00Z", "2026-03-29T01:30:00Z", "2026-03-30T00:30:00Z"]),
        (AUTUMN, ["2026-10-24T00:30:00Z", "2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"]),
    ] {
        let (clock, ids) = (clock(begin), Ids::default());
        let builder = Eventful::builder().clock(clock.clone()).configure(|config| config.retention = HOUR * 96);
        let builder = builder.schedules(vec![schedule("30 2 * * *")]);
        let eventful = builder.start(noting(&ids)).expect("it starts");
        for _ in 0..3 * 24 * 2 {
            clock.advance(HOUR / 2);
            settle_down().await;
        }
        until("the last one is completed", || stats(&eventful).engine.gauges.pending() == 0).await;
        assert_eq!(*ids.lock().expect("no panic"), nights);
        let record = eventful.get(&key_of("nightly", nights[1])).await.expect("it works").expect("a record");
        assert_eq!(record.status, Status::Completed);
        eventful.shutdown(None).await;
    }
}

#[tokio::test]
async fn restart_takes_no_instant_twice_and_makes_up_for_the_latest() {
    let (store, ids) = (MemoryStore::new(), Ids::default());
    let mut now = SPRING;
    // Each life ends without a word; between them nothing runs for as many hours.
    for (hours, down) in [(30, 0), (1, 1), (0, 50), (2, 20), (30, 3)] {
        let clock = clock(now);
        let eventful = open(&store, &clock, schedule("0 3 * * *")).start(noting(&ids)).expect("it opens");
        settle_down().await;
        for _ in 0..hours {
            clock.advance(HOUR);
            settle_down().await;
        }
        until("nothing waits", || stats(&eventful).engine.gauges.pending() == 0).await;
        eventful.sync().await.expect("it writes");
        now = now + HOUR * (hours + down);
        drop(eventful);
    }
    let due = ["2026-03-28T02:00:00Z", "2026-03-29T01:00:00Z", "2026-03-31T01:00:00Z", "2026-04-01T01:00:00Z"];
    let ids = ids.lock().expect("no panic").clone();
    let unique: std::collections::BTreeSet<_> = ids.iter().collect();
    assert_eq!(unique.len(), ids.len(), "{ids:?}");
    assert!(due.iter().all(|due| ids.contains(&(*due).to_owned())), "{ids:?}");
}

#[tokio::test]
async fn missed_instants_are_made_up_for_as_the_schedule_says() {
    let all = |most: usize| Missed::All(most.try_into().expect("not zero"));
    for (missed, catch_up, taken) in [
        (Missed::Latest, 24, vec!["04:00"]),
        (all(3), 24, vec!["02:00", "03:00", "04:00"]),
        (all(9), 2, vec!["03:00", "04:00"]),
        (Missed::None, 24, vec![]),
        (Missed::Latest, 0, vec![]),
    ] {
        let (store, ids) = (MemoryStore::new(), Ids::default());
        let hourly = || {
            let hourly = named("hourly", "0 * * * *").with_overlap(Overlap::Allow);
            hourly.with_missed(missed).with_catch_up(HOUR * catch_up)
        };
        let first = open(&store, &clock(SPRING), hourly()).start(noting(&ids)).expect("it opens");
        first.sync().await.expect("it writes");
        drop(first);
        let later = clock(SPRING + HOUR * 9 / 2);
        let second = open(&store, &later, hourly()).start(noting(&ids)).expect("it opens");
        settle_down().await;
        until("nothing waits", || stats(&second).engine.gauges.pending() == 0).await;
        let mut ids: Vec<_> = ids.lock().expect("no panic").iter().map(|id| id[11..16].to_owned()).collect();
        // Handlers of the same moment run at once.
        ids.sort();
        assert_eq!(ids, taken, "{missed:?} within {catch_up} h");
        second.shutdown(None).await;
    }
}

#[tokio::test]
async fn instant_waits_until_there_is_room() {
    let (clock, ids) = (clock(SPRING), Ids::default());
    let builder = Eventful::builder().clock(clock.clone()).configure(|config| config.max_pending = 1);
    let eventful = builder.schedules(vec![schedule("0 * * * *")]).start(noting(&ids)).expect("it starts");
    eventful.pause().await.expect("it works");
    eventful.submit(event("fills")).await.expect("room");
    clock.advance(HOUR);
    settle_down().await;
    assert_eq!(stats(&eventful).engine.facts.accepted, 1);
    eventful.resume().await.expect("it works");
    until("the first one is completed", || stats(&eventful).engine.gauges.pending() == 0).await;
    clock.advance(Duration::from_secs(1));
    until("the instant is taken", || ids.lock().expect("no panic").len() == 2).await;
    assert_eq!(ids.lock().expect("no panic")[1], "2026-03-28T01:00:00Z");
    eventful.shutdown(None).await;
}

#[tokio::test]
async fn schedules_that_cannot_be_kept_refuse_the_start() {
    let twice = vec![schedule("0 0 * * *"), schedule("0 1 * * *")];
    let refused = Eventful::builder().schedules(twice).start(succeed).err();
    assert!(matches!(refused, Some(StartError::InvalidSchedules(InvalidSchedules::Twice(_)))), "{refused:?}");
    let several = Eventful::cluster(ClusterConfig::new(2)).schedules(vec![schedule("0 0 * * *")]);
    assert!(matches!(several.start(succeed).err(), Some(StartError::SchedulesOfShards(_))));
}

fn clock(at: Timestamp) -> Arc<ManualClock> {
    Arc::new(ManualClock::new(at))
}

fn schedule(expression: &str) -> Schedule {
    named("nightly", expression)
}

fn named(name: &str, expression: &str) -> Schedule {
    let cron = Cron::new(expression, "Europe/Berlin").expect("an expression");
    let event = Event::with_id("any", "{}").expect("an event").with_type("report").expect("a short type");
    Schedule::new(name, cron, event).expect("a name")
}

fn open(store: &MemoryStore, clock: &Arc<ManualClock>, schedule: Schedule) -> Builder {
    let builder = Eventful::builder().journal(store.clone(), Durability::default()).clock(clock.clone());
    builder.schedules(vec![schedule])
}

fn key_of(schedule: &str, id: &str) -> eventful::Key {
    eventful::Key::new(&format!("schedule:{schedule}"), id).expect("a key")
}

fn noting(ids: &Ids) -> impl eventful::Handler {
    let ids = Arc::clone(ids);
    move |event: Event, _: Attempt| {
        assert!(event.key().source().is_empty() || event.event_type() == Some("report"), "{event:?}");
        ids.lock().expect("no panic").push(event.key().id().to_string());
        async { Ok::<(), Failure>(()) }
    }
}
