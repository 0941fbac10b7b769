//! A run as data: what is configured, what clients and operators do, what goes wrong, and which of
//! several ready steps came first.
//!
//! A scenario is drawn from a seed, kept as JSON, made smaller, and replayed exactly. Nothing in a
//! run comes from elsewhere.

mod behaviour;
mod draw;
mod draw_journal;
mod event;
mod family;
mod fault;
mod fault_kind;
mod kinds;
mod operation;
mod settings;
mod units;
mod words;

pub use behaviour::Behaviour;
pub use event::EventNumber;
pub use family::{Family, Plan};
pub use fault::{Ailment, Fault, Loss};
pub use fault_kind::FaultKind;
pub use operation::{Act, Operation};
pub use settings::{Journaling, Settings};
pub use words::Micros;

pub use crate::file::FileError;

use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::{Value, to_value};

use crate::file;

/// Everything that a run of the core tier is made of. Times are microseconds since its start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// The version of this form.
    pub format: u32,
    /// What it shows, for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub about: String,
    /// The seed that it was drawn from. How long an undisturbed handler takes follows from it too.
    pub seed: u64,
    /// The engine's configuration.
    pub settings: Settings,
    /// How the journal is kept. Absent: there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub journal: Option<Journaling>,
    /// What clients and operators do.
    pub operations: Vec<Operation>,
    /// What goes wrong.
    pub faults: Vec<Fault>,
    /// Which of the ready steps is taken, step by step, counted from the one that has been ready
    /// for longest; 0 when the list has ended. Absent: drawn from the seed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub choices: Option<Vec<u16>>,
    /// How often time may pass although a step is ready, at most. It is then one of the choices.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub patience: u8,
}

impl Scenario {
    /// The version of the form that this program writes.
    pub const FORMAT: u32 = 1;

    /// The largest number that a file may have, apart from its seed: as a time, 34 days.
    const MOST: u64 = 3_000_000_000_000;

    /// Operations and faults: what a person has to read.
    pub fn size(&self) -> usize {
        self.operations.len() + self.faults.len()
    }

    /// Reads a scenario file.
    ///
    /// # Errors
    ///
    /// [`FileError`] when there is none, or it is not one that this program can run.
    pub fn read(path: &Path) -> Result<Self, FileError> {
        let name = || path.display().to_string();
        let scenario: Self = file::read(path, "core")?;
        if scenario.format != Self::FORMAT {
            return Err(FileError::Format { path: name(), found: scenario.format, known: Self::FORMAT });
        }
        scenario.check_size().map_err(|what| FileError::TooLarge { path: name(), what })?;
        scenario.settings.config().validate().map_err(|source| FileError::Settings { path: name(), source })?;
        Ok(scenario)
    }

    /// Whether its numbers are such that sums do not overflow, and permits have numbers.
    fn check_size(&self) -> Result<(), String> {
        let value = |part: serde_json::Result<Value>| part.map_or(0, |part| largest(&part));
        let [operations, faults, settings, journal] =
            [to_value(&self.operations), to_value(&self.faults), to_value(&self.settings), to_value(self.journal)]
                .map(value);
        let parts = [("an operation", operations), ("a fault", faults), ("a setting", settings), ("journal", journal)];
        for (name, number) in parts {
            if number > Self::MOST {
                return Err(format!("a number of {name} is over {}", Self::MOST));
            }
        }
        let permits = self.settings.concurrency.get();
        u16::try_from(permits).map_or_else(|_| Err(format!("concurrency is over {}", u16::MAX)), |_| Ok(()))
    }

    /// Writes it to a file, one operation, fault or setting a line.
    ///
    /// # Errors
    ///
    /// [`FileError::Io`] when the file cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), FileError> {
        file::write(path, &self.to_json())
    }

    /// The text of its file.
    ///
    /// # Panics
    ///
    /// Never: every part of a scenario has a form in JSON.
    pub fn to_json(&self) -> String {
        let line = |value: &dyn Line| value.line();
        let list = |lines: Vec<String>| match lines.is_empty() {
            true => "[]".to_owned(),
            false => format!("[\n    {}\n  ]", lines.join(",\n    ")),
        };
        let mut parts = vec![format!("\"format\": {}", self.format)];
        if !self.about.is_empty() {
            parts.push(format!("\"about\": {}", line(&self.about)));
        }
        parts.push(format!("\"seed\": {}", self.seed));
        parts.push(format!("\"settings\": {}", line(&self.settings)));
        if let Some(journal) = &self.journal {
            parts.push(format!("\"journal\": {}", line(journal)));
        }
        parts.push(format!("\"operations\": {}", list(self.operations.iter().map(|one| line(one)).collect())));
        parts.push(format!("\"faults\": {}", list(self.faults.iter().map(|one| line(one)).collect())));
        if self.patience > 0 {
            parts.push(format!("\"patience\": {}", self.patience));
        }
        if let Some(choices) = &self.choices {
            parts.push(format!("\"choices\": {}", line(choices)));
        }
        format!("{{\n  {}\n}}\n", parts.join(",\n  "))
    }
}

/// The largest number anywhere in a value.
fn largest(value: &Value) -> u64 {
    match value {
        Value::Number(number) => number.as_u64().unwrap_or_default(),
        Value::Array(items) => items.iter().map(largest).max().unwrap_or_default(),
        Value::Object(members) => members.values().map(largest).max().unwrap_or_default(),
        Value::Null | Value::Bool(_) | Value::String(_) => 0,
    }
}

/// Most scenarios have none, and say nothing about it.
#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde gives references")]
const fn is_zero(patience: &u8) -> bool {
    *patience == 0
}

/// Anything that has a form in JSON, on one line.
trait Line {
    fn line(&self) -> String;
}

impl<T: Serialize> Line for T {
    fn line(&self) -> String {
        serde_json::to_string(self).expect("numbers, strings and lists of them have a form in JSON")
    }
}
