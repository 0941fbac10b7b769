//! Fields of a cron expression: sets of small numbers.

use core::ops::RangeInclusive;
use std::string::String;

use super::invalid::InvalidCron;

/// A set of numbers below 64.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Field {
    bits: u64,
    /// True if its text begins with a star.
    pub(super) has_star: bool,
}

/// The kind of a field: its name, its numbers, and the words for them, from the first number on.
#[derive(Debug)]
pub(super) struct FieldKind {
    pub(super) name: &'static str,
    pub(super) range: RangeInclusive<u8>,
    pub(super) words: &'static [&'static str],
}

impl Field {
    /// Parses the text of a field.
    pub(super) fn parse(kind: &FieldKind, text: &str) -> Result<Self, InvalidCron> {
        let mut field = Self { bits: 0, has_star: text.starts_with('*') };
        for part in text.split(',') {
            let numbers = kind.part(part).ok_or_else(|| kind.refuse(text))?;
            numbers.for_each(|number| field.bits |= 1 << number);
        }
        Ok(field)
    }

    /// The set without one number, which is another name for the other one.
    pub(super) fn renamed(mut self, from: u8, to: u8) -> Self {
        if self.has(from) {
            self.bits = self.bits & !(1 << from) | 1 << to;
        }
        self
    }

    pub(super) const fn has(self, number: u8) -> bool {
        self.bits >> number & 1 == 1
    }

    /// Returns the least number of the set that is not less than this one.
    pub(super) fn from(self, number: u8) -> Option<u8> {
        let rest = if number < 64 { self.bits & u64::MAX << number } else { 0 };
        (rest != 0).then(|| u8::try_from(rest.trailing_zeros()).unwrap_or(u8::MAX))
    }

    /// Returns the least number of the set.
    pub(super) fn first(self) -> u8 {
        self.from(0).unwrap_or_default()
    }
}

impl FieldKind {
    /// Returns the numbers of a part: `*`, `a`, `a-b`, each with a step behind it or not.
    fn part(&self, text: &str) -> Option<impl Iterator<Item = u8> + use<>> {
        let (numbers, step) = match text.split_once('/') {
            Some((numbers, step)) => (numbers, Some(plain(step).filter(|step| *step > 0)?)),
            None => (text, None),
        };
        let (first, last) = match numbers.split_once('-') {
            _ if numbers == "*" => (*self.range.start(), *self.range.end()),
            Some((first, last)) => (self.number(first)?, self.number(last)?),
            // With a step a number is the first of all behind it.
            None if step.is_some() => (self.number(numbers)?, *self.range.end()),
            None => (self.number(numbers)?, self.number(numbers)?),
        };
        (first <= last).then(|| (first..=last).step_by(usize::from(step.unwrap_or(1))))
    }

    fn number(&self, text: &str) -> Option<u8> {
        let word = self.words.iter().position(|word| word.eq_ignore_ascii_case(text));
        let word = word.and_then(|at| u8::try_from(at).ok()).map(|at| self.range.start() + at);
        word.or_else(|| plain(text)).filter(|number| self.range.contains(number))
    }

    fn refuse(&self, text: &str) -> InvalidCron {
        InvalidCron::Field {
            name: self.name,
            text: String::from(text),
            first: *self.range.start(),
            last: *self.range.end(),
        }
    }
}

/// Parses digits alone: no sign, and no space.
fn plain(text: &str) -> Option<u8> {
    text.parse().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()))
}
