//! The verdict of an oracle.

pub(in crate::network) use crate::failure::holds;

use crate::failure::Broken;

/// A success, or the promise that is broken.
pub(in crate::network) type OracleResult = Result<(), Broken>;
