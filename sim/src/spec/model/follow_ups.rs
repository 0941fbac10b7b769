//! Follow-ups: events that are accepted together with the completion of another one.

use eventful::{
    Event,
    engine::{Answer, Bound, ErrorText, Refusal},
};

use super::Model;
use super::admission::overloaded;
use crate::scenario::EventNumber;
use crate::spec::{Cause, event_bytes};

impl Model {
    /// Ends the run of an event with success and its follow-ups, or otherwise and without them.
    pub(super) fn settle_with(&mut self, event: EventNumber, then: &[Event]) -> Answer {
        match self.weigh(event, then) {
            Err((cause, error)) => {
                self.end_run(event, cause, Some(error));
            }
            Ok(new) => {
                self.end_run(event, Cause::Done, None);
                for _ in new.len()..then.len() {
                    self.tallies.one("deduplicated");
                }
                new.into_iter().for_each(|(number, event)| self.accept(number, &event));
            }
        }
        Answer::Settled(self.known(event).status())
    }

    /// Returns the follow-ups that are new; or the cause of another end of the run.
    fn weigh(&mut self, ending: EventNumber, then: &[Event]) -> Result<Vec<(EventNumber, Event)>, (Cause, ErrorText)> {
        let (most, most_bytes) = (self.config().max_follow_ups, self.config().max_event_bytes);
        let bytes: usize = then.iter().map(event_bytes).sum();
        let count = then.len();
        let never = |error: String| Err((Cause::Permanent, ErrorText::new(error)));
        if count > most {
            return never(format!(
                "it ended with {count} follow-ups, max_follow_ups is {most}: raise it, or end with fewer"
            ));
        }
        if bytes > most_bytes {
            return never(format!(
                "its follow-ups have {bytes} bytes together, max_event_bytes is {most_bytes}: raise it, or send references to the data"
            ));
        }
        let mut new: Vec<(EventNumber, Event)> = Vec::new();
        for event in then {
            let number = self.keys.enter(event.key());
            let stored = self.expected.present(number, self.now).map(|record| *record.event.digest());
            let listed = new.iter().find(|(other, _)| *other == number).map(|(_, other)| *other.digest());
            match stored.or(listed) {
                None => new.push((number, event.clone())),
                Some(known) if known == *event.digest() => {}
                Some(_) => {
                    self.tallies.one("conflicted");
                    let key = event.key();
                    return never(format!(
                        "another payload was accepted under the key of its follow-up {key}: give each follow-up a key of its own"
                    ));
                }
            }
        }
        for (number, _) in &new {
            if self.expected.record(*number).is_some() {
                self.forget(*number);
            }
        }
        match self.refuse_follow_ups(ending, &new) {
            Some(Refusal::Overloaded { bound, retry_after: delay }) => {
                let error = ErrorText::new(format!("its follow-ups have no room: the bound {bound} is reached"));
                Err((Cause::Snooze { delay }, error))
            }
            Some(Refusal::TooLarge { .. } | Refusal::ShuttingDown) | None => Ok(new),
        }
    }

    /// Returns the refusal of follow-ups that are new. They may pass the bounds on counts and bytes as if every run had as
    /// many of them as it may; and whatever takes no more than the event that ends fits.
    fn refuse_follow_ups(&mut self, ending: EventNumber, new: &[(EventNumber, Event)]) -> Option<Refusal> {
        if new.is_empty() {
            return None;
        }
        let config = self.config().clone();
        let (count, bytes) = (new.len(), new.iter().map(|(_, event)| event_bytes(event)).sum::<usize>());
        let (runs, ending) = (config.concurrency.get(), self.known(ending).event.clone());
        let spare = runs * config.max_follow_ups;
        let full = |bound| Some(overloaded(bound, config.overload_retry_after));
        for (_, event) in new {
            let Some((group, most)) = event.group().and_then(|group| Some((group, self.most_in(group)?))) else {
                continue;
            };
            let comes = new.iter().filter(|(_, other)| other.group() == Some(group)).count();
            let leaves = usize::from(ending.group() == Some(group));
            if comes > leaves && self.expected.pending_in(group) + comes - leaves > most + spare {
                return full(Bound::Group);
            }
        }
        if count > 1 && self.expected.pending() as usize + count - 1 > config.max_pending + spare {
            return full(Bound::Pending);
        }
        let refused = self.refuse_beside_failed(bytes);
        let most_records = (config.max_records + spare) as u64;
        let refused = refused.or_else(|| self.refuse_records(count, most_records));
        let leaves = event_bytes(&ending);
        let most_bytes = config.max_bytes.saturating_add(runs * config.max_event_bytes);
        refused.or_else(|| match bytes > leaves && self.expected.bytes as usize + bytes - leaves > most_bytes {
            true => full(Bound::Bytes),
            false => None,
        })
    }

    /// Returns the bound on the pending events of a group, if its policy has one.
    fn most_in(&self, group: &str) -> Option<usize> {
        crate::spec::group_policy_of(self.config(), group).max_pending
    }
}
