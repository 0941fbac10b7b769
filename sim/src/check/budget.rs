//! Waits at awaits that would not wait by themselves.
//!
//! Tokio gives each task a budget of operations; when it is used up, the next operation of a tokio resource waits,
//! ready or not. So a run can be dropped at any such await.

use tokio::task::coop::{consume_budget, has_budget_remaining};

/// More than any budget has: reaching it means that the budget has no limit.
const ENDLESS: u32 = 10_000;

/// Leaves budget for this many operations in the current poll of the task.
pub(super) async fn leave(operations: u32) {
    spend().await;
    // The await gives the task a fresh budget, whose size is then counted.
    consume_budget().await;
    let fresh = spend().await;
    consume_budget().await;
    for _ in operations..fresh {
        consume_budget().await;
    }
}

/// Spends the rest of the budget. Returns how much that was, or zero if the budget has no limit.
async fn spend() -> u32 {
    let mut spent = 0;
    while has_budget_remaining() {
        if spent == ENDLESS {
            return 0;
        }
        consume_budget().await;
        spent += 1;
    }
    spent
}
