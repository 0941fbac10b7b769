//! Links of a document to files of this repository.

use std::path::Path;

/// Each link of a document that names no file. A document is at this path from the root.
pub(crate) fn broken(path: &str, text: &str, exists: impl Fn(&Path) -> bool) -> Vec<String> {
    let folder = Path::new(path).parent().unwrap_or(Path::new(""));
    let targets = text.split("](").skip(1).filter_map(|rest| rest.split([')', '#']).next());
    let files = targets.filter(|target| !target.is_empty() && !target.contains("://"));
    files.filter(|file| !exists(&folder.join(file))).map(|file| format!("{path}: no file is at {file}")).collect()
}
