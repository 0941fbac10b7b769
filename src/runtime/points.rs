//! Passes the named points at which a simulator can disturb the adapter.

use crate::node::{Action, HookSet, Point};

/// Passes a point, and does what the hooks ask for.
#[inline]
pub(super) async fn pass(probe: &HookSet, point: Point) {
    match probe.at(point) {
        Action::Yield => tokio::task::yield_now().await,
        Action::Stall(duration) => tokio::time::sleep(duration).await,
        Action::Panic => panic!("panic at {point:?}, as the hooks asked"),
        Action::Continue | Action::Fail | Action::DropReceiver => {}
    }
}
