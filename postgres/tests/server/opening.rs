//! Openings that are refused, each with what to do.

use eventful::journal::{JournalStore as _, OpenError, Owner, Shard};
use eventful_postgres::{PostgresStore, UrlError};

use crate::start::PostgresServer;
use crate::steps::{LONG, check, init, node, open, server_with, store, strict_store};

#[test]
fn server_that_promises_too_little_is_refused_with_what_to_set() {
    let server = server_with(1);
    let refused = refusal(&mut strict_store(server.database()));
    assert!(refused.contains("one copy") && refused.contains("set synchronous_standby_names"), "{refused}");
    assert!(refused.contains("accept one copy explicitly"), "{refused}");
    for setting in ["full_page_writes", "fsync"] {
        server.set(setting, "off");
        let refused = refusal(&mut store(server.database()));
        assert!(refused.contains(&format!("set {setting} = on")), "{refused}");
    }
}

#[test]
fn journal_of_another_node_is_in_use_until_it_is_closed() {
    let server = server_with(1);
    let journal = open(&mut store(server.database()));
    let mut other = PostgresStore::new(server.database(), Shard::new(0), node(2)).one_copy().lease(LONG);
    let Err(OpenError::InUse { owner }) = other.open(&Owner::new("another")) else { panic!("it has an owner") };
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").expect("Linux");
    assert_eq!(owner, format!("a test on {} (node {})", host.trim_end(), node(1)), "the owner is named");
    drop(journal);
    open(&mut other);
}

#[test]
fn shard_that_is_not_there_is_refused_with_how_many_there_are() {
    let server = server_with(3);
    let mut store = PostgresStore::new(server.database(), Shard::new(3), node(1)).one_copy().lease(LONG);
    assert!(refusal(&mut store).contains("there are 3 shards"));
}

#[test]
fn isolation_that_is_too_strict_is_refused_with_what_to_set() {
    let server = server_with(1);
    server.set("default_transaction_isolation", "serializable");
    assert!(refusal(&mut store(server.database())).contains("set default_transaction_isolation = 'read committed'"));
}

#[test]
fn schema_that_is_missing_too_new_or_too_old_is_refused_as_such() {
    let server = PostgresServer::start();
    let refused = refusal(&mut store(server.database()));
    assert!(refused.contains("make it with `eventful postgres init URL`"), "{refused}");
    assert!(check(&server.database()).expect_err("none").to_string().contains("init URL"));

    init(&server.database(), 1).expect("a schema");
    server.sql("UPDATE eventful.meta SET format = 9");
    let refused = refusal(&mut store(server.database()));
    assert!(refused.contains("format 9") && refused.contains("use a newer program"), "{refused}");
    for refused in [check(&server.database()), init(&server.database(), 1)] {
        assert!(refused.expect_err("too new").to_string().contains("use a newer program"));
    }
    server.sql("UPDATE eventful.meta SET format = 0");
    assert!(check(&server.database()).expect_err("too old").to_string().contains("which brings it there"));
}

#[test]
fn server_that_is_not_there_is_refused_with_its_name() {
    let database = "host=/nowhere user=app dbname=orders".parse().map_err(|error: UrlError| error.to_string());
    let mut store = strict_store(database.expect("a URL")).lease(std::time::Duration::from_millis(200));
    let refused = refusal(&mut store);
    assert!(refused.contains("shard 0 of database orders at /nowhere:5432"), "{refused}");
}

/// The message with which an opening is refused.
fn refusal(store: &mut PostgresStore) -> String {
    store.open(&Owner::new("a test")).expect_err("it is refused").to_string()
}
