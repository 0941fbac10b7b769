//! Models of a latch and of the bells alone: their schedules are short, so that many of all there are are seen.

use core::time::Duration;
use eventful::node;
use eventful_threads::model::{check, client};
use eventful_threads::sync;
use std::sync::Arc;

#[allow(dead_code, reason = "the models need a part of it")]
#[path = "../../../src/runtime/bells.rs"]
mod bells;
#[allow(dead_code, reason = "the models need a part of it")]
#[path = "../../../src/runtime/latch.rs"]
mod latch;

use bells::{Bells, guarded, ring_for_one};
use latch::Latch;

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
        let bells = Arc::new(Bells::default());
        let (one, other) = (bells.waiters.name(), bells.waiters.name());
        assert_ne!(one, other);
        let [bell, _] = [one, other].map(|waiter| bells.waiters.add(waiter));
        let waiting = client(async move { bell.notified().await });
        let ringing = Arc::clone(&bells);
        let leaving = sync::thread::spawn(move || ringing.waiters.remove(other));
        bells.waiters.wake(&[other, one]);
        for thread in [waiting, leaving] {
            thread.join().expect("no panic");
        }
        bells.waiters.remove(one);
        assert_eq!(bells.waiters.len(), 0);
    });
}

#[test]
fn bell_for_one_that_was_left_is_passed_on() {
    check(|_| async {
        let bell = Arc::new(sync::Notify::new());
        let leaver = Arc::new(Latch::default());
        let (rung, left) = (Arc::clone(&bell), Arc::clone(&leaver));
        let leaves = client(async move {
            tokio::select! {
                biased;
                () = left.wait() => false,
                () = rung.notified() => true,
            }
        });
        let stays = Arc::clone(&bell);
        let stays = client(async move { stays.notified().await });
        let opener = sync::thread::spawn(move || leaver.open());
        ring_for_one(&bell);
        opener.join().expect("no panic");
        if leaves.join().expect("no panic") {
            ring_for_one(&bell);
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
            let rung = sleeping.0.lock().expect("no panic");
            let (rung, is_late) =
                sleeping.1.wait_timeout_while(rung, Duration::from_secs(1), |rung| !*rung).expect("no panic");
            assert_ne!(*rung, is_late);
        });
        let ringing = Arc::clone(&shared);
        let ringer = sync::thread::spawn(move || {
            *ringing.0.lock().expect("no panic") = true;
            ringing.1.notify_one();
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
