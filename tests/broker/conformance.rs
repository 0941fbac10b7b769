//! A client that keeps the rules passes the suite, and one that breaks a rule is found by that rule.

use std::panic::AssertUnwindSafe;

use eventful::broker::conformance;

use crate::bench::{ClientLapse, MemoryQueue};

#[tokio::test(start_paused = true)]
async fn queue_in_memory_conforms() {
    conformance::check_source(|| async { MemoryQueue::new(None) }).await;
    conformance::check_sink(|| async { MemoryQueue::new(None) }).await;
}

#[test]
fn each_lapse_of_a_client_is_found_by_the_rule_it_breaks() {
    for (lapse, rule) in [
        (ClientLapse::AcknowledgesNothing, "acknowledged messages do not come again"),
        (ClientLapse::AcknowledgesForOthers, "what was delivered to another consumer is not acknowledged here"),
        (ClientLapse::LosesWhatIsNotAcknowledged, "messages come"),
        (ClientLapse::IgnoresRoomForMessages, "no more messages than there is room for"),
        (ClientLapse::IgnoresRoomForBytes, "no more bytes than there is room for"),
        (ClientLapse::LosesWhenDropped, "a receive that is dropped loses nothing"),
        (ClientLapse::GivesBackAtOnce, "does not come before its delay"),
        (ClientLapse::IgnoresExtensions, "a message that is extended does not come again"),
        (ClientLapse::GivesRandomIds, "a message without an id is unfit"),
        (ClientLapse::ReusesTags, "no tag is used twice"),
        (ClientLapse::LosesLetters, "a dead letter is kept with its reason"),
        (ClientLapse::RemovesBuried, "messages come"),
        (ClientLapse::CountsNoDeliveries, "a second delivery does not count as the first"),
        (ClientLapse::ConfirmsUnseen, "an event that the broker did not take is not done"),
        (ClientLapse::LosesSource, "is the key of the event"),
        (ClientLapse::HidesWhatIsGone, "a call about a delivery that was taken away says so"),
    ] {
        let said = finding(lapse).unwrap_or_else(|| panic!("{lapse:?} is not found"));
        assert!(said.contains(rule), "{lapse:?} is found by {said:?}, not by {rule:?}");
    }
}

/// Returns the rule that the suite says is broken.
fn finding(lapse: ClientLapse) -> Option<String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = runtime.expect("a runtime");
    let checked = std::panic::catch_unwind(AssertUnwindSafe(|| {
        runtime.block_on(async {
            conformance::check_source(|| async { MemoryQueue::new(Some(lapse)) }).await;
            conformance::check_sink(|| async { MemoryQueue::new(Some(lapse)) }).await;
        });
    }));
    let panic = checked.err()?;
    let text = panic.downcast_ref::<String>().cloned();
    Some(text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default())
}
