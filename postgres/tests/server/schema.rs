//! The schema: made once, and kept as it is.

use std::thread::spawn;

use eventful::journal::{JournalStore as _, Owner};
use eventful_postgres::{Guarantee, SchemaError, banner};

use crate::start::PostgresServer;
use crate::steps::{append, check, frames, init, open, server_with, store};

/// A commit waits for the standby.
const WAITS: &str = "SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event = 'SyncRep'";

#[test]
fn schema_that_is_made_again_keeps_what_it_has() {
    let server = PostgresServer::start();
    let made = init(&server.database(), 4).expect("a schema");
    assert_eq!((made.format, made.shards), (2, 4));
    assert_eq!(made.guarantee, Guarantee::OneCopy);
    assert!(made.to_string().contains("promised: one copy"), "{made}");

    append(&mut *open(&mut store(server.database())), b"frame");
    assert_eq!(init(&server.database(), 4), Ok(made.clone()), "the same cluster");
    assert_eq!(check(&server.database()), Ok(made));
    assert_eq!(frames(&mut *open(&mut store(server.database()))), [b"frame"]);
}

#[test]
fn schema_of_an_older_format_is_refused_until_init() {
    let server = server_with(1);
    append(&mut *open(&mut store(server.database())), b"frame");
    server.sql("ALTER TABLE eventful.node DROP COLUMN leaving; UPDATE eventful.meta SET format = 1");
    assert_eq!(check(&server.database()), Err(SchemaError::TooOld { found: 1 }));
    let refused = store(server.database()).open(&Owner::new("a test")).expect_err("it is too old").to_string();
    assert!(
        refused.contains("the schema has format 1") && refused.contains("then run `eventful postgres init"),
        "{refused}"
    );
    assert_eq!(init(&server.database(), 1).expect("it is brought there").format, 2);
    assert_eq!(frames(&mut *open(&mut store(server.database()))), [b"frame"], "with what it had");
}

#[test]
fn banner_follows_the_settings_of_the_server() {
    let server = server_with(4);
    let lines = || banner(&server.database(), &check(&server.database()).expect("a schema"));
    assert!(lines()[0].1.contains("4 shards, PostgreSQL ") && lines().len() == 2, "{:?}", lines());
    assert!(lines()[1].1.starts_with("one copy: "), "{:?}", lines());
    server.set("synchronous_commit", "off");
    assert!(lines()[2].1.starts_with("synchronous_commit is `off` at the server"), "{:?}", lines());
    // With the standbys' names set, a commit would wait for them; to read does not.
    server.set("synchronous_standby_names", "b, c");
    assert!(lines()[1].1.contains("synchronous standbys (b, c)"), "{:?}", lines());
    server.set("fsync", "off");
    assert!(lines()[1].1.starts_with("nothing: fsync is off at the server"), "{:?}", lines());
}

#[test]
fn number_of_shards_is_fixed_and_has_bounds() {
    let server = PostgresServer::start();
    for shards in [0, 1025] {
        assert_eq!(init(&server.database(), shards), Err(SchemaError::Shards(shards)));
    }
    init(&server.database(), 2).expect("a schema");
    assert_eq!(init(&server.database(), 3), Err(SchemaError::OtherShards { found: 2, wanted: 3 }));
}

#[test]
fn schema_is_made_once_the_standby_has_it() {
    let server = PostgresServer::start();
    server.set("synchronous_standby_names", "absent");
    let making = spawn({
        let database = server.database();
        move || init(&database, 1)
    });
    server.until("it waits", WAITS);
    let before = server.sql("SELECT clock_timestamp()");
    server.sql("SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'");
    server.until("it waits again", &format!("{WAITS} AND query_start > '{before}'"));
    let again = spawn({
        let database = server.database();
        move || init(&database, 1)
    });
    server.until("another one waits, too", "SELECT count(*) = 2 FROM pg_stat_activity WHERE wait_event = 'SyncRep'");
    server.set("synchronous_standby_names", "");
    for made in [making, again] {
        assert_eq!(made.join().expect("no panic").expect("a schema").shards, 1);
    }
}

#[test]
fn schema_whose_standby_is_away_is_not_waited_for_without_end() {
    let server = PostgresServer::start();
    server.set("synchronous_standby_names", "absent");
    let refused = init(&server.database(), 1).expect_err("there is no standby").to_string();
    assert!(refused.contains("no response within 20 s") && refused.contains("then run this again"), "{refused}");
}

#[test]
fn schema_that_cannot_be_made_is_not_there_in_part() {
    let server = PostgresServer::start();
    server.sql("CREATE ROLE app LOGIN");
    let database = server.url().replace("user=postgres", "user=app").parse().expect("a URL");
    let refused = init(&database, 1).expect_err("it may not").to_string();
    assert!(refused.contains("permission denied"), "{refused}");
    assert_eq!(check(&server.database()), Err(SchemaError::Missing));
}
