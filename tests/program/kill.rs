//! Survival of `kill -9`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use eventful::journal::{DiskStore, JournalStore as _, Owner, Sequence};
use serde_json::Value;
use tokio::process::Child;
use tokio::task::JoinSet;

use crate::clients::{OneRequestClient, ServerAddress, SplitMix};
use crate::ledger::{ClientLedger, EventAnswers, digest};
use crate::process::{ServerChild, spawn};
use crate::sink::Sink;

/// The number of kills: enough for each moment to be hit several times, and few enough for a test.
const KILLS: usize = 60;
const CLIENTS: u64 = 6;
/// More attempts than an event that is killed again and again can need.
const MAX_ATTEMPTS: &str = "50";

#[tokio::test]
async fn acknowledged_events_survive_many_kills_and_are_completed() {
    let run = KillRun::start().await;
    let mut clients = JoinSet::new();
    (1..=CLIENTS).for_each(|name| drop(clients.spawn(OneRequestClient::new(name, &run.ledger, &run.place).run())));
    let mut chance = SplitMix::new(7);
    for _ in 0..KILLS {
        let moment = KillMoment::draw(&mut chance);
        tokio::select! {
            biased;
            ended = clients.join_next() => panic!("a client has ended: {ended:?}"),
            () = run.live(moment, &mut chance) => {}
        }
    }
    let mut server = ServerChild::of(run.spawn(&mut chance)).await;
    run.place.open(&server.address, true);
    while let Some(ended) = clients.join_next().await {
        ended.expect("the client is content");
    }
    let stats = at_rest(&server, &run.ledger).await;
    run.audit_counters(&stats);
    run.audit_events(&server).await;
    server.signal("TERM");
    server.says("0 left").await;
    assert_eq!(server.exit_code().await, 0);

    let server = ServerChild::of(run.spawn(&mut chance)).await;
    let again = server.get("/v1/stats").await;
    for facts in ["events_accepted_total", "attempts_started_total", "attempts_finished_total"] {
        assert_eq!(again[facts], stats[facts], "{facts}");
    }
    server.kill().await;
    let journal = DiskStore::new(&run.data).open(&Owner::new("the test")).expect("a journal");
    assert!(journal.extent().first > Sequence::FIRST, "no snapshot was made");
}

/// The moment at which a life ends.
#[derive(Debug)]
enum KillMoment {
    /// As soon as there is a process.
    Spawned,
    /// As soon as it has opened its journal.
    Opened,
    /// As soon as it serves.
    Serving,
    /// Once the server has acknowledged this many more events.
    Acknowledged(usize),
    /// Once this many more attempts were seen.
    Delivered(usize),
}

impl KillMoment {
    fn draw(chance: &mut SplitMix) -> Self {
        let count = 1 + usize::try_from(chance.below(60)).expect("a count");
        match chance.below(10) {
            0 => Self::Spawned,
            1 => Self::Opened,
            2 => Self::Serving,
            3..=5 => Self::Acknowledged(count),
            _ => Self::Delivered(count),
        }
    }
}

/// One directory, its clients and its sink.
struct KillRun {
    data: PathBuf,
    sink: Sink,
    ledger: Arc<ClientLedger>,
    place: Arc<ServerAddress>,
}

impl KillRun {
    async fn start() -> Self {
        let data = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("kill-{}", std::process::id()));
        let responses: Vec<_> = (0..5000).map(|n| if n % 7 == 0 { "500 Oh" } else { "204 No Content" }).collect();
        let sink = Sink::start(&responses).await;
        Self { data, sink, ledger: Arc::default(), place: Arc::default() }
    }

    /// Begins a life. In every other one, more or less, snapshots are made all the time.
    fn spawn(&self, chance: &mut SplitMix) -> Child {
        let snapshot_after = if chance.below(2) == 0 { "1000" } else { "1000000" };
        let data = self.data.to_str().expect("text");
        let limits = ["--max-attempts", MAX_ATTEMPTS, "--snapshot-after", snapshot_after];
        spawn(&[&["--data", data, "--deliver", &self.sink.url][..], &limits].concat())
    }

    /// One life, and its end.
    async fn live(&self, moment: KillMoment, chance: &mut SplitMix) {
        let (acknowledged, delivered) = (self.ledger.count(), self.sink.count());
        let mut child = self.spawn(chance);
        match moment {
            KillMoment::Spawned => return child.kill().await.expect("it is killed"),
            KillMoment::Opened => {
                self.until_opened(&child).await;
                return child.kill().await.expect("it is killed");
            }
            KillMoment::Serving | KillMoment::Acknowledged(_) | KillMoment::Delivered(_) => {}
        }
        let server = ServerChild::of(child).await;
        self.place.open(&server.address, false);
        match moment {
            KillMoment::Spawned | KillMoment::Opened | KillMoment::Serving => {}
            KillMoment::Acknowledged(count) => self.ledger.until(acknowledged + count).await,
            KillMoment::Delivered(count) => self.sink.until(delivered + count).await,
        }
        let (acknowledged, delivered) = (self.ledger.count(), self.sink.count());
        let stats = server.get("/v1/stats").await;
        server.kill().await;
        assert!(number(&stats, "events_accepted_total") >= acknowledged as u64, "{stats}");
        assert!(number(&stats, "attempts_started_total") >= delivered as u64, "{stats}");
    }

    /// Waits until it has locked the directory, and left its name.
    async fn until_opened(&self, child: &Child) {
        let name = format!("process {}", child.id().expect("it runs"));
        while !std::fs::read_to_string(self.data.join("LOCK")).is_ok_and(|owner| owner == name) {
            tokio::task::yield_now().await;
        }
    }

    /// Checks that the counters are what they would be without a kill, but for attempts that kills have cost.
    fn audit_counters(&self, stats: &Value) {
        let events = self.ledger.count() as u64;
        assert_eq!(number(stats, "events_accepted_total"), events);
        assert_eq!(number(&stats["records"], "completed"), events);
        let finished = stats["attempts_finished_total"].as_object().expect("outcomes");
        let ends: u64 = finished.values().map(|count| count.as_u64().expect("a count")).sum();
        assert_eq!(number(stats, "attempts_started_total"), ends);
        assert_eq!(number(&stats["attempts_finished_total"], "done"), events);
        assert!(number(&stats["attempts_finished_total"], "crashed") > 0, "no kill has hit an attempt");
        assert!(ends >= self.sink.count() as u64);
    }

    /// Checks that every event that was acknowledged is completed, with its payload, and was delivered at most once in
    /// each of its attempts, and that no other event was.
    async fn audit_events(&self, server: &ServerChild) {
        let mut deliveries = self.deliveries();
        for (id, acknowledged) in self.ledger.all() {
            let record = server.get(&format!("/v1/events/{id}")).await;
            assert_eq!(record["status"], "completed", "{record}");
            assert_eq!(record["digest"], acknowledged.digest, "{record}");
            let attempts = deliveries.remove(&id).unwrap_or_default();
            assert!(!attempts.is_empty(), "{id} is completed, and was never delivered");
            assert!(attempts.last() <= record["attempt"].as_u64().as_ref(), "{attempts:?} {record}");
        }
        assert!(deliveries.is_empty(), "no client has sent {deliveries:?}");
    }

    /// Returns the attempts that were seen of each event.
    fn deliveries(&self) -> BTreeMap<String, BTreeSet<u64>> {
        let mut deliveries = BTreeMap::<_, BTreeSet<_>>::new();
        for request in self.sink.requests() {
            let (head, payload) = request.split_once("\r\n\r\n").expect("a head");
            let header = |name| head.lines().find_map(|line| line.strip_prefix(name)).expect(name);
            let (id, attempt) = (header("webhook-id: "), header("eventful-attempt: ").parse().expect("a number"));
            let EventAnswers { digest: stored, .. } = self.ledger.known(id);
            assert_eq!(digest(id, payload), stored, "{id} was delivered with another payload");
            assert!(deliveries.entry(id.to_owned()).or_default().insert(attempt), "attempt {attempt} of {id} twice");
        }
        deliveries
    }
}

impl Drop for KillRun {
    fn drop(&mut self) {
        // The directory of a failure is kept for inspection.
        if !std::thread::panicking() {
            let _removed = std::fs::remove_dir_all(&self.data);
        }
    }
}

/// Polls until every event has ended; gives up after many tries.
async fn at_rest(server: &ServerChild, ledger: &ClientLedger) -> Value {
    let mut stats = Value::Null;
    for _ in 0..50_000 {
        stats = server.get("/v1/stats").await;
        if number(&stats["records"], "completed") == ledger.count() as u64 {
            return stats;
        }
    }
    panic!("not everything is completed: {stats}");
}

fn number(object: &Value, name: &str) -> u64 {
    object[name].as_u64().unwrap_or_else(|| panic!("no {name} in {object}"))
}
