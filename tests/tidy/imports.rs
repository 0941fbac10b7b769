//! Imports go one way: `bin → http → broker → runtime → sync → calendar → node → journal → engine`.

use super::source::{SourceFile, find_words};

const LAYERS: [&str; 9] = ["engine", "journal", "node", "calendar", "sync", "runtime", "broker", "http", "bin"];

/// The first layer that may name what the root of the crate publishes.
const FRONT: usize = 6;

/// Paths from a layer to one above it, or around the layers through the re-exports of the root.
pub(crate) fn point_backward(source: &SourceFile) -> Vec<String> {
    let Some(own) = LAYERS.iter().position(|layer| source.path.starts_with(&format!("src/{layer}"))) else {
        return Vec::new();
    };
    let code = &source.product;
    let above = LAYERS[own + 1..].iter().flat_map(|layer| find_words(code, layer).map(move |at| (at, *layer)));
    let upward = above.filter(|&(at, _)| is_own_module(&path_before(code, at))).map(|(at, layer)| {
        source.finding(at, &format!("`{}` must not know `{layer}`: move what both need down", LAYERS[own]))
    });
    upward.chain(around(source, own)).collect()
}

/// Below the front, `crate::` names a layer, so that the direction shows.
fn around(source: &SourceFile, own: usize) -> Vec<String> {
    if own >= FRONT {
        return Vec::new();
    }
    let roots = find_words(&source.product, "crate::").filter(|at| {
        let rest = &source.product[at + "crate::".len()..];
        !rest.starts_with('{') && !LAYERS.iter().any(|layer| rest.starts_with(layer))
    });
    roots
        .map(|at| source.finding(at, "name the module, as in `crate::engine::…`: the root hides the direction"))
        .collect()
}

/// The segments before the one at `at`, also through the braces of a `use`, last first.
fn path_before(code: &str, at: usize) -> Vec<&str> {
    let mut segments = Vec::new();
    let mut rest = code[..at].trim_end();
    loop {
        if let Some(before) = rest.strip_suffix("::") {
            let start = before.trim_end_matches(|c: char| c.is_alphanumeric() || c == '_').len();
            segments.push(&before[start..]);
            rest = before[..start].trim_end();
        } else {
            match opening_brace(rest) {
                Some(open) if rest[..open].ends_with("::") => rest = &rest[..open],
                _ => return segments,
            }
        }
    }
}

/// Of the group that the end of `rest` is in, as in `use a::{b, c::{d}, `.
fn opening_brace(rest: &str) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, c) in rest.char_indices().rev() {
        match c {
            '}' => depth += 1,
            '{' if depth == 0 => return Some(at),
            '{' => depth -= 1,
            ';' => return None,
            _ => {}
        }
    }
    None
}

fn is_own_module(path: &[&str]) -> bool {
    !path.is_empty() && path.iter().all(|segment| ["crate", "super", "eventful"].contains(segment))
}
