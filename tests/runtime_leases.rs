//! Workers that ask for runs: how many start, and how long a request waits.

#[path = "harness/disk.rs"]
mod disk;
mod harness;

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use disk::TroubledDisk;
use eventful::handler::LeaseDesk;
use eventful::{
    Config, Durability, Eventful, Status, Submitted, Timestamp,
    clock::{Clock as _, ManualClock, SystemClock},
};
use harness::*;
use tokio::task::JoinHandle;

/// A desk on a journal with a thread, by a clock that stands still, with ten events that are durable.
struct DeskScene {
    disk: TroubledDisk,
    clock: Arc<ManualClock>,
    desk: LeaseDesk,
    eventful: Eventful,
}

impl DeskScene {
    async fn new() -> Self {
        let (disk, desk) = (TroubledDisk::with_thread(), LeaseDesk::new());
        let clock = Arc::new(ManualClock::new(Timestamp::from_micros(1_700_000_000_000_000)));
        let builder = Eventful::builder().config(Config::durable()).seed(1).clock(clock.clone());
        let eventful = builder.journal(disk.store(), Durability::default()).start(desk.clone()).expect("it opens");
        for number in 0..10 {
            assert_eq!(eventful.submit(event(&number.to_string())).await, Ok(Submitted::Accepted));
        }
        let scene = Self { disk, clock, desk, eventful };
        scene.is_durable().await;
        scene
    }

    /// Asks for runs, and returns the ids of the events that come.
    fn asking(&self, most: usize, wait: Duration) -> JoinHandle<Vec<String>> {
        let (desk, eventful) = (self.desk.clone(), self.eventful.clone());
        tokio::spawn(async move { ids(&desk, &eventful, most, wait).await })
    }

    fn started(&self) -> u64 {
        stats(&self.eventful).engine.facts.started
    }

    async fn is_durable(&self) {
        until("all is durable", || stats(&self.eventful).unsynced == 0).await;
    }

    /// Lets time pass, and tasks run in it.
    async fn pass(&self, millis: u64) {
        for _ in 0..millis / 5 {
            self.clock.advance(Duration::from_millis(5));
            settle_down().await;
        }
    }
}

#[tokio::test]
async fn requests_start_what_they_ask_for_while_starts_are_written() {
    let scene = DeskScene::new().await;
    scene.disk.block();
    let one = scene.asking(1, SECOND * 20);
    until("a start is being written", || scene.disk.holds_one_up()).await;
    scene.pass(200).await;
    assert_eq!(scene.started(), 1, "no one has asked for more");
    let two = scene.asking(2, SECOND * 20);
    scene.pass(200).await;
    assert_eq!(scene.started(), 3);
    scene.disk.unblock();
    let (one, two) = (one.await.expect("no panic"), two.await.expect("no panic"));
    assert_eq!([one, two], [vec!["0"], vec!["1", "2"]]);
    scene.pass(2000).await;
    scene.is_durable().await;
    assert_eq!((scene.started(), stats(&scene.eventful).workers_running), (3, 3));
}

#[tokio::test]
async fn event_discarded_on_its_way_is_followed_by_the_next_one() {
    let scene = DeskScene::new().await;
    scene.disk.block();
    let asking = scene.asking(1, SECOND * 20);
    until("a start is being written", || scene.disk.holds_one_up()).await;
    let (eventful, first) = (scene.eventful.clone(), key("0"));
    let discarding = tokio::spawn(async move { eventful.discard(&first).await });
    until("the next one starts", || scene.started() == 2).await;
    scene.disk.unblock();
    assert_eq!(asking.await.expect("no panic"), ["1"]);
    assert_eq!(discarding.await.expect("no panic"), Ok(()));
    scene.pass(200).await;
    assert_eq!(scene.started(), 2);
}

#[tokio::test]
async fn request_waits_a_second_for_a_start_that_becomes_durable() {
    let scene = DeskScene::new().await;
    scene.disk.block();
    let asking = scene.asking(1, Duration::ZERO);
    until("a start is being written", || scene.disk.holds_one_up()).await;
    scene.pass(995).await;
    assert!(!asking.is_finished(), "its event is about to come");
    scene.pass(5).await;
    assert_eq!(asking.await.expect("no panic"), Vec::<String>::new());

    // The next request takes the run, as soon as its start is durable.
    let asking = scene.asking(1, SECOND * 20);
    scene.pass(200).await;
    assert_eq!(scene.started(), 1);
    scene.disk.unblock();
    assert_eq!(asking.await.expect("no panic"), ["0"]);
}

#[tokio::test(start_paused = true)]
async fn request_takes_no_time_to_find_that_no_more_runs_are_coming() {
    let (desk, eventful) = in_memory(3).await;
    let (clock, asked_at) = ticking();
    assert_eq!(ids(&desk, &eventful, 10, SECOND * 50).await, ["0", "1", "2"]);
    assert_eq!(ids(&desk, &eventful, 10, Duration::ZERO).await, Vec::<String>::new());
    assert_eq!(clock.now().since(asked_at), Duration::ZERO);
    assert_eq!(ids(&desk, &eventful, 10, SECOND * 7).await, Vec::<String>::new());
    assert_eq!(clock.now().since(asked_at), SECOND * 7);
}

#[tokio::test(start_paused = true)]
async fn requests_without_a_limit_take_all_that_is_due() {
    let (desk, eventful) = in_memory(0).await;
    let asking = [SECOND * 20; 3].map(|wait| {
        let (desk, eventful) = (desk.clone(), eventful.clone());
        tokio::spawn(async move { ids(&desk, &eventful, usize::MAX, wait).await })
    });
    settle_down().await;
    eventful.submit(event("a")).await.expect("room");
    let mut taken = Vec::new();
    for asking in asking {
        taken.extend(asking.await.expect("no panic"));
    }
    assert_eq!(taken, ["a"]);
}

#[tokio::test(start_paused = true)]
async fn request_ends_its_wait_during_a_pause() {
    let (desk, eventful) = in_memory(1).await;
    eventful.pause().await.expect("it runs");
    let (clock, asked_at) = ticking();
    assert_eq!(ids(&desk, &eventful, 1, SECOND * 2).await, Vec::<String>::new());
    assert_eq!(clock.now().since(asked_at), SECOND * 2);
    eventful.resume().await.expect("it runs");
    assert_eq!(ids(&desk, &eventful, 1, Duration::ZERO).await, ["0"]);
    assert_eq!(status(&eventful, "0"), Some(Status::Processing));
}

/// Returns a clock that goes with the time of the runtime, and its time.
fn ticking() -> (SystemClock, Timestamp) {
    let clock = SystemClock::new();
    let now = clock.now();
    (clock, now)
}

async fn in_memory(events: usize) -> (LeaseDesk, Eventful) {
    let desk = LeaseDesk::new();
    let eventful = start(Config::default(), desk.clone());
    for number in 0..events {
        eventful.submit(event(&number.to_string())).await.expect("room");
    }
    (desk, eventful)
}

/// Returns the ids of the events that a request gets.
async fn ids(desk: &LeaseDesk, eventful: &Eventful, most: usize, wait: Duration) -> Vec<String> {
    let most = NonZeroUsize::new(most).expect("more than zero");
    let leases = desk.lease(eventful, most, wait).await.expect("it is available");
    leases.iter().map(|lease| lease.event.key().id().to_string()).collect()
}
