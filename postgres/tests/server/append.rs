//! Appends that are repeated, fenced, or met by an opening.

use eventful::journal::WriteError;

use crate::steps::{Appending, append, at, frames, open, server_with, store};

/// A session waits for a lock.
const BLOCKED: &str = "SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'";

/// A session has begun a transaction, and has done what it was given.
const HELD: &str = "SELECT count(*) = 1 FROM pg_stat_activity WHERE state = 'idle in transaction'";

#[test]
fn frame_that_is_there_already_with_the_same_bytes_is_appended() {
    let server = server_with(1);
    let mut journal = open(&mut store(server.database()));
    append(&mut *journal, b"first");
    server.sql("INSERT INTO eventful.frame VALUES (0, 2, 'second')");
    assert_eq!(journal.append(at(2), b"second"), Ok(()), "the same bytes at the same sequence");
    assert_eq!(journal.append(at(2), b"second"), Ok(()), "again");
    assert_eq!(journal.extent().end, at(3));
    assert_eq!(frames(&mut *journal), [&b"first"[..], b"second"]);
}

#[test]
fn frame_that_is_there_already_with_other_bytes_is_fenced() {
    let server = server_with(1);
    let mut journal = open(&mut store(server.database()));
    server.sql("INSERT INTO eventful.frame VALUES (0, 1, 'of another')");
    assert_eq!(journal.append(at(1), b"first"), Err(WriteError::Fenced));
    assert_eq!(server.sql("SELECT convert_from(body, 'UTF8') FROM eventful.frame"), "of another");
}

#[test]
fn append_that_meets_a_fence_is_fenced() {
    let server = server_with(1);
    let journal = open(&mut store(server.database()));
    let mut other = server.session();
    other.run("BEGIN; UPDATE eventful.shard SET term = term + 1;");
    server.until("the fence is in flight", HELD);

    let appending = Appending::begin(journal, b"late");
    server.until("the append waits for it", BLOCKED);
    appending.assert_waits();
    other.run("COMMIT;");

    assert_eq!(appending.end().1, Err(WriteError::Fenced));
    assert_eq!(server.sql("SELECT count(*) FROM eventful.frame"), "0", "nothing is written after the fence");
}

#[test]
fn append_that_meets_a_fence_that_is_rolled_back_is_done() {
    let server = server_with(1);
    let journal = open(&mut store(server.database()));
    let mut other = server.session();
    other.run("BEGIN; UPDATE eventful.shard SET term = term + 1;");
    server.until("the fence is in flight", HELD);

    let appending = Appending::begin(journal, b"frame");
    server.until("the append waits for it", BLOCKED);
    other.run("ROLLBACK;");

    let (mut journal, appended) = appending.end();
    assert_eq!(appended, Ok(()));
    assert_eq!(frames(&mut *journal), [b"frame"]);
}

#[test]
fn opening_sees_the_frame_that_is_in_flight() {
    let server = server_with(1);
    let mut owner = server.session();
    owner.run("BEGIN; SELECT 1 FROM eventful.shard FOR SHARE; INSERT INTO eventful.frame VALUES (0, 1, 'in flight');");
    server.until("an append is in flight", HELD);

    let opening = std::thread::spawn({
        let mut store = store(server.database());
        move || open(&mut store)
    });
    server.until("the fence waits for it", BLOCKED);
    owner.run("COMMIT;");

    let mut journal = opening.join().expect("it is opened");
    assert_eq!(frames(&mut *journal), [b"in flight"]);
}

#[test]
fn statement_that_another_cancels_is_repeated() {
    let server = server_with(1);
    let journal = open(&mut store(server.database()));
    let mut other = server.session();
    other.run("BEGIN; SELECT 1 FROM eventful.shard FOR UPDATE;");
    server.until("the shard is locked", HELD);

    let appending = Appending::begin(journal, b"frame");
    server.until("the append waits for it", BLOCKED);
    server.sql("SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event_type = 'Lock'");
    other.run("COMMIT;");

    let (mut journal, appended) = appending.end();
    assert_eq!(appended, Ok(()));
    assert_eq!(frames(&mut *journal), [b"frame"], "it is there once");
}

#[test]
fn old_owner_writes_no_sequence_that_was_trimmed() {
    let server = server_with(1);
    let mut store = store(server.database());
    let mut old = open(&mut store);
    append(&mut *old, b"first");
    let mut new = open(&mut store);
    append(&mut *new, b"second");
    new.trim(at(3)).expect("a trim");
    assert_eq!(old.append(at(2), b"late"), Err(WriteError::Fenced));
    assert_eq!(server.sql("SELECT count(*) FROM eventful.frame WHERE body = 'late'"), "0");
}
