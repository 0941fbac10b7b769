//! Crates as trees of modules: what each module defines, imports and names.

use super::source::SourceFile;
use super::tokens::{self, Token};

/// The modules of one crate; the root is the first.
#[derive(Debug, Default)]
pub(crate) struct Crate {
    pub(crate) modules: Vec<Module>,
    /// `mod` lines whose file is missing, as findings.
    pub(crate) missing: Vec<String>,
}

/// A module: a file, or a part of one in braces.
#[derive(Debug, Default)]
pub(crate) struct Module {
    /// The index of its file in the tree.
    pub(crate) file: usize,
    pub(crate) parent: Option<usize>,
    pub(crate) children: Vec<(String, usize)>,
    /// The names of the items that it defines.
    pub(crate) items: Vec<String>,
    pub(crate) imports: Vec<Import>,
    /// Names and paths in its code, outside `use`.
    pub(crate) mentions: Vec<Mention>,
}

/// One leaf of a `use`.
#[derive(Debug)]
pub(crate) struct Import {
    pub(crate) at: usize,
    pub(crate) path: Vec<String>,
    /// The name that it binds; absent when it binds all (`*`).
    pub(crate) name: Option<String>,
    /// True for a `pub use` of any visibility.
    pub(crate) is_public: bool,
}

/// A name or a path in code.
#[derive(Debug)]
pub(crate) struct Mention {
    pub(crate) at: usize,
    pub(crate) path: Vec<String>,
}

/// Every crate of the tree.
pub(crate) fn crates(tree: &[SourceFile]) -> Vec<Crate> {
    let roots = (0..tree.len()).filter(|&file| is_root(&tree[file].path));
    roots.map(|file| read_crate(tree, file)).collect()
}

/// Returns whether Cargo begins a crate at `path`.
fn is_root(path: &str) -> bool {
    let member = ["nats/", "postgres/", "sim/threads/", "sim/", "fuzz/"]
        .into_iter()
        .find_map(|member| path.strip_prefix(member));
    let parts: Vec<_> = member.unwrap_or(path).split('/').collect();
    match parts[..] {
        ["src", "lib.rs"] | ["src", "bin", _, "main.rs"] => true,
        ["tests" | "benches" | "examples" | "fuzz_targets", name] => name.ends_with(".rs"),
        ["tests" | "benches" | "examples", _, "main.rs"] => true,
        // Those of the program are not called `main.rs`, so that Cargo does not take them for tests of the library.
        ["tests", "program", "program.rs"] => true,
        _ => false,
    }
}

fn read_crate(tree: &[SourceFile], file: usize) -> Crate {
    let mut reader = ModuleReader { tree, read: Crate::default() };
    let folder = folder_of(&tree[file].path).to_owned();
    reader.read_file(file, None, folder);
    reader.read
}

struct ModuleReader<'a> {
    tree: &'a [SourceFile],
    read: Crate,
}

impl<'a> ModuleReader<'a> {
    /// Reads a module that has a file; the files of its children are in `folder`.
    fn read_file(&mut self, file: usize, parent: Option<usize>, folder: String) -> usize {
        let tokens = tokens::read(&self.tree[file].product);
        self.read_module(file, parent, &folder, &tokens)
    }

    fn read_module(&mut self, file: usize, parent: Option<usize>, folder: &str, tokens: &[Token<'a>]) -> usize {
        let module = self.read.modules.len();
        self.read.modules.push(Module { file, parent, ..Module::default() });
        let (mut index, mut depth) = (0, 0_usize);
        while let Some(&token) = tokens.get(index) {
            let after = |n: usize| tokens.get(index + n).map_or("", |token| token.text);
            match token.text {
                // What is in the braces of a macro that stands among items is taken for items.
                "{" if depth == 0 && index > 0 && tokens[index - 1].text == "!" => {}
                "(" | "[" | "{" => depth += 1,
                ")" | "]" | "}" => depth = depth.saturating_sub(1),
                "mod" if depth == 0 && after(2) == ";" => {
                    self.read_child(module, folder, &tokens[..index + 2]);
                    index += 2;
                }
                "mod" if depth == 0 && after(2) == "{" => {
                    let end = tokens::closing(tokens, index + 2);
                    let inside = format!("{folder}{}/", after(1));
                    let child = self.read_module(file, Some(module), &inside, &tokens[index + 3..end]);
                    self.read.modules[module].children.push((after(1).to_owned(), child));
                    index = end;
                }
                "use" if after(1) != "<" => {
                    let end = index + tokens[index..].iter().take_while(|token| token.text != ";").count();
                    let is_public = is_public(&tokens[..index]);
                    read_use(&tokens[index + 1..end], &[], is_public, &mut self.read.modules[module].imports);
                    index = end;
                }
                "macro_rules" if depth == 0 => self.read.modules[module].items.push(after(2).to_owned()),
                keyword if depth == 0 && defines(keyword, after(1)) => {
                    self.read.modules[module].items.push(after(1).to_owned());
                    index += 1;
                }
                _ if token.is_word() => index += self.read_mention(module, tokens, index),
                _ => {}
            }
            index += 1;
        }
        module
    }

    /// Reads the file of the `mod` line at the end of `tokens`.
    fn read_child(&mut self, module: usize, folder: &str, tokens: &[Token<'a>]) {
        let (name, line) = (tokens[tokens.len() - 1], self.read.modules[module].file);
        let source = &self.tree[line];
        let (path, inside) = match given_path(source, tokens) {
            Some(given) => {
                let path = joined(folder_of(&source.path), &given);
                let inside = folder_of(&path).to_owned();
                (vec![path], inside)
            }
            None => {
                let inside = format!("{folder}{}/", name.text);
                (vec![format!("{folder}{}.rs", name.text), format!("{inside}mod.rs")], inside)
            }
        };
        let Some(file) = self.tree.iter().position(|source| path.contains(&source.path)) else {
            self.read.missing.push(source.finding(name.at, &format!("`mod {}` has no file", name.text)));
            return;
        };
        let child = self.read_file(file, Some(module), inside);
        self.read.modules[module].children.push((name.text.to_owned(), child));
    }

    /// Reads the name or path that begins at `index`; returns how many more tokens it has.
    fn read_mention(&mut self, module: usize, tokens: &[Token<'a>], index: usize) -> usize {
        let path = path_at(&tokens[index..]);
        let more = (path.len() - 1) * 2;
        let before = index.checked_sub(1).map_or("", |before| tokens[before].text);
        let after = tokens.get(index + more + 1).map_or("", |token| token.text);
        let is_field = before == "." || (path.len() == 1 && after == ":");
        if before != "::" && !is_field {
            self.read.modules[module].mentions.push(Mention { at: tokens[index].at, path });
        }
        more
    }
}

/// Returns whether `keyword` begins an item called `name`.
fn defines(keyword: &str, name: &str) -> bool {
    let defines = ["fn", "struct", "enum", "trait", "type", "const", "static"].contains(&keyword);
    defines && name.starts_with(|c: char| c.is_alphabetic()) && !["fn", "async", "unsafe", "extern"].contains(&name)
}

fn path_at(tokens: &[Token<'_>]) -> Vec<String> {
    let mut path = vec![tokens[0].text.to_owned()];
    let mut rest = &tokens[1..];
    while let [colons, word, ..] = rest {
        if colons.text != "::" || !word.is_word() {
            break;
        }
        path.push(word.text.to_owned());
        rest = &rest[2..];
    }
    path
}

/// Returns whether `pub` or `pub(…)` is at the end of `before`.
fn is_public(before: &[Token<'_>]) -> bool {
    match before {
        [.., token] if token.text == "pub" => true,
        [.., token] if token.text == ")" => {
            let open = before.iter().rposition(|token| token.text == "(").unwrap_or(0);
            open.checked_sub(1).is_some_and(|word| before[word].text == "pub")
        }
        _ => false,
    }
}

/// Reads the leaves of a `use` without its keyword and its `;`.
fn read_use(tokens: &[Token<'_>], prefix: &[String], is_public: bool, imports: &mut Vec<Import>) {
    let mut start = 0;
    while start < tokens.len() {
        let mut path = prefix.to_vec();
        let mut end = start;
        while end < tokens.len() && !["{", ",", "*", "as"].contains(&tokens[end].text) {
            let text = tokens[end].text;
            if text != "::" && (text != "self" || path.is_empty()) {
                path.push(text.to_owned());
            }
            end += 1;
        }
        let name = match tokens.get(end).map(|token| token.text) {
            Some("{") => {
                let close = tokens::closing(tokens, end);
                read_use(&tokens[end + 1..close], &path, is_public, imports);
                start = close + 2;
                continue;
            }
            Some("*") => None,
            Some("as") => Some(tokens[end + 1].text.to_owned()),
            _ => path.last().cloned(),
        };
        imports.push(Import { at: tokens[start].at, path, name, is_public });
        start = end + 1 + tokens[end..].iter().take_while(|token| token.text != ",").count();
    }
}

/// The path in `#[path = "…"]` before the `mod` line at the end of `tokens`.
fn given_path(source: &SourceFile, tokens: &[Token<'_>]) -> Option<String> {
    let attributes = tokens.rsplit(|token| [";", "}"].contains(&token.text)).next()?;
    let path = attributes.windows(3).find(|three| three[0].text == "[" && three[1].text == "path")?;
    source.text[path[2].at..].split('"').nth(1).map(str::to_owned)
}

/// The folder of a path, with a `/` at its end.
fn folder_of(path: &str) -> &str {
    &path[..path.rfind('/').map_or(0, |slash| slash + 1)]
}

fn joined(folder: &str, path: &str) -> String {
    match path.strip_prefix("../") {
        Some(rest) => joined(folder_of(folder.trim_end_matches('/')), rest),
        None => format!("{folder}{path}"),
    }
}
