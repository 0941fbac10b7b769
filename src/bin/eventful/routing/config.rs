//! Targets and routes, as a configuration file has them.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::time::Duration;

use eventful::http::sources::SecretRef;
use eventful::http::targets::CircuitConfig;
use serde::Deserialize;

use crate::deliver::DeliveryForm;
use crate::spans;

/// A target: one table `[targets.NAME]`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct TargetConfig {
    /// The URL to which events are posted.
    pub(crate) url: Option<String>,
    /// The form of a delivery to the URL: that of all by default.
    pub(crate) deliver_as: Option<DeliveryForm>,
    /// The shell command that is run on each event, instead of a URL.
    pub(crate) exec: Option<String>,
    /// Attempts at the same time.
    pub(crate) concurrency: Option<NonZeroUsize>,
    /// The time that an attempt may take.
    pub(crate) timeout: Option<Span>,
    /// Attempts after which an event has failed.
    pub(crate) max_attempts: Option<u32>,
    /// The wait after the first attempt.
    pub(crate) backoff: Option<Span>,
    /// The longest wait between attempts.
    pub(crate) backoff_cap: Option<Span>,
    /// The user of this server at a broker.
    pub(crate) user: Option<String>,
    /// The user's password.
    pub(crate) password: Option<SecretRef>,
    /// A token for a broker, instead of both.
    pub(crate) token: Option<SecretRef>,
    /// Headers of each delivery.
    pub(crate) headers: BTreeMap<String, HeaderSource>,
    /// Secrets that sign deliveries, instead of those of `[signing]`.
    pub(crate) secrets: Vec<SecretRef>,
    /// The time for which it must have failed before its circuit opens.
    pub(crate) open_after: Option<Span>,
    /// The time between two attempts that an open circuit lets through.
    pub(crate) probe_every: Option<Span>,
}

impl TargetConfig {
    /// The configuration of its circuit.
    pub(crate) fn circuit(&self) -> CircuitConfig {
        let mut circuit = CircuitConfig::default();
        circuit.open_after = self.open_after.map_or(circuit.open_after, Span::time);
        circuit.probe_every = self.probe_every.map_or(circuit.probe_every, Span::time);
        circuit
    }
}

/// A route: one table `[[routes]]`. The first one that fits an event decides.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RouteConfig {
    /// The source of events, or its beginning and `*`. Any by default.
    pub(crate) source: Option<String>,
    /// The type of events, or its beginning and `*`. Any by default, and none.
    #[serde(rename = "type")]
    pub(crate) event_type: Option<String>,
    /// The name of the target.
    pub(crate) target: String,
}

/// The value of a header: a text, or a secret elsewhere.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged, expecting = "a header is a text, { file = \"PATH\" } or { env = \"NAME\" }")]
pub(crate) enum HeaderSource {
    Text(String),
    Secret(SecretRef),
}

/// A duration such as `5s`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Span(Duration);

impl Span {
    pub(crate) const fn time(self) -> Duration {
        self.0
    }
}

impl TryFrom<String> for Span {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        spans::parse(&text).map(Self).map_err(|error| error.to_string())
    }
}
