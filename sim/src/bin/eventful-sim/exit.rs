//! The exit codes of the program; 0 on success.

/// A promise is broken, or a probe has not fired.
pub(crate) const FOUND: u8 = 1;
/// The arguments or a file are invalid.
pub(crate) const USAGE: u8 = 2;
/// Ctrl-C.
pub(crate) const INTERRUPTED: u8 = 130;
