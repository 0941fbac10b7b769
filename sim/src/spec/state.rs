//! The state that facts determine, as a whole.

use std::fmt::Debug;

use eventful::{RecordView, engine::facts::DurableState};

use super::{FactCounts, Numbering, ReferenceState};

impl ReferenceState {
    /// Returns the first difference between a state and that of the facts.
    pub fn difference(&self, state: &DurableState, keys: &impl Numbering) -> Option<String> {
        let ordered = state.records.is_sorted_by(|one, other| one.key < other.key);
        if !ordered {
            return Some("its records are not in the order of their keys".to_owned());
        }
        let strange = state.records.iter().find_map(|view| self.strange(view, keys));
        strange
            .or_else(|| self.lost(state))
            .or_else(|| differs("counters", &FactCounts::of(&state.counters), &self.counts))
            .or_else(|| differs("whether it is paused", &state.paused, &self.paused))
            .or_else(|| differs("paused groups", &state.paused_groups, &self.paused_groups.iter().cloned().collect()))
            .or_else(|| differs("schedules", &state.schedules, &self.schedules.clone().into_iter().collect()))
            .or_else(|| differs("epoch", &state.epoch, &self.epoch.unwrap_or_default()))
            .or_else(|| differs("downtimes", &state.downtimes[..], self.downtimes.all()))
    }

    /// Returns the first record that is missing. All records that are there are known, so none is missing if there are
    /// as many.
    fn lost(&self, state: &DurableState) -> Option<String> {
        if state.records.len() as u64 == self.total() {
            return None;
        }
        let is_there = |key| state.records.binary_search_by(|view| view.key.cmp(key)).is_ok();
        let (event, record) = self.all().find(|(_, record)| !is_there(record.event.key()))?;
        Some(format!("event {event} is not in it: {record:?}"))
    }

    fn strange(&self, view: &RecordView, keys: &impl Numbering) -> Option<String> {
        let record = keys.number(&view.key).and_then(|event| self.record(event));
        let wrong = match record {
            Some(record) => record.difference(view)?,
            None => "is there",
        };
        Some(format!("{} {wrong}: {view:?}, but {record:?}", view.key))
    }
}

fn differs<T: PartialEq + Debug + ?Sized>(what: &str, found: &T, expected: &T) -> Option<String> {
    (found != expected).then(|| format!("{what}: {found:?}, expected {expected:?}"))
}
