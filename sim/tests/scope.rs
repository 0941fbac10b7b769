//! The small scope. `cargo sim scope` explores the whole case; a part of it fits a debug build.

use eventful_sim::scope::{explore, small_case};

#[test]
fn every_order_of_two_submissions_a_crash_and_a_shutdown_keeps_every_promise() {
    let mut scenario = small_case();
    scenario.operations.truncate(2);
    let explored = explore(&scenario);
    assert_eq!(explored.broken, None);
    // Fewer would mean that orders are missed.
    assert!(explored.states > 1_000, "{explored:?}");
}

#[test]
fn the_same_states_are_found_again() {
    let mut scenario = small_case();
    scenario.operations.truncate(1);
    let (first, second) = (explore(&scenario), explore(&scenario));
    assert_eq!((first.states, first.orders, first.depth), (second.states, second.orders, second.depth));
}
