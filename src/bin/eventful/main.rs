//! The program: serves events over HTTP and hands each to a handler, sends events to such a server, or looks after
//! the journal of one.

mod access;
mod banner;
mod brokers;
mod check;
mod client;
mod complaints;
mod contradictions;
mod deliver;
mod descriptors;
mod drain;
mod excerpt;
mod exec;
mod groups;
mod handler;
mod init;
mod invocation;
mod journal;
mod keeping;
mod log;
mod operator;
mod options;
#[cfg(feature = "otlp")]
mod otlp;
mod outlet;
mod pages;
#[cfg(feature = "postgres")]
mod postgres;
mod prepared;
mod progress;
mod routing;
mod schedule_config;
mod schedules;
mod send;
mod serve;
mod settings;
mod shell;
mod shortage;
mod signals;
mod source;
mod spans;
mod terminal;
#[cfg(feature = "tls")]
mod tls;
mod tuning;
mod types;
mod unrepeated;
mod url;
mod watched;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;

use journal::options::{JournalCall, JournalOptions};
use options::{Options, ProgramCall};

/// The longest time that tasks may take to end when the program does; children of handlers are killed by then.
const LAST_GRACE: Duration = Duration::from_millis(200);

/// The exit code after a mistake in the use of the program.
const USAGE: u8 = 2;

fn main() -> ExitCode {
    let code = invocation::read().map_or_else(refuse, |options| {
        run(options).unwrap_or_else(|error| {
            terminal::warn(&format!("error: {error:#}"));
            let usage = error.is::<prepared::Invalid>()
                || error.is::<access::InvalidAccess>()
                || error.is::<operator::Misused>()
                || journal::is_newer(&error);
            #[cfg(feature = "postgres")]
            let usage = usage || postgres::schema::is_newer(&error);
            ExitCode::from(if usage { USAGE } else { 1 })
        })
    });
    if terminal::finish() { code } else { ExitCode::FAILURE }
}

/// Says what must be corrected, or shows the help that was asked for.
fn refuse(mistaken: invocation::Mistaken) -> ExitCode {
    match mistaken {
        // It has colours, and its kind decides between the two streams.
        invocation::Mistaken::Usage(error) => error.exit(),
        invocation::Mistaken::File(error) => {
            terminal::warn(&format!("error: {error}"));
            ExitCode::from(USAGE)
        }
    }
}

fn run(options: Options) -> anyhow::Result<ExitCode> {
    match &options.call {
        ProgramCall::Config => {
            terminal::say(settings::defaults::page(&invocation::program()).trim_end());
            return Ok(ExitCode::SUCCESS);
        }
        ProgramCall::Check(check) => {
            return Ok(match invocation::read_for(check) {
                Ok(serve) => check::check(check, &serve)?,
                Err(mistaken) => refuse(mistaken),
            });
        }
        ProgramCall::Schedules(options) => {
            schedules::show(&options.file, options.json).map_err(prepared::Invalid::of)?;
            return Ok(ExitCode::SUCCESS);
        }
        ProgramCall::Completions { shell } => {
            terminal::say(pages::completions(*shell, invocation::program()).trim_end());
            return Ok(ExitCode::SUCCESS);
        }
        ProgramCall::Manual { directory } => {
            pages::manual(directory, invocation::program())?;
            return Ok(ExitCode::SUCCESS);
        }
        ProgramCall::Serve(_)
        | ProgramCall::Send(_)
        | ProgramCall::Journal(_)
        | ProgramCall::Backup(_)
        | ProgramCall::Operate(_) => {}
        #[cfg(feature = "postgres")]
        ProgramCall::Postgres(_) => {}
    }
    let serves = matches!(options.call, ProgramCall::Serve(_));
    if serves && init::is_needed() {
        match init::run() {
            Ok(code) => return Ok(code),
            Err(error) => terminal::warn(&format!("{error:#}; what commands leave behind is not reaped")),
        }
    }
    // Only a server: other commands may wait for the reader of their output.
    if serves {
        terminal::detach().context("no thread for output was started")?;
    }
    options.start_log();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let code = runtime.block_on(call(options));
    runtime.shutdown_timeout(LAST_GRACE);
    code
}

async fn call(options: Options) -> anyhow::Result<ExitCode> {
    signals::survive_file_size_limit()?;
    match options.call {
        ProgramCall::Serve(options) => serve::serve(*options).await,
        ProgramCall::Send(options) => send::send(options).await,
        ProgramCall::Journal(options) => journal::call(options),
        ProgramCall::Backup(options) => journal::call(JournalOptions { call: JournalCall::Backup(options) }),
        #[cfg(feature = "postgres")]
        ProgramCall::Postgres(options) => Ok(postgres::schema::call(options).await?),
        ProgramCall::Operate(command) => match &options.backend {
            Some(backend) => operator::call(&command, backend).await,
            None => Ok(ExitCode::from(USAGE)),
        },
        // They need no runtime.
        ProgramCall::Config
        | ProgramCall::Check(_)
        | ProgramCall::Schedules(_)
        | ProgramCall::Completions { .. }
        | ProgramCall::Manual { .. } => Ok(ExitCode::SUCCESS),
    }
}
