//! The lines that `serve` prints at its start.

use crate::process::ServerChild;
use crate::sink::Sink;

#[tokio::test]
async fn start_shows_what_a_journal_held_and_a_pause() {
    let directory = tempfile::tempdir().expect("a directory");
    let data = directory.path().to_str().expect("text");
    let args = ["--data", data, "--exec", r#"exit "$(cat)""#];
    let mut server = ServerChild::start(&args).await;
    server.says(&format!("persistence  {data}, a new journal")).await;
    for (id, exit, status) in [("good", "0", "completed"), ("bad", "1", "failed")] {
        server.submit(id, "/v1/events", exit).await;
        server.until(&format!("/v1/events/{id}"), status).await;
    }
    assert!(server.send("POST", "/v1/pause", "", "").await.starts_with("HTTP/1.1 2"));
    for id in ["a", "b"] {
        server.submit(id, "/v1/events", "0").await;
    }
    server.signal("TERM");
    server.says("stopped").await;
    assert_eq!(server.exit_code().await, 0);

    let mut server = ServerChild::start(&args).await;

    let found = server.says("persistence").await;
    let counts = "opened with 4 records: 2 pending (the oldest accepted ";
    assert!(found.contains(counts) && found.ends_with(" ago), 1 failed"), "{found}");
    let paused = server.says("paused").await;
    assert!(paused.ends_with(&format!("curl -X POST {}/v1/resume", server.url())), "{paused}");
    server.says("remembers 10,000,000 events for 96h: room for 28/s on average; --max-records raises it").await;
}

#[tokio::test]
async fn start_shows_no_secret() {
    let sink = Sink::start(&["410 Gone"]).await;
    let (url, shown) = (format!("{}?token=hunter2", sink.url), format!("posts each event to {}?…", sink.url));
    for (args, words) in [
        (["--deliver", &url], &*shown),
        (["--exec", "curl -H 'token: hunter2' http://h/"], "runs `curl …` on each event"),
        (["--exec", "TOKEN=hunter2 curl http://h/"], "runs a shell command on each event"),
    ] {
        let mut server = ServerChild::start(&[&args[..], &["--log", "trace", "--max-attempts", "1"]].concat()).await;
        let line = server.says("handler").await;
        assert!(line.ends_with(words), "{line}");
        server.submit("a", "/v1/events", "x").await;
        let record = server.until("/v1/events/a", "failed").await;
        assert!(!record.to_string().contains("hunter2"), "{record}");
        server.signal("TERM");
        let (output, log) = server.rest().await;
        assert!(!output.contains("hunter2"), "{output}");
        assert!(!log.contains("hunter2"), "{log}");
    }
}
