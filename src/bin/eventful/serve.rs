//! `eventful serve`

use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;
use std::sync::mpsc;

use anyhow::Context as _;
use eventful::journal::{DiskStore, Progress};
use eventful::{Config, Eventful, StartError, http};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::handler::Chosen;
use crate::options::ServeOptions;
use crate::signals::{INTERRUPTED, Signals};
use crate::terminal::say;
use crate::{descriptors, drain, spans};

/// Frames of a journal whose replay is worth telling about.
const LONG_REPLAY: u64 = 10_000;

/// Serves until a signal comes, then drains. A second signal ends it at once.
pub(crate) async fn serve(options: ServeOptions) -> anyhow::Result<ExitCode> {
    let config = options.config();
    config.validate()?;
    let mut signals = Signals::listen()?;
    let handler = Chosen::new(&options)?;
    let mut limits = options.limits();
    let handlers = handler.descriptors_of_a_run().saturating_mul(config.concurrency.get() as u64);
    limits.max_connections = descriptors::share(limits.max_connections, handlers);
    let listener = bind(options.listen).await?;
    let address = listener.local_addr()?;
    let words = handler.describe();
    let started = tokio::select! {
        biased;
        started = start(config, &options, handler) => started,
        _ = signals.next() => return Ok(ExitCode::from(INTERRUPTED)),
    };
    let (eventful, opened) = started?;
    introduce(address, &words, options.data.as_deref().zip(opened), eventful.config());

    let (stop, stopped) = oneshot::channel::<()>();
    let stopped = async { drop(stopped.await) };
    let server = tokio::spawn(http::serve(listener, eventful.clone(), limits, stopped));
    let signal = signals.next().await;
    say(&format!("{signal}: taking no more events; once more ends at once"));
    let Some(report) = drain::drain(&eventful, &mut signals).await else {
        say("ended at once, without waiting");
        return Ok(ExitCode::from(INTERRUPTED));
    };
    drop(stop);
    tokio::select! {
        biased;
        ended = server => ended.context("the server died")?,
        _ = signals.next() => return Ok(ExitCode::from(INTERRUPTED)),
    }
    drain::report(&report, options.data.as_deref());
    Ok(if report.unsynced > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Starts the engine, with all that its directory holds. Returns how much that was, too.
async fn start(
    config: Config,
    options: &ServeOptions,
    handler: Chosen,
) -> anyhow::Result<(Eventful, Option<Progress>)> {
    let builder = Eventful::builder().config(config);
    let Some(directory) = &options.data else { return Ok((builder.start(handler)?, None)) };
    let (sender, opened) = mpsc::channel();
    let mut show = show_replay();
    let builder = builder.journal(DiskStore::new(directory), options.durability()).on_recovery(move |progress| {
        show(progress);
        // The receiver is there until the start has ended.
        let _sent = sender.send(progress);
    });
    // Its words hold those of its cause.
    let started = builder.open(handler).await.map_err(|error| {
        let StartError::Open(error) = error else { return anyhow::anyhow!("{error}") };
        anyhow::Error::from(error).context("the journal was not opened")
    })?;
    Ok((started, opened.try_iter().last()))
}

/// Shows how far a long replay has come, at each tenth.
fn show_replay() -> impl FnMut(Progress) {
    let mut told = 0;
    move |Progress { read, total, .. }| {
        let tenth = read * 10 / total.max(1);
        if total >= LONG_REPLAY && tenth > told {
            told = tenth;
            say(&format!("reading the journal: {} % of {total} frames", tenth * 10));
        }
    }
}

async fn bind(address: SocketAddr) -> anyhow::Result<TcpListener> {
    let bound = TcpListener::bind(address).await;
    bound.map_err(|error| {
        anyhow::anyhow!("cannot listen on {address}: {error}; choose another with --listen, such as 127.0.0.1:0")
    })
}

/// What was found in a journal, in words.
fn describe(Progress { total, records, .. }: Progress) -> String {
    match total {
        0 => "a new journal".to_owned(),
        _ => format!("opened with {records} records"),
    }
}

fn introduce(address: SocketAddr, handler: &str, data: Option<(&Path, Progress)>, config: &Config) {
    let rate = config.max_records as u128 * 1000 / config.retention.as_millis().max(1);
    let retention = spans::show(config.retention);
    say(&format!("eventful {} listens on http://{address}", env!("CARGO_PKG_VERSION")));
    say(&format!("  API          http://{address}/v1/events, described by http://{address}/openapi.json"));
    say(&format!("  metrics      http://{address}/metrics"));
    say(&format!("  handler      {handler}"));
    match data {
        Some((directory, opened)) => say(&format!("  persistence  {}, {}", directory.display(), describe(opened))),
        None => say("  persistence  memory: what is not over when this program ends is gone"),
    }
    say(&format!("  sustains     {rate} events/s: {} records, each kept {retention}", config.max_records));
    say(&format!("  try          curl -i http://{address}/v1/events -H 'Idempotency-Key: hello-1' -d 'hello, world'"));
}
