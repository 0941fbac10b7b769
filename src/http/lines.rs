//! Lines out of parts of a body.

use std::vec::Vec;

use bytes::{Buf as _, Bytes};

/// Cuts what comes in at its line breaks, keeping at most one unfinished line.
#[derive(Debug)]
pub(super) struct Lines {
    limit_bytes: usize,
    part: Bytes,
    unfinished: Vec<u8>,
    /// True if the unfinished line was too long, and its rest is discarded.
    overlong: bool,
}

/// A line without its break, or the fact that there was one over the limit.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum BodyLine {
    Whole(Vec<u8>),
    TooLong,
}

impl Lines {
    pub(super) const fn new(limit_bytes: usize) -> Self {
        Self { limit_bytes, part: Bytes::new(), unfinished: Vec::new(), overlong: false }
    }

    /// Takes the next part in. What was taken before must have been drawn.
    pub(super) fn push(&mut self, part: Bytes) {
        self.part = part;
    }

    /// The next whole line, if it is in.
    pub(super) fn next(&mut self) -> Option<BodyLine> {
        match self.part.iter().position(|byte| *byte == b'\n') {
            Some(end) => {
                self.keep(end);
                self.part.advance(1);
                Some(self.finish())
            }
            None => {
                self.keep(self.part.len());
                None
            }
        }
    }

    /// Bytes kept of the line that is not whole yet.
    pub(super) const fn unfinished_bytes(&self) -> usize {
        self.unfinished.capacity()
    }

    /// The line that no break ends, at the end of the body.
    pub(super) fn last(&mut self) -> Option<BodyLine> {
        (self.overlong || !self.unfinished.is_empty()).then(|| self.finish())
    }

    fn keep(&mut self, count: usize) {
        let bytes = self.part.split_to(count);
        if self.overlong || self.unfinished.len() + bytes.len() > self.limit_bytes {
            // The bytes so far are dropped at once, so that an endless line takes no memory.
            self.overlong = true;
            self.unfinished = Vec::new();
        } else {
            self.unfinished.extend_from_slice(&bytes);
        }
    }

    fn finish(&mut self) -> BodyLine {
        let line = core::mem::take(&mut self.unfinished);
        if core::mem::take(&mut self.overlong) { BodyLine::TooLong } else { BodyLine::Whole(line) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(parts: &[&'static str]) -> Vec<BodyLine> {
        let mut lines = Lines::new(4);
        let mut out = Vec::new();
        for part in parts {
            lines.push(Bytes::from_static(part.as_bytes()));
            out.extend(core::iter::from_fn(|| lines.next()));
        }
        out.extend(lines.last());
        out
    }

    fn whole(text: &str) -> BodyLine {
        BodyLine::Whole(text.into())
    }

    #[test]
    fn lines_are_the_same_however_they_are_parted() {
        assert_eq!(cut(&["ab\ncd\n"]), [whole("ab"), whole("cd")]);
        assert_eq!(cut(&["a", "b", "\n", "cd", "\n"]), [whole("ab"), whole("cd")]);
        assert_eq!(cut(&["ab\n\nc", "d"]), [whole("ab"), whole(""), whole("cd")]);
    }

    #[test]
    fn a_line_over_the_limit_hides_no_other_line() {
        assert_eq!(cut(&["1234\n12345\nab"]), [whole("1234"), BodyLine::TooLong, whole("ab")]);
        assert_eq!(cut(&["123", "45", "67\nab\n"]), [BodyLine::TooLong, whole("ab")]);
        assert_eq!(cut(&["123", "45"]), [BodyLine::TooLong]);
        assert_eq!(cut(&["12345"]), [BodyLine::TooLong]);
    }
}
