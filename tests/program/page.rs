//! The page for operators, on and off.

use std::fs;

use crate::process::ServerChild;

#[tokio::test]
async fn page_is_served_unless_it_is_turned_off() {
    let mut server = ServerChild::start(&[]).await;
    let line = server.says("page").await;
    assert!(line.ends_with(&format!("{}/ui/", server.url())), "{line}");
    assert!(head(&server, "/ui/").await.starts_with("HTTP/1.1 200"));
    assert!(head(&server, "/ui").await.starts_with("HTTP/1.1 308"));

    let home = tempfile::tempdir().expect("a directory");
    let path = home.path().join("eventful.toml");
    fs::write(&path, "ui = false\n").expect("a file");
    let config = ["--config", path.to_str().expect("text")];
    for (args, status) in
        [(&["--ui", "false"][..], 404), (&config, 404), (&[&config[..], &["--ui", "true"]].concat(), 200)]
    {
        let server = ServerChild::start(args).await;
        assert!(head(&server, "/ui/").await.starts_with(&format!("HTTP/1.1 {status}")), "{args:?}");
    }
}

async fn head(server: &ServerChild, target: &str) -> String {
    server.send("GET", target, "", "").await
}
