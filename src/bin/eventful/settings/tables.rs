//! The tables of a configuration file: settings with parts, which no flag can hold.

use std::collections::BTreeMap;

use eventful::http::AccessConfig;
use eventful::http::sources::{SecretRef, SourceConfig};
use serde::Deserialize;

use crate::brokers::config::BrokerConfig;
use crate::routing::config::{RouteConfig, TargetConfig};
use crate::schedule_config::ScheduleConfig;

/// The tables of a file.
#[derive(Debug, Clone, Default)]
pub(crate) struct FileTables {
    /// `[sources.NAME]`: senders of webhooks.
    pub(crate) sources: BTreeMap<String, SourceConfig>,
    /// `[sources.NAME]` with a `kind`: brokers.
    pub(crate) brokers: BTreeMap<String, BrokerConfig>,
    /// `[access]`: tokens.
    pub(crate) access: AccessConfig,
    /// `[signing]`: secrets that sign deliveries.
    pub(crate) signing: SigningConfig,
    /// `[targets.NAME]`: where events are delivered.
    pub(crate) targets: BTreeMap<String, TargetConfig>,
    /// `[schedules.NAME]`: events at the times of cron expressions.
    pub(crate) schedules: BTreeMap<String, ScheduleConfig>,
    /// `[[routes]]`: which events go to which target.
    pub(crate) routes: Vec<RouteConfig>,
}

impl FileTables {
    /// The names of the tables.
    pub(crate) const NAMES: [&str; 6] = ["sources", "access", "signing", "targets", "routes", "schedules"];
}

/// The secrets that sign deliveries.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct SigningConfig {
    /// Secrets, all of which sign: two while one replaces the other.
    pub(crate) secrets: Vec<SecretRef>,
}
