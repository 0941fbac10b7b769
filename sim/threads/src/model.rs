//! Runs models: small scenarios, over many schedules.

use core::future::Future;
use shuttle::scheduler::{PctScheduler, RandomScheduler, ReplayScheduler, Scheduler};
use shuttle::{Config, MaxSteps, Runner};
use std::env;
use std::sync::Arc;

use crate::clock;
use crate::sync::{Runtime, thread};

/// Schedules of each kind when `EVENTFUL_SCHEDULES` says nothing.
const SCHEDULES: usize = 2000;

/// Depths of PCT: how many orders of two operations must be right to find what it finds. Few bugs need more than 4.
const DEPTHS: [usize; 3] = [2, 3, 4];

/// Seeds the schedules, unless `SHUTTLE_RANDOM_SEED` is set: so a run of the tests says the same on every machine.
const SEED: u64 = 2026;

/// Steps after which a run is taken for one that never ends. The longest that end have some thousands.
const MAX_STEPS: usize = 100_000;

/// Bytes of the stack of each thread: those of code without optimization are deep.
const STACK_BYTES: usize = 512 << 10;

/// Runs a model with a runtime of many threads over random schedules, and as many of PCT in all.
///
/// # Panics
///
/// When a schedule lets the model fail, has a task panic, or leaves a thread waiting without end.
pub fn check<F, Fut>(model: F)
where
    F: Fn(Runtime) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = ()>,
{
    check_on(Runtime::with_threads, model);
}

/// As [`check`], with a runtime that `make` makes.
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
    // It would warn that every atomic operation is sequentially consistent.
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
