//! The parts of the page that are plain HTML.

use std::fmt::Write as _;

use serde::Serialize;

use super::about::About;
use super::picture::{DrawnEntry, Picture};
use super::text::{escaped, seconds};
use crate::failure::Broken;
use crate::scenario::Micros;
use crate::trace::{Trace, What};

/// The scenario as a file that the reader can save.
#[derive(Debug, Serialize)]
pub(super) struct SavedFile {
    name: String,
    text: String,
}

impl SavedFile {
    pub(super) fn of(about: &About) -> Self {
        Self { name: format!("seed-{}.json", about.seed), text: about.file.clone() }
    }
}

pub(super) fn title(About { seed, .. }: &About, broken: Option<&Broken>) -> String {
    match broken {
        Some(broken) => format!("{} broken by seed {seed}", broken.promise),
        None => format!("seed {seed}: all promises held"),
    }
}

/// What the run came to, and how to run it again.
pub(super) fn headline(about: &About, broken: Option<&Broken>, trace: &Trace) -> String {
    let verdict = match broken {
        Some(Broken { oracle, promise, what }) => format!(
            "<p class=\"verdict bad\"><strong>✗ {promise} is broken</strong> <span>says oracle <code>{}</code></span></p>\
             <p class=\"what\">{}</p>",
            escaped(oracle),
            escaped(what)
        ),
        None => "<p class=\"verdict good\"><strong>✓ All promises held</strong></p>".to_owned(),
    };
    let shows = match about.about.is_empty() {
        true => String::new(),
        false => format!("<p class=\"about\">{}</p>", escaped(&about.about)),
    };
    let SavedFile { name, .. } = SavedFile::of(about);
    format!(
        "{verdict}{shows}<p class=\"facts\">{}</p><p class=\"replay\"><code>cargo sim replay {name}</code> \
         <button type=\"button\" id=\"save\">save {name}</button></p>",
        facts(about, trace)
    )
}

fn facts(about: &About, trace: &Trace) -> String {
    let steps = trace.entries.last().map_or(0, |last| last.step);
    let lasted = trace.entries.last().map_or(0, |last| last.at);
    let attempts = trace.entries.iter().filter(|entry| entry.what == What::Begin).count();
    format!(
        "seed <b>{}</b> · {} operations · {} faults · {steps} steps · {attempts} attempts · {} of virtual time",
        about.seed,
        about.operations.len(),
        about.faults.len(),
        Micros(lasted)
    )
}

/// The rows of the table of steps.
pub(super) fn steps(picture: &Picture<'_>) -> String {
    let mut rows = String::new();
    let mut before = None;
    for (at, entry) in picture.entries.iter().enumerate() {
        let begins = before != Some(entry.step);
        before = Some(entry.step);
        rows.push_str(&row(at, entry, begins, picture));
    }
    rows
}

fn row(at: usize, entry: &DrawnEntry<'_>, begins: bool, picture: &Picture<'_>) -> String {
    let lane = |place: usize| escaped(&picture.lanes[place].name);
    let mut whom = lane(entry.lane);
    if let Some(to) = entry.to {
        let _ = write!(whom, " → {}", lane(to));
    }
    let event = entry.event.map_or(String::new(), |event| {
        format!("<button type=\"button\" class=\"event\" data-event=\"{event}\">{event}</button>")
    });
    format!(
        "<tr id=\"r{at}\" class=\"{}{}\"><td><button type=\"button\" class=\"step\">{}</button></td>\
         <td>{}</td><td>{whom}</td><td>{event}</td><td>{}</td><td>{}</td></tr>\n",
        entry.what,
        if begins { " first" } else { "" },
        entry.step,
        seconds(entry.at),
        escaped(entry.note),
        escaped(entry.record.unwrap_or_default()),
    )
}

/// Everything that the run was made of.
pub(super) fn scenario(about: &About) -> String {
    let settings: String =
        about.settings.as_object().into_iter().flatten().map(|(name, value)| setting(name, value)).collect();
    let operations: String = about.operations.iter().map(|cells| timed(cells)).collect();
    let faults: String = about.faults.iter().map(|cells| timed(cells)).collect();
    format!(
        "<section><h3>Operations</h3><table>{operations}</table></section>\
         <section><h3>Faults</h3><table>{faults}</table></section>\
         <section><h3>Settings</h3><table>{settings}</table><p>Choices: {}.</p></section>",
        about.choices
    )
}

fn setting(name: &str, value: &serde_json::Value) -> String {
    format!("<tr><td>{}</td><td class=\"number\">{}</td></tr>", escaped(name), escaped(&value.to_string()))
}

/// A row that begins with a time.
fn timed(cells: &[String]) -> String {
    let cells = cells.iter().map(|cell| format!("<td>{}</td>", escaped(cell))).collect::<String>();
    format!("<tr>{}</tr>", cells.replacen("<td>", "<td class=\"number\">", 1))
}
