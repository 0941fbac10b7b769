//! The style of the house, as tests. What each rule says is in `tidy/`, and each is shown to find what it forbids.

mod tidy {
    pub(super) mod attributes;
    pub(super) mod circles;
    pub(super) mod imports;
    pub(super) mod lengths;
    pub(super) mod links;
    pub(super) mod modules;
    pub(super) mod plain;
    pub(super) mod promises;
    pub(super) mod source;
    pub(super) mod tokens;
    pub(super) mod words;
}

use std::path::Path;

use tidy::circles::Imports;
use tidy::source::{SourceFile, read_tree};
use tidy::{attributes, imports, lengths, links, plain, promises, words};

type Rule = fn(&SourceFile) -> Vec<String>;

#[test]
fn imports_go_one_way() {
    assert_tree(imports::point_backward);
    assert_finds(imports::point_backward, "src/engine/a.rs", "use crate::runtime::Eventful;");
    assert_finds(imports::point_backward, "src/engine/a.rs", "use crate::{engine::Key, runtime::Eventful};");
    assert_finds(imports::point_backward, "src/engine/a/b.rs", "use super::super::super::journal::Journal;");
    assert_finds(imports::point_backward, "src/runtime/a.rs", "fn f() { crate::http::serve() }");
    assert_finds(imports::point_backward, "src/runtime/a.rs", "use crate::Eventful;");
    assert_finds(imports::point_backward, "src/node/a.rs", "use crate::sync::Mutex;");
    assert_allows(imports::point_backward, "src/runtime/a.rs", "use crate::sync::Mutex; use std::sync::Arc;");
    assert_allows(imports::point_backward, "src/runtime/a.rs", "use crate::engine::Engine; use axum::http::Uri;");
    assert_allows(imports::point_backward, "src/http/a.rs", "use crate::runtime::Eventful; use crate::Key;");
}

#[test]
fn documents_link_to_files_that_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let documents: Vec<_> = read_tree().into_iter().filter(|source| source.path.ends_with(".md")).collect();
    for expected in ["README.md", "docs/ARCHITECTURE.md", "sim/planted/README.md"] {
        assert!(documents.iter().any(|document| document.path == expected), "{expected} was not read");
    }
    for SourceFile { path, text, .. } in &documents {
        let broken = links::broken(path, text, |file| {
            let file = root.join(file);
            if file.is_dir() { Some(String::new()) } else { std::fs::read_to_string(file).ok() }
        });
        assert!(broken.is_empty(), "\n{}", broken.join("\n"));
    }
    let text =
        "[a](../src/a.rs) [b](b.md#a-part-1) [c](#part) [d](https://d.example/) [`e`](e.rs)\n# Part\n[f](b.md#f)";
    let broken = links::broken("docs/X.md", text, |file| file.ends_with("b.md").then(|| "## A part: 1".to_owned()));
    let wanted = ["no file is at ../src/a.rs", "no file is at e.rs", "no heading is at b.md#f"];
    assert_eq!(broken, wanted.map(|problem| format!("docs/X.md: {problem}")));
}

#[test]
fn no_files_import_each_other() {
    let tree = read_tree();
    let imports = Imports::of(&tree);
    let (knots, circles) = (imports.knots(), imports.circles());
    let findings = [&imports.unresolved[..], &knots, &circles].concat();
    assert!(findings.is_empty(), "\n{}", findings.join("\n"));
}

#[test]
fn files_that_import_each_other_are_found() {
    fn siblings<'a>(a: &'a str, b: &'a str) -> [(&'a str, &'a str); 3] {
        [("src/lib.rs", "mod a; mod b;"), ("src/a.rs", a), ("src/b.rs", b)]
    }
    let (a, b) = ("pub fn a() {} use super::b::B;", "pub struct B; ");
    for back in [
        "use crate::a;\nfn f() { a::a() }",
        "use super::{a::a as other, x::Y};",
        "use super::{a::{self, a}};",
        "use super::a::*;",
        "pub use super::a::a;",
        "fn f() { super::a::a() }",
        "fn f() { use crate::a::a; }",
        "mod inside { use super::super::a::a; }",
        "impl crate::a::a::B {}",
        "listed! { pub enum C { D(super::a::a) } }",
    ] {
        assert_knots(1, &siblings(a, &format!("{b}{back}")));
    }
    for back in [
        "use super::a;",
        "use other::a::a;",
        "// use super::a::a;",
        "fn a() { x.a() }",
        "#[cfg(test)]\nuse super::a::a;",
    ] {
        assert_knots(0, &siblings(a, &format!("{b}{back}")));
    }
    assert_knots(0, &siblings("fn a() {}", "use super::a::a;"));
    assert_knots(1, &siblings("listed! { pub enum A { X } } use super::b::B;", "pub struct B; use super::a::A;"));
}

#[test]
fn a_parent_and_a_child_that_import_each_other_are_found() {
    fn family<'a>(parent: &'a str, child: &'a str) -> [(&'a str, &'a str); 3] {
        [("src/lib.rs", "mod a;"), ("src/a/mod.rs", parent), ("src/a/b.rs", child)]
    }
    let child = "pub struct B; use super::A;";
    for parent in [
        "mod b; use b::B; pub struct A;",
        "mod b; pub struct A(b::B);",
        "mod b; pub use b::B; pub struct A(B);",
        "mod b; use self::b::*; pub struct A;",
        "pub mod b; pub struct A; fn f() { use crate::a::b::B; }",
    ] {
        assert_knots(1, &family(parent, child));
    }
    for parent in [
        "mod b; pub use b::B; pub struct A;",
        "mod b; pub use b::*; pub struct A;",
        "mod b; pub(crate) use b::{B}; enum A { C }",
    ] {
        assert_knots(0, &family(parent, child));
    }
    assert_knots(0, &family("mod b; use b::B; use std::A;", child));
}

#[test]
fn what_a_sibling_defines_is_imported_from_it() {
    let root = ("src/lib.rs", "mod a; mod b; pub use a::A; use b::*;");
    assert_knots(1, &[root, ("src/a.rs", "pub struct A; use super::B;"), ("src/b.rs", "pub struct B; use crate::A;")]);
    assert_knots(0, &[root, ("src/a.rs", "pub struct A; use super::b;"), ("src/b.rs", "pub struct B; use crate::A;")]);
    let given = ("tests/a.rs", "#[path = \"../benches/x/b.rs\"]\nmod b;\nmod c { mod d; }");
    let (b, d) = ("use crate::c::d::D; pub struct B;", "pub struct D(super::super::b::B);");
    assert_knots(1, &[given, ("benches/x/b.rs", b), ("tests/c/d.rs", d)]);
}

#[test]
fn a_circle_of_three_files_is_found_once() {
    let files = [("src/lib.rs", "mod a; mod b; mod c;"), ("src/a.rs", "use super::b::y; fn x() {}")];
    let rest = [("src/b.rs", "use super::c::z; fn y() {}"), ("src/c.rs", "use super::a::x; fn z() {}")];
    let tree = tree_of(&[files, rest].concat());
    let imports = Imports::of(&tree);
    assert_eq!(imports.circles().len(), 1);
    assert_eq!(imports.knots(), Vec::<String>::new());
}

#[test]
fn a_path_that_leads_nowhere_is_found() {
    let unresolved = |files: &[_]| Imports::of(&tree_of(files)).unresolved.len();
    assert_eq!(unresolved(&[("src/lib.rs", "mod a;"), ("src/a.rs", "use super::b::B; use super::a;")]), 1);
    assert_eq!(unresolved(&[("src/lib.rs", "mod a; use x::b;"), ("src/a.rs", "use crate::b::B;")]), 0);
    assert_eq!(unresolved(&[("src/lib.rs", "mod a;")]), 1, "there is no file for it");
    assert_eq!(unresolved(&[("src/lib.rs", ""), ("src/a.rs", "")]), 1, "no crate has it");
}

#[test]
fn the_engine_has_no_clock_no_io_no_float_and_no_features() {
    assert_tree(words::forbidden_in_engine);
    for code in ["use std::time::Instant;", "extern crate std;", "#[cfg(feature = \"x\")] fn f() {}", "fn f(x: f64) {}"]
    {
        assert_finds(words::forbidden_in_engine, "src/engine/a.rs", code);
    }
    let tested = "#[cfg(test)]\nmod tests { use std::vec; }";
    assert_allows(words::forbidden_in_engine, "src/engine/a.rs", tested);
    assert_allows(words::forbidden_in_engine, "src/engine/a.rs", "// unlike std::vec\nlet it = \"std::vec\";");
    assert_allows(words::forbidden_in_engine, "src/runtime/a.rs", "use std::sync::Arc;");
    assert_finds(words::forbidden_in_engine, "src/node/a.rs", "use std::sync::Arc;");
    assert_finds(words::forbidden_in_engine, "src/node/a.rs", "#[cfg(feature = \"tokio\")]\nfn f() {}");
    assert_allows(words::forbidden_in_engine, "src/node/a.rs", "#[cfg(feature = \"sim\")]\nfn f() {}");
}

#[test]
fn nothing_is_left_unfinished_or_left_to_chance() {
    assert_tree(words::forbidden);
    for code in ["todo!()", "unimplemented!()", "#[ignore]", "use tokio::sync::watch;", "dbg!(x)"] {
        assert_finds(words::forbidden, "src/a.rs", code);
    }
    assert_finds(words::forbidden, ".cargo/config.toml", "rustflags = [\"--cfg\", \"tokio_unstable\"]");
    assert_allows(words::forbidden, "src/a.rs", "// todo!() is for others\nlet watched = my_todo!();");
}

#[test]
fn every_select_is_biased() {
    assert_tree(words::unbiased_selects);
    assert_finds(words::unbiased_selects, "src/a.rs", "tokio::select! {\n    a = b => c,\n}");
    assert_allows(words::unbiased_selects, "src/a.rs", "select! { // why\n biased; a = b => c }");
}

#[test]
fn every_silenced_lint_says_why() {
    assert_tree(attributes::silenced_without_reason);
    assert_finds(attributes::silenced_without_reason, "src/a.rs", "#[allow(dead_code)]");
    assert_finds(attributes::silenced_without_reason, "src/a.rs", "#![expect(dead_code)]");
    assert_finds(attributes::silenced_without_reason, "src/a.rs", "#[cfg_attr(test, allow(dead_code))]");
    let explained = "#[allow(dead_code, reason = \"a (good) one\")] fn f() { x.expect(\"a value\") }";
    assert_allows(attributes::silenced_without_reason, "src/a.rs", explained);
}

#[test]
fn every_proptest_says_where_its_seeds_are_kept() {
    assert_tree(attributes::proptest_without_persistence);
    assert_finds(attributes::proptest_without_persistence, "tests/a.rs", "proptest! { fn f() {} }");
    assert_finds(attributes::proptest_without_persistence, "tests/a.rs", "let c = ProptestConfig { cases: 9, ..x };");
    let kept = "proptest! { #![proptest_config(ProptestConfig { failure_persistence: kept(), ..x })] fn f() {} }";
    assert_allows(attributes::proptest_without_persistence, "tests/a.rs", kept);
}

#[test]
fn files_and_functions_are_short() {
    assert_tree(lengths::long_file);
    assert_tree(lengths::long_functions);
    for path in ["src/a.rs", "src/http/ui/page/a.js"] {
        assert_finds(lengths::long_file, path, &"let x = 1;\n".repeat(401));
    }
    assert_finds(lengths::long_functions, "src/a.rs", &format!("fn f() {{\n{}}}", "x();\n".repeat(69)));
    let tested = format!("fn f() {{}}\n#[cfg(test)]\nmod tests {{\n{}}}", "fn g() {}\n".repeat(400));
    assert_allows(lengths::long_file, "src/a.rs", &tested);
    assert_allows(lengths::long_functions, "src/a.rs", &format!("fn f() {{\n{}}}", "x();\n".repeat(68)));
}

#[test]
fn the_median_function_has_at_most_ten_lines() {
    let tree = read_tree();
    let mut lines: Vec<_> = tree.iter().filter(|source| source.is_product()).flat_map(lengths::of_functions).collect();
    lines.sort_unstable();
    let median = lines[lines.len() / 2];
    assert!(median <= 10, "the median of {} functions has {median} lines: split the long ones", lines.len());
}

#[test]
fn files_are_named_after_their_topic() {
    assert_tree(words::names_without_topic);
    assert_finds(words::names_without_topic, "src/engine/utils.rs", "");
    assert_finds(words::names_without_topic, "src/common/mod.rs", "");
    assert_allows(words::names_without_topic, "src/engine/retry.rs", "");
}

#[test]
fn words_are_plain() {
    assert_tree(plain::banned);
    assert_finds(plain::banned, "src/a.rs", "// The caller is told.");
    assert_finds(plain::banned, "src/a.rs", "fn a_caller_is_told() {}");
    assert_finds(plain::banned, "src/a.rs", "let text = \"Look at the log\";");
    assert_finds(plain::banned, "src/http/ui/page/a.js", "say(host, 'Nobody is here')");
    assert_allows(plain::banned, "src/a.rs", "let stolen = satellite.foretold();");
}

#[test]
fn docs_begin_with_what_an_item_is() {
    assert_tree(plain::empty_openings);
    assert_finds(plain::empty_openings, "src/a.rs", "/// What a caller gets.\nstruct A;");
    assert_finds(plain::empty_openings, "src/a.rs", "//! It does this.");
    assert_allows(plain::empty_openings, "src/a.rs", "/// The result\n/// It is whole.\nstruct Item;");
    assert_allows(plain::empty_openings, "src/a.rs", "/// Items.\nstruct A; // What for");
}

#[test]
fn names_of_tests_are_short() {
    assert_tree(plain::long_names);
    let name = "a".repeat(60);
    assert_finds(plain::long_names, "tests/a.rs", &format!("#[test]\nfn {name}a() {{}}"));
    assert_allows(plain::long_names, "tests/a.rs", &format!("fn {name}() {{}} // fn {name}a"));
}

#[test]
fn tables_of_modules_are_complete() {
    assert_tree(plain::incomplete_tables);
    let table = "//! | module | topic |\n//! |---|---|\n//! | `b`, [`c`] | topics |\n";
    assert_finds(plain::incomplete_tables, "src/a/mod.rs", &format!("{table}mod b;\npub mod c;\nmod d;"));
    assert_finds(plain::incomplete_tables, "src/a/mod.rs", &format!("{table}mod b;"));
    assert_allows(plain::incomplete_tables, "src/a/mod.rs", &format!("{table}pub(crate) mod b;\npub mod c;"));
    assert_allows(plain::incomplete_tables, "src/a/mod.rs", "mod b;");
}

#[test]
fn a_type_has_a_name_of_its_own() {
    let repeated = plain::repeated_types(&read_tree());
    assert!(repeated.is_empty(), "\n{}", repeated.join("\n"));
    let twice = tree_of(&[("src/a.rs", "pub struct Twin;"), ("sim/src/b.rs", "enum Twin { A }")]);
    assert_eq!(plain::repeated_types(&twice).len(), 1);
    let once = tree_of(&[("src/a.rs", "struct A; // struct B"), ("tests/b.rs", "struct A;")]);
    assert_eq!(plain::repeated_types(&once), Vec::<String>::new());
}

#[test]
fn every_promise_links_to_a_test_that_exists() {
    let tree = read_tree();
    let readme = tree.iter().find(|source| source.path == "README.md").expect("README.md at the root");
    let findings = promises::unkept(&readme.text, &tree);
    assert!(findings.is_empty(), "{}", findings.join("\n"));
}

#[test]
fn a_promise_without_a_test_is_found() {
    let tests = [SourceFile::new("tests/a.rs", "#[test]\nfn it_holds() {}\nfn it_helps() {}")];
    let table = |cell: &str| (1..=11).map(|n| format!("| P{n} | Words. | {cell} |\n")).collect::<String>();
    let count = |cell: &str| promises::unkept(&table(cell), &tests).len();
    assert_eq!(count("[`it_holds`](tests/a.rs)"), 0);
    assert_eq!(count("[`it_holds_not`](tests/a.rs)"), 11);
    assert_eq!(count("[`it_holds`](tests/b.rs)"), 11);
    assert_eq!(count("[`it_helps`](tests/a.rs)"), 11, "it is no test");
    assert_eq!(count("TEST"), 11);
    assert_eq!(count("not yet: needs a journal"), 10, "only P10 may wait");
    assert_eq!(promises::unkept("", &tests).len(), 11);
}

fn assert_knots(count: usize, files: &[(&str, &str)]) {
    let knots = Imports::of(&tree_of(files)).knots();
    assert_eq!(knots.len(), count, "{knots:?} in {files:?}");
}

fn tree_of(files: &[(&str, &str)]) -> Vec<SourceFile> {
    files.iter().map(|(path, text)| SourceFile::new(path, text)).collect()
}

fn assert_tree(rule: Rule) {
    let findings: Vec<_> = read_tree().iter().flat_map(rule).collect();
    assert!(findings.is_empty(), "\n{}", findings.join("\n"));
}

fn assert_finds(rule: Rule, path: &str, text: &str) {
    assert!(!rule(&SourceFile::new(path, text)).is_empty(), "nothing found in {path}: {text}");
}

fn assert_allows(rule: Rule, path: &str, text: &str) {
    assert_eq!(rule(&SourceFile::new(path, text)), Vec::<String>::new(), "in {path}: {text}");
}
