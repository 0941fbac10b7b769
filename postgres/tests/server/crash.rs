//! Servers that die, and connections that break.

use std::time::Duration;

use eventful::journal::{ReadError, WriteError};

use crate::proxy::Proxy;
use crate::start::until;
use crate::steps::{Appending, append, at, frames, open, server_with, store};

/// The frame is committed.
const COMMITTED: &str = "SELECT count(*) = 2 FROM eventful.frame";

/// A lease that tests wait for.
const SHORT: Duration = Duration::from_secs(6);

#[test]
fn acknowledged_frames_are_there_after_kill_9_of_the_server() {
    let mut server = server_with(1);
    let mut store = store(server.database());
    let mut journal = open(&mut store);
    (0..50_u8).for_each(|frame| append(&mut *journal, &[frame; 100]));
    server.kill();
    server.restart();
    append(&mut *journal, b"after");
    let read = frames(&mut *open(&mut store));
    assert_eq!(read.len(), 51);
    assert!((0..50_u8).zip(&read).all(|(frame, bytes)| *bytes == [frame; 100]));
    assert_eq!(read[50], b"after");
}

#[test]
fn append_is_done_once_a_killed_server_is_back() {
    let mut server = server_with(1);
    let journal = open(&mut store(server.database()));
    let mut other = server.session();
    other.run("BEGIN; SELECT 1 FROM eventful.shard FOR UPDATE;");
    server
        .until("the shard is locked", "SELECT count(*) = 1 FROM pg_stat_activity WHERE state = 'idle in transaction'");
    let appending = Appending::begin(journal, b"frame");
    server.until("the append waits", "SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'");

    server.kill();
    appending.assert_waits();
    server.restart();

    let (mut journal, appended) = appending.end();
    assert_eq!(appended, Ok(()));
    assert_eq!(frames(&mut *journal), [b"frame"]);
}

#[test]
fn append_that_never_left_is_unreachable_and_can_be_tried_again() {
    let mut server = server_with(1);
    let mut journal = open(&mut store(server.database()).lease(SHORT));
    append(&mut *journal, b"first");
    server.stop();
    let refused = journal.append(at(2), b"second");
    assert!(matches!(refused, Err(WriteError::Unreachable { .. })), "nothing was sent: {refused:?}");
    assert!(matches!(journal.reach(), Err(WriteError::Unreachable { .. })), "the journal says so");
    server.restart();
    assert_eq!(journal.reach(), Ok(()), "it is there again");
    assert_eq!(journal.append(at(2), b"second"), Ok(()));
    assert_eq!(frames(&mut *journal), [&b"first"[..], b"second"]);
}

#[test]
fn append_whose_result_is_lost_with_its_connection_is_done_once() {
    let server = server_with(1);
    let proxy = Proxy::before(&server);
    let mut journal = open(&mut store(proxy.database()));
    append(&mut *journal, b"first");
    proxy.hold_responses();
    let appending = Appending::begin(journal, b"second");
    server.until("it is committed", COMMITTED);
    appending.assert_waits();
    proxy.cut();

    let (mut journal, appended) = appending.end();
    assert_eq!(appended, Ok(()));
    assert_eq!(frames(&mut *journal), [&b"first"[..], b"second"]);
    assert_eq!(proxy.made(), 2, "on another connection");
}

#[test]
fn append_that_is_cut_on_its_way_is_done_once() {
    let server = server_with(1);
    let proxy = Proxy::before(&server);
    let mut journal = open(&mut store(proxy.database()));
    append(&mut *journal, b"first");
    proxy.hold_requests();
    let appending = Appending::begin(journal, &[7; 100_000]);
    appending.assert_waits();
    proxy.cut();

    let (mut journal, appended) = appending.end();
    assert_eq!(appended, Ok(()));
    assert_eq!(frames(&mut *journal), [&b"first"[..], &[7; 100_000]]);
}

#[test]
fn append_leaves_a_half_open_connection_for_another() {
    let server = server_with(1);
    let proxy = Proxy::before(&server);
    let mut journal = open(&mut store(proxy.database()));
    append(&mut *journal, b"first");
    proxy.hold_responses_of_made();
    let appended = journal.append(at(2), b"second");
    assert_eq!(appended, Ok(()));
    assert_eq!(frames(&mut *journal), [&b"first"[..], b"second"]);
}

#[test]
fn half_open_connection_is_left_while_others_wait() {
    let server = server_with(1);
    let standby = server.synchronous_standby();
    server.sql("CREATE TABLE public.other (number int)");
    let proxy = Proxy::before(&server);
    let mut journal = open(&mut store(proxy.database()));
    append(&mut *journal, b"first");
    proxy.hold_responses_of_made();
    // The standby takes what it is sent, and shows none of it. Others' commits wait for that, each for a moment.
    standby.sql("SELECT pg_wal_replay_pause()");
    let mut others = [server.session(), server.session()];
    others.iter_mut().for_each(|other| other.run("SET synchronous_commit = remote_apply;"));
    let appending = Appending::begin(journal, b"second");
    let mut ended = None;
    until("it is appended", || {
        let waiting = server.sql("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'");
        if waiting != "2" {
            others.rotate_left(1);
            others[0].run("INSERT INTO public.other VALUES (1);");
        }
        server.sql(
            "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND \
             query_start < clock_timestamp() - interval '200 ms'",
        );
        ended = appending.try_end();
        ended.is_some()
    });
    let (mut journal, appended) = ended.expect("it has ended");
    assert_eq!(appended, Ok(()));
    assert_eq!(frames(&mut *journal), [&b"first"[..], b"second"]);
}

#[test]
fn append_without_a_result_for_a_lease_is_unknown() {
    let server = server_with(1);
    let proxy = Proxy::before(&server);
    let mut journal = open(&mut store(proxy.database()).lease(SHORT));
    append(&mut *journal, b"first");
    proxy.hold_responses();
    let appended = journal.append(at(2), b"second");
    assert!(matches!(appended, Err(WriteError::Unknown { .. })), "{appended:?}");
    assert!(matches!(journal.append(at(2), b"second"), Err(WriteError::Unknown { .. })), "it takes no more calls");
    assert!(matches!(journal.snapshots(), Err(ReadError::Io { .. })), "nor reads");
    proxy.release();
    let mut journal = open(&mut store(proxy.database()));
    assert_eq!(frames(&mut *journal), [&b"first"[..], b"second"], "it was written");
}
