//! Mistakes on the command line.

use std::process::{Output, Stdio};

use crate::process::{ServerChild, program, run};

#[tokio::test]
async fn a_mistake_says_what_to_do_and_exits_with_2() {
    for (args, hint) in [
        (&["serve", "--deliver", "nonsense"][..], "http://127.0.0.1:9000/hook"),
        (&["serve", "--deliver", "ftp://host/"], "http://127.0.0.1:9000/hook"),
        (&["serve", "--deliver", "http://user:word@host/"], "leave them out"),
        (&["serve", "--deliver", "http://127.0.0.1:80800/x"], "the port 80800 is not in 1..=65535"),
        (&["serve", "--deliver", "http://127.0.0.1:65536"], "the port 65536 is not in 1..=65535"),
        (&["serve", "--deliver", "http://host:/"], "the port after the colon is missing"),
        (&["serve", "--deliver", "http://host/#x"], "a fragment"),
        (&["serve", "--deliver", ""], "not an absolute URL"),
        (&["serve", "--exec", ""], "the command is empty"),
        (&["serve", "--exec", " "], "the command is empty"),
        (&["serve", "--data", ""], "a value is required"),
        (&["serve", "--listen", ""], "such as 127.0.0.1:8080"),
        (&["serve", "--log", ""], "is no level"),
        (&["serve", "--log", "loud"], "write off, error, warn"),
        (&["send", "-", "--to", ""], "not an absolute URL"),
        (&["send", "-", "--to", "http://127.0.0.1:80800"], "the port 80800 is not in 1..=65535"),
        (&["send", "-", "--to", "http://user:word@host"], "leave them out"),
        (&["send", "-", "--to", "http://host/?x=1"], "a query would not be sent"),
        (&["serve", "--drain-timeout", "5"], "such as 500ms"),
        (&["serve", "--concurrency", "0"], "--concurrency"),
        (&["serve", "--max-attempts", "0"], "at least 1"),
        (&["serve", "--snapshot-after", "0"], "write a whole number from 1"),
        (&["serve", "--deliver", "http://h/", "--exec", "true"], "cannot be used with"),
        (&["serve", "--listen", "localhost:8080"], "such as 127.0.0.1:8080"),
        (&["serve", "--max-event-bytes", "2000", "--max-bytes", "1000"], "raise max_bytes"),
        (&["serve", "--body-timeout", "0s"], "write a longer time"),
        (&["serve", "--allow-host", "events.example:80"], "without a port"),
        (&["serve", "--unmatched", "wait"], "add one to types"),
        (&["serve", "--unmatched", "fail"], "add one with --type"),
        (&["serve", "--unmatched", "run"], "default, wait, fail"),
        (&["dance"], "unrecognized subcommand"),
    ] {
        let (code, _, stderr) = run(args).await;
        assert_eq!(code, 2, "{args:?}: {stderr}");
        assert!(stderr.contains(hint), "{args:?}: {stderr}");
    }
}

#[tokio::test]
async fn next_times_of_each_schedule_are_shown() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("schedules.toml");
    let file = path.to_str().expect("a path in UTF-8");
    let tables =
        "[schedules.nightly]\ncron = \"30 2 * * *\"\nzone = \"Europe/Berlin\"\n[schedules.b]\ncron = \"@hourly\"\n";
    std::fs::write(&path, tables).expect("it is written");
    let (code, stdout, stderr) = run(&["schedules", file]).await;
    let lines: Vec<_> = stdout.lines().collect();
    assert_eq!(
        (code, lines.len(), lines[0], lines[11]),
        (0, 22, "b: @hourly in UTC", "nightly: 30 2 * * * in Europe/Berlin"),
        "{stderr}"
    );
    assert!(lines[1..11].iter().all(|line| line.ends_with(":00:00+00:00")), "{stdout}");
    assert!(lines[12..].iter().all(|line| line.contains("T02:30:00+") || line.contains("T03:30:00+02:00")), "{stdout}");
    let (code, stdout, _) = run(&["schedules", file, "--json"]).await;
    assert!(code == 0 && stdout.starts_with("{\"cron\":\"@hourly\",\"name\":\"b\","), "{stdout}");
    std::fs::write(&path, "[schedules.a]\ncron = \"* * *\"\n").expect("it is written");
    for args in [&["schedules", file][..], &["serve", "--schedules", file]] {
        let (code, _, stderr) = run(args).await;
        assert!(code == 2 && stderr.contains("schedules.a: a cron expression has 5 fields"), "{args:?}: {stderr}");
    }
    std::fs::write(&path, "concurrency = 3\n").expect("it is written");
    let (code, _, stderr) = run(&["serve", "--schedules", file]).await;
    assert!(code == 2 && stderr.contains("concurrency is no schedule"), "{stderr}");
}

#[tokio::test]
async fn a_port_in_use_is_named() {
    let server = ServerChild::start(&[]).await;
    let (code, _, stderr) = run(&["serve", "--listen", &server.address]).await;
    assert_eq!(code, 1);
    assert!(stderr.contains(&server.address) && stderr.contains("--listen"), "{stderr}");
}

#[tokio::test]
async fn a_directory_that_cannot_be_used_is_named_once() {
    let (code, _, stderr) = run(&["serve", "--listen", "127.0.0.1:0", "--data", "/dev/null"]).await;
    assert_eq!((code, stderr.as_str()), (1, "error: the journal was not opened: /dev/null: it is not a directory\n"));
}

#[tokio::test]
async fn every_flag_is_a_variable_too() {
    for (call, wanted) in [("serve", &SERVE_FLAGS[..]), ("send", &["to"])] {
        let (code, help, _) = run(&[call, "--help"]).await;
        assert_eq!(code, 0);
        let flags = help.lines().filter_map(|line| line.trim_start().strip_prefix("--")?.split(' ').next());
        let flags: Vec<_> = flags.collect();
        let variables = variables(call).await;
        for flag in &flags {
            let variable = format!("EVENTFUL_{}", flag.to_uppercase().replace('-', "_"));
            // One that may be repeated can have the plural, as handlers get a variable `EVENTFUL_TYPE`, too.
            let plural = format!("{variable}S");
            assert!(variables.contains(&variable) || variables.contains(&plural), "{call} --{flag}");
        }
        assert!(wanted.iter().all(|flag| flags.contains(flag)), "{flags:?}");
    }
}

const SERVE_FLAGS: [&str; 7] =
    ["listen", "deliver", "exec", "concurrency", "channel-capacity", "max-attempts", "drain-timeout"];

#[tokio::test]
async fn a_variable_counts_like_its_flag() {
    let output = program(&["serve"]).env("EVENTFUL_DRAIN_TIMEOUT", "soon").output().await.expect("it runs");
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("soon"));
}

#[tokio::test]
async fn empty_variable_counts_as_absent() {
    let variables = [variables("serve").await, variables("send").await].concat();
    assert!(variables.len() > 10 && variables.contains(&"EVENTFUL_LOG".to_owned()), "{variables:?}");
    let empty = |variable| (variable, "");
    let mut command = program(&["serve", "--listen", "127.0.0.1:0"]);
    command.envs(variables.iter().map(empty)).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut server = ServerChild::of(command.spawn().expect("it starts")).await;

    server.submit("a", "/v1/events", "x").await;

    server.says("logs each event").await;
    assert!(server.logs("an event").await.contains("INFO"));
}

#[tokio::test]
async fn flag_of_a_handler_beats_the_variable_of_the_other() {
    for (flag, value, variable, words) in [
        ("--exec", "exit 0", "EVENTFUL_DELIVER", "runs `exit …` on each event"),
        ("--deliver", "http://127.0.0.1:1/", "EVENTFUL_EXEC", "posts each event to http://127.0.0.1:1/"),
        ("--exec", "exit 0", "EVENTFUL_EXEC", "runs `exit …` on each event"),
    ] {
        // A value that would be refused.
        for other in ["nonsense", " "] {
            let mut command = program(&["serve", "--listen", "127.0.0.1:0", flag, value]);
            command.env(variable, other).stdout(Stdio::piped()).stderr(Stdio::piped());
            let mut server = ServerChild::of(command.spawn().expect("it starts")).await;
            server.says(words).await;
        }
    }
}

#[tokio::test]
async fn policies_of_types_that_do_not_fit_are_refused() {
    for (flags, words) in [
        (&["--type", "order.*"][..], "names no policy"),
        (&["--type", "order.*:concurrency=0"], "concurrency is zero"),
        (&["--type", "a*:attempts=1", "--type", "ab:attempts=2"], "overlaps with that of `a*`"),
        (&["--type", "a*:attempts=1;ab:attempts=2"], "overlaps with that of `a*`"),
    ] {
        let output = program(&["serve"]).args(flags).output().await.expect("it runs");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(2) && said.contains(words), "{said}");
    }
}

#[tokio::test]
async fn variables_of_two_handlers_are_refused() {
    let mut command = program(&["serve"]);
    let output = command.env("EVENTFUL_DELIVER", "http://h/").env("EVENTFUL_EXEC", "true").output().await;
    let output = output.expect("it runs");
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("cannot be used with"));
}

#[tokio::test]
async fn neither_help_nor_refusal_shows_a_secret() {
    for call in ["serve", "send"] {
        let variables = variables(call).await;
        let secret = |variable| (variable, "http://user:hunter2@host/?hunter2");
        for args in [&[call, "--help"][..], &[call, "-"]] {
            let mut command = program(args);
            let output = command.envs(variables.iter().map(secret)).env("EVENTFUL_LOG", "off").output().await;
            let Output { stdout, stderr, .. } = output.expect("it runs");
            let text = String::from_utf8([stdout, stderr].concat()).expect("text");
            assert!(!text.contains("hunter2"), "{args:?}: {text}");
        }
    }
    for url in ["http://user:hunter2@host/", "http://host:99999/?hunter2", "hunter2", "http://host/#hunter2"] {
        for args in [&["serve", "--deliver", url][..], &["send", "-", "--to", url]] {
            let (code, _, stderr) = run(args).await;
            assert!(code == 2 && !stderr.contains("hunter2"), "{stderr}");
        }
    }
}

/// Returns the variables that a call knows, by its help.
async fn variables(call: &str) -> Vec<String> {
    let (_, help, _) = run(&[call, "--help"]).await;
    let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
    let names = help.split("[env: ").skip(1).filter_map(|text| text.split(']').next());
    names.map(ToOwned::to_owned).collect()
}

#[tokio::test]
async fn host_is_served_when_it_is_allowed() {
    let server = ServerChild::start(&["--allow-host", "events.example,inbox.internal"]).await;
    for (host, status) in [
        ("events.example", 200),
        ("INBOX.internal.:9", 200),
        (&server.address, 200),
        ("localhost", 200),
        ("evil.example", 421),
    ] {
        let request = format!("GET /livez HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
        let answer = server.call(&request).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{host}: {answer}");
        assert!(status == 200 || answer.contains("--allow-host"), "{answer}");
    }
}

#[tokio::test]
async fn times_of_clients_are_flags() {
    let server = ServerChild::start(&["--keep-alive", "50ms", "--body-timeout", "50ms"]).await;
    let stalled = "POST /v1/events HTTP/1.1\r\nhost: localhost\r\nidempotency-key: a\r\ncontent-length: 2\r\n\r\nx";
    assert!(server.call(stalled).await.starts_with("HTTP/1.1 408 "));
    // It ends without the client's doing.
    assert!(server.call("GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n").await.starts_with("HTTP/1.1 200 "));
}
