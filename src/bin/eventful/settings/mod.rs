//! The configuration file of `eventful serve`.
//!
//! A setting has one name: `max_pending` in the file, `--max-pending` as a flag, `EVENTFUL_MAX_PENDING` as a variable.
//! The flags are the one list of settings. A value of the file becomes the default of its flag, so a flag beats a variable,
//! and a variable beats the file, and each value is read in one way wherever it is written. Settings with
//! parts are in tables.
//!
//! | module | topic |
//! |---|---|
//! | `place` | lines and columns, and mistakes at them |
//! | `file` | a file, read with the place of each setting |
//! | `tables` | settings with parts: sources, tokens, secrets |
//! | `apply` | settings of a file as the defaults of flags |
//! | `defaults` | the page that `eventful config` prints |
//!
pub(crate) mod apply;
pub(crate) mod defaults;
pub(crate) mod file;
pub(crate) mod place;
pub(crate) mod tables;
