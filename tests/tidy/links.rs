//! Links of a document to files of this repository.

use std::path::Path;

/// Each link of a document that names no file, or no heading in it. A document is at this path from the root; `text`
/// returns the text of a file, and an empty one for a folder.
pub(crate) fn broken(path: &str, own: &str, text: impl Fn(&Path) -> Option<String>) -> Vec<String> {
    let folder = Path::new(path).parent().unwrap_or(Path::new(""));
    let targets = own.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    let inside = targets.filter(|target| !target.is_empty() && !target.contains("://"));
    let problem = |target: &str| {
        let (file, heading) = target.split_once('#').unwrap_or((target, ""));
        let linked = if file.is_empty() { Some(own.to_owned()) } else { text(&folder.join(file)) };
        let Some(linked) = linked else { return Some(format!("{path}: no file is at {file}")) };
        let is_there = heading.is_empty() || linked.lines().filter_map(anchor).any(|anchor| anchor == heading);
        (!is_there).then(|| format!("{path}: no heading is at {target}"))
    };
    inside.filter_map(problem).collect()
}

/// The anchor of a heading, as forges make it: words in lower case, with hyphens between them.
fn anchor(line: &str) -> Option<String> {
    let heading = line.strip_prefix('#')?.trim_start_matches('#').strip_prefix(' ')?;
    let kept = heading.trim().chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    Some(kept.map(|c| if c == ' ' { '-' } else { c.to_ascii_lowercase() }).collect())
}
