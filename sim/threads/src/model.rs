//! The runner of models: small scenarios, over many schedules.

use core::future::Future;
use shuttle::scheduler::{PctScheduler, RandomScheduler, ReplayScheduler, Scheduler};
use shuttle::{Config, MaxSteps, Runner};
use std::env;
use std::sync::Arc;

use crate::clock;
use crate::sync::{Runtime, thread};

/// The number of schedules of each kind, unless `EVENTFUL_SCHEDULES` sets another.
const SCHEDULES: usize = 2000;

/// The depths of PCT: the number of orders of two operations that must be right to find a bug. Few bugs need more than
/// 4.
const DEPTHS: [usize; 3] = [2, 3, 4];

/// The seed of the schedules, unless `SHUTTLE_RANDOM_SEED` is set: so a run of the tests has the same result on every
/// machine.
const SEED: u64 = 2026;

/// The number of steps after which a run counts as endless. The longest that end have some thousands.
const MAX_STEPS: usize = 100_000;

/// The bytes of the stack of each thread: code without optimization needs much.
const STACK_BYTES: usize = 512 << 10;

/// Runs a model with a runtime of many threads over random schedules, and as many of PCT in all.
///
/// # Panics
///
/// If a schedule lets the model fail, has a task panic, or leaves a thread waiting without end.
pub fn check<F, Fut>(model: F)
where
    F: Fn(Runtime) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = ()>,
{
    check_on(Runtime::with_threads, model);
}

/// Does the same as [`check`], with a runtime that `make` returns.
///
/// # Panics
///
/// As [`check`].
pub fn check_on<F, Fut>(make: fn() -> Runtime, model: F)
where
    F: Fn(Runtime) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = ()>,
{
    let model = Arc::new(model);
    let run = move || once(make, &*model);
    if let Ok(schedule) = env::var("EVENTFUL_REPLAY") {
        explore(ReplayScheduler::new_from_encoded(&schedule), run);
        return;
    }
    let schedules = env::var("EVENTFUL_SCHEDULES").map_or(SCHEDULES, |count| count.parse().expect("a count"));
    explore(RandomScheduler::new_from_seed(SEED, schedules), run.clone());
    for depth in DEPTHS {
        explore(PctScheduler::new_from_seed(SEED, depth, schedules.div_ceil(DEPTHS.len())), run.clone());
    }
}

fn explore(scheduler: impl Scheduler + 'static, run: impl Fn() + Send + Sync + 'static) {
    let mut config = Config::new();
    config.stack_size = STACK_BYTES;
    config.max_steps = MaxSteps::FailAfter(MAX_STEPS);
    // The warning would be that every atomic operation is sequentially consistent.
    config.silence_warnings = true;
    Runner::new(scheduler, config).run(run);
}

/// One run of a model.
fn once<F, Fut>(make: fn() -> Runtime, model: &F)
where
    F: Fn(Runtime) -> Fut,
    Fut: Future<Output = ()>,
{
    clock::begin();
    let runtime = make();
    let handle = runtime.handle().clone();
    let context = handle.enter();
    shuttle::future::block_on(model(runtime.clone()));
    drop(context);
    assert_eq!(runtime.join(), 0, "tasks of the adapter panicked");
}

/// Runs a future on a thread of its own, outside every runtime.
pub fn client<T: Send + 'static>(future: impl Future<Output = T> + Send + 'static) -> thread::JoinHandle<T> {
    thread::spawn(move || shuttle::future::block_on(future))
}
