//! `eventful check`

use std::process::ExitCode;

use serde_json::json;

use crate::contradictions::{Compared, mebibytes, memory_of_machine};
use crate::options::{CheckOptions, ServeOptions};
use crate::prepared::{Invalid, Prepared};
use crate::routing::router::EventRouter;
use crate::terminal::{say, warn};

/// Reads everything that `serve` would, and reports contradictions. Exit code 1 when there are any.
pub(crate) fn check(call: &CheckOptions, options: &ServeOptions) -> Result<ExitCode, Invalid> {
    let prepared = Prepared::new(options)?;
    let compared = compared(&prepared, options);
    let (allowed, found) = (compared.allowed_bytes(), compared.contradictions());
    if call.json {
        say(&json!({ "memory_bytes": allowed, "contradictions": found }).to_string());
    } else {
        say(&format!("memory     {} at most by its bounds", mebibytes(allowed)));
        found.iter().for_each(|what| warn(&format!("{}: {what}", call.file.display())));
        if found.is_empty() {
            say("sound");
        }
    }
    Ok(ExitCode::from(u8::from(!found.is_empty())))
}

/// The settings to compare, with the memory of this machine.
pub(crate) fn compared<'a>(prepared: &'a Prepared, options: &'a ServeOptions) -> Compared<'a> {
    Compared {
        config: &prepared.config,
        limits: &prepared.front.limits,
        sources: &options.tables.sources,
        targets: &options.tables.targets,
        gaps: prepared.handler.router().map(EventRouter::gaps).unwrap_or_default(),
        memory: memory_of_machine(),
    }
}
