//! Cron expressions in every time zone, against a walk through time.

use std::collections::BTreeSet;

use eventful::Timestamp;
use eventful::schedules::{Calendar as _, Cron};
use jiff::civil::Date;
use jiff::tz::{self, TimeZone};
use proptest::collection::btree_set;
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;

/// The seconds between two times at which the walk reads the clock: every offset since 1970 is a multiple of it.
const STEP: i64 = 30;
const DAY: i64 = 24 * 3600;
/// The days that the walk goes back to learn what clocks have shown before: none is put back by more.
const BEFORE: i64 = 2 * DAY;

/// A field: its text, and its numbers.
#[derive(Debug, Clone)]
struct DrawnField {
    text: String,
    numbers: BTreeSet<i64>,
}

/// An expression: minute, hour, day, month, day of the week.
#[derive(Debug, Clone)]
struct DrawnExpression([DrawnField; 5]);

impl DrawnExpression {
    fn text(&self) -> String {
        self.0.each_ref().map(|field| field.text.as_str()).join(" ")
    }

    /// Returns whether a clock shows a time that fits, as seconds since the beginning of 1970 on it.
    fn fits(&self, shown: i64) -> bool {
        let [minute, hour, day, month, weekday] = &self.0;
        let is_minute = shown % 60 == 0 && minute.numbers.contains(&(shown.rem_euclid(3600) / 60));
        // The date is needed for few of the times.
        if !is_minute || !hour.numbers.contains(&(shown.rem_euclid(DAY) / 3600)) {
            return false;
        }
        let date = date(shown);
        let is_day = day.numbers.contains(&date.day().into());
        let is_weekday = weekday.numbers.contains(&date.weekday().to_sunday_zero_offset().into());
        let is_restricted = |field: &DrawnField| !field.text.starts_with('*');
        let is_either = is_restricted(day) && is_restricted(weekday);
        month.numbers.contains(&date.month().into())
            && if is_either { is_day || is_weekday } else { is_day && is_weekday }
    }

    /// Returns the instants from `begin` on and before `end`, in their order.
    fn walk(&self, zone: &TimeZone, begin: i64, end: i64) -> Vec<i64> {
        let follows = self.0[1].text.starts_with('*');
        let first = (begin - BEFORE).div_euclid(STEP) * STEP;
        let (mut instants, mut highest, mut offset) = (BTreeSet::new(), i64::MIN, None);
        for at in (first..end).step_by(usize::try_from(STEP).expect("positive")) {
            let current = offset_at(zone, at);
            let before = offset.replace(current).unwrap_or(current);
            let shown = at + current;
            let skipped = (at + before..shown).step_by(usize::try_from(STEP).expect("positive"));
            if !follows {
                let moved = skipped.filter(|time| *time > highest && self.fits(*time)).map(|time| time - before);
                instants.extend(moved);
            }
            if (follows || shown > highest) && self.fits(shown) {
                instants.insert(at);
            }
            highest = highest.max(shown);
        }
        instants.into_iter().filter(|at| (begin..end).contains(at)).collect()
    }

    /// Compares the instants of a span of time, forward and backward.
    fn check(&self, zone: &str, begin: i64, end: i64) {
        let cron = Cron::new(&self.text(), zone).unwrap_or_else(|error| panic!("{error}"));
        let walked = self.walk(&TimeZone::get(zone).expect("a zone"), begin, end);
        let time = |at: i64| Timestamp::from_micros(u64::try_from(at).expect("after 1970") * 1_000_000);
        let seconds = |at: Timestamp| i64::try_from(at.as_micros() / 1_000_000).expect("a time of this era");
        let next = |at: &i64| cron.after(time(*at)).map(seconds).filter(|at| *at < end);
        let forward: Vec<_> = std::iter::successors(next(&(begin - 1)), next).collect();
        assert_eq!(forward, walked, "{} in {zone} from {begin} to {end}", self.text());
        // Each search backward is many searches forward.
        let last = |at: &i64| cron.before(time(*at)).map(seconds).filter(|at| *at >= begin);
        let backward: Vec<_> = std::iter::successors(last(&end), last).take(10).collect();
        let due: Vec<_> = walked.into_iter().rev().take(10).collect();
        assert_eq!(backward, due, "{} in {zone} back from {end} to {begin}", self.text());
    }
}

fn offset_at(zone: &TimeZone, at: i64) -> i64 {
    zone.to_offset(jiff::Timestamp::from_second(at).expect("a time of this era")).seconds().into()
}

fn date(shown: i64) -> Date {
    let days = jiff::Span::new().days(shown.div_euclid(DAY));
    Date::constant(1970, 1, 1).checked_add(days).expect("a date of this era")
}

fn zones() -> Vec<String> {
    let mut zones: Vec<_> = tz::db().available().map(|name| name.to_string()).collect();
    zones.sort();
    assert!(zones.len() > 400, "the database has {} zones", zones.len());
    zones
}

/// Returns a field with numbers of this range: a star with or without a step, a range, or a list.
fn fields(least: i64, most: i64) -> impl Strategy<Value = DrawnField> {
    let stars = prop_oneof![2 => Just(1), 1 => 2..10_i64].prop_map(move |step| {
        let text = if step == 1 { "*".to_owned() } else { format!("*/{step}") };
        let step = usize::try_from(step).expect("positive");
        DrawnField { text, numbers: (least..=most).step_by(step).collect() }
    });
    let ranges = (least..=most, least..=most, 1..5_usize).prop_map(|(one, other, step)| {
        let (first, last) = (one.min(other), one.max(other));
        DrawnField { text: format!("{first}-{last}/{step}"), numbers: (first..=last).step_by(step).collect() }
    });
    let lists = btree_set(least..=most, 1..4).prop_map(|numbers| {
        let text = numbers.iter().map(i64::to_string).collect::<Vec<_>>().join(",");
        DrawnField { text, numbers }
    });
    prop_oneof![2 => stars, 1 => ranges, 3 => lists]
}

/// Returns fields that are drawn from a part of their numbers, so that each date fits some of them: a star has them all.
fn parts(part: impl Strategy<Value = DrawnField>, least: i64, most: i64) -> impl Strategy<Value = DrawnField> {
    part.prop_map(move |mut field| {
        if let Some(step) = field.text.strip_prefix('*') {
            let step = step.strip_prefix('/').map_or(1, |step| step.parse().expect("a number"));
            field.numbers = (least..=most).step_by(step).collect();
        }
        field
    })
}

fn often_any(field: impl Strategy<Value = DrawnField>) -> impl Strategy<Value = DrawnField> {
    let star = DrawnField { text: "*".to_owned(), numbers: BTreeSet::new() };
    prop_oneof![3 => Just(star), 1 => field]
}

fn expressions() -> impl Strategy<Value = DrawnExpression> {
    // Clocks change at night, so hours of the night are drawn more often.
    let hours = parts(prop_oneof![2 => fields(0, 4), 1 => fields(0, 23)], 0, 23);
    let days = parts(often_any(fields(1, 28)), 1, 31);
    let months = parts(often_any(fields(1, 12)), 1, 12);
    // Sunday has two numbers, of which a star has both.
    let weekdays = parts(often_any(fields(0, 6)), 0, 7).prop_map(|mut days| {
        if days.numbers.remove(&7) {
            days.numbers.insert(0);
        }
        days
    });
    (fields(0, 59), hours, days, months, weekdays)
        .prop_map(|(minute, hour, day, month, weekday)| DrawnExpression([minute, hour, day, month, weekday]))
}

/// Returns the times of transitions of a zone from 1972 to 2100, or some time where there is none.
fn transitions(zone: &str) -> Vec<i64> {
    let zone = TimeZone::get(zone).expect("a zone");
    let begin = jiff::Timestamp::from_second(2 * 366 * DAY).expect("a time");
    let following = zone.following(begin).map(|transition| transition.timestamp().as_second());
    let found: Vec<_> = following.take_while(|at| *at < 4_102_444_800).collect();
    if found.is_empty() { vec![1_700_000_000] } else { found }
}

fn config() -> ProptestConfig {
    let persistence = FileFailurePersistence::Direct("proptest-regressions/calendar.txt");
    ProptestConfig { cases: 300, failure_persistence: Some(Box::new(persistence)), ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn instants_are_those_of_a_walk_through_time(
        expression in expressions(),
        zone in proptest::sample::select(zones()),
        near in any::<proptest::sample::Index>(),
        hours in -40..20_i64,
    ) {
        let transitions = transitions(&zone);
        let begin = transitions[near.index(transitions.len())] + hours * 3600;
        expression.check(&zone, begin, begin + 3 * DAY);
    }

    #[test]
    fn any_instant_of_any_zone_has_neighbours(
        expression in expressions(),
        zone in proptest::sample::select(zones()),
        at in prop_oneof![any::<u64>(), 0..4_000_000_000_000_000_u64],
    ) {
        let cron = Cron::new(&expression.text(), &zone).expect("a possible expression");
        let at = Timestamp::from_micros(at);
        let (after, before) = (cron.after(at), cron.before(at));
        prop_assert!(after.is_none_or(|after| after > at) && before.is_none_or(|before| before < at));
        // No instant lies between.
        prop_assert!(before.is_none_or(|before| cron.after(before).is_none_or(|next| next >= at)));
    }
}

#[test]
fn every_zone_is_walked_at_its_last_changes() {
    let field =
        |text: &str, numbers: &[i64]| DrawnField { text: text.to_owned(), numbers: numbers.iter().copied().collect() };
    let all = |first, last| DrawnField { text: "*".to_owned(), numbers: (first..=last).collect() };
    let days = || [all(1, 31), all(1, 12), all(0, 6)];
    let expression = |minute, hour| {
        let [day, month, weekday] = days();
        DrawnExpression([minute, hour, day, month, weekday])
    };
    let night: Vec<_> = (0..=4).collect();
    let expressions = [
        expression(field("30", &[30]), field("2", &[2])),
        expression(field("0,30", &[0, 30]), field("0-4", &night)),
        expression(field("15,45", &[15, 45]), all(0, 23)),
    ];
    for zone in zones() {
        for at in transitions(&zone).into_iter().rev().take(3) {
            expressions.iter().for_each(|expression| expression.check(&zone, at - DAY, at + DAY));
        }
    }
}

#[test]
fn instant_that_clocks_skip_comes_later_by_what_they_skip() {
    let cron = Cron::new("30 2 * * *", "Europe/Berlin").expect("an expression");
    // The nights of 29 March and of 25 October 2026.
    assert_eq!(
        shown(&cron, 1_774_600_000, 3),
        ["2026-03-28T02:30:00+01:00", "2026-03-29T03:30:00+02:00", "2026-03-30T02:30:00+02:00"]
    );
    assert_eq!(
        shown(&cron, 1_792_800_000, 3),
        ["2026-10-24T02:30:00+02:00", "2026-10-25T02:30:00+02:00", "2026-10-26T02:30:00+01:00"]
    );
}

#[test]
fn hour_with_a_star_follows_the_clock_through_both_changes() {
    let cron = Cron::new("30 * * * *", "Europe/Berlin").expect("an expression");
    assert_eq!(shown(&cron, 1_774_742_400, 2), ["2026-03-29T01:30:00+01:00", "2026-03-29T03:30:00+02:00"]);
    assert_eq!(
        shown(&cron, 1_792_886_400, 3),
        ["2026-10-25T02:30:00+02:00", "2026-10-25T02:30:00+01:00", "2026-10-25T03:30:00+01:00"]
    );
}

#[test]
fn day_that_a_zone_skips_moves_its_instants_by_a_day() {
    // On Samoa there was no 30 December 2011.
    let cron = Cron::new("0 12 * * *", "Pacific/Apia").expect("an expression");
    let times = shown(&cron, 1_325_116_800, 3);
    assert_eq!(times, ["2011-12-29T12:00:00-10:00", "2011-12-31T12:00:00+14:00", "2012-01-01T12:00:00+14:00"]);
}

#[test]
fn expression_that_means_nothing_says_what_to_write() {
    for (expression, zone, words) in [
        ("", "UTC", "has 0: write minute, hour"),
        ("* * * *", "UTC", "has 4: write minute"),
        ("60 * * * *", "UTC", "\"60\" is no minute: write *, or numbers from 0 to 59"),
        ("* 24 * * *", "UTC", "is no hour"),
        ("* * 0 * *", "UTC", "is no day of the month"),
        ("* * * foo *", "UTC", "is no month"),
        ("* * * * 8", "UTC", "is no day of the week"),
        ("5-1 * * * *", "UTC", "is no minute"),
        ("*/0 * * * *", "UTC", "is no minute"),
        ("+1 * * * *", "UTC", "is no minute"),
        (", * * * *", "UTC", "is no minute"),
        ("0 0 30 2 *", "UTC", "no date fits"),
        ("0 0 31 4,6,9,11 *", "UTC", "no date fits"),
        ("@noon", "UTC", "has 1"),
        ("@daily", "Europe/Atlantis", "there is no time zone \"Europe/Atlantis\": write UTC"),
    ] {
        let refused = Cron::new(expression, zone).expect_err(expression).to_string();
        assert!(refused.contains(words), "{expression}: {refused}");
    }
}

#[test]
fn names_ranges_and_steps_are_read() {
    for (one, other) in [
        ("@hourly", "0 * * * *"),
        ("@Weekly", "0 0 * * sun"),
        ("@monthly", "0 0 1 * *"),
        ("@yearly", "0 0 1 JAN *"),
        ("0 0 * * 7", "0 0 * * 0"),
        ("0 0 * * mon-fri", "0 0 * * 1,2,3,4,5"),
        ("5/20 * * * *", "5,25,45 * * * *"),
        ("0 0 29 2 *", "0 0 29 feb *"),
        ("0 0 31 2 mon", "0 0 * 2 1"),
    ] {
        let [one, other] = [one, other].map(|text| Cron::new(text, "UTC").expect(text));
        assert_eq!(shown(&one, 1_700_000_000, 20), shown(&other, 1_700_000_000, 20));
    }
}

#[test]
fn leap_day_is_found_after_eight_years() {
    let cron = Cron::new("0 0 29 2 *", "UTC").expect("an expression");
    // From 2096 on: 2100 is no leap year.
    assert_eq!(shown(&cron, 3_990_000_000, 1), ["2104-02-29T00:00:00+00:00"]);
    assert_eq!(
        cron.before(Timestamp::from_micros(4_233_686_400_000_000)),
        Some(Timestamp::from_micros(3_981_312_000_000_000))
    );
}

/// Returns the next instants after a second, as the clock shows them.
fn shown(cron: &Cron, after: u64, count: usize) -> Vec<String> {
    let next = |at: &Timestamp| cron.after(*at);
    let first = cron.after(Timestamp::from_micros(after * 1_000_000));
    std::iter::successors(first, next).take(count).map(|at| cron.show(at)).collect()
}
