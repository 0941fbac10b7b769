//! Wakes when a deadline of the engine may be due, and sweeps when one is. Lets answers go that have
//! waited for the journal for too long.

use core::sync::atomic::Ordering;
use std::sync::Arc;

use super::hooks::Point;
use super::locked::Core;
use super::shared::Shared;
use super::supervisor::{Exit, give_way};
use super::unavailable::Unavailable;
use crate::engine::{Answer, Command, Deadline, Phase, Timestamp};

/// What the sweeper does next.
enum Next {
    Sweep(Deadline),
    Sleep(Option<Timestamp>),
    End,
}

/// Sweeps until the engine has stopped.
pub(super) async fn sweep(shared: Arc<Shared>) -> Exit {
    loop {
        shared.probe.open(Point::Sweep).await;
        match next(&shared) {
            Ok(Next::Sweep(deadline)) => {
                sweep_once(&shared, deadline);
                // What one sweep left over is done at once, but others come first.
                give_way().await;
            }
            Ok(Next::Sleep(until)) => sleep(&shared, until).await,
            // Another engine will take its place, and ring.
            Err(why) if why.is_temporary() && !shared.end.stopped.is_open() => shared.deadline.notified().await,
            // The shutdown lets late answers go.
            Ok(Next::End) => return Exit::Done,
            Err(_) => {
                shared.release_all_answers();
                return Exit::Done;
            }
        }
    }
}

fn next(shared: &Shared) -> Result<Next, Unavailable> {
    let (overdue, next) = shared.look(|core, now| {
        let next = match core.arm(now) {
            _ if core.engine.phase() == Phase::Stopped => Next::End,
            Some(deadline) => Next::Sweep(deadline),
            None => Next::Sleep(core.armed_at()),
        };
        (core.commits.overdue(now), next)
    })?;
    if let Some(mark) = overdue {
        shared.synced.stop_waiting(mark);
    }
    Ok(next)
}

fn sweep_once(shared: &Shared, deadline: Deadline) {
    let Ok(Answer::Swept(swept)) = shared.execute(Command::Sweep) else { return };
    tracing::debug!(why = ?deadline.why, ?swept, "swept");
    // With a permit in its hand the dispatcher would have presented the marker long ago, unless it
    // waits for the journal.
    if swept.marker_overdue && shared.permits_in_hand.load(Ordering::Acquire) > 0 && !is_journal_stuck(shared) {
        shared.dispatcher.replace.notify_one();
    }
}

/// Whether a group waits for the journal for so long that a marker behind it counts as stuck.
fn is_journal_stuck(shared: &Shared) -> bool {
    let stuck_after = shared.config.stuck_after;
    let is_stuck = |core: &mut Core, now: Timestamp| {
        core.commits.unsynced_since().is_some_and(|since| now.since(since) >= stuck_after)
    };
    shared.look(is_stuck).unwrap_or(false)
}

async fn sleep(shared: &Shared, until: Option<Timestamp>) {
    let Some(at) = until else { return shared.deadline.notified().await };
    tokio::select! {
        biased;
        () = shared.deadline.notified() => {}
        () = shared.clock.sleep_until(at) => {}
    }
}
