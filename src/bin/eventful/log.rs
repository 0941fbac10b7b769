//! The log: which lines are in it, and in which form.

use std::str::FromStr as _;

use clap::ValueEnum;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer as _, fmt};

use crate::terminal::{StderrLog, is_watched};

/// Levels: one for all, and others for targets whose names begin so.
#[derive(Debug, Clone)]
pub(crate) struct LogLevels(Targets);

/// The form of the log.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum LogFormat {
    /// A line for people each
    Text,
    /// A JSON object each, with timestamp, level, target, fields and span
    Json,
}

impl LogLevels {
    /// Warnings and errors of all parts.
    pub(crate) fn warnings() -> Self {
        Self(Targets::new().with_default(LevelFilter::WARN))
    }

    /// Reads `info`, or `info,eventful::http=debug`.
    ///
    /// # Errors
    ///
    /// The levels to write instead.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut levels = Targets::new();
        for part in text.split(',') {
            levels = match part.split_once('=') {
                Some(("", _)) => return Err(format!("{part:?} names no target: write such as eventful::http=debug")),
                Some((target, name)) => levels.with_target(target, level(name)?),
                None => levels.with_default(level(part)?),
            };
        }
        Ok(Self(levels))
    }
}

impl LogFormat {
    /// Logs to standard error from now on.
    pub(crate) fn start(self, LogLevels(levels): LogLevels) {
        let lines = fmt::layer().with_ansi(is_watched()).with_writer(|| StderrLog);
        let lines = match self {
            Self::Text => lines.with_filter(levels).boxed(),
            Self::Json => lines.json().with_span_list(false).with_filter(levels).boxed(),
        };
        tracing_subscriber::registry().with(lines).init();
    }
}

/// An empty name would count as `error`.
fn level(name: &str) -> Result<LevelFilter, String> {
    let level = Some(name).filter(|name| !name.is_empty()).and_then(|name| LevelFilter::from_str(name).ok());
    level.ok_or_else(|| format!("{name:?} is no level: write off, error, warn, info, debug or trace"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tracing::Level;

    #[test]
    fn target_has_the_level_of_its_longest_name() {
        let LogLevels(levels) = LogLevels::parse("warn,eventful::http=debug,eventful=info").expect("levels");
        for (target, level, is_on) in [
            ("hyper", Level::INFO, false),
            ("hyper", Level::WARN, true),
            ("eventful::node", Level::INFO, true),
            ("eventful::node", Level::DEBUG, false),
            ("eventful::http::server", Level::DEBUG, true),
        ] {
            assert_eq!(levels.would_enable(target, &level), is_on, "{target} {level}");
        }
    }

    #[test]
    fn what_is_no_level_is_refused() {
        for text in ["", "loud", "info,", "a=", "=info", "info,a=loud"] {
            assert!(LogLevels::parse(text).is_err_and(|wrong| wrong.contains("write ")), "{text:?}");
        }
    }
}
