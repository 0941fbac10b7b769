//! The codes with which the program ends; 0 when all is well.

/// A promise is broken, or a probe has not fired.
pub(crate) const FOUND: u8 = 1;
/// What was asked for cannot be done as it was said.
pub(crate) const USAGE: u8 = 2;
/// Ctrl-C.
pub(crate) const INTERRUPTED: u8 = 130;
