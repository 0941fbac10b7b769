//! The configuration file, `eventful config`, and `eventful check`.

use std::fs;
use std::process::Stdio;

use tempfile::TempDir;

use crate::process::{ServerChild, program, run};

/// A directory with a file `eventful.toml`, and its path.
fn file(text: &str) -> (TempDir, String) {
    let home = tempfile::tempdir().expect("a directory");
    let path = home.path().join("eventful.toml");
    fs::write(&path, text).expect("a file");
    let path = path.to_str().expect("text").to_owned();
    (home, path)
}

/// Returns what `serve` with this configuration prints on standard error before it ends.
async fn refusal(text: &str) -> String {
    let (_home, path) = file(text);
    let (code, _, stderr) = run(&["serve", "--listen", "127.0.0.1:0", "--config", &path]).await;
    assert_eq!(code, 2, "{stderr}");
    stderr.replace(&path, "FILE")
}

#[tokio::test]
async fn printed_defaults_are_the_defaults() {
    let (code, page, stderr) = run(&["config"]).await;
    assert_eq!((code, stderr.as_str()), (0, ""));
    let (_home, path) = file(&page);
    let (code, output, stderr) = run(&["check", &path]).await;
    assert_eq!((code, stderr.as_str()), (0, ""), "{output}");
    // A flag takes its default from the file: the help shows what it is then.
    let (_, help, _) = run(&["serve", "--help"]).await;
    for line in page.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
        let (name, value) = line.split_once(" = ").expect("a setting");
        let (flag, value) = (format!("--{}", name.replace('_', "-")), value.trim_matches('"'));
        let (_, rest) = help.split_once(&flag).expect(&flag);
        let rest = rest.split_whitespace().collect::<Vec<_>>().join(" ");
        let shown = rest.split("[default: ").nth(1).and_then(|rest| rest.split(']').next());
        assert!(shown == Some(value) || value == "false", "{line}: {shown:?}");
    }
}

#[tokio::test]
async fn printed_examples_are_valid() {
    let (_, page, _) = run(&["config"]).await;
    let home = tempfile::tempdir().expect("a directory");
    let secret = home.path().join("secret");
    fs::write(&secret, "whsec_YWJj").expect("a file");
    let secret = secret.to_str().expect("text");
    let is_example =
        |line: &str| line.starts_with("# [") || line.split_once(" = ").is_some_and(|(name, _)| is_key(name));
    let mut text = String::new();
    for line in page.lines() {
        let line = if is_example(line) { line.trim_start_matches("# ") } else { line };
        // One handler of several, one place of two, and no certificate and no password: there is none to read.
        if !["exec = \"./handle.sh\"", "data = ", "tls_", "postgres_password_file"]
            .iter()
            .any(|left_out| line.starts_with(left_out))
        {
            text += &format!("{line}\n");
        }
    }
    for path in ["submit", "work", "operate", "signing", "github", "nats"] {
        text = text.replace(&format!("/run/secrets/{path}"), secret);
    }
    let path = home.path().join("f.toml");
    fs::write(&path, text).expect("a file");
    let check = program(&["check", path.to_str().expect("text")])
        .env("READ_TOKEN", "r")
        .env("BILLING_AUTHORIZATION", "b")
        .output()
        .await;
    let check = check.expect("it runs");
    let (out, err) = (String::from_utf8_lossy(&check.stdout), String::from_utf8_lossy(&check.stderr));
    assert_eq!((check.status.code(), &*err), (Some(0), ""), "{out}");
}

fn is_key(name: &str) -> bool {
    name.strip_prefix("# ").is_some_and(|name| name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'))
}

#[tokio::test]
async fn unknown_keys_are_refused_with_line_and_column() {
    let stderr = refusal("max_pending = 10\n max_pendin = 10\nmax-attempts = 3\n[[source]]\n").await;
    let lines: Vec<_> = stderr.lines().collect();
    // A file that is not understood as a whole is not compared with the flags.
    assert_eq!(
        lines,
        [
            "error: FILE:4:3: unknown table \"source\": the tables are [sources], [access], [signing], [targets], [routes], \
             [schedules]"
        ]
    );
    let stderr = refusal("max_pending = 10\n max_pendin = 10\nmax-attempts = 3\n").await;
    let lines: Vec<_> = stderr.lines().collect();
    assert_eq!(lines[0], "error: FILE:2:2: unknown key \"max_pendin\": `eventful config` prints all that there are");
    assert_eq!(lines[1], "FILE:3:1: unknown key \"max-attempts\": write max_attempts");
}

#[tokio::test]
async fn values_are_refused_with_line_and_column() {
    for (text, wanted) in [
        ("max_pending = \"many\"", "FILE:1:15: max_pending: invalid digit found in string"),
        ("\nbackoff = 5", "FILE:2:11: backoff: \"5\" is no duration: write a number with a unit, such as 500ms"),
        ("log = \"loud\"", "FILE:1:7: log: \"loud\" is no level: write off"),
        ("failed_overflow = \"x\"", "FILE:1:19: failed_overflow: [possible values: refuse, drop-oldest]"),
        ("allow_anyone = \"yes\"", "FILE:1:16: allow_anyone: write true or false, without quotes"),
        ("max_pending = [1, 2]", "FILE:1:15: max_pending: it has one value: write no list"),
        ("deliver = \"http://user:hunter2@host/\"", "FILE:1:11: deliver: a user and a password in the URL"),
        ("read_token_file = \"x\"", "FILE:1:1: read_token_file is a flag only: write [access] and read = [{ file"),
        ("config = \"x\"", "FILE:1:1: config is a flag only"),
        (
            "[sources.a]\npreset = \"gitlab\"",
            "FILE:2:10: unknown variant `gitlab`, expected one of `standard-webhooks`",
        ),
        ("[access]\nread = [\"token\"]", "FILE:2:9: "),
        ("deliver = \"http://h/\"\nexec = \"true\"", "FILE: deliver and exec cannot be used together"),
        ("pull = true\nexec = \"true\"", "FILE: exec and pull cannot be used together"),
        (
            "pull = true\n[targets.a]\nexec = \"true\"",
            "pull gives every event to workers, and there are targets or routes",
        ),
        ("max_event_bytes = 2000\nmax_bytes = 1000", "max_bytes is less than max_event_bytes"),
        ("[sources.a]\nid = \"json:/id\"", "source a: verify is missing"),
        ("[access]\nread = [{ file = \"/nonexistent/token\" }]", "/nonexistent/token cannot be read"),
        ("[access]\nread = [{ env = \"EVENTFUL_TEST_UNSET\" }]", "the variable EVENTFUL_TEST_UNSET is not set"),
    ] {
        let stderr = refusal(text).await;
        assert!(stderr.contains(wanted) && !stderr.contains("hunter2"), "{text}: {stderr}");
    }
    let (code, _, stderr) = run(&["serve", "--config", "/nonexistent.toml"]).await;
    assert!(code == 2 && stderr.contains("/nonexistent.toml cannot be read"), "{stderr}");
}

#[tokio::test]
async fn flag_beats_variable_and_variable_beats_file() {
    let (_home, path) = file("max_records = 500000\nretention = \"2h\"\nmax_pending = 50000\nexec = \"exit 1\"\n");
    let start = async |args: &[&str], variables: &[(&str, &str)]| {
        let args = [&["serve", "--listen", "127.0.0.1:0", "--config", &path][..], args].concat();
        let mut command = program(&args);
        command.envs(variables.iter().copied()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut server = ServerChild::of(command.spawn().expect("it starts")).await;
        (server.says("handler").await, server.says("limits").await)
    };
    let (handler, limits) = start(&[], &[]).await;
    assert!(handler.contains("`exit …`") && limits.contains("500,000 events for 2h"), "{handler} {limits}");
    let (handler, limits) =
        start(&[], &[("EVENTFUL_RETENTION", "3h"), ("EVENTFUL_DELIVER", "http://127.0.0.1:1/")]).await;
    assert!(handler.contains("http://127.0.0.1:1/") && limits.contains("500,000 events for 3h"), "{handler} {limits}");
    let (handler, limits) = start(
        &["--retention", "4h", "--exec", "true"],
        &[("EVENTFUL_RETENTION", "3h"), ("EVENTFUL_MAX_RECORDS", "400000")],
    )
    .await;
    assert!(handler.contains("`true`") && limits.contains("400,000 events for 4h"), "{handler} {limits}");
}

#[tokio::test]
async fn file_that_a_variable_names_is_read() {
    let (_home, path) = file("max_records = 500000\n");
    let mut command = program(&["serve", "--listen", "127.0.0.1:0"]);
    command.env("EVENTFUL_CONFIG", &path).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut server = ServerChild::of(command.spawn().expect("it starts")).await;
    assert!(server.says("limits").await.contains("500,000 events"));
}

#[tokio::test]
async fn log_has_levels_for_parts_and_is_json_on_demand() {
    let (_home, path) =
        file("log = \"off,eventful::routing=info,eventful::runtime::span=info\"\nlog_format = \"json\"\n");
    let mut command = program(&["serve", "--listen", "127.0.0.1:0", "--config", &path]);
    command.env("EVENTFUL_LOG", "").stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut server = ServerChild::of(command.spawn().expect("it starts")).await;
    server.submit("order-17", "/v1/events?type=t", "x").await;
    let line: serde_json::Value = serde_json::from_str(&server.logs("an event").await).expect("JSON");
    assert_eq!(
        (&line["level"], &line["fields"]["type"], &line["fields"]["bytes"]),
        (&"INFO".into(), &"t".into(), &1.into())
    );
    assert!(line["span"].to_string().contains("order-17") && line["timestamp"].is_string(), "{line}");
}

#[tokio::test]
async fn source_and_tokens_of_a_file_are_used() {
    let home = tempfile::tempdir().expect("a directory");
    fs::write(home.path().join("hub"), "It's a Secret to Everybody\n").expect("a file");
    fs::write(home.path().join("read"), "r-token\n").expect("a file");
    let (path, hub, read) = (home.path().join("f.toml"), home.path().join("hub"), home.path().join("read"));
    let text = format!(
        "[access]\nread = [{{ file = {read:?} }}]\n[sources.hub]\npreset = \"github\"\nsecrets = [{{ file = {hub:?} }}]\n"
    );
    fs::write(&path, text).expect("a file");
    let server = ServerChild::start(&["--config", path.to_str().expect("text")]).await;
    // The vector of the sender's documentation.
    let signature = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
    let headers =
        format!("x-github-delivery: d-1\r\nx-github-event: push\r\nx-hub-signature-256: sha256={signature}\r\n");
    let answer = server.send("POST", "/in/hub", &headers, "Hello, World!").await;
    assert!(answer.starts_with("HTTP/1.1 202 "), "{answer}");
    let answer = server.send("POST", "/in/hub", &headers.replace("757", "857"), "Hello, World!").await;
    assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
    assert!(server.send("GET", "/v1/events/d-1?source=hub", "", "").await.starts_with("HTTP/1.1 401 "));
    let shown = server.send("GET", "/v1/events/d-1?source=hub", "authorization: Bearer r-token\r\n", "").await;
    assert!(shown.starts_with("HTTP/1.1 200 "), "{shown}");
}

#[tokio::test]
async fn check_finds_what_contradicts_itself() {
    let home = tempfile::tempdir().expect("a directory");
    let secret = home.path().join("s");
    fs::write(&secret, "x").expect("a file");
    let source = format!("[sources.shop]\npreset = \"stripe\"\nsecrets = [{{ file = {secret:?} }}]\n");
    let (_home, path) = file(&format!("drain_timeout = \"5s\"\n{source}"));
    let (code, output, stderr) = run(&["check", &path]).await;
    assert!(code == 1 && output.starts_with("memory     "), "{output}");
    let lines: Vec<_> = stderr.lines().map(|line| line.strip_prefix(&format!("{path}: ")).expect(&path)).collect();
    assert_eq!(lines.len(), 2, "{stderr}");
    assert!(lines[0].starts_with("retention is 1h, and source shop may send an event again for 3d"), "{stderr}");
    assert!(lines[1].starts_with("drain_timeout is 5s, and an attempt may take 30s"), "{stderr}");
    // A server says so, too, and starts.
    let mut command = program(&["serve", "--listen", "127.0.0.1:0", "--config", &path]);
    command.env("EVENTFUL_LOG", "warn").stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut server = ServerChild::of(command.spawn().expect("it starts")).await;
    server.logs("retention is 1h, and source shop").await;

    let (_home, path) = file(&format!("data = \"/tmp/never-made\"\n{source}"));
    let (code, output, stderr) = run(&["check", &path]).await;
    assert_eq!((code, stderr.as_str(), output.ends_with("sound\n")), (0, "", true));
    let (_home, path) = file("max_pendin = 1\n");
    let (code, _, stderr) = run(&["check", &path]).await;
    assert!(code == 2 && stderr.contains(":1:1: unknown key"), "{stderr}");
}

#[tokio::test]
async fn secret_for_deliveries_without_deliveries_is_refused() {
    let (_home, secret) = file("whsec_YWJj");
    let (code, _, stderr) = run(&["serve", "--listen", "127.0.0.1:0", "--deliver-secret-file", &secret]).await;
    assert!(code == 2 && stderr.contains("--deliver"), "{stderr}");
}
