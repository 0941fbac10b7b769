//! Rows that were trimmed or not finished: taken away a few at a time, and never in the way.

use eventful::journal::{Journal, JournalStore as _, WriteError};

use crate::proxy::Proxy;
use crate::steps::{append, at, frames, open, server_with, store};

/// Rows that one statement may take away.
const AT_ONCE: u64 = 64;

/// Counts the rows of each statement that takes some away.
const COUNT_DELETES: &str = "
    CREATE TABLE public.deletes (rows int8);
    CREATE FUNCTION public.count_deletes() RETURNS trigger LANGUAGE plpgsql AS
        'BEGIN INSERT INTO public.deletes SELECT count(*) FROM gone; RETURN NULL; END';
    CREATE TRIGGER frames AFTER DELETE ON eventful.frame REFERENCING OLD TABLE AS gone
        FOR EACH STATEMENT EXECUTE FUNCTION public.count_deletes();
    CREATE TRIGGER parts AFTER DELETE ON eventful.snapshot REFERENCING OLD TABLE AS gone
        FOR EACH STATEMENT EXECUTE FUNCTION public.count_deletes()";

/// Has every statement that takes rows away fail.
const REFUSE_DELETES: &str = "
    CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION 'no deletes'; END$$;
    CREATE TRIGGER frames BEFORE DELETE ON eventful.frame FOR EACH STATEMENT EXECUTE FUNCTION public.refuse();
    CREATE TRIGGER parts BEFORE DELETE ON eventful.snapshot FOR EACH STATEMENT EXECUTE FUNCTION public.refuse()";

#[test]
fn trim_takes_few_rows_away_with_each_append() {
    let server = server_with(1);
    let mut journal = open(&mut store(server.database()));
    (0..200_u8).for_each(|frame| append(&mut *journal, &[frame]));
    (0..150).for_each(|part| put(&mut *journal, 1, part, part == 149));
    server.sql(COUNT_DELETES);
    journal.trim(at(151)).expect("a trim");
    // Three batches each for the parts and the frames.
    (0..6_u8).for_each(|frame| append(&mut *journal, &[frame]));

    assert_eq!(server.sql("SELECT count(*), min(seq) FROM eventful.frame"), "56|151");
    assert_eq!(server.sql("SELECT count(*) FROM eventful.snapshot"), "0");
    let largest: u64 = server.sql("SELECT max(rows) FROM public.deletes").parse().expect("a number");
    assert_eq!(largest, AT_ONCE);
    assert_eq!(frames(&mut *journal).len(), 56);
}

#[test]
fn leftovers_of_an_owner_before_are_taken_away() {
    let server = server_with(2);
    server.sql("UPDATE eventful.shard SET first_seq = 101 WHERE shard = 0");
    server.sql("INSERT INTO eventful.frame SELECT 0, seq, 'frame' FROM generate_series(91, 110) AS seq");
    server.sql("INSERT INTO eventful.snapshot SELECT 0, 105, part, false, '', 0 FROM generate_series(0, 9) AS part");
    server.sql("INSERT INTO eventful.snapshot VALUES (0, 90, 0, true, '', 0), (0, 101, 0, true, '', 0)");
    server.sql("INSERT INTO eventful.snapshot VALUES (1, 1, 0, false, '', 0)");
    let mut journal = open(&mut store(server.database()));
    assert_eq!(frames(&mut *journal).len(), 10);
    (0..3_u8).for_each(|frame| append(&mut *journal, &[frame]));

    assert_eq!(server.sql("SELECT count(*), min(seq) FROM eventful.frame"), "13|101");
    assert_eq!(server.sql("SELECT shard, at FROM eventful.snapshot ORDER BY shard"), "0|101\n1|1", "one is another's");
}

#[test]
fn leftovers_that_cannot_be_taken_away_are_not_in_the_way() {
    let server = server_with(1);
    let mut store = store(server.database());
    let mut journal = open(&mut store);
    append(&mut *journal, b"first");
    put(&mut *journal, 1, 0, false);
    drop(journal);
    server.sql(REFUSE_DELETES);

    let mut journal = open(&mut store);
    append(&mut *journal, b"second");
    journal.trim(at(2)).expect("a trim");
    append(&mut *journal, b"third");
    assert_eq!(journal.snapshots(), Ok(Vec::new()), "what is not finished is not there");
    drop(journal);
    assert_eq!(frames(&mut *open(&mut store)), [&b"second"[..], b"third"], "what was trimmed is not there");
}

#[test]
fn snapshot_outlives_a_part_that_arrives_late() {
    let server = server_with(1);
    let proxy = Proxy::before(&server);
    let mut journal = open(&mut store(proxy.database()));
    append(&mut *journal, b"frame");
    let first = "SELECT pid FROM pg_stat_activity WHERE application_name = 'eventful'";
    let session = server.sql(first);
    proxy.hold_requests_of_made();
    put(&mut *journal, 2, 0, false);
    put(&mut *journal, 2, 1, true);
    proxy.release();
    let late = "state = 'idle' AND query LIKE '%INSERT INTO eventful.snapshot%'";
    server.until("it was run late", &format!("SELECT {late} FROM pg_stat_activity WHERE pid = {session}"));

    assert_eq!(journal.snapshots(), Ok(vec![at(2)]));
    assert_eq!(journal.snapshot(at(2), 1), Ok(Some(b"part".to_vec())));
}

#[test]
fn frame_beyond_the_limit_is_refused_with_the_limit() {
    let server = server_with(1);
    let mut store = store(server.database());
    let (mut journal, limit_bytes) = (open(&mut store), store.max_frame_bytes());
    assert_eq!(limit_bytes, 16 << 20);
    append(&mut *journal, &vec![7; limit_bytes]);
    let bytes = limit_bytes + 1;
    let refused = journal.append(at(2), &vec![7; bytes]);
    assert_eq!(refused, Err(WriteError::TooLarge { bytes, limit_bytes }));
    append(&mut *journal, b"it still takes others");
}

fn put(journal: &mut dyn Journal, before: u64, part: u32, last: bool) {
    journal.put_snapshot(at(before), part, b"part", last).unwrap_or_else(|error| panic!("part {part}: {error}"));
}
