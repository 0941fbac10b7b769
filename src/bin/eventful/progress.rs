//! The progress of a sending.

use std::time::Duration;

use crate::source::LineSource;
use crate::spans::RealStopwatch;
use crate::terminal;

/// The numbers of lines, by their results.
#[derive(Debug, Default)]
pub(crate) struct LineCounts {
    pub(crate) accepted: u64,
    pub(crate) duplicate: u64,
    pub(crate) conflict: u64,
    pub(crate) invalid: u64,
    pub(crate) failed: u64,
}

/// Shows the progress: all the time at a terminal, now and then in a log.
#[derive(Debug)]
pub(crate) struct SendProgress {
    pub(crate) counts: LineCounts,
    watched: bool,
    since_start: RealStopwatch,
    since_logged: RealStopwatch,
    complaints: u32,
}

/// The interval of lines in a log, where each stays.
const LOG_EVERY: Duration = Duration::from_secs(5);
/// Lines whose problem is printed one by one: more would hide the first of them.
const MAX_COMPLAINTS: u32 = 20;
/// Characters of the bar.
const BAR: usize = 30;

impl LineCounts {
    fn lines(&self) -> u64 {
        self.accepted + self.duplicate + self.bad()
    }

    /// Returns the number of lines that the server does not have as they were sent.
    pub(crate) const fn bad(&self) -> u64 {
        self.conflict + self.invalid + self.failed
    }
}

impl SendProgress {
    pub(crate) fn start() -> Self {
        Self {
            counts: LineCounts::default(),
            watched: terminal::is_watched(),
            since_start: RealStopwatch::start(),
            since_logged: RealStopwatch::start(),
            complaints: 0,
        }
    }

    /// Shows how far it is.
    pub(crate) fn show(&mut self, source: &LineSource) {
        let text = format!("{} lines, {}/s", self.counts.lines(), self.rate());
        match source.percent() {
            Some(percent) if self.watched => terminal::rewrite(&format!("{} {percent}% {text}", bar(percent))),
            _ if self.watched => terminal::rewrite(&text),
            percent if self.since_logged.elapsed() >= LOG_EVERY => {
                self.since_logged = RealStopwatch::start();
                terminal::warn(&percent.map_or_else(|| text.clone(), |percent| format!("{percent}% {text}")));
            }
            _ => {}
        }
    }

    /// Prints what is wrong with a line, unless there were many such before.
    pub(crate) fn complain(&mut self, text: &str) {
        self.complaints += 1;
        if self.complaints <= MAX_COMPLAINTS {
            self.print(text);
        } else if self.complaints == MAX_COMPLAINTS + 1 {
            self.print("more lines have problems: the summary counts them");
        }
    }

    /// Prints a line beside the bar.
    pub(crate) fn print(&self, text: &str) {
        self.clear();
        terminal::warn(text);
    }

    /// Prints how it ended.
    pub(crate) fn summarize(&self) {
        self.clear();
        let LineCounts { accepted, duplicate, conflict, invalid, failed } = &self.counts;
        let (lines, rate, took) = (self.counts.lines(), self.rate(), self.since_start.elapsed());
        terminal::say(&format!(
            "{lines} lines in {took:.1?} ({rate}/s): {accepted} accepted, {duplicate} duplicate, \
             {conflict} conflict, {invalid} invalid, {failed} failed"
        ));
    }

    fn clear(&self) {
        if self.watched {
            terminal::rewrite("");
        }
    }

    /// Returns the lines per second.
    fn rate(&self) -> u128 {
        u128::from(self.counts.lines()) * 1_000_000 / self.since_start.elapsed().as_micros().max(1)
    }
}

fn bar(percent: u64) -> String {
    let full = usize::try_from(percent).unwrap_or(100).min(100) * BAR / 100;
    format!("[{}{}]", "#".repeat(full), " ".repeat(BAR - full))
}
