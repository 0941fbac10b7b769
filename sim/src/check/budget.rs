//! Makes awaits wait that need not.
//!
//! Tokio gives each task a budget of operations; when it is used up, the next operation of a tokio
//! resource waits, ready or not. So any such await can be the one at which a run is dropped.

use tokio::task::coop::{consume_budget, has_budget_remaining};

/// More than any budget has.
const ENDLESS: u32 = 10_000;

/// Leaves budget for this many operations in the current poll of the task.
pub(super) async fn leave(operations: u32) {
    spend().await;
    // Waits for a fresh budget, to see what it has.
    consume_budget().await;
    let fresh = spend().await;
    consume_budget().await;
    for _ in operations..fresh {
        consume_budget().await;
    }
}

/// Spends what is left, and answers how much that was. Zero when there is no end of it.
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
