//! Mistakes in a file, each with its line and column.

use std::fmt;

/// A file whose settings cannot be used: its mistakes, one a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct InvalidFile(Vec<String>);

impl InvalidFile {
    /// A file with one mistake that has no place.
    pub(crate) fn whole(mistake: String) -> Self {
        Self(vec![mistake])
    }
}

impl fmt::Display for InvalidFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("\n"))
    }
}

impl std::error::Error for InvalidFile {}

/// The mistakes found so far in a text.
#[derive(Debug)]
pub(crate) struct Mistakes<'a> {
    name: &'a str,
    text: &'a str,
    found: Vec<(usize, String)>,
}

impl<'a> Mistakes<'a> {
    /// No mistakes in this text, which is that of the file of this name.
    pub(crate) const fn none(name: &'a str, text: &'a str) -> Self {
        Self { name, text, found: Vec::new() }
    }

    /// Adds a mistake at the byte `at`.
    pub(crate) fn add(&mut self, at: usize, what: impl Into<String>) {
        self.found.push((at, what.into()));
    }

    /// # Errors
    ///
    /// The mistakes, in the order of their places.
    pub(crate) fn finish(mut self) -> Result<(), InvalidFile> {
        if self.found.is_empty() {
            return Ok(());
        }
        // In the order of the file, whichever check has found them.
        self.found.sort();
        let line = |(at, what): &(usize, String)| {
            let (line, column) = place(self.text, *at);
            format!("{}:{line}:{column}: {what}", self.name)
        };
        Err(InvalidFile(self.found.iter().map(line).collect()))
    }
}

/// The line and the column of a byte, both from 1. Columns are characters.
fn place(text: &str, at: usize) -> (usize, usize) {
    let before = &text[..text.floor_char_boundary(at)];
    let line = before.matches('\n').count() + 1;
    let start = before.rfind('\n').map_or(0, |end| end + 1);
    (line, before[start..].chars().count() + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn place_counts_lines_and_characters_from_one() {
        let text = "a\näb = 1\n";
        let places = [0, 1, 2, 4, 5, 100].map(|at| place(text, at));
        assert_eq!(places, [(1, 1), (1, 2), (2, 1), (2, 2), (2, 3), (3, 1)]);
    }

    #[test]
    fn mistakes_are_in_the_order_of_their_places() {
        let mut mistakes = Mistakes::none("f.toml", "a\nb\n");
        assert_eq!(Mistakes::none("f.toml", "").finish(), Ok(()));
        mistakes.add(2, "second");
        mistakes.add(0, "first");
        assert_eq!(mistakes.finish().expect_err("mistakes").to_string(), "f.toml:1:1: first\nf.toml:2:1: second");
    }
}
