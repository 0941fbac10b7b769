//! Several engines behind one handle, each with a journal of its own.

#[path = "harness/disk.rs"]
mod disk;
mod harness;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use disk::{AppendFate, TroubledDisk};
use eventful::cluster::{ClusterConfig, Shard, ShardCount, ShardStores};
use eventful::engine::InvalidConfig;
use eventful::journal::{DiskShards, JournalStore, MemoryStore, OpenError};
use eventful::metrics::{JournalState, NotReady, Readiness};
use eventful::{
    Durability, Event, Eventful, StartError, Status, SubmitError, Submitted, Timestamp, Unavailable,
    clock::{Clock as _, ManualClock},
};
use harness::*;
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;

const SHARDS: u16 = 3;

const EVENTS: usize = 30;

#[tokio::test(start_paused = true)]
async fn what_was_accepted_is_known_after_a_restart() {
    let journals = Journals::new(SHARDS);
    let eventful = journals.open(SHARDS).await.expect("new journals");
    assert!(eventful.recovery().is_some_and(|recovery| recovery.is_new && recovery.records == 0));
    submit_all(&eventful).await;
    eventful.wait_idle().await.expect("it runs");
    assert_eq!(eventful.shutdown(None).await.unsynced, 0);

    let eventful = journals.open(SHARDS).await.expect("the same journals");
    let recovery = *eventful.recovery().expect("there are journals");
    assert_eq!((recovery.is_new, recovery.records, recovery.pending), (false, EVENTS as u64, 0));
    for id in ids() {
        assert!(matches!(eventful.submit(event(&id)).await, Ok(Submitted::Duplicate(_))), "{id}");
        let other = Event::new(key(&id), "another payload");
        assert!(matches!(eventful.submit(other).await, Err(SubmitError::Conflict(_))), "{id}");
    }
    assert_eq!(stats(&eventful).engine.facts.accepted, EVENTS as u64);
}

#[tokio::test(start_paused = true)]
async fn another_number_of_shards_is_refused() {
    let journals = Journals::new(2 * SHARDS);
    let eventful = journals.open(SHARDS).await.expect("new journals");
    submit_all(&eventful).await;
    let _ = eventful.shutdown(None).await;
    for other in [SHARDS - 1, SHARDS + 1, 2 * SHARDS] {
        let refused = journals.open(other).await.expect_err("another number");
        assert!(matches!(refused, StartError::OtherShard { .. }), "{refused}");
        assert!(refused.to_string().contains("start with as many shards as the journals were made for"), "{refused}");
    }
    assert!(journals.open(SHARDS).await.is_ok(), "a refusal has changed nothing");
}

#[tokio::test(start_paused = true)]
async fn journals_in_each_others_place_are_refused() {
    let mut journals = Journals::new(SHARDS);
    let eventful = journals.open(SHARDS).await.expect("new journals");
    submit_all(&eventful).await;
    let _ = eventful.shutdown(None).await;
    journals.0.swap(0, 2);
    let refused = journals.open(SHARDS).await.expect_err("they were exchanged");
    assert!(matches!(refused, StartError::OtherShard { .. }), "{refused}");
}

#[tokio::test(start_paused = true)]
async fn pause_of_all_shards_outlives_a_restart() {
    let journals = Journals::new(SHARDS);
    let eventful = journals.open(SHARDS).await.expect("new journals");
    eventful.pause().await.expect("it runs");
    submit_all(&eventful).await;
    let _ = eventful.shutdown(None).await;
    let eventful = journals.open(SHARDS).await.expect("the same journals");
    let recovery = *eventful.recovery().expect("there are journals");
    assert_eq!((recovery.paused, recovery.pending), (true, EVENTS as u64));
    assert!(recovery.oldest_pending.is_some());
    assert!(eventful.shard_stats().expect("it is sound").iter().all(|shard| shard.paused));
    eventful.resume().await.expect("it runs");
    eventful.wait_idle().await.expect("it runs");
}

#[tokio::test(start_paused = true)]
async fn shard_whose_journal_is_down_leaves_the_others_alone() {
    let disks: Vec<_> = (0..SHARDS).map(|_| TroubledDisk::new()).collect();
    let stores = disks.clone();
    let config = ClusterConfig::new(SHARDS)
        .journals(move |shard: Shard| stores[usize::from(shard.number())].store(), Durability::default());
    let eventful = Eventful::cluster(config).seed(1).open(succeed).await.expect("new journals");
    disks[1].decide(&[AppendFate::Fenced]);
    let down = ids().find(|id| eventful.shard_of(&key(id)) == Shard::new(1)).expect("it has some");
    assert_eq!(eventful.submit(event(&down)).await, Err(Unavailable::Unknown.into()));
    until("it is down", || stats(&eventful).journal == Some(JournalState::Down)).await;
    assert_eq!(eventful.readiness(), Readiness::NotReady(NotReady::JournalDown));
    for id in ids() {
        let submitted = eventful.submit(event(&id)).await;
        match eventful.shard_of(&key(&id)) == Shard::new(1) {
            true => assert_eq!(submitted, Err(Unavailable::JournalDown.into()), "{id}"),
            false => assert_eq!(submitted, Ok(Submitted::Accepted), "{id}"),
        }
    }
    let batch = eventful.submit_batch(ids().map(|id| event(&id)).collect::<Vec<_>>()).await;
    for (id, submitted) in ids().zip(batch) {
        assert_eq!(submitted.is_err(), eventful.shard_of(&key(&id)) == Shard::new(1), "{id}");
    }
    // The operator's call reaches the others, and says that it did not reach all.
    assert_eq!(eventful.pause().await, Err(Unavailable::JournalDown.into()));
    let paused: Vec<_> = eventful.shard_stats().expect("it is sound").iter().map(|shard| shard.paused).collect();
    assert_eq!((paused[0], paused[2]), (true, true));
}

#[tokio::test(start_paused = true)]
async fn shard_that_cannot_be_opened_refuses_the_start() {
    let disks: Vec<_> = (0..SHARDS).map(|_| TroubledDisk::new()).collect();
    disks[2].fail_openings(1);
    let gate = HandlerGate::closed();
    let open = || {
        let stores = disks.clone();
        let store = move |shard: Shard| stores[usize::from(shard.number())].store();
        Eventful::cluster(ClusterConfig::new(SHARDS).journals(store, Durability::default())).seed(1)
    };
    let refused = open().open(gate.handler()).await.expect_err("one is gone");
    assert!(matches!(refused, StartError::Open(OpenError::Io { .. })), "{refused}");
    disks[1].decide(&[AppendFate::Full]);
    let refused = open().open(gate.handler()).await.expect_err("one is full");
    assert!(matches!(refused, StartError::Write(_)), "{refused}");
    assert!(open().open(gate.handler()).await.is_ok(), "nothing is left in the way");
}

#[tokio::test(start_paused = true)]
async fn time_of_every_shard_is_behind_that_of_every_journal() {
    let journals = Journals::new(SHARDS);
    let at = Timestamp::from_micros;
    let clock = Arc::new(ManualClock::new(at(1_000_000)));
    let eventful = journals.builder(SHARDS).clock(clock.clone()).open(succeed).await.expect("new journals");
    // Later, only the last shard has a fact.
    clock.advance(4 * SECOND);
    let last = ids().find(|id| eventful.shard_of(&key(id)) == Shard::new(SHARDS - 1)).expect("it has some");
    eventful.submit(event(&last)).await.expect("room");
    let _ = eventful.shutdown(Some(SECOND)).await;

    let behind = Arc::new(ManualClock::new(at(2_000_000)));
    let eventful = journals.builder(SHARDS).clock(behind.clone()).open(succeed).await.expect("the same journals");
    assert!(eventful.now() >= at(5_000_000) && behind.now() == at(2_000_000));
    submit_all(&eventful).await;
    for id in ids() {
        let record = eventful.get(&key(&id)).await.expect("it is sound").expect("it is there");
        assert!(record.accepted_at >= at(5_000_000), "{id}");
    }
}

#[tokio::test(start_paused = true)]
async fn progress_of_a_recovery_is_that_of_all_journals() {
    let journals = Journals::new(SHARDS);
    let eventful = journals.open(SHARDS).await.expect("new journals");
    submit_all(&eventful).await;
    let _ = eventful.shutdown(None).await;
    let last = Arc::new(Mutex::new(None));
    let progress = Arc::clone(&last);
    let builder = journals.builder(SHARDS).on_recovery(move |now| *progress.lock().expect("no panic") = Some(now));
    let _eventful = builder.open(succeed).await.expect("the same journals");
    let last = last.lock().expect("no panic").expect("it was called");
    assert_eq!((last.records, last.read), (EVENTS as u64, last.total));
}

#[tokio::test]
async fn journals_and_settings_that_cannot_be_shared_are_refused() {
    let one = Eventful::cluster(ClusterConfig::new(2)).journal(MemoryStore::new(), Durability::default());
    let refused = one.start(succeed).expect_err("one journal").to_string();
    assert_eq!(refused, "one journal was given for 2 shards: give each its own with ClusterConfig::journals");
    let mut durability = Durability::default();
    durability.max_unsynced_bytes = 1;
    let few = ClusterConfig::new(2).journals(|_: Shard| MemoryStore::new(), durability);
    let refused = Eventful::cluster(few).start(succeed).expect_err("one byte");
    assert!(matches!(refused, StartError::InvalidConfig(InvalidConfig::Part { least: 1, .. })), "{refused}");
    let failing = ClusterConfig::new(2).journals(NoStores, Durability::default());
    let refused = Eventful::cluster(failing).open(succeed).await.expect_err("no stores");
    assert!(matches!(refused, StartError::Open(OpenError::Io { .. })), "{refused}");
}

#[tokio::test(start_paused = true)]
async fn events_that_are_pending_at_a_kill_are_handled_after_it() {
    let journals = Journals::new(SHARDS);
    let eventful = journals.builder(SHARDS).open(hang).await.expect("new journals");
    submit_all(&eventful).await;
    until("all run", || stats(&eventful).workers_running == EVENTS as u64).await;
    // The copies are what a kill would leave.
    let left = Journals(journals.0.iter().map(MemoryStore::copy).collect());
    let eventful = left.open(SHARDS).await.expect("the journals of the one before");
    eventful.wait_idle().await.expect("it runs");
    for id in ids() {
        assert_eq!(status(&eventful, &id), Some(Status::Completed), "{id}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shards_on_disk_remember_and_refuse_another_number() {
    let home = tempfile::tempdir().expect("a directory");
    let open = |shards| {
        let journals = DiskShards::new(home.path());
        Eventful::cluster(ClusterConfig::new(shards).journals(journals, Durability::default())).open(succeed)
    };
    for is_first in [true, false] {
        let eventful = open(SHARDS).await.expect("journals");
        let results = eventful.submit_batch(ids().map(|id| event(&id)).collect::<Vec<_>>()).await;
        assert!(results.iter().all(|result| matches!(result, Ok(Submitted::Accepted)) == is_first), "{results:?}");
        eventful.wait_idle().await.expect("it runs");
        let report = eventful.shutdown(None).await;
        assert_eq!((report.left, report.unsynced), (0, 0));
    }
    let refused = open(SHARDS + 1).await.expect_err("another number");
    assert!(matches!(refused, StartError::Open(OpenError::OtherShards { found: SHARDS, .. })), "{refused}");
}

/// A step of a random history.
#[derive(Debug, Clone)]
enum Step {
    /// Submits a payload under a key.
    Submit { id: u8, payload: u8 },
    /// Submits several at once.
    Batch(Vec<(u8, u8)>),
    /// Ends the engine, in order or not, and opens it again.
    Restart { in_order: bool },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let submit = (any::<u8>(), 0..3_u8);
    let step = prop_oneof![
        6 => submit.clone().prop_map(|(id, payload)| Step::Submit { id, payload }),
        2 => proptest::collection::vec(submit, 0..20).prop_map(Step::Batch),
        1 => any::<bool>().prop_map(|in_order| Step::Restart { in_order }),
    ];
    proptest::collection::vec(step, 0..40)
}

proptest! {
    #![proptest_config(kept_seeds())]

    #[test]
    fn first_payload_of_a_key_is_the_one_that_counts(shards in 1..9_u16, steps in steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
        runtime.expect("a runtime").block_on(history(shards, steps));
    }

    #[test]
    fn shard_of_a_key_depends_on_nothing_else(shards in 1..1025_u16, source in "[a-z]{0,9}", id in "[a-z0-9-]{1,40}") {
        let (one, other) = (eventful::Key::new(&source, &id), eventful::Key::new(&source, &id));
        let count = ShardCount::new(shards).expect("a count");
        let shard = count.shard_of(&one.expect("a key"));
        prop_assert!(shard.number() < shards);
        prop_assert_eq!(shard, count.shard_of(&other.expect("a key")));
    }
}

fn kept_seeds() -> ProptestConfig {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/proptest-regressions/shards.txt");
    let failure_persistence = Some(Box::new(FileFailurePersistence::Direct(path)) as Box<_>);
    // Each has a few restarts of a few shards: more would take longer than all other tests of the adapter.
    ProptestConfig { cases: 64, failure_persistence, ..ProptestConfig::default() }
}

/// Runs a history, and compares each result with what a map says.
async fn history(shards: u16, steps: Vec<Step>) {
    let mut journals = Journals::new(shards);
    let mut eventful = journals.open(shards).await.expect("new journals");
    let mut first: HashMap<u8, u8> = HashMap::new();
    for step in steps {
        match step {
            Step::Submit { id, payload } => {
                let submitted = eventful.submit(numbered(id, payload)).await;
                assert_result(&submitted, *first.entry(id).or_insert(payload) == payload, id);
            }
            Step::Batch(batch) => {
                let events = batch.iter().map(|(id, payload)| numbered(*id, *payload)).collect::<Vec<_>>();
                let results = eventful.submit_batch(events).await;
                assert_eq!(results.len(), batch.len());
                for ((id, payload), result) in batch.into_iter().zip(results) {
                    assert_result(&result, *first.entry(id).or_insert(payload) == payload, id);
                }
            }
            Step::Restart { in_order } => {
                if in_order {
                    eventful.wait_idle().await.expect("it runs");
                    let _ = eventful.shutdown(None).await;
                } else {
                    journals = Journals(journals.0.iter().map(MemoryStore::copy).collect());
                }
                eventful = journals.open(shards).await.expect("the same journals");
            }
        }
        assert_eq!(stats(&eventful).engine.facts.accepted, first.len() as u64);
    }
    eventful.wait_idle().await.expect("it runs");
    let page = eventful.list(Some(Status::Completed), eventful::Cursor::START, 1000).await.expect("it is sound");
    assert_eq!(page.records.len(), first.len(), "nothing is lost, and nothing is there twice");
    for record in page.records {
        let id: u8 = record.key.id().parse().expect("a number");
        assert_eq!(record.digest, *numbered(id, first[&id]).digest());
    }
}

fn assert_result(result: &Result<Submitted, SubmitError>, is_same: bool, id: u8) {
    match result {
        Ok(Submitted::Accepted | Submitted::Duplicate(_)) => assert!(is_same, "{id} has another payload"),
        Err(SubmitError::Conflict(_)) => assert!(!is_same, "{id} has the same payload"),
        Err(other) => panic!("{id}: {other}"),
    }
}

fn numbered(id: u8, payload: u8) -> Event {
    Event::with_id(&id.to_string(), vec![payload]).expect("an event")
}

/// Journals in memory, which outlive the engines that have them open.
struct Journals(Vec<MemoryStore>);

impl Journals {
    fn new(count: u16) -> Self {
        Self((0..count).map(|_| MemoryStore::new()).collect())
    }

    fn builder(&self, shards: u16) -> eventful::Builder {
        let stores = self.0.clone();
        let store = move |shard: Shard| stores[usize::from(shard.number())].clone();
        Eventful::cluster(ClusterConfig::new(shards).journals(store, Durability::default())).seed(1)
    }

    async fn open(&self, shards: u16) -> Result<Eventful, StartError> {
        self.builder(shards).open(succeed).await
    }
}

/// Stores that are not there.
struct NoStores;

impl ShardStores for NoStores {
    fn stores(self: Box<Self>, _: ShardCount) -> Result<Vec<Box<dyn JournalStore>>, OpenError> {
        Err(OpenError::Io { place: "data".to_owned(), cause: "no such device".to_owned() })
    }
}

fn ids() -> impl Iterator<Item = String> {
    (0..EVENTS).map(|number| format!("event-{number}"))
}

async fn submit_all(eventful: &Eventful) {
    for id in ids() {
        eventful.submit(event(&id)).await.expect("room");
    }
}
