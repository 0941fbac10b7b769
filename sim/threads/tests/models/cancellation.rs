//! A run that is stopped, and all tasks that observe its cancellation.

use eventful::{Event, Status};
use eventful_threads::model::{check, client};
use eventful_threads::sync::{Mutex, Notify};
use eventful_threads::{Attempt, Cancellation, Failure};
use std::sync::Arc;

use super::setup::{RunCount, builder, ends, event, join, join_all, key};

#[test]
fn discard_is_seen_by_all_who_watch_the_run() {
    check(|_| async {
        let (watched, runs) = (Arc::new(ShownCancellation::default()), Arc::new(RunCount::default()));
        let (show, count) = (Arc::clone(&watched), Arc::clone(&runs));
        let handler = move |_: Event, attempt: Attempt| {
            let (show, count) = (Arc::clone(&show), Arc::clone(&count));
            async move {
                let _counted = count.begin();
                show.show(attempt.cancellation());
                core::future::pending::<Result<(), Failure>>().await
            }
        };
        let eventful = builder().start(handler).expect("it starts");
        let watchers = [(); 2].map(|()| {
            let watched = Arc::clone(&watched);
            client(async move {
                let cancellation = watched.see().await;
                cancellation.cancelled().await;
                assert!(cancellation.is_cancelled());
            })
        });
        let waiting = eventful.clone();
        eventful.submit(event("a")).await.expect("room");
        let waiter = client(async move { ends(&waiting, "a", Status::Discarded).await });
        watched.see().await;
        eventful.discard(&key("a")).await.expect("it has not ended");
        join_all(watchers);
        join(waiter);
        eventful.shutdown(None).await;
        assert_eq!((runs.now(), runs.all()), (0, 1), "the handler was dropped");
    });
}

#[test]
fn discard_beside_the_end_of_the_run_leaves_no_permit_behind() {
    check(|_| async {
        let succeed = async |_: Event, _: Attempt| Ok::<_, Failure>(());
        let eventful = super::setup::narrow(1, 1).start(succeed).expect("it starts");
        eventful.submit(event("a")).await.expect("room");
        let other = eventful.clone();
        let discarder = client(async move { other.discard(&key("a")).await });
        eventful.submit(event("b")).await.expect("room");
        let discarded = join(discarder);
        let expected = if discarded.is_ok() { Status::Discarded } else { Status::Completed };
        ends(&eventful, "a", expected).await;
        ends(&eventful, "b", Status::Completed).await;
        eventful.wait_idle().await.expect("all end");
        eventful.shutdown(None).await;
        assert_eq!(eventful.stats().expect("it is sound").permits_free, 1);
    });
}

/// The cancellation that a handler shows to the test.
#[derive(Debug, Default)]
struct ShownCancellation {
    cancellation: Mutex<Option<Cancellation>>,
    shown: Notify,
}

impl ShownCancellation {
    fn show(&self, cancellation: Cancellation) {
        *self.cancellation.lock().expect("no panic") = Some(cancellation);
        self.shown.notify_waiters();
    }

    async fn see(&self) -> Cancellation {
        loop {
            let shown = self.shown.notified();
            let seen = self.cancellation.lock().expect("no panic").clone();
            match seen {
                Some(cancellation) => return cancellation,
                None => shown.await,
            }
        }
    }
}
