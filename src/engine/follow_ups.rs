//! Follow-ups: events that are accepted together with the completion of another one.
//!
//! All follow-ups of a run are checked before any is accepted. Of these rows the first one that fits decides:
//!
//! | follow-ups | their event | follow-ups then |
//! |---|---|---|
//! | more than `max_follow_ups`, or together more than `max_event_bytes` | fails | none accepted |
//! | one has a known key, and another payload | fails, and its error names the key | none accepted |
//! | a bound leaves no room, not even for follow-ups | waits, as after a snooze | none accepted |
//! | each is new, or known with the same payload | is completed | all new ones accepted |
//!
//! Two of one key are like a submission and a second one. The facts are decided by one command: the end of the run, then
//! the acceptances. A journal keeps them in one frame, so that a crash leaves all of them or none.
//!
//! Follow-ups may pass the bounds that refuse new events, since the events that fill them could never end otherwise: those
//! on counts, of a group too, by `concurrency` × `max_follow_ups`, and that on bytes by `concurrency` × `max_event_bytes`.
//! What takes no more room than the event that ends is never refused for the bounds on pending events, on those of a group
//! and on bytes. Records, which stay for the retention, failed events and the journal may still make it wait.

use alloc::vec::Vec;
use core::time::Duration;

use super::Engine;
use super::answer::{Answer, Bound, Refusal};
use super::command::{ErrorText, Outcome};
use super::effect::Output;
use super::event::Event;
use super::store::Slot;

/// A follow-up that is new, with the hash of its key.
struct NewFollowUp {
    hash: u64,
    event: Event,
}

impl Engine {
    /// Ends a run with success, and accepts its follow-ups; or ends it otherwise, and accepts none.
    // Apart from the path of most outcomes, which have none.
    #[cold]
    #[inline(never)]
    pub(super) fn settle_with(&mut self, slot: Slot, then: Vec<Event>, out: &mut Output) -> Answer {
        let (new, outcome) = match self.admit_follow_ups(slot, then, out) {
            Ok(new) => (new, Outcome::Done),
            Err(outcome) => (Vec::new(), outcome),
        };
        let finish = self.judge(slot, outcome);
        let status = self.finish(slot, finish, out);
        new.into_iter().for_each(|NewFollowUp { hash, event }| self.accept(hash, event, out));
        Answer::Settled(status)
    }

    /// Returns those follow-ups that are new; or another outcome, when not all of them can be accepted.
    fn admit_follow_ups(
        &mut self,
        slot: Slot,
        then: Vec<Event>,
        out: &mut Output,
    ) -> Result<Vec<NewFollowUp>, Outcome> {
        self.refuse_too_many(&then)?;
        let count = then.len();
        let mut new: Vec<NewFollowUp> = Vec::with_capacity(count);
        for event in then {
            let hash = self.state.store.hash(event.key());
            let found = self.state.store.find(hash, event.key());
            let known = match found.filter(|location| !self.is_expired(*location)) {
                Some(location) => Some(self.known(location).0),
                // One that is named twice is known at the second time.
                None => new
                    .iter()
                    .find(|new| new.hash == hash && new.event.key() == event.key())
                    .map(|new| *new.event.digest()),
            };
            match known {
                Some(digest) if digest == *event.digest() => {}
                Some(_) => return Err(self.follow_up_conflicts(&event)),
                None => new.push(NewFollowUp { hash, event }),
            }
        }
        // As for a submission: what has expired is absent, whatever becomes of the others.
        for NewFollowUp { hash, event } in &new {
            if let Some(expired) = self.state.store.find(*hash, event.key()) {
                self.forget(expired, out);
            }
        }
        self.admit_beyond(slot, &new, out).map_err(|refusal| self.wait_for_room(refusal))?;
        self.tallies.deduplicated += (count - new.len()) as u64;
        Ok(new)
    }

    /// Refuses follow-ups that no waiting would admit.
    fn refuse_too_many(&self, then: &[Event]) -> Result<(), Outcome> {
        let (most, most_bytes) = (self.config.max_follow_ups, self.config.max_event_bytes);
        let (count, size) = (then.len(), sum(then.iter().map(Event::size_bytes)));
        let error = if count > most {
            ErrorText::new(format_args!(
                "it ended with {count} follow-ups, max_follow_ups is {most}: raise it, or end with fewer"
            ))
        } else if size > most_bytes {
            ErrorText::new(format_args!(
                "its follow-ups have {size} bytes together, max_event_bytes is {most_bytes}: raise it, or send references \
                 to the data"
            ))
        } else {
            return Ok(());
        };
        Err(Outcome::Permanent { error })
    }

    fn follow_up_conflicts(&mut self, event: &Event) -> Outcome {
        self.tallies.conflicted += 1;
        let key = event.key();
        let error = ErrorText::new(format_args!(
            "another payload was accepted under the key of its follow-up {key}: give each follow-up a key of its own"
        ));
        Outcome::Permanent { error }
    }

    fn wait_for_room(&self, refusal: Refusal) -> Outcome {
        let (bound, delay) = match refusal {
            Refusal::Overloaded { bound, retry_after } => (bound, retry_after),
            // Not returned here: sizes are checked before, and follow-ups are accepted in a shutdown.
            Refusal::TooLarge { .. } | Refusal::ShuttingDown => (Bound::Bytes, self.config.overload_retry_after),
        };
        Outcome::no_room(bound, delay)
    }

    /// Makes sure that there is room for follow-ups of a run that ends, within the bounds or past them as far as follow-ups
    /// may go.
    fn admit_beyond(&mut self, slot: Slot, new: &[NewFollowUp], out: &mut Output) -> Result<(), Refusal> {
        let spare = self.config.spare_follow_ups();
        let (count, size) = (new.len(), sum(new.iter().map(|new| new.event.size_bytes())));
        let ending = self.state.store.live[slot].event.size_bytes();
        if count == 0 {
            return Ok(());
        }
        self.admit_to_groups(slot, new, spare)?;
        let most = self.config.max_pending.saturating_add(spare);
        self.grow((self.state.store.pending(), count, 1), most, Bound::Pending)?;
        self.admit_beside_failed(size)?;
        self.admit_records(count, self.config.most_records(), out)?;
        self.grow((self.state.store.bytes(), size, ending), self.config.most_bytes(), Bound::Bytes)
    }

    /// Makes sure that the groups of follow-ups may have them.
    fn admit_to_groups(&self, slot: Slot, new: &[NewFollowUp], spare: usize) -> Result<(), Refusal> {
        let ending = self.state.store.live[slot].event.group();
        let mut groups: Vec<&str> = new.iter().filter_map(|new| new.event.group()).collect();
        groups.sort_unstable();
        groups.chunk_by(|one, other| one == other).try_for_each(|same| {
            let Some(most) = self.config.groups.of(same[0]).max_pending else { return Ok(()) };
            let leaves = usize::from(ending == Some(same[0]));
            let counts = (self.groups.pending(same[0]), same.len(), leaves);
            self.grow(counts, most.saturating_add(spare), Bound::Group)
        })
    }

    /// Makes sure that what is used does not grow past a bound by what comes, when some of it leaves.
    fn grow(&self, (used, comes, leaves): (usize, usize, usize), most: usize, bound: Bound) -> Result<(), Refusal> {
        match comes <= leaves || used.saturating_add(comes) - leaves <= most {
            true => Ok(()),
            false => Err(Refusal::Overloaded { bound, retry_after: self.config.overload_retry_after }),
        }
    }
}

impl Outcome {
    /// The outcome in place of a success whose follow-ups have no room: its event waits, without charge, as after a snooze.
    pub(crate) fn no_room(bound: Bound, delay: Duration) -> Self {
        let reason = ErrorText::new(format_args!("its follow-ups have no room: the bound {bound} is reached"));
        Self::Snooze { delay, reason: Some(reason) }
    }
}

fn sum(sizes: impl Iterator<Item = usize>) -> usize {
    sizes.fold(0, usize::saturating_add)
}
