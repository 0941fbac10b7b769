//! A file of the tree, and its code without what the compiler does not read.

use std::path::Path;

/// A text file.
#[derive(Debug)]
pub(crate) struct SourceFile {
    /// From the root of the workspace, with `/`.
    pub(crate) path: String,
    /// As it is.
    pub(crate) text: String,
    /// With comments and the insides of literals blanked; every line and offset stays where it is.
    pub(crate) code: String,
    /// The code without items under `#[cfg(test)]`.
    pub(crate) product: String,
}

impl SourceFile {
    pub(crate) fn new(path: &str, text: &str) -> Self {
        let rust = path.ends_with(".rs");
        let code = if rust { blank_prose(text) } else { text.to_owned() };
        let product = blank_tests(&code);
        Self { path: path.to_owned(), text: text.to_owned(), code, product }
    }

    /// Returns whether users run it, as opposed to tests, benchmarks and examples.
    pub(crate) fn is_product(&self) -> bool {
        let folders = ["src/", "nats/src/", "postgres/src/", "sim/src/", "sim/threads/src/"];
        folders.iter().any(|folder| self.path.starts_with(folder)) && self.path.ends_with(".rs")
    }

    /// A finding at a byte offset: where, and what to do.
    pub(crate) fn finding(&self, offset: usize, advice: &str) -> String {
        let line = self.code[..offset].matches('\n').count() + 1;
        format!("{}:{line}: {advice}", self.path)
    }
}

/// The ends of the names of files that are read.
const READ: [&str; 6] = [".rs", ".toml", ".md", ".js", ".mjs", ".html"];

/// Every such file that belongs to the workspace, but for scripts of others.
pub(crate) fn read_tree() -> Vec<SourceFile> {
    let mut sources = Vec::new();
    read_folder(Path::new(env!("CARGO_MANIFEST_DIR")), "", &mut sources);
    assert!(sources.len() > 10, "the tree was not found");
    sources
}

fn read_folder(folder: &Path, prefix: &str, sources: &mut Vec<SourceFile>) {
    let mut entries: Vec<_> = folder.read_dir().expect("a readable folder").flatten().collect();
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let name = entry.file_name().into_string().expect("a name in UTF-8");
        let path = format!("{prefix}{name}");
        if entry.file_type().expect("a kind of file").is_dir() {
            if !["target", ".git"].contains(&name.as_str()) {
                read_folder(&entry.path(), &format!("{path}/"), sources);
            }
        } else if READ.iter().any(|end| name.ends_with(end)) && !name.starts_with("uPlot") {
            sources.push(SourceFile::new(&path, &std::fs::read_to_string(entry.path()).expect("text in UTF-8")));
        }
    }
}

/// The offsets at which `phrase` stands as whole words.
pub(crate) fn find_words<'a>(code: &'a str, phrase: &'a str) -> impl Iterator<Item = usize> + 'a {
    let in_word = |c: char| c.is_alphanumeric() || c == '_';
    let joins = move |a: Option<char>, b: Option<char>| a.is_some_and(in_word) && b.is_some_and(in_word);
    code.match_indices(phrase).map(|(at, _)| at).filter(move |&at| {
        let (before, after) = (&code[..at], &code[at + phrase.len()..]);
        !joins(before.chars().next_back(), phrase.chars().next())
            && !joins(phrase.chars().next_back(), after.chars().next())
    })
}

/// Returns the place of the bracket that closes the one at `open`, or the end.
pub(crate) fn closing(code: &str, open: usize) -> usize {
    let mut depth = 0_usize;
    for (at, c) in code[open..].char_indices() {
        match c {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' if depth == 1 => return open + at,
            ')' | ']' | '}' => depth -= 1,
            _ => {}
        }
    }
    code.len()
}

fn blank_tests(code: &str) -> String {
    let mut product = code.to_owned();
    for at in find_words(code, "#[cfg(test)]") {
        let end = match code[at..].find(['{', ';']).map(|found| at + found) {
            Some(open) if code[open..].starts_with('{') => closing(code, open),
            Some(semicolon) => semicolon,
            None => code.len(),
        };
        product.replace_range(at..end, &blank(&code[at..end]));
    }
    product
}

fn blank_prose(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    while let Some(rest) = text.get(code.len()..).filter(|rest| !rest.is_empty()) {
        let in_word = code.ends_with(|c: char| c.is_alphanumeric() || c == '_');
        match prose_len(rest, in_word) {
            0 => code.extend(rest.chars().next()),
            len => code.push_str(&blank(&rest[..len])),
        }
    }
    code
}

/// The length in bytes of the comment or literal at the start of `rest`; 0 where none starts.
fn prose_len(rest: &str, in_word: bool) -> usize {
    let hashes = rest.bytes().skip(1).take_while(|&byte| byte == b'#').count();
    match rest.as_bytes() {
        [b'/', b'/', ..] => rest.find('\n').unwrap_or(rest.len()),
        [b'/', b'*', ..] => block_comment_len(rest),
        [b'"', ..] => literal_len(rest, '"'),
        [b'r', ..] if !in_word && rest[1 + hashes..].starts_with('"') => raw_string_len(rest, hashes),
        [b'\'', b'\\', ..] => literal_len(rest, '\''),
        [b'\'', ..] => char_len(rest),
        _ => 0,
    }
}

fn block_comment_len(rest: &str) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while at < rest.len() {
        match &rest.as_bytes()[at..] {
            [b'/', b'*', ..] => (depth, at) = (depth + 1, at + 2),
            [b'*', b'/', ..] if depth == 1 => return at + 2,
            [b'*', b'/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
    }
    rest.len()
}

fn literal_len(rest: &str, quote: char) -> usize {
    let mut escaped = true; // The opening quote does not close.
    for (at, c) in rest.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

fn raw_string_len(rest: &str, hashes: usize) -> usize {
    let end = format!("\"{}", "#".repeat(hashes));
    let inside = 2 + hashes;
    rest[inside..].find(&end).map_or(rest.len(), |found| inside + found + end.len())
}

/// Of `'x'`; a lifetime is code.
fn char_len(rest: &str) -> usize {
    let mut chars = rest.char_indices().skip(1);
    match (chars.next(), chars.next()) {
        (Some(_), Some((at, '\''))) => at + 1,
        _ => 0,
    }
}

/// Spaces, with as many bytes and lines.
fn blank(text: &str) -> String {
    text.bytes().map(|byte| if byte == b'\n' { '\n' } else { ' ' }).collect()
}
