//! Schedules, as a file has them, and the arguments of the command that shows them.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::Args;
use eventful::Event;
use eventful::schedules::{Cron, Missed, Overlap, Schedule};
use serde::Deserialize;

use crate::routing::config::Span;

/// A schedule: one table `[schedules.NAME]`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ScheduleConfig {
    /// The cron expression.
    pub(crate) cron: String,
    /// The time zone; UTC by default.
    pub(crate) zone: Option<String>,
    /// The type of its events.
    #[serde(rename = "type")]
    pub(crate) event_type: Option<String>,
    /// The payload of its events; empty by default.
    pub(crate) payload: String,
    /// The media type of the payload.
    pub(crate) content_type: Option<String>,
    /// The group of its events.
    pub(crate) group: Option<String>,
    /// The attributes of its events.
    pub(crate) attributes: BTreeMap<String, String>,
    /// The instants that are made up for, of those that were missed: the latest by default.
    pub(crate) missed: MissedConfig,
    /// The longest time after an instant in which it is made up for.
    pub(crate) catch_up: Option<Span>,
    /// The rule for an instant that comes before the last event has ended.
    pub(crate) overlap: OverlapConfig,
}

/// The instants that are made up for: `"latest"`, `"none"`, or at most so many.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(untagged, expecting = "missed is \"latest\", \"none\" or a number from 1 to 100")]
pub(crate) enum MissedConfig {
    Most(NonZeroUsize),
    Word(MissedWord),
}

/// A rule for missed instants that has a name.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum MissedWord {
    Latest,
    None,
}

/// The rule for an instant that comes before the last event has ended.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum OverlapConfig {
    #[default]
    Skip,
    Allow,
}

/// The arguments of `schedules`.
#[derive(Debug, Args)]
pub(crate) struct SchedulesOptions {
    /// A file with tables [schedules.NAME]: that of --config, or of --schedules
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Print JSON, one object a line
    #[arg(long)]
    pub(crate) json: bool,
}

impl Default for MissedConfig {
    fn default() -> Self {
        Self::Word(MissedWord::Latest)
    }
}

impl ScheduleConfig {
    /// Returns its calendar.
    pub(crate) fn calendar(&self, name: &str) -> anyhow::Result<Cron> {
        let zone = self.zone.as_deref().unwrap_or("UTC");
        Cron::new(&self.cron, zone).map_err(|error| wrong(name, error))
    }

    /// Returns the schedule of this name.
    pub(crate) fn schedule(&self, name: &str) -> anyhow::Result<Schedule> {
        let schedule = Schedule::new(name, self.calendar(name)?, self.event(name)?)?;
        let missed = match self.missed {
            MissedConfig::Most(most) => Missed::All(most),
            MissedConfig::Word(MissedWord::Latest) => Missed::Latest,
            MissedConfig::Word(MissedWord::None) => Missed::None,
        };
        let overlap = match self.overlap {
            OverlapConfig::Skip => Overlap::Skip,
            OverlapConfig::Allow => Overlap::Allow,
        };
        let catch_up = self.catch_up.map_or(schedule.catch_up, Span::time);
        Ok(schedule.with_missed(missed).with_overlap(overlap).with_catch_up(catch_up))
    }

    /// The event of each instant, whose id is replaced.
    fn event(&self, name: &str) -> anyhow::Result<Event> {
        let wrong = |error| wrong(name, error);
        let mut event = Event::with_id("any", self.payload.clone()).map_err(wrong)?;
        if let Some(event_type) = &self.event_type {
            event = event.with_type(event_type).map_err(wrong)?;
        }
        if let Some(content_type) = &self.content_type {
            event = event.with_content_type(content_type).map_err(wrong)?;
        }
        if let Some(group) = &self.group {
            event = event.with_group(group).map_err(wrong)?;
        }
        for (attribute, value) in &self.attributes {
            event = event.with_attribute(attribute, value).map_err(wrong)?;
        }
        Ok(event)
    }
}

fn wrong(name: &str, error: impl std::fmt::Display) -> anyhow::Error {
    anyhow::anyhow!("schedules.{name}: {error}")
}
