//! How the program was called: which flags and which variables count.

use std::env;
use std::ffi::OsString;

use clap::builder::Resettable;
use clap::parser::ValueSource;
use clap::{Arg, Command, CommandFactory as _, FromArgMatches as _};

use crate::options::Options;

/// The flags of `serve` that each choose a handler; one excludes the others.
const HANDLERS: [&str; 2] = ["deliver", "exec"];

/// Reads the command line and the environment. A mistake ends the program with exit code 2.
///
/// An empty variable counts as absent, and the flag of one handler beats the variables of the others. The help
/// shows the names of variables and never their values.
pub(crate) fn read() -> Options {
    let command = each_flag(Options::command(), &|flag| without_empty_variable(flag).hide_env_values(true));
    let command = prefer_flags(command, env::args_os().collect());
    Options::from_arg_matches(&command.get_matches()).unwrap_or_else(|error| error.exit())
}

fn each_flag(command: Command, change: &dyn Fn(Arg) -> Arg) -> Command {
    command.mut_args(change).mut_subcommands(|command| each_flag(command, change))
}

fn without_variable(flag: Arg) -> Arg {
    flag.env(Resettable::Reset)
}

fn without_empty_variable(flag: Arg) -> Arg {
    let is_empty = flag.get_env().and_then(env::var_os).is_some_and(|value| value.is_empty());
    if is_empty { without_variable(flag) } else { flag }
}

/// Takes the variables of handlers away when the command line chooses one.
fn prefer_flags(command: Command, args: Vec<OsString>) -> Command {
    // Mistakes are for the parse that follows.
    let flags_only = each_flag(command.clone(), &without_variable).ignore_errors(true).try_get_matches_from(args);
    let serve = flags_only.ok().and_then(|mut matches| matches.remove_subcommand());
    let is_chosen = serve.is_some_and(|(_, serve)| {
        let source = |handler| serve.try_contains_id(handler).is_ok().then(|| serve.value_source(handler)).flatten();
        HANDLERS.iter().any(|handler| source(handler) == Some(ValueSource::CommandLine))
    });
    if !is_chosen {
        return command;
    }
    let is_handler = |flag: &Arg| HANDLERS.iter().any(|handler| flag.get_id() == handler);
    each_flag(command, &|flag| if is_handler(&flag) { without_variable(flag) } else { flag })
}
