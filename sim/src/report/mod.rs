//! A run on a page: one file without external parts.
//!
//! | file | part |
//! |---|---|
//! | `picture` | the data to draw: lanes, entries, attempts, outages |
//! | `page` | the parts that are plain HTML: headline, table of steps, scenario |
//! | `text` | escapes |
//! | `page.html`, `page.css` | the page around it |
//! | `layout.js`, `draw.js`, `panel.js` | the place of each entry, its look, and the effect of a click |
//!
//! The table of steps works without scripts; the drawing needs them.

mod page;
mod picture;
mod text;

use crate::failure::Broken;
use crate::tier::{Scenario, ScenarioPart as _, Tier};
use crate::trace::Trace;
use picture::Picture;

/// The parts of the page that are the same for every run. Scripts are in the order of their use.
const PAGE: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");
const SCRIPTS: [&str; 3] = [include_str!("layout.js"), include_str!("draw.js"), include_str!("panel.js")];

/// Returns a page about a run of `scenario`: its result, its lanes, and every step with the state of the record that
/// it touched.
///
/// The page is self-contained: it fetches nothing. Two runs of one scenario have equal pages.
pub fn html<T: Tier>(scenario: &Scenario<T>, broken: Option<&Broken>, trace: &Trace) -> String {
    let spans: Vec<_> = scenario.faults.iter().filter_map(|fault| fault.span()).collect();
    let picture = Picture::of(&spans, trace);
    let parts = [
        ("title", text::escaped(&page::title(scenario.seed, broken))),
        ("style", STYLE.to_owned()),
        ("headline", page::headline(scenario, broken, trace)),
        ("steps", page::steps(&picture)),
        ("scenario", page::scenario(scenario)),
        ("run", text::embedded(&picture)),
        ("file", text::embedded(&page::SavedFile::of(scenario))),
        ("script", SCRIPTS.concat()),
    ];
    filled(PAGE, &parts)
}

/// Returns the template with its `{{names}}` replaced. Inserted text is not scanned again.
fn filled(template: &str, parts: &[(&str, String)]) -> String {
    let mut pieces = template.split("{{");
    let mut filled = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let (name, rest) = piece.split_once("}}").unwrap_or(("", piece));
        let part = parts.iter().find(|(other, _)| *other == name);
        filled.push_str(part.map_or("", |(_, text)| text));
        filled.push_str(rest);
    }
    filled
}
