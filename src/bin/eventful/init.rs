//! The duties of process 1.
//!
//! In a container the program may be process 1, to which the kernel gives every process whose parent has ended.
//! Only its parent can reap a process that has ended, so process 1 has to. It must not reap the commands of
//! handlers, whose exit codes are waited for; so there the program serves in a child, and process 1 reaps.

use std::env;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, ExitCode};

use anyhow::Context as _;
use rustix::io::Errno;
use rustix::process::{Pid, Signal as Number, WaitOptions, WaitStatus, kill_process, wait};
use tokio::runtime::Builder;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// The exit code of a shell for a command that a signal has ended, less the signal's number.
const SIGNALLED: i32 = 128;

/// Returns whether this is process 1.
pub(crate) fn is_needed() -> bool {
    std::process::id() == 1
}

/// Runs the program again as a child, hands on the signals that ask for the end, reaps what ends, and returns the
/// exit code of the child. An error means that the child did not start, such as without `/proc`.
pub(crate) fn run() -> anyhow::Result<ExitCode> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut listeners = ContainerSignals::start().context("signals cannot be received")?;
        let child = start_again().context("as process 1 the program runs itself as a child, and this did not start")?;
        loop {
            // Before a wait, since a child may have ended between two signals.
            if let Some(code) = reap(child) {
                return Ok(code);
            }
            if let Some(number) = listeners.next().await {
                // It may have ended in between.
                let _sent = kill_process(child, number);
            }
        }
    })
}

/// The same program with the same arguments. A process group of its own keeps Ctrl-C from reaching it twice.
fn start_again() -> io::Result<Pid> {
    let mut args = env::args_os();
    let mut command = Command::new(env::current_exe()?);
    command.arg0(args.next().unwrap_or_default()).args(args).process_group(0);
    // Not waited for by its handle: it is reaped with the others.
    let child = command.spawn()?;
    Pid::from_raw(child.id().cast_signed()).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

/// Reaps all processes that have ended. Returns the exit code if the child is among them.
fn reap(child: Pid) -> Option<ExitCode> {
    let mut code = None;
    loop {
        match wait(WaitOptions::NOHANG) {
            Ok(Some((pid, status))) if pid == child => code = Some(exit_code(status)),
            Ok(Some(_)) | Err(Errno::INTR) => {}
            // All others still run; or none is left.
            Ok(None) | Err(_) => return code,
        }
    }
}

fn exit_code(status: WaitStatus) -> ExitCode {
    let signalled = status.terminating_signal().map(|number| SIGNALLED + number);
    let code = status.exit_status().or(signalled).and_then(|code| u8::try_from(code).ok());
    code.map_or(ExitCode::FAILURE, ExitCode::from)
}

struct ContainerSignals {
    child: Signal,
    interrupt: Signal,
    terminate: Signal,
    quit: Signal,
    hangup: Signal,
}

impl ContainerSignals {
    fn start() -> io::Result<Self> {
        Ok(Self {
            child: signal(SignalKind::child())?,
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            quit: signal(SignalKind::quit())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// Returns the next signal to pass on; none when a process has ended.
    async fn next(&mut self) -> Option<Number> {
        tokio::select! {
            biased;
            _ = self.child.recv() => None,
            _ = self.interrupt.recv() => Some(Number::INT),
            _ = self.terminate.recv() => Some(Number::TERM),
            _ = self.quit.recv() => Some(Number::QUIT),
            _ = self.hangup.recv() => Some(Number::HUP),
        }
    }
}
