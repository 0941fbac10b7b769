//! Sources that are brokers, as a configuration file has them.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;

use eventful::http::sources::SecretRef;
use serde::Deserialize;

#[cfg(feature = "nats")]
use super::address::NatsUrl;
use crate::routing::config::Span;

/// A source that is a broker: one table `[sources.NAME]` with a `kind`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(not(feature = "nats"), allow(dead_code, reason = "a program without clients refuses each"))]
pub(crate) struct BrokerConfig {
    /// The kind of broker.
    pub(crate) kind: BrokerProduct,
    /// The URL of the stream.
    pub(crate) url: String,
    /// The consumer: `eventful` by default.
    pub(crate) consumer: Option<String>,
    /// The subject for messages that will never be events: `dead.STREAM` by default.
    pub(crate) dead_letters: Option<String>,
    /// The subjects whose messages are received: all of the stream by default.
    #[serde(default)]
    pub(crate) subjects: Vec<String>,
    /// The time after which the broker delivers a message again, of a consumer that is made.
    pub(crate) ack_wait: Option<Span>,
    /// Messages that are received and not done with, at most.
    pub(crate) max_in_flight: Option<NonZeroUsize>,
    /// The user of this server at the broker.
    pub(crate) user: Option<String>,
    /// The user's password.
    pub(crate) password: Option<SecretRef>,
    /// A token, instead of both.
    pub(crate) token: Option<SecretRef>,
}

/// The kind of a broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum BrokerProduct {
    /// A stream of NATS JetStream.
    Jetstream,
}

/// The name of the source that the flag describes.
#[cfg(feature = "nats")]
const FROM: &str = "from";

/// The names that the query of the flag's URL may have.
#[cfg(feature = "nats")]
const OF_THE_FLAG: [&str; 3] = ["consumer", "dead_letters", "subject"];

/// The flags of `serve` about brokers.
#[cfg(feature = "nats")]
#[derive(Debug, clap::Args)]
pub(crate) struct BrokerOptions {
    /// Take events from a stream of NATS JetStream, too, nats://HOST:4222/STREAM, perhaps with ?consumer=NAME and
    /// &dead_letters=SUBJECT, which a stream must keep [default: eventful, dead.STREAM]
    #[arg(long, env = "EVENTFUL_FROM", value_name = "STREAM", value_parser = crate::unrepeated::Unrepeated(from_flag))]
    pub(crate) from: Option<NatsUrl>,
}

/// Reads the value of `--from`.
///
/// # Errors
///
/// What is wrong, without what may be a secret.
#[cfg(feature = "nats")]
fn from_flag(text: &str) -> Result<NatsUrl, String> {
    let url = NatsUrl::parse(text)?;
    url.knows(&OF_THE_FLAG)?;
    Ok(url)
}

/// All sources that are brokers: those of tables, and that of the flag.
///
/// # Errors
///
/// A table of the flag's name beside the flag.
#[cfg(feature = "nats")]
pub(crate) fn all(
    tables: &BTreeMap<String, BrokerConfig>,
    from: Option<&NatsUrl>,
) -> anyhow::Result<BTreeMap<String, BrokerConfig>> {
    let mut all = tables.clone();
    let Some(url) = from else { return Ok(all) };
    let value = |name| url.value(name).map(str::to_owned);
    let config = BrokerConfig {
        kind: BrokerProduct::Jetstream,
        url: url.to_string(),
        consumer: value("consumer"),
        dead_letters: value("dead_letters"),
        subjects: value("subject").into_iter().collect(),
        ack_wait: None,
        max_in_flight: None,
        user: None,
        password: None,
        token: None,
    };
    anyhow::ensure!(
        all.insert(FROM.to_owned(), config).is_none(),
        "sources.{FROM}: this is the name of the source of --from; choose another"
    );
    Ok(all)
}

/// Refuses sources that are brokers, in a program without a client of any.
///
/// # Errors
///
/// There is one.
#[cfg(not(feature = "nats"))]
pub(crate) fn none(tables: &BTreeMap<String, BrokerConfig>) -> anyhow::Result<()> {
    match tables.keys().next() {
        None => Ok(()),
        Some(name) => {
            anyhow::bail!("sources.{name}: this program has no client of NATS: build it with the feature nats")
        }
    }
}
