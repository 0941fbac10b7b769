//! Files and functions that one can read in one go.

use super::source::{SourceFile, closing, find_words};

const FILE_LINES: usize = 400;
const FUNCTION_LINES: usize = 70;

/// Lines outside `#[cfg(test)]`; files of tests are not limited.
pub(crate) fn long_file(source: &SourceFile) -> Vec<String> {
    if !source.is_product() && !source.path.ends_with(".js") {
        return Vec::new();
    }
    let tests = source.code.lines().zip(source.product.lines()).filter(|(code, product)| code != product).count();
    let lines = source.code.lines().count() - tests;
    let long =
        (lines > FILE_LINES).then(|| format!("{}: {lines} lines of {FILE_LINES}: split it by topic", source.path));
    long.into_iter().collect()
}

/// Functions beyond the limit, tests too.
pub(crate) fn long_functions(source: &SourceFile) -> Vec<String> {
    let long = functions(source, &source.code).filter(|(_, lines)| *lines > FUNCTION_LINES);
    long.map(|(at, lines)| source.finding(at, &format!("a function of {lines} lines of {FUNCTION_LINES}: split it")))
        .collect()
}

/// The lines of each function that has a body, outside tests.
pub(crate) fn of_functions(source: &SourceFile) -> Vec<usize> {
    functions(source, &source.product).map(|(_, lines)| lines).collect()
}

fn functions<'a>(source: &'a SourceFile, code: &'a str) -> impl Iterator<Item = (usize, usize)> + 'a {
    let rust = source.path.ends_with(".rs");
    find_words(code, "fn").filter(move |_| rust).filter_map(move |at| {
        let open = at + code[at..].find(['{', ';'])?;
        let has_body = code[open..].starts_with('{');
        has_body.then(|| (at, code[at..closing(code, open)].matches('\n').count() + 1))
    })
}
