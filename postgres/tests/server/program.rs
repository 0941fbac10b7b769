//! The program `eventful-postgres`.

use std::process::Command;

use crate::start::PostgresServer;

#[test]
fn program_makes_and_checks_a_schema_and_prints_rights() {
    let server = PostgresServer::start();
    let (ok, said) = run(&["check", &server.url()]);
    assert!(!ok && said.contains("make it with `eventful-postgres init URL`"), "{said}");

    let (ok, made) = run(&["init", &server.url(), "--shards", "4"]);
    assert!(
        ok && made.contains("format 1, 4 shards")
            && made.contains("PostgreSQL ")
            && made.contains("promised: one copy"),
        "{made}"
    );
    assert_eq!(run(&["check", &server.url()]), (true, made));

    let (ok, script) = run(&["role", "--node", "a \"b\" 'c'"]);
    assert!(ok, "{script}");
    server.sql(&script);
    assert_eq!(server.sql("SELECT count(*) FROM pg_roles WHERE rolname = 'a \"b\" ''c'''"), "1");
}

#[test]
fn program_refuses_a_url_with_what_to_write() {
    let (ok, said) = run(&["check", "nonsense"]);
    assert!(!ok && said.contains("write postgresql://"), "{said}");
}

/// Runs the program. Returns whether it succeeded, and what it printed.
fn run(arguments: &[&str]) -> (bool, String) {
    let program = env!("CARGO_BIN_EXE_eventful-postgres");
    let done = Command::new(program).args(arguments).output().expect("the program runs");
    let printed = [done.stdout, done.stderr].concat();
    (done.status.success(), String::from_utf8_lossy(&printed).into_owned())
}
