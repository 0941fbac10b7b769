//! Reading of records: pages, and explanations why an event is not running.

use std::num::NonZeroUsize;
use std::time::Duration;

use eventful::{
    Config, Cursor, Event, Filter, Key, RecordView, Status, Timestamp,
    engine::{Command, EnqueueFailure, ErrorText, Outcome, Thresholds},
};
use eventful_sim::driver::{EngineDriver, key};

#[test]
fn page_of_a_status_holds_all_of_it_and_nothing_else() {
    let driver = one_of_each_status();
    for status in Status::ALL {
        assert_eq!(ids(&driver, Some(status)), [status.as_str()], "{status}");
    }
    assert_eq!(ids(&driver, None).len(), Status::ALL.len());
}

#[test]
fn counters_alone_are_those_of_the_metrics() {
    let mut driver = one_of_each_status();
    driver.submit("completed");
    let metrics = driver.engine().metrics();
    assert_eq!((metrics.facts.accepted, metrics.tallies.deduplicated), (6, 1));
    assert_eq!((driver.engine().fact_counters(), driver.engine().tallies()), (&metrics.facts, &metrics.tallies));
}

#[test]
fn every_filter_finds_what_fits_all_of_its_parts() {
    let driver = two_of_each_status();
    let engine = driver.engine();
    let records = engine.page(driver.now, None, Cursor::START, 100).records;
    let failed: Vec<_> = records.iter().filter(|record| record.status == Status::Failed).collect();
    assert!(records.len() == 2 * Status::ALL.len() && failed[0].terminal_at < failed[1].terminal_at);
    for number in 0..7 * 3 * 3 * 3 * 3 * 3 {
        let filter = filter(number, [failed[0].terminal_at, failed[1].terminal_at]);
        let mut fitting: Vec<_> = records.iter().filter(|record| fits(record, &filter)).map(|fit| &fit.key).collect();
        let (mut keys, _) = engine.find_keys(driver.now, &filter, Cursor::START, 100);
        fitting.sort_unstable();
        keys.sort_unstable();
        assert!(keys.iter().eq(fitting), "{filter:?}: {keys:?}");
        assert_eq!(engine.count(driver.now, &filter, Cursor::START).0, keys.len() as u64, "{filter:?}");
    }
}

#[test]
fn records_are_found_by_id_cause_and_time_of_acceptance() {
    let mut driver = two_of_each_status();
    driver.advance(Duration::from_secs(1));
    driver.submit("late");
    let engine = driver.engine();
    let records = engine.page(driver.now, None, Cursor::START, 100).records;
    let late = driver.record("late").expect("a record").accepted_at;
    for number in 0..7 * 3 * 3 * 3 * 2 * 2 {
        let filter = other_filter(number, late);
        let mut fitting: Vec<_> =
            records.iter().filter(|record| fits_otherwise(record, &filter)).map(|fit| &fit.key).collect();
        let (mut keys, _) = engine.find_keys(driver.now, &filter, Cursor::START, 100);
        fitting.sort_unstable();
        keys.sort_unstable();
        assert!(keys.iter().eq(fitting), "{filter:?}: {keys:?}");
        assert_eq!(engine.count(driver.now, &filter, Cursor::START).0, keys.len() as u64, "{filter:?}");
    }
}

#[test]
fn page_holds_no_record_past_its_retention() {
    let mut driver = one_of_each_status();
    driver.advance(driver.engine().config().retention);
    assert_eq!(ids(&driver, None).len(), 4, "the two completed ones are absent, swept or not; the failed one stays");
    assert!(ids(&driver, Some(Status::Completed)).is_empty());
}

#[test]
fn page_of_no_records_is_one_of_one() {
    let driver = one_of_each_status();
    let page = driver.engine().page(driver.now, None, Cursor::START, 0);
    assert_eq!(page.records.len(), 1);
    assert!(page.next.is_some());
}

#[test]
fn page_ends_once_its_events_have_so_many_bytes() {
    let bytes = with_events(8, &["a"]).record("a").expect("a record").size_bytes;
    for (page_bytes, records) in [(1, 1), (bytes, 1), (bytes + 1, 2), (3 * bytes, 3)] {
        let thresholds = Thresholds { page_bytes, ..Thresholds::default() };
        let mut driver = EngineDriver::new(Config::default().with_thresholds(thresholds));
        ["a", "b", "c", "d"].iter().for_each(|id| drop(driver.submit(id)));
        let page = driver.engine().page(driver.now, None, Cursor::START, 100);
        assert_eq!((page.records.len(), page.next.is_some()), (records, true), "{page_bytes} bytes");
    }
}

#[test]
fn page_ends_after_so_many_places_however_few_fit() {
    let mut driver = EngineDriver::new(Config::default());
    for n in 0..4096 {
        driver.submit(&format!("event-{n}"));
    }
    let first = driver.engine().page(driver.now, Some(Status::FailedRetry), Cursor::START, 1);
    let cursor = first.next.expect("there are more places");
    assert!(first.records.is_empty());
    assert_eq!(driver.engine().page(driver.now, Some(Status::FailedRetry), cursor, 1).next, None);
}

#[test]
fn failed_records_are_found_without_reading_others() {
    let mut driver = EngineDriver::new(Config::default());
    driver.submit("failed");
    driver.run(Outcome::Permanent { error: ErrorText::new("wrong") });
    for n in 0..5000 {
        driver.submit(&format!("event-{n}"));
    }
    let page = driver.engine().page(driver.now, Some(Status::Failed), Cursor::START, 10);
    assert_eq!((page.records.len(), page.next), (1, None));
}

#[test]
fn record_shows_what_the_event_was_submitted_with() {
    let mut driver = EngineDriver::new(Config::default());
    let event = Event::new(key("a"), "x").with_type("created").and_then(|event| event.with_content_type("text/plain"));
    let event = event.expect("an event");
    driver.execute(Command::Submit(event.clone()));

    let record = driver.record("a").expect("a record");
    assert_eq!((record.event_type.as_deref(), record.content_type.as_deref()), (Some("created"), Some("text/plain")));
    assert_eq!(record.size_bytes, event.size_bytes());
    assert!(record.is_queued());

    driver.run(Outcome::Done);
    let tombstone = driver.record("a").expect("a tombstone");
    assert!(!tombstone.is_queued());
    assert_eq!((tombstone.event_type, tombstone.content_type, tombstone.size_bytes), (None, None, 0));
}

#[test]
fn what_is_not_there_is_not_explained() {
    let mut driver = one_of_each_status();
    assert_eq!(driver.engine().explain(driver.now, &key("never submitted")), None);
    driver.advance(driver.engine().config().retention);
    assert_eq!(driver.engine().explain(driver.now, &key("completed")), None);
}

#[test]
fn explanation_of_a_queued_event_counts_those_ahead() {
    let mut driver = with_events(8, &["a", "b", "c", "d"]);
    driver.start().expect("a run");
    let explained = "It is in the channel with 2 ahead of it, while 1 of at most 64 run.";
    assert_eq!(explain(&driver, "d"), explained);
}

#[test]
fn explanation_of_an_event_in_line_names_the_reason() {
    let mut driver = with_events(1, &["a", "b", "c"]);
    assert_eq!(explain(&driver, "c"), "It is one of 2 in the line, and the channel is full with 1.");

    driver.broken = Some(EnqueueFailure::Full);
    driver.start().expect("a run");
    let blocked =
        "It is one of 2 in the line, and none gets a ticket until 1001.000000, because the channel took none.";
    assert_eq!(explain(&driver, "c"), blocked);
}

#[test]
fn explanation_of_a_delayed_event_has_its_time() {
    let mut driver = with_events(1, &["a"]);
    driver.run(retry(Duration::from_secs(60)));
    driver.advance(Duration::from_secs(20));
    assert_eq!(explain(&driver, "a"), "It waits for 40s until its next attempt may start.");
}

#[test]
fn explanation_of_a_running_event_has_its_times() {
    let mut driver = with_events(1, &["a"]);
    driver.start().expect("a run");
    driver.advance(Duration::from_secs(10));
    let explained = "It is running: attempt 1 for 10s now, with 20s left until its deadline.";
    assert_eq!(explain(&driver, "a"), explained);
}

#[test]
fn explanation_of_a_terminal_event_has_its_end() {
    let mut driver = with_events(8, &["a", "b"]);
    driver.run(Outcome::Done);
    driver.run(permanent());
    driver.advance(Duration::from_secs(600));
    assert_eq!(explain(&driver, "a"), "It is completed, and is remembered for another 3000s.");
    assert_eq!(explain(&driver, "b"), "It has failed at attempt 1: wrong; redrive it to try again.");
}

#[test]
fn explanation_of_a_waiting_event_names_a_stopped_engine() {
    let mut driver = with_events(1, &["a"]);
    driver.execute(Command::Pause);
    assert_eq!(explain(&driver, "a"), "It waits because the engine is paused; resume it.");
    driver.execute(Command::Shutdown);
    assert_eq!(explain(&driver, "a"), "It waits because the engine is shutting down and starts nothing.");
}

/// Returns an engine with records named by their status.
fn one_of_each_status() -> EngineDriver {
    let mut driver = with_events(8, &["completed", "failed", "failed_retry", "processing", "discarded", "received"]);
    driver.run(Outcome::Done);
    driver.run(permanent());
    driver.run(retry(Duration::from_secs(60)));
    driver.start().expect("a run");
    driver.execute(Command::Discard(key("discarded")));
    driver
}

/// Returns an engine with two records of each status, of different sources and types, with different errors, one
/// second apart.
fn two_of_each_status() -> EngineDriver {
    let mut driver = with_events(16, &[]);
    for status in ["completed", "failed", "failed_retry", "processing", "discarded", "received"] {
        for (source, event_type) in [("", "order"), ("shop", "refund")] {
            let event = Event::new(Key::new(source, status).expect("a key"), "x").with_type(event_type);
            driver.execute(Command::Submit(event.expect("a type")));
        }
    }
    let errors = ["try again", "wrong"].map(ErrorText::new);
    let mut outcomes = vec![Outcome::Done, Outcome::Done];
    outcomes.extend(errors.clone().map(|error| Outcome::Permanent { error }));
    outcomes.extend(errors.map(|error| Outcome::Retry { error, after: Some(Duration::from_secs(60)) }));
    for outcome in outcomes {
        driver.run(outcome);
        driver.advance(Duration::from_secs(1));
    }
    for source in ["", "shop"] {
        driver.start().expect("a run");
        driver.execute(Command::Discard(Key::new(source, "discarded").expect("a key")));
    }
    driver
}

/// Returns the digits of this number in turn, none for 0, and a filter with the status and the source that the first two
/// choose.
fn digits(mut number: usize) -> (impl FnMut(usize) -> Option<usize>, Filter) {
    let mut digit = move |values: usize| {
        let digit = number % values;
        number /= values;
        digit.checked_sub(1)
    };
    let mut filter = Filter::default();
    filter.status = digit(7).map(|at| Status::ALL[at]);
    filter.source = digit(3).map(|at| ["", "shop"][at].into());
    (digit, filter)
}

/// Returns the filter of this number, among all of seven statuses, or three values, in each part.
fn filter(number: usize, times: [Option<Timestamp>; 2]) -> Filter {
    let (mut digit, mut filter) = digits(number);
    filter.event_type = digit(3).map(|at| ["order", "refund"][at].into());
    filter.error = digit(3).map(|at| ["again", "wrong"][at].into());
    filter.failed_from = digit(3).and_then(|at| times[at]);
    filter.failed_until = digit(3).and_then(|at| times[at]);
    filter
}

fn fits(record: &RecordView, filter: &Filter) -> bool {
    let Filter { status, source, event_type, error, failed_from, failed_until, .. } = filter;
    let failed_at = record.terminal_at.filter(|_| record.status == Status::Failed);
    let last_error = record.last_error.as_ref().map_or("", ErrorText::as_str);
    status.is_none_or(|status| record.status == status)
        && source.as_deref().is_none_or(|source| record.key.source() == source)
        && (event_type.is_none() || record.event_type == *event_type)
        && error.as_deref().is_none_or(|text| last_error.contains(text))
        && failed_from.is_none_or(|from| failed_at >= Some(from))
        && failed_until.is_none_or(|until| failed_at.is_some_and(|at| at < until))
}

/// Returns the filter of this number by the parts that [`filter`] leaves out.
fn other_filter(number: usize, late: Timestamp) -> Filter {
    let (mut digit, mut filter) = digits(number);
    filter.id = digit(3).map(|at| ["failed", "discarded"][at].into());
    // A part of an error is no cause.
    filter.cause = digit(3).map(|at| ["try again", "again"][at].into());
    filter.accepted_from = digit(2).map(|_| late);
    filter.accepted_until = digit(2).map(|_| late);
    filter
}

fn fits_otherwise(record: &RecordView, filter: &Filter) -> bool {
    let Filter { status, source, cause, id, accepted_from, accepted_until, .. } = filter;
    let ended = matches!(record.status, Status::Completed | Status::Discarded);
    let first_line = record.last_error.as_ref().map_or("", |error| error.as_str().split('\n').next().unwrap_or(""));
    status.is_none_or(|status| record.status == status)
        && source.as_deref().is_none_or(|source| record.key.source() == source)
        && id.as_deref().is_none_or(|id| *record.key.id() == *id)
        && cause.as_deref().is_none_or(|cause| !ended && first_line == cause)
        && accepted_from.is_none_or(|from| record.accepted_at >= from)
        && accepted_until.is_none_or(|until| record.accepted_at < until)
}

fn ids(driver: &EngineDriver, status: Option<Status>) -> Vec<String> {
    let (mut ids, mut next) = (Vec::new(), Some(Cursor::START));
    while let Some(cursor) = next {
        let page = driver.engine().page(driver.now, status, cursor, 2);
        assert!(page.records.len() <= 2);
        ids.extend(page.records.iter().map(|record| record.key.to_string()));
        next = page.next;
    }
    ids
}

fn explain(driver: &EngineDriver, id: &str) -> String {
    driver.engine().explain(driver.now, &key(id)).expect("a record")
}

fn with_events(capacity: usize, ids: &[&str]) -> EngineDriver {
    let mut config = Config::default();
    config.channel_capacity = NonZeroUsize::new(capacity).expect("a capacity");
    let mut driver = EngineDriver::new(config);
    ids.iter().for_each(|id| drop(driver.submit(id)));
    driver
}

fn retry(after: Duration) -> Outcome {
    Outcome::Retry { error: ErrorText::new("try again"), after: Some(after) }
}

fn permanent() -> Outcome {
    Outcome::Permanent { error: ErrorText::new("wrong") }
}
