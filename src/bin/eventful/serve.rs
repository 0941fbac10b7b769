//! `eventful serve`

use std::io;
use std::net::SocketAddr;
use std::process::ExitCode;

use anyhow::Context as _;
use eventful::http::FrontConfig;
#[cfg(feature = "tls")]
use eventful::http::Tls;
use eventful::journal::RecoveryProgress;
use eventful::schedules::Schedule;
use eventful::{Config, Eventful, Handler, StartError, http};
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

#[cfg(feature = "nats")]
use crate::brokers::intake::NatsIntakes;
use crate::keeping::Keeping;
use crate::options::ServeOptions;
use crate::prepared::{Invalid, Prepared};
use crate::signals::{INTERRUPTED, Signals};
use crate::terminal::say;
use crate::{banner, check, descriptors, drain};

/// Frames of a journal whose replay is reported: fewer are read in a moment.
const LONG_REPLAY: u64 = 10_000;

/// Serves until a signal comes, then drains. A second signal ends it at once.
pub(crate) async fn serve(options: ServeOptions) -> anyhow::Result<ExitCode> {
    let prepared = Prepared::new(&options)?;
    for what in check::compared(&prepared, &options).contradictions() {
        tracing::warn!("{what}");
    }
    #[cfg(feature = "tls")]
    let tls = prepared.tls.clone();
    #[cfg(feature = "nats")]
    let Prepared { config, mut front, handler, schedules, intakes, .. } = prepared;
    #[cfg(not(feature = "nats"))]
    let Prepared { config, mut front, handler, schedules, .. } = prepared;
    #[cfg(feature = "tls")]
    let mut signals = Signals::listen(tls.clone().map(|tls| move || crate::tls::reload(&tls)))?;
    #[cfg(not(feature = "tls"))]
    let mut signals = Signals::listen(None::<fn()>)?;
    let handlers = handler.descriptors_of_a_run().saturating_mul(config.concurrency.get() as u64);
    front.limits.max_connections = descriptors::share(front.limits.max_connections, handlers);
    let listener = bind(options.listen)?;
    let address = listener.local_addr()?;
    let words = handler.describe();
    #[cfg(feature = "otlp")]
    let (handler, spans) = options.otlp.trace(handler, &mut front)?;
    let started = tokio::select! {
        biased;
        started = start(config, &options, handler, schedules) => started,
        _ = signals.next() => return Ok(ExitCode::from(INTERRUPTED)),
    };
    let (eventful, keeping) = started?;
    #[cfg(feature = "tls")]
    let scheme = if tls.is_some() { "https" } else { "http" };
    #[cfg(not(feature = "tls"))]
    let scheme = "http";
    banner::introduce(&format!("{scheme}://{address}"), &words, (&keeping, options.ui), &eventful);

    #[cfg(feature = "nats")]
    let intakes = NatsIntakes::start(intakes, &eventful);
    let (stop, stopped) = oneshot::channel::<()>();
    #[cfg(feature = "tls")]
    let server = serve_http((listener, tls), &eventful, front, stopped);
    #[cfg(not(feature = "tls"))]
    let server = serve_http(listener, &eventful, front, stopped);
    let signal = signals.next().await;
    say(&format!("{signal}: taking no more events; once more ends at once"));
    #[cfg(feature = "nats")]
    tokio::select! {
        biased;
        () = intakes.stop() => {}
        _ = signals.next() => return Ok(ExitCode::from(INTERRUPTED)),
    }
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
    #[cfg(feature = "otlp")]
    if let Some(spans) = spans {
        spans.end().await;
    }
    drain::report(&report, &keeping);
    Ok(if report.unsynced > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Begins to serve HTTP, in TLS where there are files for it, until the sender of `stopped` is dropped.
#[cfg(feature = "tls")]
fn serve_http(
    (listener, tls): (TcpListener, Option<Tls>),
    eventful: &Eventful,
    front: FrontConfig,
    stopped: oneshot::Receiver<()>,
) -> JoinHandle<()> {
    let (eventful, stopped) = (eventful.clone(), async { drop(stopped.await) });
    match tls {
        Some(tls) => tokio::spawn(http::serve(tls.listener(listener), eventful, front, stopped)),
        None => tokio::spawn(http::serve(listener, eventful, front, stopped)),
    }
}

/// Begins to serve HTTP, until the sender of `stopped` is dropped.
#[cfg(not(feature = "tls"))]
fn serve_http(
    listener: TcpListener,
    eventful: &Eventful,
    front: FrontConfig,
    stopped: oneshot::Receiver<()>,
) -> JoinHandle<()> {
    tokio::spawn(http::serve(listener, eventful.clone(), front, async { drop(stopped.await) }))
}

/// Starts the engine, with all that is kept where its events are.
async fn start(
    config: Config,
    options: &ServeOptions,
    handler: impl Handler,
    schedules: Vec<Schedule>,
) -> anyhow::Result<(Eventful, Keeping)> {
    let keeping = Keeping::of(options).await?;
    let builder = keeping.builder(options, show_replay()).config(config).schedules(schedules);
    let opened = builder.open(handler).await.map_err(|error| {
        if let StartError::InvalidConfig(error) = error {
            return Invalid::of(error).into();
        }
        // Its text holds that of its cause.
        let StartError::Open(error) = error else { return anyhow::anyhow!("{error}") };
        keeping.refused(error)
    });
    opened.map(|eventful| (eventful, keeping))
}

/// Shows how far a long replay has come, at each tenth.
fn show_replay() -> impl FnMut(RecoveryProgress) {
    let mut shown = 0;
    move |RecoveryProgress { read, total, .. }| {
        let tenth = read * 10 / total.max(1);
        if total >= LONG_REPLAY && tenth > shown {
            shown = tenth;
            say(&format!("reading the journal: {} % of {total} frames", tenth * 10));
        }
    }
}

/// Clients that may connect at once, before the server accepts them. The system refuses others without a word, and each of
/// them tries again after a second: with the 128 that are usual, a burst of short calls took that long.
const BACKLOG: u32 = 4096;

fn bind(address: SocketAddr) -> anyhow::Result<TcpListener> {
    let listen = || {
        let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        // A server that starts again need not wait for connections of the one before.
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(BACKLOG)
    };
    listen().map_err(|error: io::Error| {
        anyhow::anyhow!("cannot listen on {address}: {error}; choose another with --listen, such as 127.0.0.1:0")
    })
}
