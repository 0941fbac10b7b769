//! The parts of the page that are plain HTML.

use std::fmt::Write as _;

use serde::Serialize;
use serde_json::Value;

use super::picture::{DrawnEntry, Picture};
use super::text::{escaped, seconds};
use crate::failure::Broken;
use crate::scenario::Micros;
use crate::tier::{Scenario, ScenarioPart, Tier};
use crate::trace::{Trace, What};

/// The scenario as a file that the reader can save.
#[derive(Debug, Serialize)]
pub(super) struct SavedFile {
    name: String,
    text: String,
}

impl SavedFile {
    pub(super) fn of<T: Tier>(scenario: &Scenario<T>) -> Self {
        Self { name: format!("seed-{}.json", scenario.seed), text: scenario.to_json() }
    }
}

pub(super) fn title(seed: u64, broken: Option<&Broken>) -> String {
    match broken {
        Some(broken) => format!("{} broken by seed {seed}", broken.promise),
        None => format!("seed {seed}: all promises held"),
    }
}

/// Returns the result of the run, and the command that runs it again.
pub(super) fn headline<T: Tier>(scenario: &Scenario<T>, broken: Option<&Broken>, trace: &Trace) -> String {
    let verdict = match broken {
        Some(Broken { oracle, promise, what }) => format!(
            "<p class=\"verdict bad\"><strong>✗ {promise} is broken</strong> <span>says oracle <code>{}</code></span></p>\
             <p class=\"what\">{}</p>",
            escaped(oracle),
            escaped(what)
        ),
        None => "<p class=\"verdict good\"><strong>✓ All promises held</strong></p>".to_owned(),
    };
    let shows = match scenario.about.is_empty() {
        true => String::new(),
        false => format!("<p class=\"about\">{}</p>", escaped(&scenario.about)),
    };
    let SavedFile { name, .. } = SavedFile::of(scenario);
    format!(
        "{verdict}{shows}<p class=\"facts\">{}</p><p class=\"replay\"><code>cargo sim replay {name}</code> \
         <button type=\"button\" id=\"save\">save {name}</button></p>",
        facts(scenario, trace)
    )
}

fn facts<T: Tier>(scenario: &Scenario<T>, trace: &Trace) -> String {
    let steps = trace.entries.last().map_or(0, |last| last.step);
    let lasted = trace.entries.last().map_or(0, |last| last.at);
    let attempts = trace.entries.iter().filter(|entry| entry.what == What::Begin).count();
    format!(
        "seed <b>{}</b> · {} operations · {} faults · {steps} steps · {attempts} attempts · {} of virtual time",
        scenario.seed,
        scenario.operations.len(),
        scenario.faults.len(),
        Micros(lasted)
    )
}

/// Returns the rows of the table of steps.
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

/// Returns the description of the scenario.
pub(super) fn scenario<T: Tier>(scenario: &Scenario<T>) -> String {
    let setup = serde_json::to_value(&scenario.setup).unwrap_or_default();
    let choices = match &scenario.choices {
        Some(choices) => format!("{} are listed in the file", choices.len()),
        None => "drawn from the seed".to_owned(),
    };
    format!(
        "<section><h3>Operations</h3><table>{}</table></section>\
         <section><h3>Faults</h3><table>{}</table></section>\
         <section><h3>Setup</h3><table>{}</table><p>Choices: {choices}.</p></section>",
        rows(&scenario.operations),
        rows(&scenario.faults),
        settings(&setup),
    )
}

/// Returns a row for each number or text, nested ones too.
fn settings(setup: &Value) -> String {
    let setting = |(name, value): (&String, &Value)| match value.is_object() {
        true => settings(value),
        false => {
            format!("<tr><td>{}</td><td class=\"number\">{}</td></tr>", escaped(name), escaped(&value.to_string()))
        }
    };
    setup.as_object().into_iter().flatten().map(setting).collect()
}

fn rows<P: ScenarioPart>(parts: &[P]) -> String {
    let row = |part: &P| {
        let at = part.at().map_or(String::new(), seconds);
        let (who, words) = (part.who(), escaped(&part.words()));
        format!("<tr><td class=\"number\">{at}</td><td>{who}</td><td>{words}</td></tr>")
    };
    parts.iter().map(row).collect()
}
