//! No two files import each other, and no more than two in a circle.
//!
//! A file imports another when it names an item that the other defines: in a `use`, or by a path in its code. What
//! counts is the file that defines the item, not the module through which its name comes. A `mod` line is no import,
//! and neither is the `pub use` with which a module publishes what its own children define. Names are compared as
//! words: a variant that has the name of an item in scope counts as that item.

use std::collections::{BTreeMap, VecDeque};

use super::modules::{self, Crate, Import};
use super::source::SourceFile;

/// For each pair of a file and one that it imports, the place of the first import.
type Edges = BTreeMap<(usize, usize), usize>;

/// The end of a path.
#[derive(Debug, Clone, Copy)]
enum Target {
    Module(usize),
    /// An item that the module defines.
    ItemOf(usize),
    /// An item of another crate.
    Foreign,
}

/// The imports of a tree, and what is wrong with them.
#[derive(Debug)]
pub(crate) struct Imports<'a> {
    tree: &'a [SourceFile],
    edges: Edges,
    /// Paths of the workspace that lead nowhere, and files that no crate has: imports of them would not be seen.
    pub(crate) unresolved: Vec<String>,
}

impl<'a> Imports<'a> {
    pub(crate) fn of(tree: &'a [SourceFile]) -> Self {
        let crates = modules::crates(tree);
        let (mut edges, mut unresolved) = (Edges::new(), unread(tree, &crates));
        for one in &crates {
            Paths { tree, one }.collect(&mut edges, &mut unresolved);
        }
        Self { tree, edges, unresolved }
    }

    /// Pairs of files that import each other.
    pub(crate) fn knots(&self) -> Vec<String> {
        let mutual = self.edges.keys().filter(|&&(from, to)| from < to && self.edges.contains_key(&(to, from)));
        mutual.map(|&(from, to)| self.finding(&[from, to])).collect()
    }

    /// Circles of three files and more.
    pub(crate) fn circles(&self) -> Vec<String> {
        let mut next = BTreeMap::<usize, Vec<usize>>::new();
        for &(from, to) in self.edges.keys() {
            next.entry(from).or_default().push(to);
        }
        let circles = next.keys().filter_map(|&file| shortest_circle(&next, file));
        // Each is found once from each of its files.
        let circles = circles.filter(|circle| circle.len() > 2 && circle.iter().min() == circle.first());
        circles.map(|circle| self.finding(&circle)).collect()
    }

    /// The files of a circle, each with the place of its import of the next.
    fn finding(&self, circle: &[usize]) -> String {
        let next = circle.iter().cycle().skip(1);
        let import = |(&from, &to): (&usize, &usize)| {
            self.tree[from].finding(self.edges[&(from, to)], &format!("imports {}", self.path(to)))
        };
        let imports: Vec<_> = circle.iter().zip(next).map(import).collect();
        format!("{}: move what they need of each other into a file of its own", imports.join(", and "))
    }

    fn path(&self, file: usize) -> &str {
        &self.tree[file].path
    }
}

/// The files of a shortest circle of imports through `file`, which comes first.
fn shortest_circle(next: &BTreeMap<usize, Vec<usize>>, file: usize) -> Option<Vec<usize>> {
    let mut before = BTreeMap::new();
    let mut reached = VecDeque::from([file]);
    while let Some(at) = reached.pop_front() {
        for &to in next.get(&at).into_iter().flatten() {
            if to == file {
                let mut circle: Vec<_> = std::iter::successors(Some(at), |at| before.get(at).copied()).collect();
                circle.reverse();
                return Some(circle);
            }
            before.entry(to).or_insert_with(|| {
                reached.push_back(to);
                at
            });
        }
    }
    None
}

/// Files in no crate, and `mod` lines without a file.
fn unread(tree: &[SourceFile], crates: &[Crate]) -> Vec<String> {
    let is_read = |file: usize| crates.iter().any(|one| one.modules.iter().any(|module| module.file == file));
    let rust = (0..tree.len()).filter(|&file| tree[file].path.ends_with(".rs"));
    let files = rust.filter(|&file| !is_read(file)).map(|file| format!("{}: it is in no crate", tree[file].path));
    files.chain(crates.iter().flat_map(|one| one.missing.iter().cloned())).collect()
}

struct Paths<'a> {
    tree: &'a [SourceFile],
    one: &'a Crate,
}

impl Paths<'_> {
    fn collect(&self, edges: &mut Edges, findings: &mut Vec<String>) {
        for (index, module) in self.one.modules.iter().enumerate() {
            let imports = module.imports.iter().map(|import| (import.at, &import.path, Some(import)));
            let mentions = module.mentions.iter().map(|mention| (mention.at, &mention.path, None));
            for (at, path, import) in imports.chain(mentions) {
                let targets = self.resolve(index, path, &mut Vec::new());
                if targets.is_empty() && path.len() > 1 && ["crate", "self", "super"].contains(&path[0].as_str()) {
                    findings.push(self.tree[module.file].finding(at, &format!("`{}` leads nowhere", path.join("::"))));
                }
                for target in targets {
                    if let Some(to) = self.imported(index, target, import) {
                        edges.entry((module.file, to)).or_insert(at);
                    }
                }
            }
        }
    }

    /// The other file that defines the target, if naming the target imports it.
    fn imported(&self, from: usize, target: Target, import: Option<&Import>) -> Option<usize> {
        let takes_all = import.is_some_and(|import| import.name.is_none());
        let module = match target {
            Target::ItemOf(module) => module,
            Target::Module(module) if takes_all => module,
            Target::Module(_) | Target::Foreign => return None,
        };
        let publishes = import.is_some_and(|import| import.is_public) && self.is_inside(module, from);
        let file = self.one.modules[module].file;
        (!publishes && file != self.one.modules[from].file).then_some(file)
    }

    fn is_inside(&self, module: usize, outer: usize) -> bool {
        module == outer || self.one.modules[module].parent.is_some_and(|parent| self.is_inside(parent, outer))
    }

    /// The ends of a path that begins in a module; none when it leaves the crate. A module and an item may have one
    /// name. `open` has the imports that are being resolved.
    fn resolve(&self, from: usize, path: &[String], open: &mut Vec<(usize, usize)>) -> Vec<Target> {
        let mut targets = vec![Target::Module(from)];
        for segment in path {
            let step = |module: usize| match segment.as_str() {
                "crate" => vec![Target::Module(0)],
                "self" => vec![Target::Module(module)],
                "super" => self.one.modules[module].parent.map(Target::Module).into_iter().collect(),
                name => self.look_up(module, name, open),
            };
            let found: Vec<_> = targets.iter().filter_map(|target| target.module()).flat_map(step).collect();
            if found.is_empty() {
                // What follows an item is its own: a variant, or a function of a type.
                targets.retain(|target| target.module().is_none());
                break;
            }
            targets = found;
        }
        targets
    }

    /// Returns what a module means by a name.
    fn look_up(&self, module: usize, name: &str, open: &mut Vec<(usize, usize)>) -> Vec<Target> {
        let own = &self.one.modules[module];
        let children = own.children.iter().filter(|(child, _)| child == name);
        let mut targets: Vec<_> = children.map(|&(_, child)| Target::Module(child)).collect();
        if own.items.iter().any(|item| item == name) {
            targets.push(Target::ItemOf(module));
        }
        for (index, import) in own.imports.iter().enumerate() {
            let binds = import.name.as_ref().is_none_or(|bound| bound == name);
            if !binds || open.contains(&(module, index)) {
                continue;
            }
            open.push((module, index));
            let ends = self.resolve(module, &import.path, open);
            match import.name {
                Some(_) if ends.is_empty() && is_foreign(&import.path) => targets.push(Target::Foreign),
                Some(_) => targets.extend(ends),
                None => {
                    let modules = ends.iter().filter_map(|end| end.module());
                    targets.extend(modules.flat_map(|end| self.look_up(end, name, open)));
                }
            }
            open.pop();
        }
        targets
    }
}

/// Returns whether a path that leads to no module and no item of its crate leads to another crate.
fn is_foreign(path: &[String]) -> bool {
    path.first().is_some_and(|first| !["crate", "self", "super"].contains(&first.as_str()))
}

impl Target {
    fn module(self) -> Option<usize> {
        match self {
            Self::Module(module) => Some(module),
            Self::ItemOf(_) | Self::Foreign => None,
        }
    }
}
