//! Output for the person at the terminal.

use std::fs::File;
use std::io::{self, ErrorKind, IsTerminal as _, Write};
use std::os::fd::AsFd;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use crate::outlet::Outlet;

/// The longest time for which the end of the program waits until its output is read. On a machine with ten times the work
/// that it has processors for, the thread that writes was seen to wait 300 ms for its turn, and the reason of a refusal
/// was lost.
const LAST_LINES: Duration = Duration::from_secs(2);

/// The threads that write, once [`detach`] has started them.
static DETACHED: OnceLock<Detached> = OnceLock::new();
/// The first error of standard output while no thread writes.
static ERROR: Mutex<Option<ErrorKind>> = Mutex::new(None);

#[derive(Debug)]
struct Detached {
    output: Outlet,
    log: Outlet,
}

/// Writes standard output and standard error by threads of their own from now on: no reader that stops reading
/// can hold up the program.
pub(crate) fn detach() -> io::Result<()> {
    // Not by way of `std`'s handles, whose locks a blocked thread would keep.
    let own = |stream: &dyn AsFd| stream.as_fd().try_clone_to_owned().map(File::from);
    let output = Outlet::start("stdout", own(&io::stdout())?)?;
    let log = Outlet::start("stderr", own(&io::stderr())?)?;
    // Set once, at the start of the program.
    let _set = DETACHED.set(Detached { output, log });
    std::panic::set_hook(Box::new(|panic| warn(&format!("{panic}\n{}", std::backtrace::Backtrace::capture()))));
    Ok(())
}

/// Writes a line to standard output. [`finish`] returns whether that has failed.
pub(crate) fn say(text: &str) {
    let line = format!("{text}\n");
    match DETACHED.get() {
        Some(detached) => detached.output.push(line.as_bytes()),
        // Not returned to each of many callers: the end of the program reports it once.
        None => record_error(io::stdout().lock().write_all(line.as_bytes())),
    }
}

/// Writes a line to standard error, whether or not anything reads it.
pub(crate) fn warn(text: &str) {
    relay(format!("{text}\n").as_bytes());
}

/// Passes on to standard error what a command has written to its own.
pub(crate) fn relay(bytes: &[u8]) {
    // There is no other place to report that it failed.
    let _written = StderrLog.write_all(bytes);
}

/// Writes over the line on standard error that the cursor is in.
pub(crate) fn rewrite(text: &str) {
    let mut stderr = io::stderr().lock();
    let _written = write!(stderr, "\r\x1b[K{text}");
    let _flushed = stderr.flush();
}

/// Returns whether standard error is a terminal.
pub(crate) fn is_watched() -> bool {
    io::stderr().is_terminal()
}

/// Returns whether standard output is a terminal.
pub(crate) fn is_output_watched() -> bool {
    io::stdout().is_terminal()
}

/// Standard error, for whole lines.
#[derive(Debug)]
pub(crate) struct StderrLog;

impl Write for StderrLog {
    fn write(&mut self, lines: &[u8]) -> io::Result<usize> {
        match DETACHED.get() {
            Some(detached) => detached.log.push(lines),
            None => io::stderr().lock().write_all(lines)?,
        }
        Ok(lines.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Ends the program when standard output takes nothing more, so that no work is done for it.
pub(crate) fn end_when_broken() {
    let error = *ERROR.lock().unwrap_or_else(PoisonError::into_inner);
    if error.is_some() {
        std::process::exit(i32::from(!finish()));
    }
}

/// Returns the number of lines of the log and of standard output that were dropped so far.
pub(crate) fn dropped() -> u64 {
    DETACHED.get().map_or(0, |detached| detached.output.dropped() + detached.log.dropped())
}

/// Waits until all lines are written, [`LAST_LINES`] at most. Returns false, and prints a line on standard error, when standard
/// output did not take them; a reader that is gone did not want them.
pub(crate) fn finish() -> bool {
    let error = match DETACHED.get() {
        Some(detached) => {
            detached.output.flush(LAST_LINES);
            detached.output.error()
        }
        None => {
            record_error(io::stdout().lock().flush());
            *ERROR.lock().unwrap_or_else(PoisonError::into_inner)
        }
    };
    let error = error.filter(|kind| *kind != ErrorKind::BrokenPipe);
    if let Some(kind) = error {
        warn(&format!("error: standard output was not written: {kind}; send it where there is room"));
    }
    if let Some(detached) = DETACHED.get() {
        detached.log.flush(LAST_LINES);
    }
    error.is_none()
}

/// Keeps the first error, which says more than those that follow from it.
fn record_error(written: io::Result<()>) {
    if let Err(error) = written {
        ERROR.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error.kind());
    }
}
