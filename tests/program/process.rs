//! A running program, and the requests to it.

use std::ops::Deref;
use std::process::{Output, Stdio};

use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::net::TcpStream;
use tokio::process::{Child, ChildStderr, ChildStdout, Command};

/// Returns the program with these arguments, and nothing in its environment that changes it.
pub(crate) fn program(args: &[&str]) -> Command {
    let mut command = Command::new("env");
    // A process under `nohup` ignores SIGHUP, and so would the program that it starts.
    command.arg("--default-signal=HUP").arg(env!("CARGO_BIN_EXE_eventful"));
    command.args(args).env("EVENTFUL_LOG", "off").stdin(Stdio::null()).kill_on_drop(true);
    command
}

/// Runs the program to its end.
pub(crate) async fn run(args: &[&str]) -> (i32, String, String) {
    let Output { status, stdout, stderr } = program(args).output().await.expect("it runs");
    let text = |bytes| String::from_utf8(bytes).expect("text");
    (status.code().expect("a code"), text(stdout), text(stderr))
}

/// The arguments with which every server in a test is started.
const SERVE: [&str; 7] = ["serve", "--listen", "127.0.0.1:0", "--backoff", "1ms", "--backoff-cap", "2ms"];

/// Begins to start `eventful serve` on a free port.
pub(crate) fn spawn(args: &[&str]) -> Child {
    begin(program(&SERVE).args(args))
}

/// The same in a shell that has run this command before, such as `ulimit`.
pub(crate) fn spawn_under(setting: &str, args: &[&str]) -> Child {
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!(r#"{setting}; exec "$0" "$@""#), env!("CARGO_BIN_EXE_eventful")]);
    begin(shell.args(SERVE).args(args).env("EVENTFUL_LOG", "off").stdin(Stdio::null()).kill_on_drop(true))
}

/// The same with its output and its log going there.
pub(crate) fn spawn_with(args: &[&str], output: impl Into<Stdio>, log: impl Into<Stdio>) -> Child {
    program(&SERVE).args(args).stdout(output).stderr(log).spawn().expect("it starts")
}

fn begin(command: &mut Command) -> Child {
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts")
}

/// `eventful serve` on a free port.
pub(crate) struct ServerChild {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    log: Option<Lines<BufReader<ChildStderr>>>,
    api: Api,
}

/// The API of a server at its address.
pub(crate) struct Api {
    pub(crate) address: String,
}

impl Deref for ServerChild {
    type Target = Api;

    fn deref(&self) -> &Api {
        &self.api
    }
}

impl ServerChild {
    pub(crate) async fn start(args: &[&str]) -> Self {
        Self::of(spawn(args)).await
    }

    /// Returns the server that was spawned, once it serves in TLS.
    #[cfg(feature = "tls")]
    pub(crate) async fn of_tls(child: Child) -> Self {
        Self::listening(child, "https://").await
    }

    /// Returns the server that was spawned, once it serves.
    pub(crate) async fn of(child: Child) -> Self {
        Self::listening(child, "http://").await
    }

    async fn listening(mut child: Child, scheme: &str) -> Self {
        let log = child.stderr.take().map(|log| BufReader::new(log).lines());
        let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines();
        let first = lines.next_line().await.expect("output").expect("a line");
        let api = Api { address: first.split_once(scheme).expect("an address").1.trim_end().to_owned() };
        Self { child, lines, log, api }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id().expect("it runs")
    }

    pub(crate) fn open_files(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.id())).expect("its descriptors").count()
    }

    pub(crate) fn signal(&self, name: &str) {
        signal(self.id(), name);
    }

    /// Kills it with `kill -9`.
    pub(crate) async fn kill(mut self) {
        self.child.kill().await.expect("it is killed");
    }

    /// Returns the next line of its output that holds this text.
    pub(crate) async fn says(&mut self, text: &str) -> String {
        while let Some(line) = self.lines.next_line().await.expect("output") {
            if line.contains(text) {
                return line;
            }
        }
        panic!("it does not say {text:?}");
    }

    /// Returns the next line of its log that holds this text.
    pub(crate) async fn logs(&mut self, text: &str) -> String {
        while let Some(line) = self.log.as_mut().expect("its log").next_line().await.expect("a log") {
            if line.contains(text) {
                return line;
            }
        }
        panic!("it does not log {text:?}");
    }

    /// Returns its log to the end.
    pub(crate) async fn whole_log(mut self) -> String {
        let mut log = String::new();
        while let Some(line) = self.log.as_mut().expect("its log").next_line().await.expect("a log") {
            log += &line;
        }
        log
    }

    /// Returns the rest of its output and of its log.
    pub(crate) async fn rest(self) -> (String, String) {
        let (mut output, mut log) = (self.lines.into_inner(), self.log.expect("its log").into_inner());
        let mut texts = (String::new(), String::new());
        let (read, logged) = tokio::join!(output.read_to_string(&mut texts.0), log.read_to_string(&mut texts.1));
        assert!(read.is_ok() && logged.is_ok(), "text");
        texts
    }

    pub(crate) async fn exit_code(mut self) -> i32 {
        while self.lines.next_line().await.expect("output").is_some() {}
        self.child.wait().await.expect("it ends").code().expect("a code")
    }
}

impl Api {
    /// Returns the API of the server whose first line this is.
    pub(crate) fn introduced(line: &str) -> Self {
        let (_, address) = line.trim_end().split_once("http://").expect("an address");
        Self { address: address.to_owned() }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) async fn call(&self, request: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).await.expect("a connection");
        stream.write_all(request.as_bytes()).await.expect("it is taken");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("an answer");
        answer
    }

    /// Returns the body of a response.
    pub(crate) async fn get(&self, target: &str) -> Value {
        let answer = self.call(&format!("GET {target} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")).await;
        let (_, body) = answer.split_once("\r\n\r\n").expect("a head");
        serde_json::from_str(body).expect("JSON")
    }

    /// Returns a response as it was sent.
    pub(crate) async fn send(&self, method: &str, target: &str, headers: &str, body: &str) -> String {
        let head = format!("{method} {target} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{headers}");
        self.call(&format!("{head}content-length: {}\r\n\r\n{body}", body.len())).await
    }

    /// Repeats a call until the response has this status, and this text in it; gives up after many tries.
    pub(crate) async fn until_answer(&self, target: &str, status: u16, text: &str) {
        let mut answer = String::new();
        for _ in 0..10_000 {
            answer = self.send("GET", target, "", "").await;
            if answer.starts_with(&format!("HTTP/1.1 {status}")) && answer.contains(text) {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        panic!("{target} never says {status} and {text:?}: {answer}");
    }

    pub(crate) async fn submit(&self, id: &str, target: &str, payload: &str) {
        self.submit_with(id, target, "", payload).await;
    }

    /// The same with these lines in its head.
    pub(crate) async fn submit_with(&self, id: &str, target: &str, lines: &str, payload: &str) {
        let answer = self.post(id, target, lines, payload).await;
        assert!(answer.starts_with("HTTP/1.1 202"), "{answer}");
    }

    /// Submits events with this payload until one is refused, and returns the response to that.
    pub(crate) async fn fill(&self, payload: &str) -> String {
        for n in 0..10_000 {
            let answer = self.post(&format!("fill-{n}"), "/v1/events", "", payload).await;
            if !answer.starts_with("HTTP/1.1 202") {
                return answer;
            }
        }
        panic!("there is room for everything");
    }

    async fn post(&self, id: &str, target: &str, lines: &str, payload: &str) -> String {
        let head = format!(
            "POST {target} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\nidempotency-key: {id}\r\n{lines}"
        );
        self.call(&format!("{head}content-length: {}\r\n\r\n{payload}", payload.len())).await
    }

    /// Polls until the event has this status; gives up after many tries.
    pub(crate) async fn until(&self, target: &str, status: &str) -> Value {
        let mut record = Value::Null;
        for _ in 0..50_000 {
            record = self.get(target).await;
            if record["status"] == status {
                return record;
            }
        }
        panic!("not {status}: {record}");
    }
}

/// A client that keeps its one connection.
pub(crate) struct KeptClient(BufReader<TcpStream>);

impl KeptClient {
    pub(crate) async fn connect(server: &ServerChild) -> Self {
        Self(BufReader::new(TcpStream::connect(&server.address).await.expect("a connection")))
    }

    /// Returns the body of a response.
    async fn call(&mut self, request: &str) -> Value {
        self.0.write_all(request.as_bytes()).await.expect("it is taken");
        let (mut length, mut line) = (0, String::new());
        while !line.ends_with("\r\n\r\n") {
            let start = line.len();
            assert!(self.0.read_line(&mut line).await.expect("a head") > 0, "it is cut off: {line}");
            let given = line[start..].to_ascii_lowercase();
            length =
                given.strip_prefix("content-length: ").map_or(length, |given| given.trim().parse().expect("a length"));
        }
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).await.expect("a body");
        serde_json::from_slice(&body).expect("JSON")
    }

    pub(crate) async fn submit(&mut self, id: &str, payload: &str) {
        let head = format!("POST /v1/events HTTP/1.1\r\nhost: localhost\r\nidempotency-key: {id}\r\n");
        let taken = self.call(&format!("{head}content-length: {}\r\n\r\n{payload}", payload.len())).await;
        assert_eq!(taken["outcome"], "accepted");
    }

    /// Polls until the event has this status; gives up after many tries.
    pub(crate) async fn until(&mut self, target: &str, status: &str) -> Value {
        let mut record = Value::Null;
        for _ in 0..500_000 {
            record = self.call(&format!("GET {target} HTTP/1.1\r\nhost: localhost\r\n\r\n")).await;
            if record["status"] == status {
                return record;
            }
        }
        panic!("not {status}: {record}");
    }
}

/// Sends a signal to a process.
pub(crate) fn signal(process: u32, name: &str) {
    let status = std::process::Command::new("kill").args(["-s", name, &process.to_string()]).status();
    assert!(status.expect("it is sent").success());
}
