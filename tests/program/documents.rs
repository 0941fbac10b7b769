//! Commands and configurations in documents: the program understands each of them.

use std::fs;

use crate::process::{program, run};

const DOCUMENTS: &[(&str, &str)] = &[
    ("README.md", include_str!("../../README.md")),
    ("docs/durability.md", include_str!("../../docs/durability.md")),
    ("docs/operate.md", include_str!("../../docs/operate.md")),
    #[cfg(feature = "postgres")]
    ("docs/postgres.md", include_str!("../../docs/postgres.md")),
    ("docs/senders.md", include_str!("../../docs/senders.md")),
    ("docs/target.md", include_str!("../../docs/target.md")),
];

/// The beginnings of a command of the program in a document.
const PROGRAM: [&str; 2] = ["eventful ", "cargo run --release -p eventful-server -- "];

#[tokio::test]
async fn every_command_in_a_document_is_understood() {
    let mut count = 0;
    for (document, text) in DOCUMENTS {
        for command in commands(text) {
            // Help is shown after all that stands before it was read, and instead of doing it.
            let args: Vec<_> = command.iter().map(String::as_str).chain(["--help"]).collect();
            let (code, output, stderr) = run(&args).await;
            assert!(code == 0 && output.contains("Usage: eventful"), "{document}: {command:?}: {stderr}");
            count += 1;
        }
    }
    assert!(count > 20, "{count}");
}

#[tokio::test]
async fn every_configuration_in_a_document_is_sound() {
    let home = tempfile::tempdir().expect("a directory");
    let secrets = home.path().join("secrets");
    fs::create_dir(&secrets).expect("a directory");
    for name in ["billing", "github"] {
        fs::write(secrets.join(name), "whsec_YWJj\n").expect("a file");
    }
    let path = home.path().join("f.toml");
    let mut count = 0;
    for (document, text) in DOCUMENTS.iter().filter(|(name, _)| *name != "README.md") {
        for block in blocks(text, "toml\n") {
            let ours = secrets.to_str().expect("text");
            // A client for https needs the certificates of the system.
            let block = block.replace("/run/secrets", ours).replace("https://", "http://");
            fs::write(&path, block).expect("a file");
            let mut check = program(&["check", path.to_str().expect("text")]);
            let output = check.env("BILLING_AUTHORIZATION", "Bearer b").output().await.expect("it runs");
            assert!(output.status.success(), "{document}: {output:?}");
            count += 1;
        }
    }
    assert_eq!(count, 3);
}

#[test]
fn commands_are_found_with_their_words() {
    let text = "eventful prose\n```sh\neventful ls --error 'a b' # c\ncurl x\neventful pause; eventful config > f\n\
                eventful serve \\\n  --data DIR\n```\n";
    assert_eq!(commands(text), [&["ls", "--error", "a b"][..], &["pause"], &["config"], &["serve", "--data", "DIR"]]);
}

/// The code blocks of a document in this language.
fn blocks<'a>(text: &'a str, language: &'a str) -> impl Iterator<Item = &'a str> {
    text.split("```").skip(1).step_by(2).filter_map(move |block| block.strip_prefix(language))
}

/// The arguments of each command of the program in the shell examples of a document.
fn commands(text: &str) -> Vec<Vec<String>> {
    let lines = blocks(text, "sh\n")
        .flat_map(|block| block.replace("\\\n", " ").lines().map(ToOwned::to_owned).collect::<Vec<_>>());
    let parts = lines.flat_map(|line| line.split("; ").map(|part| part.trim().to_owned()).collect::<Vec<_>>());
    let command = |line: String| PROGRAM.iter().find_map(|name| line.strip_prefix(name)).map(words);
    parts.filter_map(command).collect()
}

/// The words of a command up to a comment, a pipe or a file.
fn words(command: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), String::new(), false);
    for char in command.chars().chain([' ']) {
        match char {
            '\'' => quote = !quote,
            '#' | '|' | '>' if !quote => break,
            ' ' if !quote => words.extend(Some(std::mem::take(&mut word)).filter(|word| !word.is_empty())),
            char => word.push(char),
        }
    }
    words
}
