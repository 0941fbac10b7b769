//! The sweeper: passes the time to the node whenever the node asks for that.

use std::sync::Arc;

use super::points::pass;
use super::shared::Shared;
use super::supervisor::{Exit, give_way};
use crate::engine::{Answer, Rfc3339, ScheduleName, Timestamp};
use crate::node::{Point, Tick};

/// Sweeps until the engine has stopped.
pub(super) async fn sweep(shared: Arc<Shared>) -> Exit {
    loop {
        pass(&shared.probe, Point::Sweep).await;
        match shared.write(|node, now| node.tick(now)) {
            Tick::Swept(deadline, swept) => {
                tracing::debug!(why = ?deadline.why, ?swept, "swept");
                // What a sweep left is done at once, but other tasks come first.
                give_way().await;
            }
            Tick::Scheduled { schedule, nominal, answer } => {
                note(&schedule, nominal, &answer);
                give_way().await;
            }
            Tick::Again => give_way().await,
            Tick::Until(at) => sleep(&shared, at).await,
            Tick::End => return Exit::Done,
        }
    }
}

fn note(schedule: &ScheduleName, nominal: Timestamp, answer: &Answer) {
    let nominal = Rfc3339(nominal);
    if let Answer::Refused(refusal) = answer {
        tracing::warn!(%schedule, %nominal, ?refusal, "no room for a scheduled event yet");
    } else if *answer == Answer::Noted {
        tracing::info!(%schedule, %nominal, "passed over a scheduled event");
    } else {
        tracing::debug!(%schedule, %nominal, ?answer, "scheduled");
    }
}

async fn sleep(shared: &Shared, until: Option<Timestamp>) {
    let Some(at) = until else { return shared.notifications.timer.notified().await };
    tokio::select! {
        biased;
        () = shared.notifications.timer.notified() => {}
        () = shared.clock.sleep_until(at) => {}
    }
}
