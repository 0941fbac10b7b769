//! Values of the command line that may hold a secret.

use std::ffi::OsStr;

use clap::builder::TypedValueParser;
use clap::error::ErrorKind;
use clap::{Arg, Command, Error};

/// Reads a value that a refusal does not repeat, because it may hold a secret.
#[derive(Clone)]
pub(crate) struct Unrepeated<T>(pub(crate) fn(&str) -> Result<T, String>);

impl<T: Clone + Send + Sync + 'static> TypedValueParser for Unrepeated<T> {
    type Value = T;

    fn parse_ref(&self, command: &Command, flag: Option<&Arg>, value: &OsStr) -> Result<T, Error> {
        let value = value.to_str().ok_or_else(|| "it is not UTF-8".to_owned());
        value.and_then(self.0).map_err(|wrong| {
            let flag = flag.map_or_else(String::new, ToString::to_string);
            let text = format!("invalid value for '{flag}': {wrong}\n");
            Error::raw(ErrorKind::ValueValidation, text).with_cmd(command)
        })
    }
}
