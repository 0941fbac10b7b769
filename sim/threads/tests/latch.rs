//! Models of a latch and of the notifications alone: their schedules are short, so that a large part of all is
//! covered.

use core::time::Duration;
use eventful::node;
use eventful_threads::model::{check, client};
use eventful_threads::sync;
use std::sync::Arc;

#[allow(dead_code, reason = "the models need a part of it")]
#[path = "../../../src/runtime/latch.rs"]
mod latch;
#[allow(dead_code, reason = "the models need a part of it")]
#[path = "../../../src/runtime/notifications.rs"]
mod notifications;

use latch::Latch;
use notifications::{Notifications, guarded, notify_one_guarded};

#[test]
fn latch_wakes_all_who_wait() {
    check(|_| async {
        let latch = Arc::new(Latch::default());
        let waiters: Vec<_> = (0..3).map(|_| client(wait(Arc::clone(&latch)))).collect();
        latch.open();
        assert!(latch.is_open());
        for waiter in waiters {
            waiter.join().expect("no panic");
        }
    });
}

#[test]
fn latch_that_two_threads_open_wakes_all() {
    check(|_| async {
        let latch = Arc::new(Latch::default());
        let waiters: Vec<_> = (0..2).map(|_| client(wait(Arc::clone(&latch)))).collect();
        let other = Arc::clone(&latch);
        let opener = sync::thread::spawn(move || other.open());
        latch.open();
        for thread in waiters.into_iter().chain([opener]) {
            thread.join().expect("no panic");
        }
    });
}

#[test]
fn waiter_that_leaves_a_latch_keeps_no_other_from_being_woken() {
    check(|_| async {
        let (latch, leaver) = (Arc::new(Latch::default()), Arc::new(Latch::default()));
        let stays = client(wait(Arc::clone(&latch)));
        let (waited, left) = (Arc::clone(&latch), Arc::clone(&leaver));
        let leaves = client(async move {
            tokio::select! {
                biased;
                () = left.wait() => {}
                () = guarded(waited.wait()) => {}
            }
        });
        let opener = sync::thread::spawn(move || leaver.open());
        latch.open();
        for thread in [stays, leaves, opener] {
            thread.join().expect("no panic");
        }
    });
}

#[test]
fn waiter_that_was_added_is_woken_once() {
    check(|_| async {
        let notifications = Arc::new(Notifications::default());
        let (one, other) = (notifications.waiters.name(), notifications.waiters.name());
        assert_ne!(one, other);
        let [notify, _] = [one, other].map(|waiter| notifications.waiters.add(waiter));
        let waiting = client(async move { notify.notified().await });
        let waking = Arc::clone(&notifications);
        let leaving = sync::thread::spawn(move || waking.waiters.remove(other));
        notifications.waiters.wake(&[other, one]);
        for thread in [waiting, leaving] {
            thread.join().expect("no panic");
        }
        notifications.waiters.remove(one);
        assert_eq!(notifications.waiters.len(), 0);
    });
}

#[test]
fn notification_of_one_that_was_left_is_passed_on() {
    check(|_| async {
        let notify = Arc::new(sync::Notify::new());
        let leaver = Arc::new(Latch::default());
        let (notified, left) = (Arc::clone(&notify), Arc::clone(&leaver));
        let leaves = client(async move {
            tokio::select! {
                biased;
                () = left.wait() => false,
                () = notified.notified() => true,
            }
        });
        let stays = Arc::clone(&notify);
        let stays = client(async move { stays.notified().await });
        let opener = sync::thread::spawn(move || leaver.open());
        notify_one_guarded(&notify);
        opener.join().expect("no panic");
        if leaves.join().expect("no panic") {
            notify_one_guarded(&notify);
        }
        stays.join().expect("no panic");
    });
}

#[test]
fn time_wakes_who_sleeps_on_a_condvar() {
    check(|_| async {
        let shared = Arc::new((sync::Mutex::new(false), sync::Condvar::default()));
        let sleeping = Arc::clone(&shared);
        let sleeper = sync::thread::spawn(move || {
            let notified = sleeping.0.lock().expect("no panic");
            let (notified, is_late) = sleeping
                .1
                .wait_timeout_while(notified, Duration::from_secs(1), |notified| !*notified)
                .expect("no panic");
            assert_ne!(*notified, is_late);
        });
        let waking = Arc::clone(&shared);
        let ringer = sync::thread::spawn(move || {
            *waking.0.lock().expect("no panic") = true;
            waking.1.notify_one();
        });
        eventful_threads::clock::advance(Duration::from_secs(2));
        ringer.join().expect("no panic");
        sleeper.join().expect("no panic");
    });
}

async fn wait(latch: Arc<Latch>) {
    guarded(latch.wait()).await;
    assert!(latch.is_open());
}
