//! The program: serves events over HTTP and hands each to a handler, sends events to such a server, or looks after
//! the journal of one.

mod access;
mod banner;
mod client;
mod complaints;
mod deliver;
mod descriptors;
mod drain;
mod excerpt;
mod exec;
mod handler;
mod init;
mod invocation;
mod journal;
mod options;
mod outlet;
mod progress;
mod send;
mod serve;
mod shell;
mod shortage;
mod signals;
mod source;
mod spans;
mod terminal;
mod types;
mod unrepeated;
mod url;
mod watched;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;

use options::{Options, ProgramCall};

/// How long tasks may take to end when the program does; children of handlers are killed by then.
const LAST_GRACE: Duration = Duration::from_millis(200);

fn main() -> ExitCode {
    let code = run(invocation::read()).unwrap_or_else(|error| {
        terminal::warn(&format!("error: {error:#}"));
        let usage = error.is::<eventful::engine::InvalidConfig>()
            || error.is::<eventful::engine::InvalidPolicy>()
            || error.is::<access::InvalidAccess>()
            || journal::is_newer(&error);
        ExitCode::from(if usage { 2 } else { 1 })
    });
    if terminal::finish() { code } else { ExitCode::FAILURE }
}

fn run(options: Options) -> anyhow::Result<ExitCode> {
    let serves = matches!(options.call, ProgramCall::Serve(_));
    if serves && init::is_needed() {
        match init::run() {
            Ok(code) => return Ok(code),
            Err(error) => terminal::warn(&format!("{error:#}; what commands leave behind is not reaped")),
        }
    }
    if serves {
        terminal::detach().context("no thread for output was started")?;
    }
    options.start_log();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let code = runtime.block_on(call(options.call));
    runtime.shutdown_timeout(LAST_GRACE);
    code
}

async fn call(call: ProgramCall) -> anyhow::Result<ExitCode> {
    signals::survive_file_size_limit()?;
    match call {
        ProgramCall::Serve(options) => serve::serve(*options).await,
        ProgramCall::Send(options) => send::send(options).await,
        ProgramCall::Journal(options) => journal::call(options),
    }
}
