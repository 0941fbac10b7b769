//! `serve --exec`

use crate::process::ServerChild;

#[tokio::test]
async fn the_exit_code_decides() {
    for (command, status, attempts) in [
        ("exit 0", "completed", 1),
        ("exit 1", "failed", 1),
        ("exit 75", "failed", 2),
        ("kill -9 $$", "failed", 2),
        ("sh -c 'kill -9 $$'; exit $?", "failed", 2),
        ("exit $(( EVENTFUL_ATTEMPT == 1 ? 75 : 0 ))", "completed", 2),
    ] {
        let server = ServerChild::start(&["--exec", command, "--max-attempts", "2"]).await;
        server.submit("a", "/v1/events", "x").await;
        let record = server.until("/v1/events/a", status).await;
        assert_eq!(record["attempt"], attempts, "{command}");
    }
}

#[tokio::test]
async fn event_that_no_policy_fits_fails_where_that_is_chosen() {
    let policy = ["--type", "mail:attempts=1", "--unmatched", "fail"];
    let server = ServerChild::start(&[&["--exec", "exit 0"], &policy[..]].concat()).await;
    server.submit("a", "/v1/events?type=fax", "x").await;
    server.submit("b", "/v1/events?type=mail", "x").await;
    server.until("/v1/events/b", "completed").await;
    let record = server.until("/v1/events/a", "failed").await;
    let error = record["last_error"].as_str().expect("an error");
    assert!(error.starts_with("no policy fits type \"fax\""), "{error}");
}

#[tokio::test]
async fn the_command_gets_the_payload_and_the_facts() {
    let facts = r#"test "$EVENTFUL_ID $EVENTFUL_SOURCE $EVENTFUL_TYPE $EVENTFUL_ATTEMPT" = "a shop order 1""#;
    let form = r#"test "$EVENTFUL_CONTENT_TYPE $EVENTFUL_CONTENT_ENCODING" = "text/plain gzip""#;
    let more = r#"test "$EVENTFUL_ATTRIBUTES" = '{"region":"n\"1","tenant":"blue"}'"#;
    let command = format!(r#"test "$(cat)" = 'three apples' && {facts} && {form} && {more}"#);
    let server = ServerChild::start(&["--exec", &command]).await;
    let attributes = "eventful-attributes: tenant=blue, region=n%221\r\n";
    let lines = format!("content-type: text/plain\r\ncontent-encoding: gzip\r\n{attributes}");
    server.submit_with("a", "/v1/events?source=shop&type=order", &lines, "three apples").await;
    server.until("/v1/events/a?source=shop", "completed").await;
}

#[tokio::test]
async fn error_holds_the_end_of_standard_error() {
    for (command, error) in [
        ("printf 'a\\nb\\033\\n' >&2; exit 3", "the command ended with exit status: 3\na\nb\\u{1b}"),
        ("exit 3", "the command ended with exit status: 3"),
        // A process that is left behind may keep standard error open.
        ("echo bad >&2; sleep 20 & exit 3", "the command ended with exit status: 3\nbad"),
    ] {
        let server = ServerChild::start(&["--exec", command]).await;
        server.submit("a", "/v1/events", "x").await;
        let record = server.until("/v1/events/a", "failed").await;
        assert_eq!(record["last_error"], error, "{command}");
    }
}

#[tokio::test]
async fn end_of_much_standard_error_fits_into_the_error() {
    let server = ServerChild::start(&["--exec", "seq 100000 >&2; echo the end >&2; exit 3"]).await;
    server.submit("a", "/v1/events", "x").await;
    let record = server.until("/v1/events/a", "failed").await;
    let error = record["last_error"].as_str().expect("an error");
    assert!(error.starts_with("the command ended with exit status: 3\n"), "{error}");
    assert!(error.ends_with("\n99999\n100000\nthe end") && error.len() == 1024, "{error}");
}

#[tokio::test]
async fn command_that_does_not_end_leaves_its_last_words() {
    let args = ["--exec", "echo stuck >&2; sleep 1000", "--run-timeout", "2s", "--max-attempts", "1000"];
    let server = ServerChild::start(&args).await;
    server.submit("a", "/v1/events", "x").await;
    // On a slow machine the engine may be first to end an attempt.
    let mut record = server.get("/v1/events/a").await;
    while record["last_error"].as_str().is_none_or(|error| !error.ends_with("\nstuck")) {
        record = server.get("/v1/events/a").await;
    }
    let error = record["last_error"].as_str().expect("an error");
    assert!(error.starts_with("the command did not end within "), "{error}");
}

#[tokio::test]
async fn standard_error_of_a_command_is_passed_on() {
    let mut server = ServerChild::start(&["--exec", "echo to whom it may concern >&2"]).await;
    server.submit("a", "/v1/events", "x").await;
    server.logs("to whom it may concern").await;
    server.until("/v1/events/a", "completed").await;
}

#[tokio::test]
async fn command_ends_although_our_standard_error_is_stuck() {
    // Nothing reads it here.
    let server = ServerChild::start(&["--exec", "seq 1000000 >&2"]).await;
    server.submit("a", "/v1/events", "x").await;
    let record = server.until("/v1/events/a", "completed").await;
    assert_eq!(record["attempt"], 1);
}

#[tokio::test]
async fn a_command_need_not_read_its_payload() {
    let server = ServerChild::start(&["--exec", "exit 0"]).await;
    server.submit("a", "/v1/events", &"x".repeat(1 << 19)).await;
    server.until("/v1/events/a", "completed").await;
}

#[tokio::test]
async fn a_hostile_id_is_no_shell_code() {
    let server = ServerChild::start(&["--exec", r#"test "$EVENTFUL_ID" = '$(exit 9)`exit 9`; exit 9'"#]).await;
    server.submit("$(exit 9)`exit 9`; exit 9", "/v1/events", "x").await;
    server.until("/v1/events/%24(exit%209)%60exit%209%60%3B%20exit%209", "completed").await;
}
