//! The suite for all journals, run by a role that has the rights of a node and no more.

use eventful::journal::{Shard, conformance};
use eventful_postgres::{Database, PostgresStore, role_script};

use crate::start::PostgresServer;
use crate::steps::{LONG, node, server_with};

#[test]
fn journal_of_a_role_with_the_rights_of_a_node_conforms() {
    let server = server_with(64);
    let mut shards = 0..;
    let database = as_node(&server);
    conformance::check(&mut || {
        let shard = Shard::new(shards.next().expect("no end"));
        Box::new(PostgresStore::new(database.clone(), shard, node(1)).one_copy().lease(LONG))
    });
}

#[test]
fn role_of_nodes_has_no_right_beyond_those_that_it_needs() {
    let server = server_with(1);
    as_node(&server);
    for denied in [
        "SET ROLE node; DELETE FROM eventful.shard",
        "SET ROLE node; UPDATE eventful.frame SET body = ''",
        "SET ROLE node; UPDATE eventful.meta SET shards = 2",
        "SET ROLE node; DROP TABLE eventful.frame",
        "SET ROLE node; SELECT FROM eventful.inbox",
        "SET ROLE node; CREATE TABLE eventful.other ()",
    ] {
        assert!(server.denies(denied), "{denied}");
    }
}

/// The database, as the role of nodes.
fn as_node(server: &PostgresServer) -> Database {
    server.sql(&role_script("node"));
    server.sql("ALTER ROLE node LOGIN");
    server.url().replace("user=postgres", "user=node").parse().expect("a URL")
}
