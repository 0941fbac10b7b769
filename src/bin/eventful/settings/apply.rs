//! The settings of a file, as the defaults of flags.

use clap::builder::Resettable;
use clap::{Arg, ArgAction, Command};

use super::file::{ConfigFile, FileSetting};
use super::place::InvalidFile;

/// Flags that a file does not have, with what it has instead.
const OTHERWISE: [(&str, &str); 7] = [
    ("config", "a file names no other one: leave it out"),
    ("schedules", "write tables [schedules.NAME]"),
    ("submit_token_file", "write [access] and submit = [{ file = \"PATH\" }]"),
    ("read_token_file", "write [access] and read = [{ file = \"PATH\" }]"),
    ("work_token_file", "write [access] and work = [{ file = \"PATH\" }]"),
    ("operate_token_file", "write [access] and operate = [{ file = \"PATH\" }]"),
    ("deliver_secret_file", "write [signing] and secrets = [{ file = \"PATH\" }]"),
];

/// The subcommand whose flags a file may set.
const SERVE: &str = "serve";

/// The flags that a file may set: those of `serve`, and of the program.
pub(super) fn settable(program: &Command) -> impl Iterator<Item = &Arg> {
    let is_other = |id: &str| OTHERWISE.iter().any(|(name, _)| *name == id) || ["help", "version"].contains(&id);
    let serve = program.find_subcommand(SERVE).into_iter().flat_map(Command::get_arguments);
    serve.chain(program.get_arguments()).filter(move |flag| !is_other(flag.get_id().as_str()))
}

/// The name of a flag in a file.
pub(super) fn key(flag: &Arg) -> String {
    flag.get_long().unwrap_or_default().replace('-', "_")
}

/// The program with the settings of a file as the defaults of its flags, but for those in `without`.
///
/// # Errors
///
/// Each unknown setting, and each with a value that its flag does not take.
pub(crate) fn apply(program: Command, file: &ConfigFile<'_>, without: &[&str]) -> Result<Command, InvalidFile> {
    let mut mistakes = file.no_mistakes();
    // Mistakes in the environment are not those of the file.
    let no_variables = |command: Command| command.mut_args(|flag| flag.env(Resettable::Reset));
    let probe = no_variables(program.clone()).mut_subcommand(SERVE, no_variables);
    for setting in &file.settings {
        let flag = settable(&program).find(|flag| key(flag) == setting.name);
        match flag.map(|flag| check(&probe, flag, setting)) {
            Some(Ok(())) => {}
            Some(Err(wrong)) => mistakes.add(setting.value_at, format!("{}: {wrong}", setting.name)),
            None => mistakes.add(setting.name_at, unknown(&program, &setting.name)),
        }
    }
    mistakes.finish()?;
    let chosen = file.settings.iter().filter(|setting| !without.contains(&setting.name.as_str()));
    Ok(chosen.fold(program, |program, FileSetting { name, values, .. }| {
        // As defaults, so that flags and the environment take precedence.
        let set = |flag: Arg| flag.default_values(values.clone());
        let Some(id) = settable(&program).find(|flag| key(flag) == *name).map(|flag| flag.get_id().clone()) else {
            return program;
        };
        let is_own = program.get_arguments().any(|flag| *flag.get_id() == id);
        match is_own {
            true => program.mut_arg(id, set),
            false => program.mut_subcommand(SERVE, |serve| serve.mut_arg(id, set)),
        }
    }))
}

fn unknown(program: &Command, name: &str) -> String {
    if let Some((_, instead)) = OTHERWISE.iter().find(|(other, _)| *other == name) {
        return format!("{name} is a flag only: {instead}");
    }
    let plain = name.trim_start_matches('-').replace('-', "_");
    match settable(program).any(|flag| key(flag) == plain) {
        true => format!("unknown key {name:?}: write {plain}"),
        false => format!("unknown key {name:?}: `eventful config` prints all that there are"),
    }
}

/// Reads a value as its flag does.
fn check(probe: &Command, flag: &Arg, setting: &FileSetting) -> Result<(), String> {
    let FileSetting { values, .. } = setting;
    if matches!(flag.get_action(), ArgAction::SetTrue) {
        let is_bool = matches!(values.as_slice(), [value] if ["true", "false"].contains(&value.as_str()));
        return if is_bool { Ok(()) } else { Err("write true or false, without quotes".to_owned()) };
    }
    if values.len() != 1 && !matches!(flag.get_action(), ArgAction::Append) {
        return Err("it has one value: write no list".to_owned());
    }
    let long = flag.get_long().unwrap_or_default();
    let args = values.iter().map(|value| format!("--{long}={value}"));
    let read = probe.clone().try_get_matches_from(["eventful", SERVE].map(String::from).into_iter().chain(args));
    read.map(drop).map_err(|error| reason(&error.to_string()))
}

/// The reason in a refusal, without the flag and the hints for a command line.
fn reason(refusal: &str) -> String {
    let paragraph = refusal.strip_prefix("error: ").unwrap_or(refusal).split("\n\n").next().unwrap_or_default();
    let text = paragraph.split_whitespace().collect::<Vec<_>>().join(" ");
    match text.split_once(">': ").or_else(|| text.split_once(">' ")) {
        Some((_, reason)) => reason.to_owned(),
        None => text,
    }
}
