//! Events kept in PostgreSQL, on servers that these tests start.

#[expect(dead_code, reason = "the tests of the journal, which stop and damage servers, need more of it")]
#[path = "../../postgres/tests/server/start.rs"]
mod start;

use std::fs;
use std::process::Stdio;

use serde_json::Value;

use crate::process::{Api, ServerChild, program, run, spawn};
use start::PostgresServer;

/// The identity of the node that most of these tests start.
const NODE: &str = "00000000-0000-4000-8000-000000000001";
const OTHER: &str = "00000000-0000-4000-8000-000000000002";

/// Events of a test.
const EVENTS: usize = 20;

/// A database server with a schema.
async fn database() -> (PostgresServer, String) {
    let server = PostgresServer::start();
    let url = server.url();
    let (code, made, stderr) = run(&["postgres", "init", &url, "--shards", "4"]).await;
    assert_eq!((code, stderr.as_str()), (0, ""), "{made}");
    (server, url)
}

/// The arguments with which a node keeps its events there.
fn kept<'a>(url: &'a str, node: &'a str) -> [&'a str; 5] {
    ["--postgres", url, "--node", node, "--one-copy"]
}

#[tokio::test]
async fn events_in_a_database_survive_a_kill_of_the_program() {
    let (_database, url) = database().await;
    let server = ServerChild::start(&kept(&url, NODE)).await;
    submit_all(&server, "before").await;
    server.kill().await;

    let mut server = ServerChild::start(&kept(&url, NODE)).await;
    let found = server.says("persistence").await;
    assert!(found.contains(&format!("opened with {EVENTS} records")), "{found}");
    assert_all_completed(&server, "before").await;
    submit_all(&server, "after").await;
    server.signal("TERM");
    server.says("stopped").await;
    assert_eq!(server.exit_code().await, 0);

    let server = ServerChild::start(&kept(&url, OTHER)).await;
    for name in ["before", "after"] {
        assert_all_completed(&server, name).await;
    }
}

#[tokio::test]
async fn events_in_a_database_survive_a_kill_of_its_server() {
    let (mut database, url) = database().await;
    let server = ServerChild::start(&kept(&url, NODE)).await;
    submit_all(&server, "before").await;
    database.kill();
    database.restart();
    server.until_answer("/readyz", 200, "").await;
    assert_all_completed(&server, "before").await;
    submit_all(&server, "after").await;
    assert_all_completed(&server, "after").await;
    server.kill().await;
    let server = ServerChild::start(&kept(&url, NODE)).await;
    for name in ["before", "after"] {
        assert_all_completed(&server, name).await;
    }
}

#[tokio::test]
async fn start_says_what_the_database_promises() {
    let (database, url) = database().await;
    let (code, _, stderr) = run(&["serve", "--listen", "127.0.0.1:0", "--postgres", &url, "--node", NODE]).await;
    assert_eq!(code, 1, "{stderr}");
    assert!(stderr.contains("the server promises one copy") && stderr.contains("set synchronous_standby_names"));
    assert!(stderr.contains("or accept one copy with --one-copy"), "{stderr}");

    let mut server = ServerChild::start(&kept(&url, NODE)).await;
    let persistence = server.says("persistence").await;
    assert!(persistence.contains("database postgres at ") && persistence.contains("4 shards, PostgreSQL "));
    assert!(persistence.ends_with(", a new journal"), "{persistence}");
    assert!(server.says("promised").await.contains("promised     one copy: "));
    server.kill().await;

    database.set("fsync", "off");
    let (code, _, stderr) = run(&[&["serve", "--listen", "127.0.0.1:0"][..], &kept(&url, NODE)].concat()).await;
    assert!(code == 1 && stderr.contains("the server promises nothing: fsync is off"), "{code} {stderr}");
}

#[tokio::test]
async fn another_node_is_refused_until_the_owner_has_ended() {
    let (database, url) = database().await;
    let mut owner = ServerChild::start(&kept(&url, NODE)).await;
    let second = [&["serve", "--listen", "127.0.0.1:0"][..], &kept(&url, OTHER)].concat();
    let (code, _, stderr) = run(&second).await;
    assert_eq!(code, 1, "{stderr}");
    for words in ["the journal is in use by process ", NODE, "with the same --node", "SET owner = NULL"] {
        assert!(stderr.contains(words), "{words}: {stderr}");
    }
    submit_all(&owner, "kept").await;
    owner.signal("TERM");
    owner.says("stopped").await;
    assert_eq!(owner.exit_code().await, 0);
    let next = ServerChild::start(&kept(&url, OTHER)).await;
    assert_all_completed(&next, "kept").await;
    next.kill().await;

    let refused = spawn(&kept(&url, NODE)).wait_with_output().await.expect("it ends");
    assert_eq!(refused.status.code(), Some(1), "a node that was killed keeps its shards");
    database.sql("UPDATE eventful.shard SET owner = NULL");
    let again = ServerChild::start(&kept(&url, NODE)).await;
    assert_all_completed(&again, "kept").await;
}

#[tokio::test]
async fn database_that_cannot_be_used_is_refused_with_what_to_do() {
    let database = PostgresServer::start();
    database.sql("CREATE ROLE app LOGIN");
    let (url, role) = (database.url(), database.url().replace("user=postgres", "user=app"));
    let nowhere = "host=/nowhere user=app dbname=orders";
    assert_refused(1, &["--postgres", &url, "--node", NODE], "make it with `eventful postgres init URL`").await;
    assert_refused(1, &["--postgres", nowhere, "--node", NODE], "database orders at /nowhere:5432").await;
    run(&["postgres", "init", &url, "--shards", "1"]).await;
    assert_refused(1, &["--postgres", &role, "--node", NODE], "`eventful postgres role --name app | psql URL`").await;
    for (args, words) in [
        (&["--postgres", "nonsense", "--node", NODE][..], "write postgresql://"),
        (&["--postgres", "postgresql://app:hunter2@a:port/b"], "write postgresql://"),
        (&["--postgres", &url], "node is missing"),
        (&["--postgres", &url, "--node", "7"], "write a UUID"),
        (&["--postgres", &url, "--node", NODE, "--data", "nowhere"], "cannot be used with"),
        (&["--node", NODE], "node is for a database, and postgres is not set"),
        (&["--one-copy"], "one_copy is for a database"),
        (&["--postgres", &url, "--node", NODE, "--postgres-password-file", "/nowhere"], "/nowhere cannot be read"),
        (
            &[
                "--postgres",
                &url,
                "--node",
                NODE,
                "--one-copy",
                "--max-event-bytes",
                "15000000",
                "--max-bytes",
                "20000000",
            ],
            "max_event_bytes is more than 14680064",
        ),
    ] {
        assert_refused(2, args, words).await;
    }
    database.sql("UPDATE eventful.meta SET format = 9");
    assert_refused(2, &["--postgres", &url, "--node", NODE], "use a newer program").await;
}

async fn assert_refused(code: i32, args: &[&str], words: &str) {
    let (found, _, stderr) = run(&[&["serve", "--listen", "127.0.0.1:0"][..], args].concat()).await;
    assert!(found == code && stderr.contains(words), "{args:?}: {found} {stderr}");
    assert!(!stderr.contains("hunter2"), "{stderr}");
}

#[tokio::test]
async fn database_in_a_file_is_checked_and_gives_way_to_a_flag() {
    let home = tempfile::tempdir().expect("a directory");
    let path = home.path().join("f.toml");
    let path = path.to_str().expect("text");
    let check = async |text: &str| {
        fs::write(path, text).expect("a file");
        run(&["check", path]).await
    };
    let whole = format!("postgres = \"postgresql://app@127.0.0.1:1/orders\"\nnode = \"{NODE}\"\none_copy = true\n");
    let (code, _, stderr) = check(&whole).await;
    assert_eq!((code, stderr.as_str()), (0, ""));
    for (text, words) in [
        (&whole[..], None),
        ("node = \"7\"", Some("write a UUID")),
        ("one_copy = true", Some("one_copy is for a database")),
        ("postgres = \"x\"", Some("write postgresql://")),
        ("postgres = \"host=a\"\ndata = \"b\"", Some("data and postgres cannot be used together")),
    ] {
        let (code, _, stderr) = check(text).await;
        assert_eq!(code, if words.is_some() { 2 } else { 0 }, "{text}: {stderr}");
        assert!(words.is_none_or(|words| stderr.contains(words)), "{text}: {stderr}");
    }
    // The directory is chosen by a flag: the database of the file is not asked, and its settings are of no use.
    let secret = home.path().join("none").display().to_string();
    let unused = format!(
        "postgres = \"host=/nowhere\"\nnode = \"{NODE}\"\none_copy = true\npostgres_password_file = {secret:?}\n"
    );
    fs::write(path, unused).expect("a file");
    let data = home.path().join("data");
    let mut server = ServerChild::start(&["--config", path, "--data", data.to_str().expect("text")]).await;
    assert!(server.says("persistence").await.ends_with("data, a new journal"));
    server.kill().await;

    // A flag beats variables as it beats a file, and a variable beats a file.
    let place = data.to_str().expect("text");
    let about_database = [
        ("EVENTFUL_POSTGRES", "host=/nowhere"),
        ("EVENTFUL_NODE", NODE),
        ("EVENTFUL_ONE_COPY", "true"),
        ("EVENTFUL_POSTGRES_PASSWORD_FILE", &secret),
    ];
    let in_variables = [("EVENTFUL_DATA", place), ("EVENTFUL_CONFIG", path)];
    for (args, variables) in [(&["--data", place][..], &about_database[..]), (&[], &in_variables)] {
        let serve = [&["serve", "--listen", "127.0.0.1:0"][..], args].concat();
        let child = program(&serve).envs(variables.iter().copied()).stdout(Stdio::piped()).spawn();
        let mut server = ServerChild::of(child.expect("it starts")).await;
        assert!(server.says("persistence").await.contains("data, "), "{variables:?}");
        server.kill().await;
    }
}

#[tokio::test]
async fn schema_is_made_and_checked_and_rights_are_printed() {
    let database = PostgresServer::start();
    let url = database.url();
    let (code, _, stderr) = run(&["postgres", "check", &url]).await;
    assert!(code == 1 && stderr.contains("make it with `eventful postgres init URL`"), "{stderr}");
    let (code, made, _) = run(&["postgres", "init", &url, "--shards", "4"]).await;
    assert!(code == 0 && made.contains("format 2, 4 shards") && made.contains("promised: one copy"), "{made}");
    assert_eq!(run(&["postgres", "check", &url]).await, (0, made, String::new()));
    let (code, nodes, stderr) = run(&["postgres", "nodes", &url]).await;
    assert_eq!((code, nodes.as_str(), stderr.as_str()), (1, "shards without an owner: 0 1 2 3\n", ""));
    let (code, script, _) = run(&["postgres", "role", "--name", "a \"b\" 'c'"]).await;
    assert_eq!(code, 0);
    database.sql(&script);
    assert_eq!(database.sql("SELECT count(*) FROM pg_roles WHERE rolname = 'a \"b\" ''c'''"), "1");

    database.sql("ALTER ROLE \"a \"\"b\"\" 'c'\" LOGIN");
    let node = url.replace("user=postgres", "user='a \"b\" \\'c\\''");
    let server = ServerChild::start(&kept(&node, NODE)).await;
    submit_all(&server, "by-the-role").await;
    assert_all_completed(&server, "by-the-role").await;
}

/// Submits events with these names until each is acknowledged.
async fn submit_all(server: &Api, name: &str) {
    for number in 0..EVENTS {
        let head = format!("idempotency-key: {name}-{number}\r\n");
        let mut answer = String::new();
        // By real time, since a real server restarts meanwhile; a minute and more is long for a busy machine.
        for _ in 0..5000 {
            answer = server.send("POST", "/v1/events", &head, name).await;
            if answer.starts_with("HTTP/1.1 202") || answer.starts_with("HTTP/1.1 200") {
                break;
            }
            assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        assert!(!answer.starts_with("HTTP/1.1 503"), "{answer}");
    }
}

async fn assert_all_completed(server: &Api, name: &str) {
    for number in 0..EVENTS {
        let record: Value = server.get(&format!("/v1/events/{name}-{number}?wait=50s")).await;
        assert_eq!(record["status"], "completed", "{record}");
    }
}
