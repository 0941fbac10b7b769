//! What a page says of a run besides its trace, whatever the tier.

use serde_json::Value;

use super::span::Span;
use super::text::seconds;
use crate::scenario::{Fault, Operation, Scenario};

/// What a run was made of.
#[derive(Debug)]
pub(super) struct About {
    pub(super) seed: u64,
    /// What it shows.
    pub(super) about: String,
    /// The scenario's file.
    pub(super) file: String,
    /// When, who, and what.
    pub(super) operations: Vec<[String; 3]>,
    /// When, and what.
    pub(super) faults: Vec<[String; 2]>,
    pub(super) settings: Value,
    /// Where choices come from.
    pub(super) choices: String,
    /// The times in which a part does not work as it should.
    pub(super) spans: Vec<Span>,
}

impl About {
    pub(super) fn of(scenario: &Scenario) -> Self {
        let choices = match &scenario.choices {
            Some(choices) => format!("{} are listed in the file", choices.len()),
            None => "drawn from the seed".to_owned(),
        };
        Self {
            seed: scenario.seed,
            about: scenario.about.clone(),
            file: scenario.to_json(),
            operations: scenario.operations.iter().map(operation).collect(),
            faults: scenario.faults.iter().map(fault).collect(),
            settings: serde_json::to_value(&scenario.settings).unwrap_or_default(),
            choices,
            spans: scenario.faults.iter().filter_map(Span::of).collect(),
        }
    }
}

fn operation(operation: &Operation) -> [String; 3] {
    let hangs_up = if operation.hangs_up { ", and hangs up before the answer" } else { "" };
    [seconds(operation.at), format!("client {}", operation.client), format!("{}{hangs_up}", operation.act)]
}

fn fault(fault: &Fault) -> [String; 2] {
    [fault.at().map_or(String::new(), seconds), fault.to_string()]
}
