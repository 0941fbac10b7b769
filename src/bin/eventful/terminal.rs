//! Words for the person at the terminal.

use std::io::{IsTerminal as _, Write as _};

/// Writes a line to standard output. Nobody has to listen.
pub(crate) fn say(text: &str) {
    let _written = writeln!(std::io::stdout().lock(), "{text}");
}

/// Writes a line to standard error. Nobody has to listen.
pub(crate) fn warn(text: &str) {
    let _written = writeln!(std::io::stderr().lock(), "{text}");
}

/// Writes over the line on standard error that the cursor is in.
pub(crate) fn rewrite(text: &str) {
    let mut stderr = std::io::stderr().lock();
    let _written = write!(stderr, "\r\x1b[K{text}");
    let _flushed = stderr.flush();
}

/// Whether somebody sees standard error as it is written.
pub(crate) fn is_watched() -> bool {
    std::io::stderr().is_terminal()
}
