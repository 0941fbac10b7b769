//! `eventful serve`

use std::net::SocketAddr;
use std::process::ExitCode;

use anyhow::Context as _;
use eventful::{Config, Eventful, http};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::handler::Chosen;
use crate::options::ServeOptions;
use crate::signals::Signals;
use crate::terminal::say;
use crate::{drain, spans};

/// The exit code of a program that Ctrl-C ended.
const INTERRUPTED: u8 = 130;

/// Serves until a signal comes, then drains. A second signal ends it at once.
pub(crate) async fn serve(options: ServeOptions) -> anyhow::Result<ExitCode> {
    let config = options.config();
    config.validate()?;
    let mut signals = Signals::listen()?;
    let handler = Chosen::new(&options)?;
    let listener = bind(options.listen).await?;
    let address = listener.local_addr()?;
    let words = handler.describe();
    let eventful = Eventful::builder().config(config).start(handler)?;
    introduce(address, &words, eventful.config());

    let (stop, stopped) = oneshot::channel::<()>();
    let stopped = async { drop(stopped.await) };
    let server = tokio::spawn(http::serve(listener, eventful.clone(), http::Limits::default(), stopped));
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
    drain::report(&report);
    Ok(ExitCode::SUCCESS)
}

async fn bind(address: SocketAddr) -> anyhow::Result<TcpListener> {
    let bound = TcpListener::bind(address).await;
    bound.map_err(|error| {
        anyhow::anyhow!("cannot listen on {address}: {error}; choose another with --listen, such as 127.0.0.1:0")
    })
}

fn introduce(address: SocketAddr, handler: &str, config: &Config) {
    let rate = config.max_records as u128 * 1000 / config.retention.as_millis().max(1);
    let retention = spans::show(config.retention);
    say(&format!("eventful {} listens on http://{address}", env!("CARGO_PKG_VERSION")));
    say(&format!("  API          http://{address}/v1/events, described by http://{address}/openapi.json"));
    say(&format!("  metrics      http://{address}/metrics"));
    say(&format!("  handler      {handler}"));
    say("  persistence  memory: what is not over when this program ends is gone");
    say(&format!("  sustains     {rate} events/s: {} records, each kept {retention}", config.max_records));
    say(&format!("  try          curl -i http://{address}/v1/events -H 'Idempotency-Key: hello-1' -d 'hello, world'"));
}
