//! TLS by files. Which connections see which certificate is shown in `tests/tls.rs`.

use std::path::Path;

use crate::process::{ServerChild, run, spawn};

#[tokio::test]
async fn files_are_read_again_on_sighup_which_ends_nothing() {
    let home = tempfile::tempdir().expect("a directory");
    let path = |name: &str| home.path().join(name).to_str().expect("text").to_owned();
    let (certificate, key) = (path("crt"), path("key"));
    put("first.crt", &certificate);
    put("first.key", &key);
    let child = spawn(&["--log", "info", "--tls-cert", &certificate, "--tls-key", &key]);
    let mut server = ServerChild::of_tls(child).await;
    server.signal("HUP");
    server.logs("SIGHUP: certificate and key were read again").await;
    put("second.crt", &certificate);
    server.signal("HUP");
    let refused = server.logs("the ones from before are used").await;
    assert!(refused.contains("do not go together") && refused.contains("give the key"), "{refused}");
    server.signal("TERM");
    server.says("SIGTERM: taking no more events").await;
    assert_eq!(server.exit_code().await, 0);
}

#[tokio::test]
async fn files_that_cannot_be_used_are_refused_at_the_start() {
    let (code, _, stderr) = run(&["serve", "--tls-cert", "/nowhere", "--tls-key", "/nowhere"]).await;
    assert!(code == 2 && stderr.contains("/nowhere cannot be used"), "{code} {stderr}");
    let home = tempfile::tempdir().expect("a directory");
    let file = home.path().join("f.toml");
    std::fs::write(&file, "tls_cert = \"/nowhere\"\ntls_key = \"/nowhere\"\n").expect("a file");
    let (code, _, stderr) = run(&["check", file.to_str().expect("text")]).await;
    assert!(code == 2 && stderr.contains("/nowhere cannot be used"), "{code} {stderr}");
    std::fs::write(&file, "tls_cert = \"/nowhere\"\n").expect("a file");
    let (code, _, stderr) = run(&["check", file.to_str().expect("text")]).await;
    assert!(code == 2 && stderr.contains("one of tls_cert and tls_key is missing"), "{code} {stderr}");
    let (code, _, stderr) = run(&["serve", "--tls-cert", "/nowhere"]).await;
    assert!(code == 2 && stderr.contains("--tls-key"), "{code} {stderr}");
}

fn put(from: &str, to: &str) {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../tests/certificates").join(from);
    std::fs::copy(from, to).expect("a copy");
}
