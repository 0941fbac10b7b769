//! The handler that runs a command on each event.

use std::ops::RangeInclusive;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use eventful::http::webhook;
use eventful::{Attempt, Event, Failure};
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::AsyncWriteExt as _;
use tokio::process::{Child, Command};

use crate::complaints::Complaints;
use crate::excerpt;
use crate::shell::ShellCommand;
use crate::shortage::{Shortage, Shortages};
use crate::terminal;

/// Runs one shell command per event: the payload on standard input, the rest in the environment.
///
/// Exit 0 is success; 75 (`EX_TEMPFAIL` of sysexits.h) or the end by a signal is tried again, also
/// when the shell reports it as 128 and the signal's number; anything else is permanent.
#[derive(Debug)]
pub(crate) struct Exec {
    command: ShellCommand,
    shortages: Shortages,
}

/// The exit code that asks for another attempt.
const TEMPORARY_FAILURE: i32 = 75;
/// The exit codes of a shell whose last command was ended by a signal: 128 and its number.
const KILLED: RangeInclusive<i32> = 129..=192;

/// The longest time for which the end of standard error is waited for, once the command has ended. A process that the
/// command left behind may keep it open for ever.
const LONGEST_GRACE: Duration = Duration::from_secs(1);

/// A command under way, and all processes that it has started: dropping it kills them.
struct ProcessGroup(Child);

impl Drop for ProcessGroup {
    fn drop(&mut self) {
        // Absent once the command has ended: its number may be another process's then.
        let leader = self.0.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        if let Some(leader) = leader {
            // A process that is gone already needs no signal.
            let _killed = kill_process_group(leader, Signal::KILL);
        }
    }
}

impl Exec {
    pub(crate) fn new(command: ShellCommand) -> Self {
        Self { command, shortages: Shortages::new() }
    }

    pub(crate) const fn command(&self) -> &ShellCommand {
        &self.command
    }

    /// Dropping the future kills the command, and what it has started.
    ///
    /// Ends within `time`, and a little before the run's time does: a timeout found here has the end of standard error.
    pub(crate) async fn run(&self, event: &Event, attempt: &Attempt, time: Duration) -> Result<(), Failure> {
        let group = self.start(event, attempt);
        let mut group = group.map_err(|error| self.unstarted(&error, attempt))?;
        let complaints = group.0.stderr.take().map(|stderr| Complaints::follow(stderr, terminal::relay));
        // Twice the grace is left: once for the last bytes of standard error, once for the outcome.
        let grace = (attempt.remaining() / 20).min(LONGEST_GRACE);
        let timeout = time.min(attempt.remaining().saturating_sub(2 * grace));
        let ended = tokio::time::timeout(timeout, feed(&mut group.0, event.payload())).await;
        if matches!(&ended, Ok(Ok(status)) if status.success()) {
            return Ok(());
        }
        // Kills a command that did not end, so that its standard error does.
        drop(group);
        let said = match complaints {
            Some(complaints) => complaints.last(grace).await,
            None => Vec::new(),
        };
        match ended {
            Ok(Ok(status)) => judge(status, &said),
            Ok(Err(error)) => Err(Failure::retry(format_args!("the command was lost: {error}"))),
            Err(_) => {
                let error = format!("the command did not end within {timeout:.1?}");
                Err(Failure::retry(excerpt::with_ending(&error, &said)))
            }
        }
    }

    fn unstarted(&self, error: &std::io::Error, attempt: &Attempt) -> Failure {
        match Shortage::of(error) {
            Some(shortage) => self.shortages.failure(shortage, attempt.number()),
            None => Failure::retry(format_args!("the command did not start: {error}")),
        }
    }

    fn start(&self, event: &Event, attempt: &Attempt) -> std::io::Result<ProcessGroup> {
        let child = Command::new("sh")
            .args(["-c", self.command.as_str()])
            .env("EVENTFUL_ID", &*event.key().id())
            .env("EVENTFUL_SOURCE", event.key().source())
            .env("EVENTFUL_TYPE", event.event_type().unwrap_or_default())
            .env("EVENTFUL_GROUP", event.group().unwrap_or_default())
            .env("EVENTFUL_CONTENT_TYPE", event.content_type().unwrap_or_default())
            .env("EVENTFUL_CONTENT_ENCODING", event.content_encoding().unwrap_or_default())
            .env("EVENTFUL_ATTRIBUTES", attributes(event))
            .env("EVENTFUL_SCHEDULED_FOR", webhook::scheduled_for(event).unwrap_or_default())
            .env("EVENTFUL_ATTEMPT", attempt.number().to_string())
            .stdin(Stdio::piped())
            .stderr(Stdio::piped())
            // Ctrl-C is for the server, which lets commands end.
            .process_group(0)
            .kill_on_drop(true)
            .spawn();
        child.map(ProcessGroup)
    }
}

/// Returns the attributes as a JSON object. The encoding of the payload has a variable of its own.
fn attributes(event: &Event) -> String {
    // It has a variable of its own.
    let named = event.attributes().iter().filter(|(name, _)| *name != Event::CONTENT_ENCODING);
    let object: serde_json::Map<_, _> = named.map(|(name, value)| (name.to_owned(), value.into())).collect();
    serde_json::Value::Object(object).to_string()
}

/// Waits for the end of the command. The command may read as much of the payload as it likes.
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
        // Checked first: a command that ends early need not read its payload.
        ended = child.wait() => return ended,
        () = write => {}
    }
    child.wait().await
}

/// Returns what the end of a command, with these last bytes on standard error, means for the event.
fn judge(status: ExitStatus, said: &[u8]) -> Result<(), Failure> {
    let error = excerpt::with_ending(&format!("the command ended with {status}"), said);
    match status.code() {
        Some(0) => Ok(()),
        // It asks for another attempt, or a signal has ended it.
        Some(TEMPORARY_FAILURE) | None => Err(Failure::retry(error)),
        Some(code) if KILLED.contains(&code) => Err(Failure::retry(error)),
        Some(_) => Err(Failure::permanent(error)),
    }
}
