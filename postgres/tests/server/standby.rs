//! Appends that wait for a synchronous standby.

use std::time::Duration;

use eventful::journal::WriteError;
use eventful_postgres::{Database, Guarantee};

use crate::start::PostgresServer;
use crate::steps::{Appending, append, frames, open, server_with, strict_store};

/// A commit waits for the standby.
const WAITS: &str = "SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event = 'SyncRep'";

#[test]
fn append_waits_for_the_standby_whatever_the_server_has_set() {
    let server = server_with(1);
    server.set("synchronous_commit", "off");
    let mut standby = server.synchronous_standby();
    let mut journal = open(&mut strict_store(server.database()));
    append(&mut *journal, b"first");
    standby.stop();

    let appending = Appending::begin(journal, b"second");
    server.until("it waits", WAITS);
    appending.assert_waits();
    standby.restart();

    let (mut journal, appended) = appending.end();
    assert_eq!(appended, Ok(()));
    assert_eq!(frames(&mut *journal), [&b"first"[..], b"second"]);
}

#[test]
fn append_whose_wait_for_the_standby_is_cancelled_waits_again() {
    interrupted_wait("pg_cancel_backend");
}

#[test]
fn append_whose_waiting_session_is_terminated_waits_again() {
    interrupted_wait("pg_terminate_backend");
}

/// The server acknowledges the commit with a warning, or ends the session. Neither says that the standby has it.
fn interrupted_wait(interrupt: &str) {
    let server = server_with(1);
    let mut standby = server.synchronous_standby();
    let journal = open(&mut strict_store(server.database()));
    standby.stop();
    let appending = Appending::begin(journal, b"frame");
    for _ in 0..2 {
        server.until("it waits", WAITS);
        let before = server.sql("SELECT clock_timestamp()");
        server.sql(&format!("SELECT {interrupt}(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"));
        server.until("it waits again", &format!("{WAITS} AND query_start > '{before}'"));
        appending.assert_waits();
    }
    standby.restart();

    let (mut journal, appended) = appending.end();
    assert_eq!(appended, Ok(()));
    assert_eq!(frames(&mut *journal), [b"frame"], "it is there once");
}

#[test]
fn append_outlasts_its_lease_while_the_standby_is_away() {
    let server = server_with(1);
    let mut standby = server.synchronous_standby();
    let journal = open(&mut strict_store(server.database()).lease(Duration::from_secs(8)));
    standby.stop();
    let appending = Appending::begin(journal, b"frame");
    server.until(
        "it has waited for more than its lease",
        &format!("{WAITS} AND query_start < clock_timestamp() - interval '9 s'"),
    );
    appending.assert_waits();
    standby.restart();
    assert_eq!(appending.end().1, Ok(()));
}

#[test]
fn frame_lost_by_a_fail_over_is_appended_again() {
    let mut server = server_with(1);
    let mut standby = server.synchronous_standby();
    let mut store = strict_store(both(&server, &standby)).one_copy();
    let mut journal = open(&mut store);
    append(&mut *journal, b"first");
    standby.stop();

    let appending = Appending::begin(journal, b"second");
    server.until("it waits", WAITS);
    server.sql("SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'");
    server.until("it is visible", "SELECT count(*) = 2 FROM eventful.frame");
    appending.assert_waits();
    server.kill();
    standby.restart();
    assert_eq!(standby.sql("SELECT count(*) FROM eventful.frame"), "1", "the standby does not have it");
    standby.set("synchronous_standby_names", "");
    standby.promote();

    assert_eq!(appending.end().1, Ok(()));
    assert_eq!(frames(&mut *open(&mut store)), [&b"first"[..], b"second"]);
}

#[test]
fn server_that_stops_to_wait_for_standbys_is_unreachable() {
    let server = server_with(2);
    let _standby = server.synchronous_standby();
    let mut strict = strict_store(server.database());
    let current = strict.guarantee();
    let mut journal = open(&mut strict);
    append(&mut *journal, b"first");
    assert_eq!(current.read(), Some(Guarantee::Standbys { names: "standby".to_owned() }));
    assert_eq!(journal.reach(), Ok(()));

    server.set("synchronous_standby_names", "");
    append(&mut *journal, b"second");
    assert_eq!(current.read(), Some(Guarantee::OneCopy), "an append shows it");
    let Err(WriteError::Unreachable { cause }) = journal.reach() else { panic!("two copies were asked for") };
    assert!(cause.contains("set synchronous_standby_names"), "{cause}");

    server.set("synchronous_standby_names", "standby");
    assert_eq!(journal.reach(), Ok(()), "a check shows it, too");
    server.set("synchronous_standby_names", "");
    let journal = open(&mut strict.one_copy());
    assert_eq!(journal.reach(), Ok(()), "one copy is accepted");
}

/// The database at the one of these that takes writes.
fn both(server: &PostgresServer, standby: &PostgresServer) -> Database {
    let (one, other) = (server.socket(), standby.socket());
    format!("host={},{} user=postgres dbname=postgres", one.display(), other.display()).parse().expect("a URL")
}
