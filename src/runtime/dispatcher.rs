//! Starts runs, each with a permit, and gives them to workers.

use core::mem;
use std::sync::Arc;
use std::vec::Vec;

use super::attempt::launched;
use super::handler::Handler;
use super::points::pass;
use super::run_guard::RunGuard;
use super::supervisor::{Exit, give_way};
use super::worker::{WorkerPool, share_out, spawn};
use crate::node::{Point, RunBatch, Start};

/// Dispatches until shutdown begins; does nothing until then when it `is_idle`.
pub(super) async fn dispatch<H: Handler>(pool: Arc<WorkerPool<H>>, is_idle: bool) -> Exit {
    let shared = &pool.shared;
    if is_idle {
        shared.ending.wait().await;
        return Exit::Done;
    }
    loop {
        pass(&shared.probe, Point::Dispatch).await;
        let (mut batch, mut started) = (RunBatch::default(), Vec::new());
        let start = shared.write_locked(|locked, now| {
            let start = locked.node.start(now, &mut batch);
            started.extend(batch.launches().map(|launch| launched(locked, launch, shared)));
            start
        });
        match start {
            Start::Runs => {
                let mut guards = started.into_iter().map(RunGuard::new);
                // The first run is worked on by the new task itself; others could be taken from it.
                let first = guards.next();
                let leads = batch.lead().is_some();
                batch.lead().into_iter().for_each(|lead| pool.leader_runs.put(lead, guards.by_ref()));
                first.into_iter().for_each(|first| spawn(&pool, mem::take(&mut batch), first));
                // A handler that does not wait lets its worker take what is there without another spawn.
                if !leads {
                    give_way().await;
                }
            }
            Start::Wait => shared.notifications.dispatch.notified().await,
            Start::Led(until) => {
                tokio::select! {
                    biased;
                    // Woken, it checks the leader early; that is harmless.
                    () = shared.notifications.dispatch.notified() => {}
                    () = shared.clock.sleep_until(until) => {}
                }
            }
            // A handler blocks the thread of the leader, so its other runs cannot wait for it.
            Start::Stalled => share_out(&pool, &mut batch, pool.leader_runs.take_over()),
            Start::ChannelGone => return Exit::Dead("the channel has lost its receiver"),
            Start::End => return Exit::Done,
        }
    }
}
