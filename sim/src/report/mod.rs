//! A run on a page: one file, which needs nothing from elsewhere.
//!
//! | file | part |
//! |---|---|
//! | `about` | what else is said: what the run was made of |
//! | `span` | faults that last |
//! | `network` | the same of the turmoil tier |
//! | `picture` | what is drawn: lanes, entries, attempts, windows of faults |
//! | `page` | the parts that are plain HTML: headline, table of steps, scenario |
//! | `text` | escapes |
//! | `page.html`, `page.css` | the page around it |
//! | `layout.js`, `draw.js`, `panel.js` | where each entry stands, how it looks, and what a click does |
//!
//! The table of steps is there without scripts; the drawing needs them.

mod about;
#[cfg(feature = "turmoil")]
mod network;
mod page;
mod picture;
mod span;
mod text;

use crate::failure::Broken;
use crate::scenario::Scenario;
use crate::trace::Trace;
use about::About;
#[cfg(feature = "turmoil")]
pub use network::network_html;
use picture::Picture;

/// The parts of the page that are the same for every run. Scripts are in the order of their use.
const PAGE: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");
const SCRIPTS: [&str; 3] = [include_str!("layout.js"), include_str!("draw.js"), include_str!("panel.js")];

/// A page about a run of `scenario`: what it came to, its lanes, and every step with the state of
/// the record that it touched.
///
/// The page is complete in itself: it fetches nothing, and refers to nothing. Two runs of one
/// scenario have equal pages.
pub fn html(scenario: &Scenario, broken: Option<&Broken>, trace: &Trace) -> String {
    whole(&About::of(scenario), broken, trace)
}

fn whole(about: &About, broken: Option<&Broken>, trace: &Trace) -> String {
    let picture = Picture::of(&about.spans, trace);
    let scripts = SCRIPTS.concat();
    let parts = [
        ("title", text::escaped(&page::title(about, broken))),
        ("style", STYLE.to_owned()),
        ("headline", page::headline(about, broken, trace)),
        ("steps", page::steps(&picture)),
        ("scenario", page::scenario(about)),
        ("run", text::embedded(&picture)),
        ("file", text::embedded(&page::SavedFile::of(about))),
        ("script", scripts),
    ];
    filled(PAGE, &parts)
}

/// The template with its `{{names}}` filled in. What is filled in is not looked at again.
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
