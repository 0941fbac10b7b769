//! Several nodes that share the shards of one database.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use eventful::durability::Durability;
use eventful::engine::{Shard, ShardCount};
use eventful::{Attempt, Event, Eventful, Failure, Status, SubmitError, Submitted};
use eventful_postgres::{ClusterNode, Database, HostFuture, Left, MemberConfig, PostgresStore, ShardHost, Survey};
use tokio::time::{sleep, timeout};

use crate::proxy::Proxy;
use crate::start::PostgresServer;
use crate::steps::{LONG, node, server_with};

const SHARDS: u16 = 6;

/// Short, so that a death is known soon, and long enough for a machine that has other work; beats are a fifth of it apart.
const LEASE: Duration = Duration::from_secs(2);

/// Events of a test.
const EVENTS: u32 = 60;

/// The engines of a node, one for each shard.
#[derive(Clone, Default)]
struct Engines(Arc<Mutex<BTreeMap<Shard, Eventful>>>);

impl Engines {
    fn of(&self, shard: Shard) -> Option<Eventful> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&shard).cloned()
    }
}

impl ShardHost for Engines {
    fn open(&self, store: PostgresStore) -> HostFuture<'_, Result<(), String>> {
        Box::pin(async move {
            let shard = store.shard();
            let handle = async |_: Event, _: Attempt| Ok::<(), Failure>(());
            let opened = Eventful::builder().journal(store, Durability::default()).open(handle).await;
            let engine = opened.map_err(|error| error.to_string())?;
            self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(shard, engine);
            Ok(())
        })
    }

    fn close(&self, shard: Shard, within: Duration) -> HostFuture<'_, ()> {
        let engine = self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&shard);
        Box::pin(async move {
            if let Some(engine) = engine {
                engine.shutdown(Some(within)).await;
            }
        })
    }
}

/// A node, with its engines.
struct TestNode {
    member: ClusterNode,
    engines: Engines,
}

impl TestNode {
    async fn join(server: &PostgresServer, number: u8) -> Self {
        Self::join_at(server.database(), number, LEASE).await
    }

    async fn join_at(database: Database, number: u8, lease: Duration) -> Self {
        let engines = Engines::default();
        let config = MemberConfig::new(database, node(number), format!("http://node-{number}"));
        let joined = ClusterNode::join(config.one_copy().lease(lease), engines.clone()).await;
        Self { member: joined.expect("it joins"), engines }
    }

    fn served(&self) -> usize {
        self.member.status().served.len()
    }
}

#[test]
fn shards_of_a_killed_node_move_and_nothing_is_lost() {
    let server = server_with(SHARDS);
    runtime().block_on(async {
        let mut nodes = three(&server).await;
        submit_all(&nodes, "before").await;
        let TestNode { member, engines: zombie } = nodes.remove(0);
        // Nothing beats for it any more, and its engines run without knowing.
        drop(member);
        let again = submit_all(&nodes, "before").await;
        assert!(again.iter().all(|submitted| matches!(submitted, Submitted::Duplicate(_))), "all are known");
        submit_all(&nodes, "after").await;
        let zombies = zombie.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for (shard, engine) in zombies {
            let late = engine.submit(event("late", u32::from(shard.number()))).await;
            assert!(matches!(late, Err(SubmitError::Unavailable(_))), "the old owner is fenced: {late:?}");
        }
        for name in ["before", "after"] {
            assert_all_completed(&nodes, name).await;
        }
        // What a node shows is what it has read last, which may be older than what another one has taken.
        until("each node shows who is dead, and who owns what", || {
            nodes.iter().map(|node| node.member.status()).all(|status| {
                let is_dead = status.nodes.iter().any(|of| of.node == node(1) && !of.is_alive);
                let mut owners = status.shards.iter().flatten();
                let is_whole = owners.clone().count() == usize::from(SHARDS);
                is_dead
                    && is_whole
                    && owners.all(|owner| owner.node != node(1) && owner.url.starts_with("http://node-"))
            })
        })
        .await;
        let survey = Survey::of(&server.database()).await.expect("a schema");
        assert!(survey.is_whole(), "{survey}");
        assert!(survey.to_string().contains("http://node-1: silent, shards:\n"), "{survey}");
    });
}

#[test]
fn node_that_leaves_hands_its_shards_over() {
    let server = server_with(SHARDS);
    runtime().block_on(async {
        let mut nodes = three(&server).await;
        submit_all(&nodes, "before").await;
        let TestNode { member, engines } = nodes.remove(0);
        let (left, during) = tokio::join!(member.leave(), submit_all(&nodes, "during"));
        assert_eq!((left, during.len()), (Left::GaveUp, EVENTS as usize));
        assert!(engines.0.lock().unwrap_or_else(PoisonError::into_inner).is_empty(), "it has closed its engines");
        until("the others serve all", || nodes.iter().map(TestNode::served).sum::<usize>() == usize::from(SHARDS))
            .await;
        until("each has its part", || nodes.iter().all(|node| node.served() == 3)).await;
        for name in ["before", "during"] {
            assert_all_completed(&nodes, name).await;
        }
        for TestNode { member, .. } in nodes {
            assert_eq!(member.leave().await, Left::GaveUp);
        }
    });
    let left =
        "SELECT (SELECT count(*) FROM eventful.node), (SELECT count(*) FROM eventful.shard WHERE owner IS NOT NULL)";
    assert_eq!(server.sql(left), "0|0", "nothing is left of them");
}

#[test]
fn node_that_is_cut_off_ends_before_others_begin() {
    let server = server_with(SHARDS);
    let proxy = Proxy::before(&server);
    runtime().block_on(async {
        let mut nodes = vec![TestNode::join_at(proxy.database(), 1, LEASE).await];
        nodes.push(TestNode::join(&server, 2).await);
        until("each has its part", || nodes.iter().all(|node| node.served() == 3)).await;
        submit_all(&nodes, "before").await;
        proxy.hold_responses();
        let serving = |shard: &Shard| nodes.iter().filter(|node| node.member.serves(*shard)).count();
        let count = ShardCount::new(SHARDS).expect("shards");
        until("the other one serves all", || {
            assert!(count.shards().all(|shard| serving(&shard) <= 1), "no shard is served twice");
            nodes[1].served() == usize::from(SHARDS)
        })
        .await;
        until("the one that is cut off has ended its engines", || nodes[0].served() == 0).await;
        let again = submit_all(&nodes, "before").await;
        assert!(again.iter().all(|submitted| matches!(submitted, Submitted::Duplicate(_))), "all are known");
        proxy.cut();
        until("it has its part again", || nodes.iter().all(|node| node.served() == 3)).await;
        assert_all_completed(&nodes, "before").await;
    });
}

#[test]
fn nodes_open_their_shards_again_when_the_server_is_back() {
    let mut server = server_with(SHARDS);
    runtime().block_on(async {
        let nodes = vec![TestNode::join(&server, 1).await, TestNode::join(&server, 2).await];
        until("each has its part", || nodes.iter().all(|node| node.served() == 3)).await;
        submit_all(&nodes, "before").await;
        server.kill();
        until("all leases have ended", || nodes.iter().all(|node| node.served() == 0)).await;
        server.restart();
        let again = submit_all(&nodes, "before").await;
        assert!(again.iter().all(|submitted| matches!(submitted, Submitted::Duplicate(_))), "all are known");
        assert_all_completed(&nodes, "before").await;
    });
}

#[test]
fn node_that_beats_while_it_is_fenced_keeps_its_shards() {
    let server = server_with(1);
    let owner = node(2);
    server.sql(&format!("INSERT INTO eventful.node VALUES ('{owner}', 'http://silent', 5)"));
    server.sql(&format!("UPDATE eventful.shard SET owner = '{owner}', url = 'http://silent', term = 7"));
    let mut beating = server.session();
    runtime().block_on(async {
        // Long enough to read the table before the next fence.
        let joined = TestNode::join_at(server.database(), 1, 2 * LEASE).await;
        beating.run(&format!("BEGIN; UPDATE eventful.node SET beat = 6 WHERE node = '{owner}';"));
        let waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'";
        until("the fence waits for the beat", || server.sql(waits) == "1").await;
        beating.run("COMMIT;");
        until("it is done", || server.sql(waits) == "0").await;
        let read = "SELECT owner, term FROM eventful.shard";
        assert_eq!(server.sql(read), format!("{owner}|7"), "a node that beats is not dead");
        until("it is dead after another lease", || joined.served() == 1).await;
        assert_eq!(server.sql(read), format!("{}|8", node(1)));
    });
}

#[test]
fn second_process_with_one_identity_ends_the_first() {
    let server = server_with(2);
    runtime().block_on(async {
        let first = TestNode::join(&server, 1).await;
        until("it serves all", || first.served() == 2).await;
        let second = TestNode::join(&server, 1).await;
        let ended = timeout(LONG, first.member.ended()).await.expect("it ends");
        assert_eq!(ended, Left::Superseded);
        until("the second one serves all", || second.served() == 2).await;
    });
}

#[test]
fn owner_that_has_not_joined_is_not_fenced() {
    let server = server_with(1);
    server.sql(&format!("UPDATE eventful.shard SET owner = '{}', url = 'process 1 on a'", node(2)));
    runtime().block_on(async {
        let joined = TestNode::join(&server, 1).await;
        let survey = Survey::of(&server.database()).await.expect("a schema");
        assert_eq!(joined.served(), 0, "after more than a lease");
        let (member, other) = (node(1), node(2));
        let member = format!("node {member} at http://node-1: beats, shards:\n");
        assert_eq!(
            survey.to_string(),
            format!("{member}process 1 on a (node {other}), which is no member: shards: 0\n")
        );
        assert!(!survey.is_whole());
        server.sql("UPDATE eventful.shard SET owner = NULL");
        until("it takes what is free", || joined.served() == 1).await;
    });
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime")
}

/// Three nodes that have divided the shards.
async fn three(server: &PostgresServer) -> Vec<TestNode> {
    let mut nodes = Vec::new();
    for number in 1..=3 {
        nodes.push(TestNode::join(server, number).await);
    }
    until("each has its part", || nodes.iter().all(|node| node.served() == 2)).await;
    nodes
}

/// Waits until a condition holds. Servers have no virtual time, so it is polled, for many times longer than it takes.
async fn until(what: &str, holds: impl Fn() -> bool) {
    let waited = timeout(LONG, async {
        while !holds() {
            sleep(Duration::from_millis(10)).await;
        }
    });
    waited.await.unwrap_or_else(|_| panic!("waited in vain until {what}"));
}

fn event(name: &str, number: u32) -> Event {
    Event::with_id(&format!("{name}-{number}"), number.to_string()).expect("an event")
}

/// The engine that serves an event, as soon as there is one.
async fn engine(nodes: &[TestNode], event: &Event) -> Eventful {
    let shard = ShardCount::new(SHARDS).expect("shards").shard_of(event.key());
    let found = timeout(LONG, async {
        loop {
            let serving = nodes.iter().find(|node| node.member.serves(shard));
            match serving.and_then(|node| node.engines.of(shard)) {
                Some(engine) => return engine,
                None => sleep(Duration::from_millis(5)).await,
            }
        }
    });
    found.await.unwrap_or_else(|_| panic!("{shard:?} is not served within {LONG:?}"))
}

/// Submits each event to the node that serves it, until it is acknowledged.
async fn submit_all(nodes: &[TestNode], name: &str) -> Vec<Submitted> {
    let mut all = Vec::new();
    for number in 0..EVENTS {
        all.push(loop {
            let event = event(name, number);
            match engine(nodes, &event).await.submit(event).await {
                Ok(submitted) => break submitted,
                Err(SubmitError::Overloaded { .. } | SubmitError::Unavailable(_) | SubmitError::ShuttingDown) => {
                    sleep(Duration::from_millis(10)).await;
                }
                Err(refused) => panic!("event {number}: {refused}"),
            }
        });
    }
    all
}

async fn assert_all_completed(nodes: &[TestNode], name: &str) {
    for number in 0..EVENTS {
        let event = event(name, number);
        let engine = engine(nodes, &event).await;
        let ended = timeout(LONG, engine.wait(event.key())).await.expect("it ends in time");
        assert_eq!(ended.unwrap_or_else(|error| panic!("{number}: {error}")).status, Status::Completed);
    }
}
