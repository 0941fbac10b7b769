//! Code as words and marks.

/// A word, a lifetime, `::`, or one other mark.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Token<'a> {
    /// The place of its first byte.
    pub(crate) at: usize,
    pub(crate) text: &'a str,
}

impl Token<'_> {
    pub(crate) fn is_word(self) -> bool {
        self.text.starts_with(in_word)
    }
}

/// The tokens of code without comments and literals.
pub(crate) fn read(code: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(first) = code[at..].chars().next() {
        let rest = &code[at..];
        let len = match first {
            '\'' => 1 + word_len(&rest[1..]),
            ':' if rest.starts_with("::") => 2,
            first if in_word(first) => word_len(rest),
            first => first.len_utf8(),
        };
        if !first.is_whitespace() {
            tokens.push(Token { at, text: &rest[..len] });
        }
        at += len;
    }
    tokens
}

/// The index of the token that closes the bracket at `open`, or the end.
pub(crate) fn closing(tokens: &[Token<'_>], open: usize) -> usize {
    let mut depth = 0_usize;
    for (index, token) in tokens.iter().enumerate().skip(open) {
        match token.text {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" if depth == 1 => return index,
            ")" | "]" | "}" => depth -= 1,
            _ => {}
        }
    }
    tokens.len()
}

fn word_len(rest: &str) -> usize {
    rest.find(|c| !in_word(c)).unwrap_or(rest.len())
}

fn in_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}
