//! A disk that vanishes while the program runs.

use std::fs;

use serde_json::Value;

use crate::process::ServerChild;

#[tokio::test]
async fn server_whose_directory_vanishes_responds_and_loses_nothing() {
    let parent = tempfile::tempdir().expect("a directory");
    let (data, elsewhere) = (parent.path().join("data"), parent.path().join("elsewhere"));
    let server = ServerChild::start(&["--data", &data.display().to_string()]).await;
    server.submit("known", "/v1/events", "1").await;
    server.until("/v1/events/known", "completed").await;
    server.until_answer("/readyz", 200, "ready").await;

    fs::rename(&data, &elsewhere).expect("a move");
    server.until_answer("/readyz", 503, "the directory or the disk of the journal cannot be reached").await;
    let refused = server.send("POST", "/v1/events", "idempotency-key: new\r\n", "2").await;
    assert!(refused.starts_with("HTTP/1.1 503") && refused.contains("problem:overloaded"), "{refused}");
    assert!(refused.contains("retry-after: "), "{refused}");
    let again = server.send("POST", "/v1/events", "idempotency-key: known\r\n", "1").await;
    assert!(again.starts_with("HTTP/1.1 200"), "{again}");
    let known = server.get("/v1/events/known").await;
    assert_eq!((&known["status"], &known["durable"]), (&"completed".into(), &Value::Null));
    assert_eq!(server.get("/v1/stats").await["journal_state"]["unreachable"], 1);
    for target in ["/metrics", "/livez", "/v1/events"] {
        server.until_answer(target, 200, "").await;
    }

    fs::rename(&elsewhere, &data).expect("a move");
    server.until_answer("/readyz", 200, "ready").await;
    server.submit("new", "/v1/events", "2").await;
    server.until("/v1/events/new", "completed").await;
    server.signal("TERM");
    assert_eq!(server.exit_code().await, 0);
}

#[tokio::test]
async fn server_whose_directory_is_removed_still_ends_when_asked() {
    let parent = tempfile::tempdir().expect("a directory");
    let data = parent.path().join("data");
    let server = ServerChild::start(&["--data", &data.display().to_string()]).await;
    fs::remove_dir_all(&data).expect("it goes");
    server.until_answer("/readyz", 503, "cannot be reached").await;
    server.signal("TERM");
    server.exit_code().await;
}
