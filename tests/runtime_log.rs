//! The log, read by a test that is alone in its process: where tests run beside each other, one without a subscriber
//! may be the first to reach a place that logs, and `tracing` remembers then that none is interested.

mod harness;

use std::sync::{Arc, Mutex};

use eventful::{Attempt, Event, Failure, Status, Submitted};
use harness::*;

#[tokio::test(start_paused = true)]
async fn log_names_the_first_line_of_what_went_wrong() {
    let log = Arc::new(LoggedErrors::default());
    let _guard = tracing::subscriber::set_default(Arc::clone(&log));
    let eventful = start(narrow(), |_: Event, _: Attempt| async {
        Err::<(), _>(Failure::permanent("the target is down\nits answer: a secret"))
    });
    assert_eq!(eventful.submit(event("a")).await, Ok(Submitted::Accepted));
    until_status(&eventful, "a", Status::Failed).await;
    assert_eq!(*log.0.lock().expect("no panic under the lock"), ["\"the target is down\""]);
}

/// The errors that were logged.
#[derive(Default)]
struct LoggedErrors(Mutex<Vec<String>>);

impl tracing::Subscriber for LoggedErrors {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}

    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        event.record(&mut |field: &tracing::field::Field, value: &dyn std::fmt::Debug| {
            if field.name() == "error" {
                self.0.lock().expect("no panic under the lock").push(format!("{value:?}"));
            }
        });
    }

    fn enter(&self, _: &tracing::span::Id) {}

    fn exit(&self, _: &tracing::span::Id) {}
}
