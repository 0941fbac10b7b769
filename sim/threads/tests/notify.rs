//! `Notify` of the models behaves as tokio's: both get the same calls, and are compared after each.

use core::future::Future;
use core::pin::Pin;
use core::sync::atomic::{AtomicUsize, Ordering};
use core::task::{Context, Waker};
use eventful_threads::sync;
use std::sync::Arc;
use std::task::Wake;

/// The number of sequences of calls in each run, and of runs: one run may have no more than a million calls.
const SEQUENCES: u64 = 400;
const RUNS: usize = 50;

#[test]
fn notify_does_what_that_of_tokio_does() {
    let drawn = AtomicUsize::new(1);
    let run = move || {
        let first = drawn.fetch_add(1, Ordering::Relaxed) as u64 * SEQUENCES;
        (first..first + SEQUENCES).for_each(compare);
    };
    shuttle::check_random(run, RUNS);
}

/// A future of each, with the number of times that it was woken.
struct Pair<'a> {
    ours: Pin<Box<dyn Future<Output = ()> + 'a>>,
    theirs: Pin<Box<dyn Future<Output = ()> + 'a>>,
    woken: [Arc<Count>; 2],
    is_done: bool,
}

#[derive(Debug, Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

fn compare(seed: u64) {
    let (ours, theirs) = (sync::Notify::new(), tokio::sync::Notify::new());
    let (mut draw, mut pairs) = (Xorshift(seed | 1), Vec::new());
    for step in 0..30 {
        match draw.below(6) {
            0 => pairs.push(Pair {
                ours: Box::pin(ours.notified()),
                theirs: Box::pin(theirs.notified()),
                woken: Default::default(),
                is_done: false,
            }),
            1 | 2 if !pairs.is_empty() => {
                let place = draw.below(pairs.len());
                poll(&mut pairs[place], seed, step);
            }
            3 if !pairs.is_empty() => drop(pairs.remove(draw.below(pairs.len()))),
            4 => {
                ours.notify_one();
                theirs.notify_one();
            }
            5 if draw.below(2) == 0 => {
                ours.notify_waiters();
                theirs.notify_waiters();
            }
            _ => {}
        }
        for (place, pair) in pairs.iter().enumerate() {
            let [ours, theirs] = pair.woken.each_ref().map(|count| count.0.load(Ordering::Relaxed));
            assert_eq!(ours, theirs, "wake-ups of {place} after step {step} of sequence {seed}");
        }
    }
}

fn poll(pair: &mut Pair<'_>, seed: u64, step: u64) {
    if !pair.is_done {
        let [ours, theirs] = pair.woken.each_ref().map(|count| Waker::from(Arc::clone(count)));
        let ours = pair.ours.as_mut().poll(&mut Context::from_waker(&ours));
        let theirs = pair.theirs.as_mut().poll(&mut Context::from_waker(&theirs));
        assert_eq!(ours, theirs, "step {step} of sequence {seed}");
        pair.is_done = ours.is_ready();
    }
}

/// Marsaglia's xorshift.
struct Xorshift(u64);

impl Xorshift {
    fn below(&mut self, end: usize) -> usize {
        for (left, right) in [(true, 13), (false, 7), (true, 17)] {
            self.0 ^= if left { self.0 << right } else { self.0 >> right };
        }
        (self.0 >> 11) as usize % end
    }
}
