//! Several engines behind one handle, in memory: every call of the handle, over all of them.

mod harness;

use std::collections::HashSet;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use eventful::cluster::{ClusterConfig, Shard};
use eventful::engine::{InvalidConfig, facts::Change};
use eventful::metrics::{NotReady, Readiness};
use eventful::{
    Attempt, Config, Cursor, Event, Eventful, Failure, Filter, Handler, Notice, StartError, Status, SubmitError,
    Submitted, TypePolicy, WaitError,
};
use harness::*;

/// Shards of a test: few, so that each has several of the events.
const SHARDS: u16 = 4;

/// Events of a test: so many that each shard has some.
const EVENTS: usize = 40;

#[tokio::test(start_paused = true)]
async fn event_of_any_shard_is_handled_and_remembered_once() {
    let ledger = Arc::new(AttemptLog::default());
    let eventful = sharded(Config::default(), counting(&ledger));
    for id in ids() {
        assert_eq!(eventful.submit(event(&id)).await, Ok(Submitted::Accepted));
        let ended = eventful.wait(&key(&id)).await.expect("it is there");
        assert_eq!(ended.status, Status::Completed);
        assert!(matches!(eventful.try_submit(event(&id)).await, Ok(Submitted::Duplicate(_))));
        let other = Event::new(key(&id), "another payload");
        assert!(matches!(eventful.submit(other).await, Err(SubmitError::Conflict(_))));
        assert_eq!(ledger.runs(&id), 1);
        assert!(eventful.explain(&key(&id)).await.expect("it is sound").is_some());
    }
    assert_eq!(eventful.get(&key("absent")).await, Ok(None));
    assert_eq!(eventful.wait(&key("absent")).await, Err(WaitError::NotFound));
    let used: HashSet<_> = ids().map(|id| eventful.shard_of(&key(&id))).collect();
    assert_eq!(used.len(), usize::from(SHARDS), "each shard has some of them");
}

#[tokio::test]
async fn runs_that_workers_ask_for_are_those_of_one_engine() {
    let desk = eventful::handler::LeaseDesk::new;
    let refused = Eventful::cluster(ClusterConfig::new(SHARDS)).start(desk()).expect_err("several shards");
    assert!(matches!(refused, StartError::AskedOfShards(_)), "{refused}");
    assert!(Eventful::cluster(ClusterConfig::new(1)).start(desk()).is_ok());
}

#[tokio::test]
async fn runs_that_workers_ask_for_are_those_of_the_only_handler() {
    let (desk, policy) = (eventful::handler::LeaseDesk::new, TypePolicy::new);
    let of_a_type = Eventful::builder().on("mail", desk(), policy());
    for refused in [
        of_a_type.start(succeed),
        Eventful::builder().on("mail", desk(), policy()).start_typed(),
        Eventful::builder().on("mail", succeed, policy()).start(desk()),
        Eventful::builder().on("fax", succeed, policy()).on("mail", desk(), policy()).open(succeed).await,
    ] {
        let refused = refused.expect_err("there are two handlers");
        assert_eq!(refused, StartError::AskedBesideOthers);
        assert!(refused.to_string().contains("start with that alone"), "{refused}");
    }
    let limited = move |config: &mut Config| drop(config.types.add("mail", policy().with_concurrency(1)));
    assert!(Eventful::builder().configure(limited).start(desk()).is_ok(), "a policy is no handler");
}

#[tokio::test(start_paused = true)]
async fn batch_gives_the_results_in_its_own_order() {
    let eventful = sharded(Config::default(), succeed);
    let known: Vec<_> = ids().step_by(3).collect();
    for id in &known {
        eventful.submit(event(id)).await.expect("room");
    }
    let conflicting = |id: &str| id.ends_with('7');
    let batch = ids().map(|id| if conflicting(&id) { Event::new(key(&id), "another") } else { event(&id) });
    let results = eventful.submit_batch(batch.collect::<Vec<_>>()).await;
    assert_eq!(results.len(), EVENTS);
    for (id, result) in ids().zip(results) {
        match (known.contains(&id), conflicting(&id)) {
            (true, true) => assert!(matches!(result, Err(SubmitError::Conflict(_))), "{id}: {result:?}"),
            (true, false) => assert!(matches!(result, Ok(Submitted::Duplicate(_))), "{id}: {result:?}"),
            (false, _) => assert_eq!(result, Ok(Submitted::Accepted), "{id}"),
        }
    }
    assert!(eventful.submit_batch([]).await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn pages_show_each_event_once_and_then_end() {
    let eventful = sharded(Config::default(), succeed);
    submit_all(&eventful).await;
    eventful.wait_idle().await.expect("it runs");
    for limit in [1, 7, EVENTS, EVENTS + 1] {
        let (mut seen, mut next) = (Vec::new(), Some(Cursor::START));
        while let Some(after) = next {
            let page = eventful.list(Some(Status::Completed), after, limit).await.expect("it is sound");
            assert!(page.records.len() <= limit);
            seen.extend(page.records.into_iter().map(|record| record.key));
            next = page.next;
        }
        assert_eq!(seen.len(), EVENTS, "pages of {limit}");
        assert_eq!(seen.iter().collect::<HashSet<_>>().len(), EVENTS);
    }
    let behind = Cursor::START.in_shard(Shard::new(SHARDS));
    let page = eventful.list(None, behind, 10).await.expect("it is sound");
    assert_eq!((page.records, page.next), (Vec::new(), None));
    assert_eq!(eventful.count(&Filter::of(Status::Completed)).await, Ok(EVENTS as u64));
}

#[tokio::test(start_paused = true)]
async fn failed_events_are_redriven_and_discarded_over_all_shards() {
    let ledger = Arc::new(AttemptLog::default());
    let failing = {
        let ledger = Arc::clone(&ledger);
        move |event: Event, _: Attempt| {
            let runs = ledger.count(&event);
            async move { if runs < 2 { Err(Failure::permanent("the first one")) } else { Ok(()) } }
        }
    };
    let eventful = sharded(Config::default(), failing);
    for number in 0..250 {
        eventful.submit(event(&number.to_string())).await.expect("room");
    }
    eventful.wait_idle().await.expect("it runs");
    let mut discarded = eventful
        .discard_matching(Status::Failed, &Filter::default(), Cursor::START, usize::MAX)
        .await
        .expect("it runs");
    assert_eq!((discarded.count, discarded.left), (100, 150), "a page continues in the next shard");
    assert!(discarded.next.is_some_and(|next| next.shard().0 > Shard::new(0)));

    let (mut redriven, mut next) = (Vec::new(), Some(Cursor::START));
    while let Some(after) = next {
        let page = eventful.redrive_all(after).await.expect("room");
        redriven.push(page.count);
        assert_eq!(page.left, 150 - redriven.iter().sum::<usize>() as u64);
        next = page.next;
    }
    assert_eq!(redriven, [100, 50]);
    eventful.wait_idle().await.expect("it runs");
    assert_eq!(eventful.count(&Filter::of(Status::Completed)).await, Ok(150));
    let behind = Cursor::START.in_shard(Shard::new(SHARDS));
    discarded =
        eventful.discard_matching(Status::Failed, &Filter::default(), behind, usize::MAX).await.expect("it runs");
    assert_eq!((discarded.count, discarded.next), (0, None));
    let last = eventful.redrive_all(behind).await.expect("it runs");
    assert_eq!((last.count, last.left, last.next), (0, 0, None));
    let (one, other) = (event("one more"), key("one more"));
    eventful.submit(one).await.expect("room");
    until_status(&eventful, "one more", Status::Failed).await;
    assert_eq!(eventful.redrive(&other).await, Ok(()));
    until_status(&eventful, "one more", Status::Completed).await;
}

#[tokio::test(start_paused = true)]
async fn redrive_stops_at_the_bound_of_a_shard_and_continues_there() {
    let mut config = Config::default();
    config.max_pending = usize::from(SHARDS);
    let ledger = Arc::new(AttemptLog::default());
    let first_fails = {
        let ledger = Arc::clone(&ledger);
        move |event: Event, _: Attempt| {
            let runs = ledger.count(&event);
            async move { if runs < 2 { Err(Failure::permanent("the first one")) } else { Ok(()) } }
        }
    };
    let eventful = sharded(config, first_fails);
    for id in ids() {
        eventful.submit(event(&id)).await.expect("room");
        until_status(&eventful, &id, Status::Failed).await;
    }
    eventful.pause().await.expect("it runs");
    let first = eventful.redrive_all(Cursor::START).await.expect("room for one");
    assert_eq!((first.count, first.next), (1, Some(Cursor::START)), "the first shard has room for one");
    eventful.resume().await.expect("it runs");
    let mut next = first.next;
    while let Some(after) = next {
        // It has room again when what was redriven has ended.
        eventful.wait_idle().await.expect("it runs");
        next = eventful.redrive_all(after).await.expect("room").next;
    }
    eventful.wait_idle().await.expect("it runs");
    assert_eq!(eventful.count(&Filter::of(Status::Completed)).await, Ok(EVENTS as u64));
}

#[tokio::test(start_paused = true)]
async fn pause_holds_every_shard_until_it_is_resumed() {
    let gate = HandlerGate::closed();
    let eventful = sharded(Config::default(), gate.handler());
    eventful.pause().await.expect("it runs");
    submit_all(&eventful).await;
    settle_down().await;
    assert!(stats(&eventful).paused && gate.came() == 0, "none has started");
    assert_eq!(eventful.readiness(), Readiness::Ready);
    eventful.resume().await.expect("it runs");
    gate.let_through(EVENTS);
    eventful.wait_idle().await.expect("it runs");
    assert!(!stats(&eventful).paused && gate.came() == EVENTS);
}

#[tokio::test(start_paused = true)]
async fn runs_of_all_shards_together_stay_within_the_concurrency() {
    let gate = HandlerGate::closed();
    let mut config = Config::default();
    config.concurrency = NonZeroUsize::new(6).expect("more than zero");
    let eventful = sharded(config, gate.handler());
    submit_all(&eventful).await;
    settle_down().await;
    assert_eq!((gate.came(), stats(&eventful).workers_running), (6, 6));
    let running: Vec<_> = eventful.shard_stats().expect("it is sound").iter().map(|one| one.workers_running).collect();
    assert_eq!(running, [2, 2, 1, 1], "each has its part");
    gate.let_through(EVENTS);
    until_at_rest(&eventful).await;
}

#[tokio::test(start_paused = true)]
async fn numbers_are_those_of_all_shards() {
    let eventful = sharded(Config::default(), succeed);
    submit_all(&eventful).await;
    eventful.wait_idle().await.expect("it runs");
    eventful.sync().await.expect("there is no journal");
    let (sum, each) = (stats(&eventful), eventful.shard_stats().expect("it is sound"));
    assert_eq!(each.len(), usize::from(SHARDS));
    assert!(each.iter().all(|shard| shard.engine.facts.accepted > 0));
    assert_eq!(sum.engine.facts.accepted, each.iter().map(|shard| shard.engine.facts.accepted).sum::<u64>());
    assert_eq!((sum.engine.facts.accepted, sum.engine.histograms.end_to_end.count()), (EVENTS as u64, EVENTS as u64));
}

#[tokio::test(start_paused = true)]
async fn subscription_gets_the_facts_of_every_shard_and_then_ends() {
    let eventful = sharded(Config::default(), succeed);
    let mut subscription = eventful.subscribe(1000).expect("it is sound");
    submit_all(&eventful).await;
    let mut accepted = HashSet::new();
    while accepted.len() < EVENTS {
        match subscription.recv().await.expect("it runs") {
            Notice::Fact(fact) => {
                if let Change::Accepted(event) = fact.change {
                    assert!(accepted.insert(event.key().clone()), "each once");
                }
            }
            lost @ (Notice::Lagged(_) | Notice::Reopened) => panic!("nothing is lost: {lost:?}"),
        }
    }
    eventful.shutdown(None).await;
    let rest = async {
        let mut rest = 0;
        while subscription.recv().await.is_some() {
            rest += 1;
        }
        rest
    };
    assert!(rest.await <= 2 * EVENTS, "a start and an end of each at most");
}

#[tokio::test(start_paused = true)]
async fn subscription_waits_for_the_next_fact_of_any_shard() {
    let eventful = sharded(Config::default(), succeed);
    let mut subscription = eventful.subscribe(10).expect("it is sound");
    for id in ids() {
        // The reader waits before there is a fact: of the acceptance, the start and the end.
        let (first, submitted) = tokio::join!(subscription.recv(), eventful.submit(event(&id)));
        assert_eq!(submitted, Ok(Submitted::Accepted));
        for notice in [first, subscription.recv().await, subscription.recv().await] {
            assert!(matches!(notice, Some(Notice::Fact(_))), "{id}: {notice:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn slow_subscription_reads_how_much_it_lost() {
    let eventful = sharded(Config::default(), succeed);
    let mut subscription = eventful.subscribe(1).expect("it is sound");
    submit_all(&eventful).await;
    eventful.wait_idle().await.expect("it runs");
    let (mut facts, mut lost) = (0, 0);
    eventful.shutdown(None).await;
    while let Some(notice) = subscription.recv().await {
        match notice {
            Notice::Fact(_) => facts += 1,
            Notice::Lagged(count) => lost += count,
            Notice::Reopened => panic!("there is no journal"),
        }
    }
    assert_eq!((facts, facts + lost), (u64::from(SHARDS), 3 * EVENTS as u64));
    drop(subscription);
    assert_eq!(stats(&eventful).subscription_dropped, lost);
}

#[tokio::test(start_paused = true)]
async fn wait_for_all_outlasts_events_that_handlers_submit_elsewhere() {
    let (own, runs) = (Arc::new(OnceLock::<Eventful>::new()), Arc::new(AtomicUsize::new(0)));
    let chain = {
        let (own, runs) = (Arc::clone(&own), Arc::clone(&runs));
        move |_: Event, _: Attempt| {
            let (own, number) = (Arc::clone(&own), runs.fetch_add(1, Ordering::SeqCst));
            async move {
                settle_down().await;
                // The next event is of any shard, also of one that was idle.
                if number < 100 {
                    let eventful = own.get().expect("it is set");
                    eventful.submit(event(&format!("next-{number}"))).await?;
                }
                Ok::<_, Failure>(())
            }
        }
    };
    let eventful = sharded(Config::default(), chain);
    own.set(eventful.clone()).expect("it is set once");
    eventful.wait_idle().await.expect("nothing was submitted");
    eventful.submit(event("first")).await.expect("room");
    eventful.wait_idle().await.expect("it runs");
    assert_eq!(runs.load(Ordering::SeqCst), 101);
    eventful.shutdown(None).await;
}

#[tokio::test(start_paused = true)]
async fn shutdown_ends_every_shard_and_sums_their_reports() {
    let eventful = sharded(Config::default(), hang);
    submit_all(&eventful).await;
    let running = || stats(&eventful).workers_running;
    until("all run", || running() == EVENTS as u64).await;
    let (report, again) = tokio::join!(eventful.shutdown(Some(SECOND)), eventful.stopped());
    assert_eq!((report.interrupted, report.left), (EVENTS as u64, EVENTS as u64));
    assert_eq!((report, report.took), (again, SECOND), "all end at the same time");
    assert_eq!(eventful.readiness(), Readiness::NotReady(NotReady::Stopped));
    for id in ids().take(8) {
        assert!(matches!(eventful.submit(event(&format!("new-{id}"))).await, Err(SubmitError::ShuttingDown)));
    }
    assert_eq!(eventful.wait_idle().await, Err(WaitError::Stopped));
}

#[tokio::test(start_paused = true)]
async fn last_handle_ends_every_shard() {
    let eventful = sharded(Config::default(), hang);
    submit_all(&eventful).await;
    let mut subscription = eventful.subscribe(1000).expect("it is sound");
    drop(eventful);
    let ended = async { while subscription.recv().await.is_some() {} };
    tokio::time::timeout(60 * SECOND, ended).await.expect("all have ended");
}

#[tokio::test]
async fn clusters_that_cannot_be_are_refused_with_what_to_change() {
    for shards in [0, 1025] {
        let refused = Eventful::cluster(ClusterConfig::new(shards)).start(succeed).expect_err("no such number");
        assert_eq!(refused.to_string(), format!("{shards} shards are not possible: set a number from 1 to 1024"));
    }
    let one_at_a_time =
        Eventful::cluster(ClusterConfig::new(2)).on("mail", succeed, TypePolicy::new().with_concurrency(1));
    let refused = one_at_a_time.start(succeed).expect_err("one run cannot be shared");
    assert!(matches!(refused, StartError::InvalidConfig(InvalidConfig::Part { least: 1, .. })), "{refused}");
    let narrow = Eventful::cluster(ClusterConfig::new(2)).config(narrow()).start(succeed).expect_err("one permit");
    assert_eq!(
        narrow.to_string(),
        "concurrency is too small for 2 shards: each needs 1, so raise it or take fewer shards"
    );
}

#[tokio::test(start_paused = true)]
async fn cluster_of_one_shard_is_an_engine() {
    let eventful = Eventful::cluster(ClusterConfig::new(1)).config(narrow()).start(succeed).expect("it is valid");
    assert_eq!((eventful.shards().number(), eventful.shard_of(&key("any"))), (1, Shard::new(0)));
    submit_all(&eventful).await;
    eventful.wait_idle().await.expect("it runs");
    let page = eventful.list(None, Cursor::START, EVENTS).await.expect("it is sound");
    assert_eq!(page.records.len(), EVENTS);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_on_threads_have_each_event_accepted_once() {
    let ledger = Arc::new(AttemptLog::default());
    let eventful = sharded(Config::default(), counting(&ledger));
    let clients = (0..4).map(|_| {
        let eventful = eventful.clone();
        tokio::spawn(async move {
            let mut accepted = 0;
            for number in 0..500 {
                let submitted = eventful.submit(event(&number.to_string())).await.expect("room");
                accepted += usize::from(submitted == Submitted::Accepted);
            }
            accepted
        })
    });
    let mut accepted = 0;
    for client in clients.collect::<Vec<_>>() {
        accepted += client.await.expect("no panic");
    }
    eventful.wait_idle().await.expect("it runs");
    assert_eq!((accepted, stats(&eventful).engine.facts.accepted), (500, 500));
    assert!((0..500).all(|number| ledger.runs(&number.to_string()) == 1), "each ran once");
    eventful.shutdown(None).await;
}

fn ids() -> impl Iterator<Item = String> {
    (0..EVENTS).map(|number| format!("event-{number}"))
}

fn sharded(config: Config, handler: impl Handler) -> Eventful {
    Eventful::cluster(ClusterConfig::new(SHARDS)).config(config).seed(1).start(handler).expect("it is valid")
}

fn counting(ledger: &Arc<AttemptLog>) -> impl Handler + use<> {
    let ledger = Arc::clone(ledger);
    move |event: Event, _: Attempt| {
        ledger.count(&event);
        async { Ok::<_, Failure>(()) }
    }
}

async fn submit_all(eventful: &Eventful) {
    for id in ids() {
        eventful.submit(event(&id)).await.expect("room");
    }
}
