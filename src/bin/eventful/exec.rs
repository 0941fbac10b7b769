//! The handler that runs a command on each event.

use std::process::{ExitStatus, Stdio};

use eventful::{Attempt, Event, Failure};
use tokio::io::AsyncWriteExt as _;
use tokio::process::{Child, Command};

/// Runs one shell command per event: the payload on standard input, the rest in the environment.
///
/// Exit 0 is success; 75 (`EX_TEMPFAIL` of sysexits.h) or a signal is tried again; anything else is
/// permanent.
#[derive(Debug)]
pub(crate) struct Exec {
    command: String,
}

/// The exit code that asks for another attempt.
const TEMPORARY_FAILURE: i32 = 75;

impl Exec {
    pub(crate) fn new(command: &str) -> Self {
        Self { command: command.to_owned() }
    }

    pub(crate) fn command(&self) -> &str {
        &self.command
    }

    /// Dropping the future kills the command.
    pub(crate) async fn run(&self, event: &Event, attempt: &Attempt) -> Result<(), Failure> {
        let child = self.start(event, attempt);
        let mut child = child.map_err(|error| Failure::retry(format_args!("the command did not start: {error}")))?;
        let ended = feed(&mut child, event.payload()).await;
        judge(ended.map_err(|error| Failure::retry(format_args!("the command was lost: {error}")))?)
    }

    fn start(&self, event: &Event, attempt: &Attempt) -> std::io::Result<Child> {
        Command::new("sh")
            .args(["-c", &self.command])
            .env("EVENTFUL_ID", &*event.key().id())
            .env("EVENTFUL_SOURCE", event.key().source())
            .env("EVENTFUL_TYPE", event.event_type().unwrap_or_default())
            .env("EVENTFUL_CONTENT_TYPE", event.content_type().unwrap_or_default())
            .env("EVENTFUL_ATTEMPT", attempt.number().to_string())
            .stdin(Stdio::piped())
            // Ctrl-C is for the server, which lets commands end.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
    }
}

/// Waits for the end of the command. It may read as much of the payload as it likes.
async fn feed(child: &mut Child, payload: &[u8]) -> std::io::Result<ExitStatus> {
    let stdin = child.stdin.take();
    let write = async {
        if let Some(mut stdin) = stdin {
            // A command that does not want the rest closes the pipe.
            let _written = stdin.write_all(payload).await;
        }
    };
    tokio::select! {
        biased;
        ended = child.wait() => return ended,
        () = write => {}
    }
    child.wait().await
}

fn judge(status: ExitStatus) -> Result<(), Failure> {
    let error = format!("the command ended with {status}");
    match status.code() {
        Some(0) => Ok(()),
        Some(TEMPORARY_FAILURE) | None => Err(Failure::retry(error)),
        Some(_) => Err(Failure::permanent(error)),
    }
}
