//! Mistakes on the command line.

use crate::process::{Server, program, run};

#[tokio::test]
async fn a_mistake_says_what_to_do_and_exits_with_2() {
    for (args, hint) in [
        (&["serve", "--deliver", "nonsense"][..], "http://127.0.0.1:9000/hook"),
        (&["serve", "--deliver", "ftp://host/"], "http://127.0.0.1:9000/hook"),
        (&["serve", "--deliver", "http://user:word@host/"], "leave them out"),
        (&["serve", "--drain-timeout", "5"], "such as 500ms"),
        (&["serve", "--concurrency", "0"], "--concurrency"),
        (&["serve", "--max-attempts", "0"], "at least 1"),
        (&["serve", "--snapshot-after", "0"], "write a whole number from 1"),
        (&["serve", "--deliver", "http://h/", "--exec", "true"], "cannot be used with"),
        (&["serve", "--listen", "localhost:8080"], "such as 127.0.0.1:8080"),
        (&["serve", "--max-event-bytes", "2000", "--max-bytes", "1000"], "raise max_bytes"),
        (&["dance"], "unrecognized subcommand"),
    ] {
        let (code, _, stderr) = run(args).await;
        assert_eq!(code, 2, "{args:?}: {stderr}");
        assert!(stderr.contains(hint), "{args:?}: {stderr}");
    }
}

#[tokio::test]
async fn a_port_in_use_is_named() {
    let server = Server::start(&[]).await;
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
        for flag in &flags {
            let variable = format!("EVENTFUL_{}=", flag.to_uppercase().replace('-', "_"));
            assert!(help.contains(&variable), "{call} --{flag}");
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
