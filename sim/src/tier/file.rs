//! Scenarios as files.

use std::path::Path;

use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Serialize};
use serde_json::{Value, to_value};

use super::refusal::{FORMAT, FileError};
use super::scenario::{Scenario, Tier};

/// The largest number in a file, apart from its seed: as microseconds, 34 days. Sums of such numbers do not overflow,
/// and the longest clock error fits.
const MOST: u64 = 3_000_000_000_000;

/// The first fields of every scenario file.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ScenarioHead {
    /// The version of the format.
    pub format: u32,
    /// The name of the tier. The first version had none.
    #[serde(default)]
    pub tier: String,
}

/// The fields of a scenario file behind the head.
#[derive(Deserialize)]
#[serde(bound = "", deny_unknown_fields)]
struct ScenarioFile<T: Tier> {
    #[serde(rename = "format")]
    _format: IgnoredAny,
    #[serde(rename = "tier")]
    _tier: IgnoredAny,
    #[serde(default)]
    about: String,
    seed: u64,
    setup: T::Setup,
    operations: Vec<T::Operation>,
    faults: Vec<T::Fault>,
    #[serde(default)]
    choices: Option<Vec<u16>>,
}

impl ScenarioHead {
    /// Reads the head of a file.
    ///
    /// # Errors
    ///
    /// [`FileError`] if there is no file, or it has another format.
    pub fn read(path: &Path) -> Result<Self, FileError> {
        Self::parse(&text(path)?, &path.display().to_string())
    }

    fn parse(text: &str, path: &str) -> Result<Self, FileError> {
        let head: Self = parse(text, path, "any tier")?;
        match head.format {
            FORMAT => Ok(head),
            found => Err(FileError::Format { path: path.to_owned(), found }),
        }
    }
}

impl<T: Tier> Scenario<T> {
    /// Reads a scenario file.
    ///
    /// # Errors
    ///
    /// [`FileError`] if there is no file, or it is no scenario that this program can run.
    pub fn read(path: &Path) -> Result<Self, FileError> {
        let (text, path) = (text(path)?, path.display().to_string());
        let ScenarioHead { tier: found, .. } = ScenarioHead::parse(&text, &path)?;
        if found != T::NAME {
            return Err(FileError::Tier { path, found, wanted: T::NAME });
        }
        let ScenarioFile { about, seed, setup, operations, faults, choices, .. } =
            parse::<ScenarioFile<T>>(&text, &path, &format!("the {} tier", T::NAME))?;
        let scenario = Self { about, seed, setup, operations, faults, choices };
        check_numbers(&scenario, &path)?;
        T::check(&scenario, &path)?;
        Ok(scenario)
    }

    /// Writes the scenario to a file.
    ///
    /// # Errors
    ///
    /// [`FileError::Io`] if the file cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), FileError> {
        std::fs::write(path, self.to_json())
            .map_err(|source| FileError::Io { path: path.display().to_string(), source })
    }

    /// Returns the text of the file: one operation, fault or part of the setup a line.
    ///
    /// # Panics
    ///
    /// Never: every part of a scenario has a form in JSON.
    pub fn to_json(&self) -> String {
        let mut members = vec![format!("\"format\": {}", FORMAT), format!("\"tier\": {}", line(&T::NAME))];
        if !self.about.is_empty() {
            members.push(format!("\"about\": {}", line(&self.about)));
        }
        members.push(format!("\"seed\": {}", self.seed));
        let setup = serde_json::to_value(&self.setup).unwrap_or_default();
        let part = |(name, value): (&String, &Value)| format!("{}: {}", line(name), line(value));
        members.push(format!("\"setup\": {}", block('{', setup.as_object().into_iter().flatten().map(part), '}')));
        members.push(format!("\"operations\": {}", block('[', self.operations.iter().map(line), ']')));
        members.push(format!("\"faults\": {}", block('[', self.faults.iter().map(line), ']')));
        if let Some(choices) = &self.choices {
            members.push(format!("\"choices\": {}", line(choices)));
        }
        format!("{{\n  {}\n}}\n", members.join(",\n  "))
    }
}

/// Formats lines between brackets.
fn block(open: char, lines: impl Iterator<Item = String>, close: char) -> String {
    let lines: Vec<_> = lines.collect();
    if lines.is_empty() {
        format!("{open}{close}")
    } else {
        format!("{open}\n    {}\n  {close}", lines.join(",\n    "))
    }
}

fn line(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("numbers, strings and lists of them have a form in JSON")
}

fn text(path: &Path) -> Result<String, FileError> {
    std::fs::read_to_string(path).map_err(|source| FileError::Io { path: path.display().to_string(), source })
}

fn parse<F: DeserializeOwned>(text: &str, path: &str, tier: &str) -> Result<F, FileError> {
    let form = |source| FileError::Form { path: path.to_owned(), tier: tier.to_owned(), source };
    serde_json::from_str(text).map_err(form)
}

/// Refuses numbers whose sums could overflow.
fn check_numbers<T: Tier>(scenario: &Scenario<T>, path: &str) -> Result<(), FileError> {
    let Scenario { setup, operations, faults, .. } = scenario;
    let parts = [("the setup", to_value(setup)), ("an operation", to_value(operations)), ("a fault", to_value(faults))];
    let too_large = parts.iter().find(|(_, value)| value.as_ref().is_ok_and(|value| largest(value) > MOST));
    too_large.map_or(Ok(()), |(name, _)| {
        let what = format!("a number of {name} is more than {MOST}");
        Err(FileError::TooLarge { path: path.to_owned(), what })
    })
}

/// Returns the largest number anywhere in a value.
fn largest(value: &Value) -> u64 {
    match value {
        Value::Number(number) => number.as_u64().unwrap_or_default(),
        Value::Array(items) => items.iter().map(largest).max().unwrap_or_default(),
        Value::Object(members) => members.values().map(largest).max().unwrap_or_default(),
        Value::Null | Value::Bool(_) | Value::String(_) => 0,
    }
}
