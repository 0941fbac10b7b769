//! The decisions of an intake, one by one.

use std::num::NonZeroUsize;
use std::time::Duration;

use bytes::Bytes;
use eventful::broker::{
    CallOutcome, DeadReason, DeliveryTag, Intake, IntakeAction, IntakeConfig, IntakeEnd, Message, Partition, Terms,
    Unfit, UnfitMessage,
};
use eventful::engine::{Bound, Conflict, Duplicate, Engine, Output};
use eventful::node::{CommitLimits, Decided, Lsn, Node, OpenedEngine};
use eventful::{Config, Digest, Event, Status, SubmitError, Submitted, Timestamp, Unavailable};

const NOW: Timestamp = Timestamp::from_micros(1_700_000_000_000_000);
const TAG: DeliveryTag = DeliveryTag::new(1);
const WAIT: Duration = Duration::from_secs(30);
const QUEUE: Terms = Terms::Queue { ack_wait: Some(WAIT) };
const SECOND: Duration = Duration::from_secs(1);

type Submission = Result<Decided<Result<Submitted, SubmitError>>, Unavailable>;

#[test]
fn accepted_event_is_acknowledged_once_it_is_durable() {
    let mut intake = submitted(QUEUE);
    intake.decided(NOW, TAG, unsynced(Ok(Submitted::Accepted)));
    let actions = intake.actions();
    let [IntakeAction::AwaitDurable { tag: TAG, key, .. }] = &actions[..] else { panic!("{actions:?}") };
    assert_eq!(&*key.id(), "order-1");
    intake.durable(NOW, TAG, Ok(()));
    assert_eq!(intake.actions(), [IntakeAction::Acknowledge { tag: TAG }]);
    intake.acknowledged(NOW, TAG, CallOutcome::Confirmed);
    assert_eq!((intake.in_flight(), intake.in_flight_bytes(), intake.next_deadline(NOW)), (0, 0, None));
    assert_eq!((intake.counts().accepted, intake.counts().acknowledged), (1, 1));
}

#[test]
fn duplicate_is_acknowledged_like_what_is_new() {
    let mut intake = submitted(QUEUE);
    let duplicate = Duplicate { status: Status::Completed, attempt: 1, accepted_at: NOW };
    intake.decided(NOW, TAG, synced(Ok(Submitted::Duplicate(duplicate))));
    assert_eq!(intake.actions(), [IntakeAction::Acknowledge { tag: TAG }]);
    assert_eq!(intake.counts().duplicates, 1);
}

#[test]
fn conflict_waits_until_durable_and_is_then_buried() {
    let mut intake = submitted(QUEUE);
    let conflict = Conflict { stored: Digest::of(b"a"), received: Digest::of(b"b"), first_received_at: NOW };
    intake.decided(NOW, TAG, unsynced(Err(SubmitError::Conflict(conflict))));
    assert!(matches!(intake.actions()[..], [IntakeAction::AwaitDurable { .. }]));
    intake.durable(NOW, TAG, Ok(()));
    assert_eq!(reason(&mut intake), DeadReason::Conflict(conflict));
    intake.buried(NOW, TAG, CallOutcome::Confirmed);
    assert_eq!(intake.actions(), [IntakeAction::Acknowledge { tag: TAG }]);
}

#[test]
fn letter_that_was_not_written_is_never_acknowledged() {
    let mut intake = submitted(QUEUE);
    intake.decided(NOW, TAG, synced(Err(SubmitError::TooLarge { limit_bytes: 9 })));
    assert_eq!(reason(&mut intake), DeadReason::TooLarge { limit_bytes: 9 });
    intake.buried(NOW, TAG, CallOutcome::Failed);
    assert_eq!(intake.actions(), []);
    intake.tick(NOW + SECOND);
    assert_eq!(reason(&mut intake), DeadReason::TooLarge { limit_bytes: 9 });
}

#[test]
fn message_that_is_no_event_is_buried_without_a_submission() {
    for unfit in [Unfit::WithoutId, Unfit::Invalid("a control character".to_owned())] {
        let mut intake = Intake::new(IntakeConfig::default(), QUEUE);
        let content = Err(UnfitMessage { reason: unfit.clone(), payload: Bytes::from_static(b"x") });
        intake.received(NOW, Message { content, ..message(TAG) });
        let actions = intake.actions();
        let [IntakeAction::Bury { letter, .. }] = &actions[..] else { panic!("{actions:?}") };
        assert_eq!((&letter.reason, letter.digest), (&DeadReason::Unfit(unfit), Digest::of(b"x")));
    }
}

#[test]
fn overload_stops_receiving_and_tries_again_later() {
    let mut intake = submitted(QUEUE);
    intake.decided(NOW, TAG, overloaded(Bound::Pending, 5 * SECOND));
    assert_eq!((intake.actions(), intake.room(NOW), intake.room(NOW + 4 * SECOND)), (vec![], None, None));
    assert_eq!(intake.next_deadline(NOW), Some(NOW + 5 * SECOND));
    intake.tick(NOW + 5 * SECOND);
    assert!(matches!(intake.actions()[..], [IntakeAction::Submit { tag: TAG, .. }]));
    assert!(intake.room(NOW + 5 * SECOND).is_some());
}

#[test]
fn full_group_stops_its_own_messages_alone() {
    let mut intake = submitted(QUEUE);
    intake.decided(NOW, TAG, overloaded(Bound::Group, 5 * SECOND));
    assert!(intake.room(NOW).is_some());
}

#[test]
fn message_that_waited_too_long_goes_back_with_a_delay() {
    let mut intake = submitted(QUEUE);
    let mut now = NOW;
    for _ in 0..2 {
        intake.decided(now, TAG, overloaded(Bound::Pending, 25 * SECOND));
        now = now + 25 * SECOND;
        intake.tick(now);
        let submits = |action: &IntakeAction| matches!(action, IntakeAction::Submit { .. });
        assert!(intake.actions().iter().any(submits));
    }
    intake.decided(now, TAG, overloaded(Bound::Pending, 25 * SECOND));
    assert_eq!(intake.actions(), [IntakeAction::GiveBack { tag: TAG, delay: 25 * SECOND }]);
    intake.given_back(now, TAG, CallOutcome::Failed);
    assert_eq!((intake.in_flight(), intake.counts().given_back, intake.counts().abandoned), (0, 0, 1));
}

#[test]
fn giving_back_is_repeated_where_no_time_brings_a_message_back() {
    let mut intake = submitted(Terms::Queue { ack_wait: None });
    let later = NOW + IntakeConfig::default().max_hold;
    intake.decided(later, TAG, overloaded(Bound::Pending, SECOND));
    assert_eq!(intake.actions(), [IntakeAction::GiveBack { tag: TAG, delay: SECOND }]);
    intake.given_back(later, TAG, CallOutcome::Failed);
    assert_eq!((intake.actions(), intake.in_flight()), (vec![], 1));
    intake.tick(later + SECOND);
    assert_eq!(intake.actions(), [IntakeAction::GiveBack { tag: TAG, delay: SECOND }]);
    intake.given_back(later + SECOND, TAG, CallOutcome::Confirmed);
    assert_eq!((intake.in_flight(), intake.counts().given_back), (0, 1));
}

#[test]
fn acknowledgement_that_fails_for_long_is_left_to_the_ack_wait() {
    for (terms, is_left) in [(QUEUE, true), (Terms::Queue { ack_wait: None }, false), (Terms::Log, false)] {
        let mut intake = submitted(terms);
        intake.decided(NOW, TAG, synced(Ok(Submitted::Accepted)));
        assert_eq!(intake.actions(), [IntakeAction::Acknowledge { tag: TAG }]);
        intake.acknowledged(NOW + 2 * IntakeConfig::default().max_hold, TAG, CallOutcome::Failed);
        let abandoned = [IntakeAction::Abandon { tag: TAG }];
        assert_eq!((intake.actions() == abandoned, intake.in_flight()), (is_left, usize::from(!is_left)), "{terms:?}");
    }
}

#[test]
fn message_of_a_log_waits_for_room_however_long() {
    let (mut intake, mut now) = (submitted(Terms::Log), NOW);
    for _ in 0..100 {
        intake.decided(now, TAG, overloaded(Bound::Pending, 3600 * SECOND));
        assert_eq!(intake.actions(), []);
        now = intake.next_deadline(now).expect("another try");
        intake.tick(now);
        assert!(matches!(intake.actions()[..], [IntakeAction::Submit { .. }]));
    }
    assert!(now > NOW + 2000 * SECOND, "the longest delay is half a minute: {now}");
}

#[test]
fn unknown_outcome_is_submitted_again_and_not_acknowledged() {
    let mut intake = submitted(QUEUE);
    intake.decided(NOW, TAG, unsynced(Ok(Submitted::Accepted)));
    intake.actions();
    intake.durable(NOW, TAG, Err(Unavailable::Unknown));
    assert_eq!((intake.actions(), intake.room(NOW)), (vec![], None));
    intake.tick(NOW + SECOND);
    assert!(matches!(intake.actions()[..], [IntakeAction::Submit { .. }]));
    intake.decided(NOW + SECOND, TAG, Err(Unavailable::Reopening));
    assert_eq!((intake.actions(), intake.end()), (vec![], None));
}

#[test]
fn engine_that_shuts_down_gets_nothing_more() {
    let mut intake = submitted(QUEUE);
    intake.received(NOW, message(DeliveryTag::new(2)));
    intake.actions();
    intake.decided(NOW, TAG, synced(Err(SubmitError::ShuttingDown)));
    assert_eq!(intake.actions(), [IntakeAction::GiveBack { tag: TAG, delay: SECOND }]);
    assert_eq!((intake.room(NOW), intake.end()), (None, Some(IntakeEnd::ShuttingDown)));
    intake.decided(NOW, DeliveryTag::new(2), synced(Ok(Submitted::Accepted)));
    assert_eq!(intake.actions(), [IntakeAction::Acknowledge { tag: DeliveryTag::new(2) }]);
}

#[test]
fn engine_that_needs_a_restart_ends_the_intake() {
    for unavailable in [Unavailable::Broken, Unavailable::JournalDown] {
        let mut intake = submitted(Terms::Log);
        intake.decided(NOW, TAG, Err(unavailable));
        assert_eq!(intake.actions(), [IntakeAction::Abandon { tag: TAG }]);
        assert_eq!((intake.end(), intake.is_drained()), (Some(IntakeEnd::Unavailable(unavailable)), true));
    }
}

#[test]
fn delivery_is_extended_at_half_of_its_time() {
    let mut intake = submitted(QUEUE);
    assert_eq!(intake.next_deadline(NOW), Some(NOW + WAIT / 2));
    intake.tick(NOW + WAIT / 2);
    assert_eq!(intake.actions(), [IntakeAction::Extend { tag: TAG }]);
    intake.extended(NOW + WAIT / 2 + SECOND, TAG, CallOutcome::Confirmed);
    assert_eq!(intake.next_deadline(NOW), Some(NOW + WAIT), "its time runs from when the extension was sent");
    intake.tick(NOW + WAIT);
    assert_eq!(intake.actions(), [IntakeAction::Extend { tag: TAG }]);
    intake.extended(NOW + WAIT, TAG, CallOutcome::Failed);
    assert_eq!(intake.next_deadline(NOW), Some(NOW + WAIT + SECOND), "one that failed is tried again");
}

#[test]
fn delivery_that_is_being_acknowledged_is_not_extended() {
    let mut intake = submitted(QUEUE);
    intake.decided(NOW, TAG, synced(Ok(Submitted::Accepted)));
    intake.actions();
    intake.tick(NOW + WAIT);
    assert_eq!(intake.actions(), []);
}

#[test]
fn acknowledgement_that_failed_is_tried_again() {
    let mut intake = submitted(QUEUE);
    intake.decided(NOW, TAG, synced(Ok(Submitted::Accepted)));
    intake.actions();
    intake.acknowledged(NOW, TAG, CallOutcome::Failed);
    let at = intake.next_deadline(NOW).expect("another try");
    intake.tick(at);
    assert_eq!((intake.actions(), intake.in_flight()), (vec![IntakeAction::Acknowledge { tag: TAG }], 1));
}

#[test]
fn revoked_delivery_is_neither_acknowledged_nor_given_back() {
    let mut intake = submitted(QUEUE);
    intake.revoked(Partition::new(0));
    assert_eq!(intake.in_flight(), 1, "its submission is under way");
    intake.decided(NOW, TAG, synced(Ok(Submitted::Accepted)));
    assert_eq!((intake.actions(), intake.in_flight()), (vec![], 0));

    let mut intake = submitted(QUEUE);
    intake.decided(NOW, TAG, synced(Ok(Submitted::Accepted)));
    intake.revoked(Partition::new(0));
    assert_eq!((intake.actions(), intake.in_flight()), (vec![], 0), "what was not said yet is not said");

    let mut intake = submitted(QUEUE);
    intake.decided(NOW, TAG, overloaded(Bound::Pending, SECOND));
    intake.revoked(Partition::new(1));
    assert_eq!(intake.in_flight(), 1, "another partition");
    intake.revoked(Partition::new(0));
    assert_eq!((intake.in_flight(), intake.in_flight_bytes()), (0, 0));
}

#[test]
fn in_flight_is_bounded_by_count_and_by_bytes() {
    let mut config = IntakeConfig::default();
    config.max_in_flight = NonZeroUsize::new(3).expect("three");
    config.max_in_flight_bytes = NonZeroUsize::new(30).expect("thirty");
    let mut intake = Intake::new(config, QUEUE);
    let room = intake.room(NOW).expect("room");
    assert_eq!((room.messages, room.bytes), (3, 30));
    intake.received(NOW, message(TAG));
    let room = intake.room(NOW).expect("room");
    assert_eq!((room.messages, room.bytes), (2, 30 - 13));
    (2..4).for_each(|tag| intake.received(NOW, message(DeliveryTag::new(tag))));
    assert_eq!((intake.room(NOW), intake.in_flight_bytes()), (None, 39));
}

#[test]
fn drained_intake_gives_back_what_is_held_and_awaits_the_rest() {
    let mut intake = submitted(QUEUE);
    intake.decided(NOW, TAG, overloaded(Bound::Pending, SECOND));
    intake.received(NOW, message(DeliveryTag::new(2)));
    intake.actions();
    intake.drain(NOW);
    assert_eq!(intake.actions(), [IntakeAction::GiveBack { tag: TAG, delay: SECOND }]);
    intake.received(NOW, message(DeliveryTag::new(3)));
    assert_eq!(intake.actions(), [IntakeAction::GiveBack { tag: DeliveryTag::new(3), delay: SECOND }]);
    assert!(!intake.is_drained());
    let end = NOW + IntakeConfig::default().drain_timeout;
    assert_eq!(intake.next_deadline(NOW), Some(end));
    intake.tick(end);
    assert_eq!((intake.is_drained(), intake.next_deadline(end)), (true, None));
    intake.decided(end, DeliveryTag::new(2), synced(Ok(Submitted::Accepted)));
    let speaks = |action: &IntakeAction| !matches!(action, IntakeAction::Abandon { .. });
    assert!(!intake.actions().iter().any(speaks), "what is given up is not acknowledged");
}

#[test]
fn source_that_fails_is_asked_again_with_growing_delays() {
    let mut intake = Intake::new(IntakeConfig::default(), QUEUE);
    let mut now = NOW;
    for seconds in [1, 2, 4, 8, 16, 30, 30] {
        intake.receive_failed(now);
        assert_eq!(intake.next_deadline(now), Some(now + seconds * SECOND));
        now = now + seconds * SECOND;
        assert!(intake.room(now).is_some());
    }
    // None or more messages may have come.
    intake.receive_succeeded();
    intake.receive_failed(now);
    assert!(intake.room(now + SECOND).is_some(), "a success ends the row of failures");
}

#[test]
fn call_that_finds_its_delivery_taken_away_ends_it() {
    let gone = |act: fn(&mut Intake)| {
        let mut intake = submitted(Terms::Log);
        act(&mut intake);
        assert_eq!((intake.actions(), intake.in_flight(), intake.in_flight_bytes()), (vec![], 0, 0));
        assert_eq!((intake.counts().abandoned, intake.counts().failures), (1, 0));
    };
    gone(|intake| {
        intake.decided(NOW, TAG, synced(Ok(Submitted::Accepted)));
        intake.actions();
        intake.acknowledged(NOW, TAG, CallOutcome::Gone);
    });
    gone(|intake| {
        intake.decided(NOW, TAG, synced(Err(SubmitError::TooLarge { limit_bytes: 9 })));
        intake.actions();
        intake.buried(NOW, TAG, CallOutcome::Gone);
    });
    let mut intake = submitted(QUEUE);
    intake.tick(NOW + WAIT / 2);
    intake.actions();
    intake.extended(NOW + WAIT, TAG, CallOutcome::Gone);
    assert_eq!(intake.in_flight(), 1, "its submission is under way");
    intake.decided(NOW + WAIT, TAG, synced(Ok(Submitted::Accepted)));
    assert_eq!((intake.actions(), intake.in_flight()), (vec![], 0), "and is not acknowledged");
}

#[test]
fn extension_behind_an_acknowledgement_changes_nothing() {
    let mut intake = submitted(QUEUE);
    intake.tick(NOW + WAIT / 2);
    intake.decided(NOW + WAIT / 2, TAG, synced(Ok(Submitted::Accepted)));
    intake.actions();
    intake.extended(NOW + WAIT / 2, TAG, CallOutcome::Gone);
    intake.acknowledged(NOW + WAIT / 2, TAG, CallOutcome::Confirmed);
    assert_eq!((intake.counts().acknowledged, intake.counts().abandoned), (1, 0));
}

#[test]
fn message_that_goes_back_at_once_was_not_held() {
    let mut intake = submitted(QUEUE);
    intake.drain(NOW);
    intake.decided(NOW, TAG, overloaded(Bound::Pending, SECOND));
    assert!(matches!(intake.actions()[..], [IntakeAction::GiveBack { .. }]));
    assert_eq!(intake.counts().held, 0);
}

#[test]
fn results_that_no_one_waits_for_change_nothing() {
    let mut intake = submitted(QUEUE);
    intake.durable(NOW, TAG, Ok(()));
    intake.acknowledged(NOW, TAG, CallOutcome::Confirmed);
    intake.buried(NOW, TAG, CallOutcome::Confirmed);
    intake.given_back(NOW, TAG, CallOutcome::Confirmed);
    intake.extended(NOW, TAG, CallOutcome::Confirmed);
    intake.decided(NOW, DeliveryTag::new(9), synced(Ok(Submitted::Accepted)));
    assert_eq!((intake.actions(), intake.in_flight(), intake.counts().acknowledged), (vec![], 1, 0));
}

/// An intake with one delivery whose event is being submitted.
fn submitted(terms: Terms) -> Intake {
    let mut intake = Intake::new(IntakeConfig::default(), terms);
    intake.received(NOW, message(TAG));
    assert!(matches!(intake.actions()[..], [IntakeAction::Submit { tag: TAG, .. }]));
    intake
}

fn message(tag: DeliveryTag) -> Message {
    let event = Event::with_id("order-1", "apples").expect("an event");
    Message { tag, partition: Partition::new(0), deliveries: 1, content: Ok(event) }
}

fn synced(value: Result<Submitted, SubmitError>) -> Submission {
    Ok(Decided { value, lsn: None })
}

fn unsynced(value: Result<Submitted, SubmitError>) -> Submission {
    Ok(Decided { value, lsn: Some(lsn()) })
}

fn overloaded(bound: Bound, retry_after: Duration) -> Submission {
    synced(Err(SubmitError::Overloaded { bound, retry_after }))
}

/// Returns the reason of the one letter that is to be written.
fn reason(intake: &mut Intake) -> DeadReason {
    let mut actions = intake.actions();
    match (actions.pop(), actions.is_empty()) {
        (Some(IntakeAction::Bury { letter, .. }), true) => letter.reason,
        (action, _) => panic!("{action:?}"),
    }
}

/// An LSN, which only a node gives.
fn lsn() -> Lsn {
    let mut out = Output::with_facts();
    let engine = Engine::new(Config::default(), NOW, &mut out).expect("a valid configuration");
    let limits = CommitLimits {
        max_unsynced_bytes: 1 << 20,
        reserve_bytes: 0,
        answer_timeout: SECOND,
        group_bytes: CommitLimits::GROUP_BYTES,
        failures: CommitLimits::FAILURES,
    };
    let opened = OpenedEngine { engine, out, room_bytes: u64::MAX, frames: 0 };
    let mut node = Node::with_journal(NOW, opened, limits);
    let event = Event::with_id("order-1", "apples").expect("an event");
    node.submit(NOW, event).expect("a node that works").lsn.expect("nothing is durable yet")
}
