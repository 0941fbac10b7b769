//! Tickets that are lost, late, or refused by the channel.

use std::num::NonZeroUsize;
use std::time::Duration;

use eventful::{
    Config, Status,
    engine::{Answer, Command, EnqueueFailure, ErrorText, Outcome, Ticket, Wake},
    metrics::SweptReason,
};
use eventful_sim::driver::{EngineDriver, key};

#[test]
fn ticket_lost_in_the_middle_is_found_by_a_later_one() {
    let mut driver = driver_with(3, &["a", "b", "c"]);
    driver.channel.remove(1);

    driver.run(Outcome::Done);
    driver.run(Outcome::Done);

    assert_eq!(driver.status("c"), Some(Status::Completed));
    assert_eq!(lost_tickets(&driver), 1);
    assert!(driver.record("b").is_some_and(|record| record.is_queued()));
}

#[test]
fn tickets_lost_at_the_tail_are_found_by_a_marker() {
    let mut driver = driver_with(3, &["a", "b"]);
    driver.channel.clear();

    let deadline = driver.wake().expect("a ticket grows old");
    assert_eq!(deadline.why, Wake::StuckTicket);
    assert_eq!(driver.present(), Some(Answer::Marked));

    assert_eq!(lost_tickets(&driver), 2);
    assert_eq!(driver.start().map(|run| run.event.key().clone()), Some(key("a")));
    assert_eq!(driver.start().map(|run| run.event.key().clone()), Some(key("b")));
}

#[test]
fn lost_ticket_of_a_discarded_event_does_not_keep_its_room() {
    let mut driver = driver_with(1, &["a", "b"]);
    driver.channel.clear();
    driver.execute(Command::Discard(key("a")));

    let took = driver.run_to_end(|_| Outcome::Done);

    assert_eq!(driver.status("b"), Some(Status::Completed));
    assert!(took <= driver.engine().config().stuck_after);
}

#[test]
fn lost_marker_is_reported_each_time_that_it_is_overdue() {
    let mut driver = driver_with(2, &["a"]);
    driver.wake();
    driver.channel.clear();

    for _ in 0..3 {
        assert_eq!(driver.engine().next_deadline().map(|deadline| deadline.why), Some(Wake::MarkerOverdue));
        driver.advance(driver.engine().config().stuck_after);
        assert!(matches!(driver.sweep(), Answer::Swept(swept) if swept.marker_overdue));
        assert!(driver.channel.is_empty(), "there is one marker at a time");
    }
    driver.execute(Command::ChannelLost);
    assert_eq!(driver.run_to_end(|_| Outcome::Done), Duration::ZERO);
}

#[test]
fn backlog_far_older_than_stuck_after_gets_no_second_tickets() {
    let ids: Vec<String> = (0..20).map(|n| format!("event-{n}")).collect();
    let mut driver = driver_with(20, &ids.iter().map(String::as_str).collect::<Vec<_>>());
    for _ in 0..100 {
        driver.advance(driver.engine().config().stuck_after);
        driver.sweep();
    }

    assert_eq!(driver.channel.len(), 21, "twenty tickets and one marker");
    let mut runs = Vec::new();
    while let Some(answer) = driver.present() {
        runs.extend(matches!(answer, Answer::Running(_)).then_some(()));
    }
    assert_eq!(runs.len(), 20);
    assert_eq!(driver.engine().metrics().tallies.tickets_stale, 0);
    assert_eq!(lost_tickets(&driver), 0);
}

#[test]
fn lost_channel_gives_its_records_back_in_their_order() {
    let mut driver = driver_with(2, &["a", "b", "c"]);
    driver.channel.clear();

    driver.execute(Command::ChannelLost);

    let order: Vec<_> = std::iter::from_fn(|| driver.start()).map(|run| run.event.key().clone()).collect();
    assert_eq!(order, [key("a"), key("b"), key("c")]);
}

#[test]
fn ticket_of_a_lost_channel_starts_nothing_and_proves_nothing() {
    let mut driver = driver_with(2, &["a", "b"]);
    let old = driver.channel.pop_back().expect("two tickets were sent");
    driver.channel.clear();
    driver.execute(Command::ChannelLost);

    assert_eq!(driver.execute(Command::Start(old)), Answer::Stale);

    assert_eq!(lost_tickets(&driver), 2, "those of the old channel only");
    assert_eq!(driver.engine().gauges().queued, 2);
}

#[test]
fn ticket_that_was_never_sent_proves_nothing() {
    let mut driver = driver_with(2, &["a", "b"]);

    assert_eq!(driver.execute(Command::Start(Ticket::new(1000))), Answer::Stale);

    assert_eq!(lost_tickets(&driver), 0);
    assert!(driver.start().is_some());
}

#[test]
fn repeated_ticket_starts_no_second_run() {
    let mut driver = driver_with(2, &["a"]);
    let ticket = driver.channel[0];
    driver.start().expect("a run");

    assert_eq!(driver.execute(Command::Start(ticket)), Answer::Stale);
    assert_eq!(driver.engine().metrics().tallies.tickets_stale, 1);
}

#[test]
fn tickets_that_did_not_get_in_keep_their_order() {
    let mut driver = EngineDriver::new(config(3));
    driver.execute(Command::Pause);
    for id in ["a", "b", "c"] {
        driver.submit(id);
    }
    driver.broken = Some(EnqueueFailure::Closed);
    driver.execute(Command::Resume);
    assert_eq!(driver.engine().gauges().line, 3);

    driver.broken = None;
    assert_eq!(driver.wake().map(|deadline| deadline.why), Some(Wake::FeedBlocked));

    let order: Vec<_> = std::iter::from_fn(|| driver.start()).map(|run| run.event.key().clone()).collect();
    assert_eq!(order, [key("a"), key("b"), key("c")]);
    assert_eq!(driver.engine().metrics().tallies.enqueue_failures(EnqueueFailure::Closed), 3);
}

#[test]
fn full_channel_makes_no_spin() {
    let mut driver = EngineDriver::new(config(3));
    driver.broken = Some(EnqueueFailure::Full);
    driver.submit("a");
    let interval = driver.engine().config().sweep_interval;
    assert_wakes_apart(&mut driver, interval);
}

#[test]
fn retry_that_is_due_beside_a_full_channel_does_not_spin() {
    let mut driver = driver_with(3, &["a"]);
    driver.run(Outcome::Retry { error: ErrorText::new("not yet"), after: None });
    driver.broken = Some(EnqueueFailure::Full);

    assert_eq!(driver.wake().map(|deadline| deadline.why), Some(Wake::RetryDue));
    assert_eq!(driver.engine().gauges().line, 1);

    let interval = driver.engine().config().sweep_interval;
    assert_wakes_apart(&mut driver, interval);
    driver.broken = None;
    driver.wake();
    assert!(driver.start().is_some());
}

#[test]
fn marker_that_does_not_get_in_makes_no_spin() {
    let mut driver = driver_with(3, &["a"]);
    driver.broken = Some(EnqueueFailure::Full);
    driver.wake();
    let interval = driver.engine().config().sweep_interval;
    assert_wakes_apart(&mut driver, interval);
}

#[test]
fn capacity_one_runs_everything() {
    let mut driver = driver_with(1, &["a", "b", "c"]);
    assert_eq!(driver.channel.len(), 1);

    assert_eq!(driver.run_to_end(|_| Outcome::Done), Duration::ZERO);
    assert_eq!(driver.engine().gauges().records(Status::Completed), 3);
}

#[test]
fn delayed_events_past_a_sweep_batch_do_not_hide_a_stuck_one() {
    let mut config = config(8);
    config.sweep_batch = NonZeroUsize::MIN;
    config.max_retry_after = Duration::from_secs(1000);
    let mut driver = EngineDriver::new(config);
    for n in 0..5 {
        driver.submit(&format!("delayed-{n}"));
        let after = Some(Duration::from_secs(1000));
        driver.run(Outcome::Retry { error: eventful::engine::ErrorText::new("later"), after });
    }
    driver.submit("stuck");
    driver.channel.clear();

    driver.wake();
    assert_eq!(driver.present(), Some(Answer::Marked));
    assert_eq!(driver.start().map(|run| run.event.key().clone()), Some(key("stuck")));
}

/// Checks that each of the next wake-ups changes nothing, and comes at least `least` after the last.
fn assert_wakes_apart(driver: &mut EngineDriver, least: Duration) {
    for _ in 0..10 {
        let before = driver.now;
        driver.wake().expect("something waits");
        assert!(driver.now.since(before) >= least, "woken {:?} later", driver.now.since(before));
    }
}

fn driver_with(capacity: usize, ids: &[&str]) -> EngineDriver {
    let mut driver = EngineDriver::new(config(capacity));
    for id in ids {
        assert_eq!(driver.submit(id), Answer::Accepted);
    }
    driver
}

fn config(capacity: usize) -> Config {
    let mut config = Config::default();
    config.channel_capacity = NonZeroUsize::new(capacity).expect("a capacity above zero");
    config
}

fn lost_tickets(driver: &EngineDriver) -> u64 {
    driver.engine().metrics().tallies.swept(SweptReason::LostTicket)
}
