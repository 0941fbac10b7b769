//! Targets and routes.

use std::fs;

use tempfile::TempDir;

use crate::process::{ServerChild, run};
use crate::sink::Sink;

/// A server with this configuration.
async fn serve(text: &str) -> (TempDir, ServerChild) {
    serve_with(text, &[]).await
}

async fn serve_with(text: &str, args: &[&str]) -> (TempDir, ServerChild) {
    let home = tempfile::tempdir().expect("a directory");
    let path = home.path().join("f.toml");
    fs::write(&path, text).expect("a file");
    let args = [&["--config", path.to_str().expect("text")][..], args].concat();
    let server = ServerChild::start(&args).await;
    (home, server)
}

async fn refusal(text: &str) -> String {
    let home = tempfile::tempdir().expect("a directory");
    let path = home.path().join("f.toml");
    fs::write(&path, text).expect("a file");
    let (code, _, stderr) = run(&["serve", "--listen", "127.0.0.1:0", "--config", path.to_str().expect("text")]).await;
    assert_eq!(code, 2, "{stderr}");
    stderr
}

#[tokio::test]
async fn first_route_that_fits_decides() {
    let (orders, rest, default) = (Sink::start(&[]).await, Sink::start(&[]).await, Sink::start(&[]).await);
    let (_home, server) = serve(&format!(
        "deliver = {:?}\n[targets.orders]\nurl = {:?}\nheaders = {{ x-team = \"blue\", user-agent = \"ours\" }}\n\
         [targets.rest]\nurl = {:?}\n[[routes]]\nsource = \"shop\"\ntype = \"order.*\"\ntarget = \"orders\"\n\
         [[routes]]\nsource = \"shop\"\ntarget = \"rest\"\n",
        default.url, orders.url, rest.url
    ))
    .await;
    for (id, query) in
        [("a", "?source=shop&type=order.paid"), ("b", "?source=shop&type=cart"), ("c", "?type=order.paid")]
    {
        server.submit(id, &format!("/v1/events{query}"), "x").await;
    }
    for (id, query) in [("a", "?source=shop"), ("b", "?source=shop"), ("c", "")] {
        server.until(&format!("/v1/events/{id}{query}"), "completed").await;
    }
    for (sink, id) in [(&orders, "eventful:shop/a"), (&rest, "eventful:shop/b"), (&default, "webhook-id: c\r\n")] {
        let requests = sink.requests();
        assert!(requests.len() == 1 && requests[0].contains(id), "{id}: {requests:?}");
    }
    let sent = &orders.requests()[0];
    assert!(sent.contains("x-team: blue\r\n") && sent.contains("user-agent: ours\r\n"), "{sent}");
}

#[tokio::test]
async fn event_that_no_route_fits_fails_and_says_so() {
    let sink = Sink::start(&[]).await;
    let (_home, server) =
        serve(&format!("[targets.a]\nurl = {:?}\n[[routes]]\nsource = \"shop\"\ntarget = \"a\"\n", sink.url)).await;
    server.submit("x", "/v1/events?type=t", "x").await;
    let record = server.until("/v1/events/x", "failed").await;
    assert_eq!(
        record["last_error"],
        "no route fits source \"\" and type \"t\": add one to [[routes]], then redrive the event"
    );
    assert_eq!(sink.count(), 0);
}

#[tokio::test]
async fn target_has_its_own_attempts_timeout_and_secrets() {
    let home = tempfile::tempdir().expect("a directory");
    let secret = home.path().join("secret");
    fs::write(&secret, "whsec_YWJj").expect("a file");
    let sink = Sink::start(&["500 No", "500 No", "500 No"]).await;
    let (_home, server) = serve(&format!(
        "deliver_as = \"cloudevents-structured\"\n[targets.a]\nurl = {:?}\ndeliver_as = \"cloudevents-binary\"\n\
         max_attempts = 2\nbackoff = \"3ms\"\nsecrets = [{{ file = {secret:?} }}]\n\
         [targets.slow]\nexec = \"sleep 100\"\ntimeout = \"10ms\"\nmax_attempts = 1\n\
         [[routes]]\nsource = \"slow\"\ntarget = \"slow\"\n[[routes]]\ntarget = \"a\"\n",
        sink.url
    ))
    .await;
    server.submit("x", "/v1/events", "x").await;
    server.submit("y", "/v1/events?source=slow", "x").await;
    let record = server.until("/v1/events/x", "failed").await;
    assert_eq!((record["attempt"].as_u64(), sink.count()), (Some(2), 2), "{record}");
    for header in ["webhook-signature: v1,", "ce-id: x\r\n"] {
        assert!(sink.requests()[0].contains(header), "{}", sink.requests()[0]);
    }
    let record = server.until("/v1/events/y?source=slow", "failed").await;
    assert_eq!(record["last_error"], "the command did not end within 10.0ms", "{record}");
}

#[tokio::test]
async fn busy_target_makes_its_events_wait_and_no_others() {
    let home = tempfile::tempdir().expect("a directory");
    let go = home.path().join("go");
    let sink = Sink::start(&[]).await;
    let (_home, server) = serve(&format!(
        "concurrency = 3\n[targets.one]\nexec = \"until [ -e {} ]; do sleep .01; done\"\nconcurrency = 1\n\
         [targets.other]\nurl = {:?}\n[[routes]]\nsource = \"one\"\ntarget = \"one\"\n[[routes]]\ntarget = \"other\"\n",
        go.display(),
        sink.url
    ))
    .await;
    for id in ["a", "b", "c", "d", "e"] {
        server.submit(id, "/v1/events?source=one", "x").await;
    }
    // All runs would be taken if those that wait held theirs.
    server.submit("z", "/v1/events", "x").await;
    server.until("/v1/events/z", "completed").await;
    let targets = server.get("/v1/targets").await;
    assert_eq!((&targets["targets"][0]["name"], &targets["targets"][0]["running"]), (&"one".into(), &1.into()));
    fs::write(&go, "").expect("a file");
    for id in ["a", "b", "c", "d", "e"] {
        let record = server.until(&format!("/v1/events/{id}?source=one"), "completed").await;
        assert_eq!(record["status"], "completed", "{record}");
    }
    let stats = server.get("/v1/stats").await;
    assert!(stats["target_waits_total"]["one"].as_u64() >= Some(1), "{stats}");
    assert_eq!(stats["attempts_finished_total"]["retry"], 0, "{stats}");
}

#[tokio::test]
async fn open_circuit_keeps_events_uncharged_until_closed_by_hand() {
    let home = tempfile::tempdir().expect("a directory");
    let go = home.path().join("go");
    let (_home, mut server) = serve_with(
        &format!(
            "[targets.a]\nexec = \"echo down >&2; [ -e {} ] || exit 75\"\nopen_after = \"0s\"\nprobe_every = \"1h\"\n\
             [targets.b]\nexec = \"true\"\n\
             [[routes]]\nsource = \"a\"\ntarget = \"a\"\n[[routes]]\ntarget = \"b\"\n",
            go.display()
        ),
        &["--log", "warn"],
    )
    .await;
    server.submit("1", "/v1/events?source=a", "x").await;
    server.logs("its circuit is open").await;
    server.until_answer("/v1/targets", 200, "\"circuit\":\"open\"").await;
    for id in ["2", "3", "4"] {
        server.submit(id, "/v1/events?source=a", "x").await;
        server
            .until_answer(
                &format!("/v1/events/{id}?source=a"),
                200,
                "the circuit of target a is open: the command ended with exit status: 75",
            )
            .await;
        let record = server.until(&format!("/v1/events/{id}?source=a"), "failed_retry").await;
        assert_eq!(record["charged"], 0, "{record}");
    }
    // Others continue.
    server.submit("z", "/v1/events", "x").await;
    server.until("/v1/events/z", "completed").await;
    server.until_answer("/metrics", 200, "eventful_target_circuit_open{target=\"a\"} 1").await;

    fs::write(&go, "").expect("a file");
    assert!(server.send("POST", "/v1/targets/c/close", "", "").await.starts_with("HTTP/1.1 404 "));
    assert!(server.send("POST", "/v1/targets/a/close", "", "").await.starts_with("HTTP/1.1 204 "));
    server.submit("5", "/v1/events?source=a", "x").await;
    server.until("/v1/events/5?source=a", "completed").await;
    server.until_answer("/metrics", 200, "eventful_target_circuit_open{target=\"a\"} 0").await;
    server.until_answer("/metrics", 200, "eventful_target_circuit_opened_total{target=\"a\"} 1").await;
}

#[tokio::test]
async fn unreachable_target_with_an_open_circuit_charges_no_event() {
    let (_home, server) = serve(
        "max_attempts = 6\n[targets.a]\nurl = \"http://127.0.0.1:1/\"\nopen_after = \"0s\"\nprobe_every = \"1ms\"\n\
         [[routes]]\ntarget = \"a\"\n",
    )
    .await;
    server.submit("1", "/v1/events", "x").await;
    // Many more attempts than it has.
    let mut record = serde_json::Value::Null;
    for _ in 0..50_000 {
        record = server.get("/v1/events/1").await;
        if record["attempt"].as_u64() > Some(30) {
            break;
        }
    }
    assert!(record["attempt"].as_u64() > Some(30) && record["charged"].as_u64() <= Some(6), "{record}");
    assert_ne!(record["status"], "failed", "{record}");
}

#[tokio::test]
async fn event_that_probes_an_open_circuit_is_not_charged() {
    let sink = Sink::start(&["503 No"; 40]).await;
    let (_home, server) = serve(&format!(
        "max_attempts = 6\n[targets.a]\nurl = {:?}\nopen_after = \"0s\"\nprobe_every = \"1ms\"\n[[routes]]\ntarget = \"a\"\n",
        sink.url
    ))
    .await;
    server.submit("1", "/v1/events", "x").await;
    let record = server.until("/v1/events/1", "completed").await;
    assert_eq!((sink.count(), record["attempt"].as_u64() >= Some(41)), (41, true), "{record}");
}

#[tokio::test]
async fn targets_that_are_not_possible_are_refused() {
    for (text, wanted) in [
        ("[targets.a]\nconcurrency = 1", "targets.a: url or exec is missing"),
        ("[targets.a]\nurl = \"http://h/\"\nexec = \"true\"", "targets.a: url and exec are both there"),
        ("[targets.a]\nurl = \"h\"", "targets.a: url: the scheme is missing"),
        ("[targets.a]\nexec = \" \"", "targets.a: exec: the command is empty"),
        ("[targets.a]\nexec = \"true\"\nheaders = { a = \"b\" }", "headers, secrets and deliver_as are for a url"),
        ("[targets.a]\nurl = \"http://h/\"\ntimeout = \"1m\"", "timeout is 1m, and run_timeout is 30s"),
        ("[targets.a]\nurl = \"http://h/\"\nmax_attempts = 11", "max_attempts is 11, and max_attempts of all is 10"),
        ("[targets.a]\nurl = \"http://h/\"\nmax_attempts = 0", "no event would ever be delivered"),
        ("backoff = \"1s\"\n[targets.a]\nurl = \"http://h/\"\nbackoff = \"1ms\"", "shorter than that of all"),
        ("[targets.a]\nurl = \"http://h/\"\nbackoff_cap = \"2h\"", "backoff_cap is 2h, and max_retry_after is 1h"),
        ("[targets.a]\nurl = \"http://h/\"\nbackoff = \"2s\"\nbackoff_cap = \"1s\"", "backoff_cap is shorter"),
        ("[targets.a]\nurl = \"http://h/\"\nprobe_every = \"0s\"", "probe_every is 0"),
        ("[targets.a]\nexec = \"true\"\ndeliver_as = \"webhook\"", "deliver_as are for a url"),
        ("[targets.a]\nurl = \"http://h/\"\ndeliver_as = \"xml\"", "unknown variant `xml`"),
        ("[targets.a]\nurl = \"http://h/\"\nheaders = { webhook-id = \"b\" }", "webhook-id is set by this program"),
        ("[targets.a]\nurl = \"http://h/\"\nheaders = { \"a b\" = \"b\" }", "is no name of a header"),
        ("[targets.a]\nurl = \"http://h/\"\nheaders = { a = \"b\\nc\" }", "characters that no header may have"),
        ("[targets.a]\nurl = \"http://h/\"\nheaders = { a = 1 }", ":3:"),
        ("[targets.a]\nurl = \"http://h/\"\nsecrets = [{ env = \"EVENTFUL_TEST_UNSET\" }]", "EVENTFUL_TEST_UNSET"),
        ("[targets.\"a/b\"]\nurl = \"http://h/\"", "\"a/b\" is no name of a target"),
        ("[targets.default]\nurl = \"http://h/\"", "this is the name of the target of --deliver"),
        ("[[routes]]\ntarget = \"b\"", "routes: route 1: there is no [targets.b]"),
        ("[[routes]]\nsource = \"b\"", "missing field `target`"),
        ("[targets.a]\nurl = \"http://h/\"\n[[routes]]\ntype = \"*.x\"\ntarget = \"a\"", "a * is the end of a pattern"),
        ("[targets.a]\nulr = \"http://h/\"", ":2:1: unknown field `ulr`"),
        ("[targets.a]\nurl = \"http://h/\"\ntimeout = 5", ":3:11: "),
    ] {
        let stderr = refusal(text).await;
        assert!(stderr.contains(wanted), "{text}: {stderr}");
    }
}

#[tokio::test]
async fn check_finds_targets_and_events_without_a_route() {
    let home = tempfile::tempdir().expect("a directory");
    let path = home.path().join("f.toml");
    let text = "[targets.a]\nexec = \"true\"\nconcurrency = 65\n[targets.b]\nexec = \"true\"\n[[routes]]\nsource = \"s\"\ntarget = \"b\"\n";
    fs::write(&path, text).expect("a file");
    let (code, _, stderr) = run(&["check", path.to_str().expect("text")]).await;
    assert_eq!((code, stderr.lines().count()), (1, 3), "{stderr}");
    let (code, stdout, _) = run(&["check", path.to_str().expect("text"), "--json"]).await;
    let found: serde_json::Value = serde_json::from_str(&stdout).expect("JSON");
    assert_eq!((code, found["contradictions"].as_array().map(Vec::len)), (1, Some(3)), "{stdout}");
    assert!(found["memory_bytes"].as_u64() > Some(0), "{stdout}");
    for wanted in ["targets.a is in no route", "there are events that no route fits", "targets.a.concurrency is 65"] {
        assert!(stderr.contains(wanted), "{wanted}: {stderr}");
    }
}
