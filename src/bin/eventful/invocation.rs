//! The invocation of the program: the flags, the variables and the settings of a file that count.

use std::env;
use std::ffi::OsString;
use std::path::Path;

use clap::builder::Resettable;
use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Args as _, Command, CommandFactory as _, FromArgMatches as _, Subcommand as _};

use crate::operator::options::{BackendOptions, OperatorCall};
use crate::options::{CheckOptions, Options, ProgramCall, ServeOptions};
use crate::settings::apply;
use crate::settings::file::ConfigFile;
use crate::settings::place::InvalidFile;

/// The flags of `serve` that each choose a handler, and those that choose a place for events; one excludes the others.
const CHOICES: [&[&str]; 2] = [&["deliver", "exec", "pull"], &["data", "postgres"]];

/// The flags that are for a database alone, and of no use once a directory is chosen.
const ABOUT_DATABASE: &[&str] = &["node", "one_copy", "postgres_password_file"];

/// A mistake of the one who called the program.
#[derive(Debug)]
pub(crate) enum Mistaken {
    /// On the command line or in the environment.
    Usage(clap::Error),
    /// In the configuration file.
    File(InvalidFile),
}

/// Reads the command line, the environment, and the configuration file that they name.
///
/// An empty variable counts as absent, and the flag of one handler beats the variables of the others, as both beat the
/// file; so do those of places for events, and a directory beats all that is about a database. The help shows the names
/// of variables and never their values.
///
/// # Errors
///
/// The mistake to correct; or the help, when that was asked for.
pub(crate) fn read() -> Result<Options, Mistaken> {
    let args: Vec<OsString> = env::args_os().collect();
    let command = prefer_flags(program(), &args);
    let matches = command.clone().try_get_matches_from(&args).map_err(Mistaken::Usage)?;
    let mut options = Options::from_arg_matches(&matches).map_err(Mistaken::Usage)?;
    if let (ProgramCall::Operate(_), Some((_, command))) = (&options.call, matches.subcommand()) {
        options.backend = Some(backend(command)?);
        options.is_quiet = source(command, "log") == Some(ValueSource::DefaultValue);
    }
    let ProgramCall::Serve(serve) = &options.call else { return Ok(options) };
    let Some(path) = &serve.config else { return Ok(options) };
    let by_flag = matches.subcommand().is_some_and(|(_, serve)| is_by_flag(serve, "config"));
    // What is in a variable may be a secret in the wrong place.
    let name = if by_flag { path.display().to_string() } else { "the file that EVENTFUL_CONFIG names".to_owned() };
    let is_given = |flag: &str| matches.subcommand().is_some_and(|(_, serve)| is_given(serve, flag));
    let without = settled(&is_given);
    let (matches, serve) = with_file(command, &args, (path, &name), &without)?;
    let mut options = Options::from_arg_matches(&matches).map_err(Mistaken::Usage)?;
    options.call = ProgramCall::Serve(serve);
    Ok(options)
}

/// Reads a configuration file as `serve` would.
///
/// # Errors
///
/// As [`read`]
pub(crate) fn read_for(check: &CheckOptions) -> Result<Box<ServeOptions>, Mistaken> {
    let args = ["eventful", "serve"].map(OsString::from);
    with_file(program(), &args, (&check.file, &check.file.display().to_string()), &[]).map(|(_, serve)| serve)
}

/// The command line, without what help shows of variables and without empty ones.
pub(crate) fn program() -> Command {
    let own = OperatorCall::augment_subcommands(Command::new("operator"));
    let names: Vec<_> = own.get_subcommands().map(|command| command.get_name().to_owned()).collect();
    // Each of an operator's commands is for some server.
    let program = names.iter().fold(Options::command(), |program, name| program.mut_subcommand(name, with_backend));
    each_flag(program, &|flag| without_empty_variable(flag).hide_env_values(true))
}

/// The command with the arguments that choose a server, and with its own description: that of the arguments would
/// replace it.
fn with_backend(command: Command) -> Command {
    let about = command.get_about().cloned();
    let long = command.get_long_about().cloned();
    BackendOptions::augment_args(command).about(Resettable::from(about)).long_about(Resettable::from(long))
}

/// The server or the directory of an operator's command. A variable that names a server, or a token for it, gives way
/// to `--data`.
fn backend(command: &ArgMatches) -> Result<BackendOptions, Mistaken> {
    let mut backend = BackendOptions::from_arg_matches(command).map_err(Mistaken::Usage)?;
    if backend.data.is_some() {
        if let Some(flag) = ["to", "token_file"].iter().find(|flag| is_by_flag(command, flag)) {
            let flag = flag.replace('_', "-");
            let words = format!("--data is a directory, and --{flag} is for a server: leave one of them out\n");
            return Err(Mistaken::Usage(program().error(ErrorKind::ArgumentConflict, words)));
        }
        backend.token_file = None;
    }
    Ok(backend)
}

/// The matches of these arguments, and the options of `serve` among them, with what a file says.
fn with_file(
    command: Command,
    args: &[OsString],
    (path, name): (&Path, &str),
    without: &[&str],
) -> Result<(ArgMatches, Box<ServeOptions>), Mistaken> {
    let whole = |what: String| Mistaken::File(InvalidFile::whole(what));
    let text = std::fs::read_to_string(path)
        .map_err(|error| whole(format!("{name} cannot be read: {error}; correct the path or the file")))?;
    let file = ConfigFile::parse(name, &text).map_err(Mistaken::File)?;
    let command = apply::apply(command, &file, without).map_err(Mistaken::File)?;
    let matches = command.try_get_matches_from(args).map_err(Mistaken::Usage)?;
    let serve = matches.subcommand_matches("serve").unwrap_or(&matches);
    let mut serve = ServeOptions::from_arg_matches(serve).map_err(Mistaken::Usage)?;
    for choice in serve.choices() {
        let mut set = choice.into_iter().filter_map(|(name, is_set)| is_set.then_some(name));
        if let (Some(one), Some(other)) = (set.next(), set.next()) {
            return Err(whole(format!("{name}: {one} and {other} cannot be used together: leave one of them out")));
        }
    }
    serve.tables = file.tables;
    Ok((matches, Box::new(serve)))
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

/// Takes the variables of a choice away when the command line makes it.
fn prefer_flags(command: Command, args: &[OsString]) -> Command {
    // Mistakes are for the parse that follows.
    let flags_only = each_flag(command.clone(), &without_variable).ignore_errors(true).try_get_matches_from(args);
    let serve = flags_only.ok().and_then(|mut matches| matches.remove_subcommand());
    let Some((_, serve)) = serve else { return command };
    let settled = settled(&|flag| is_by_flag(&serve, flag));
    let is_in = |flag: &Arg| settled.iter().any(|name| flag.get_id() == name);
    each_flag(command, &|flag| if is_in(&flag) { without_variable(flag) } else { flag })
}

/// Returns the settings that count no more where they are given less directly than those that `is_given` knows.
fn settled(is_given: &dyn Fn(&str) -> bool) -> Vec<&'static str> {
    let is_made = |choice: &&[&str]| choice.iter().any(|name| is_given(name));
    let mut settled = CHOICES.into_iter().filter(is_made).collect::<Vec<_>>().concat();
    if is_given("data") {
        settled.extend(ABOUT_DATABASE);
    }
    settled
}

fn source(matches: &ArgMatches, flag: &str) -> Option<ValueSource> {
    // clap panics when it is asked for a flag that the command does not have.
    matches.try_contains_id(flag).is_ok().then(|| matches.value_source(flag)).flatten()
}

fn is_by_flag(matches: &ArgMatches, flag: &str) -> bool {
    source(matches, flag) == Some(ValueSource::CommandLine)
}

fn is_given(matches: &ArgMatches, flag: &str) -> bool {
    matches!(source(matches, flag), Some(ValueSource::CommandLine | ValueSource::EnvVariable))
}
