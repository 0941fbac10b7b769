//! Readers of facts.

use eventful::{Event, Notice};
use eventful_threads::model::{check, client};
use eventful_threads::{Attempt, Failure, Subscription};

use super::setup::{builder, event, join, join_all};

#[test]
fn slow_reader_learns_how_many_it_missed_and_that_it_ends() {
    check(|_| async {
        let succeed = async |_: Event, _: Attempt| Ok::<_, Failure>(());
        let eventful = builder().start(succeed).expect("it starts");
        let [slow, fast] = [1, 1000].map(|capacity| eventful.subscribe(capacity).expect("it is sound"));
        let [slow, fast] = [slow, fast].map(|reader| client(read(reader)));
        let submitters = ["a", "b"].map(|id| {
            let eventful = eventful.clone();
            client(async move { eventful.submit(event(id)).await.expect("room") })
        });
        join_all(submitters);
        eventful.wait_idle().await.expect("all end");
        eventful.shutdown(None).await;
        let [(seen, missed), (all, none)] = [slow, fast].map(join);
        assert_eq!((seen + missed, 0), (all, none));
        assert!(all >= 6, "each of two events was accepted, started and ended, and here are {all} facts");
        assert_eq!(eventful.stats().expect("it is sound").subscription_dropped, missed);
        assert_eq!(eventful.waiters(), 0);
    });
}

#[test]
fn reader_that_begins_beside_the_shutdown_ends() {
    check(|_| async {
        let succeed = async |_: Event, _: Attempt| Ok::<_, Failure>(());
        let eventful = builder().start(succeed).expect("it starts");
        let readers = [(); 2].map(|()| {
            let eventful = eventful.clone();
            client(async move {
                if let Ok(reader) = eventful.subscribe(2) {
                    read(reader).await;
                }
            })
        });
        eventful.submit(event("a")).await.expect("room");
        eventful.shutdown(None).await;
        join_all(readers);
        assert_eq!(eventful.waiters(), 0);
    });
}

/// Returns the number of facts that were read, and of those that were missed.
async fn read(mut reader: Subscription) -> (u64, u64) {
    let (mut seen, mut missed) = (0, 0);
    while let Some(notice) = reader.recv().await {
        match notice {
            Notice::Fact(_) => seen += 1,
            Notice::Lagged(count) => missed += count,
            Notice::Reopened => panic!("there is no journal"),
        }
    }
    (seen, missed)
}
