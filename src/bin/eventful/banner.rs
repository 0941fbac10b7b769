//! The lines of a server at its start.

use std::time::Duration;

use eventful::{Config, Eventful, durability::Recovery};

use crate::keeping::Keeping;
use crate::spans;
use crate::terminal::say;

/// Prints where the server is, what it does, what it found, and how much it can remember.
pub(crate) fn introduce(url: &str, handler: &str, (keeping, has_page): (&Keeping, bool), eventful: &Eventful) {
    say(&format!("eventful {} listens on {url}", env!("CARGO_PKG_VERSION")));
    say(&format!("  API          {url}/v1/events, described by {url}/openapi.json"));
    say(&format!("  metrics      {url}/metrics"));
    if has_page {
        say(&format!("  page         {url}/ui/"));
    }
    say(&format!("  handler      {handler}"));
    for (label, text) in keeping.lines(eventful.recovery(), |recovery| found(recovery, eventful)) {
        say(&format!("  {label:<12} {text}"));
    }
    if eventful.recovery().is_some_and(|recovery| recovery.paused) {
        say(&format!("  paused       no event is handled until: curl -X POST {url}/v1/resume"));
    }
    say(&format!("  limits       {}", limits(eventful.config())));
    say(&format!("  try          curl -i {url}/v1/events -H 'Idempotency-Key: hello-1' -d 'hello, world'"));
}

fn found(recovery: &Recovery, eventful: &Eventful) -> String {
    let Recovery { is_new, records, pending, failed, oldest_pending, .. } = recovery;
    if *is_new {
        return "a new journal".to_owned();
    }
    let oldest = oldest_pending.map_or_else(String::new, |accepted| {
        format!(" (the oldest accepted {} ago)", spans::about(eventful.now().since(accepted)))
    });
    let (records, pending, failed) = (grouped(*records), grouped(*pending), grouped(*failed));
    format!("opened with {records} records: {pending} pending{oldest}, {failed} failed")
}

/// Describes how long ended events are remembered, and how many may come on average.
fn limits(config: &Config) -> String {
    let (records, retention) = (config.max_records as u64, config.retention);
    let kept = match retention.as_secs() {
        seconds if seconds > 0 && seconds.is_multiple_of(3600) => format!("{}h", seconds / 3600),
        _ => spans::show(retention),
    };
    let rate = rate(records, retention);
    format!("remembers {} events for {kept}: room for {rate} on average; --max-records raises it", grouped(records))
}

/// Returns a rate in the shortest unit that gives a whole number.
fn rate(events: u64, time: Duration) -> String {
    let micros = time.as_micros().max(1);
    let per = |unit: u64| u128::from(events) * u128::from(unit) * 1_000_000 / micros;
    let units = [("s", 1), ("min", 60), ("h", 3600), ("d", 86400)];
    let fitting = units.into_iter().find(|(_, seconds)| per(*seconds) > 0);
    fitting.map_or_else(|| "less than 1/d".to_owned(), |(unit, seconds)| format!("{}/{unit}", per(seconds)))
}

/// Returns a number with commas between thousands.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (at, digit) in digits.char_indices() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_commas_between_thousands() {
        for (number, text) in [(0, "0"), (999, "999"), (1000, "1,000"), (10_000_000, "10,000,000")] {
            assert_eq!(grouped(number), text);
        }
    }

    #[test]
    fn limits_say_what_is_remembered_and_for_how_long() {
        let remembered = "remembers 10,000,000 events for 96h: room for 28/s on average; --max-records raises it";
        assert_eq!(limits(&Config::durable()), remembered);
        let mut config = Config::default();
        for (records, retention, rate) in [
            (1_000_000, Duration::from_secs(3600), "277/s"),
            (1000, Duration::from_secs(96 * 3600), "10/h"),
            (1, Duration::from_secs(1_000_000), "less than 1/d"),
            (5, Duration::ZERO, "5000000/s"),
        ] {
            (config.max_records, config.retention) = (records, retention);
            assert!(limits(&config).contains(&format!("room for {rate} on average")), "{}", limits(&config));
        }
    }
}
