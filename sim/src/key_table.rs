//! The events of a scenario, by their numbers.

use std::cell::RefCell;
use std::collections::HashMap;
use std::hash::BuildHasherDefault;

use eventful::{Event, Key};

use crate::scenario::EventNumber;
use crate::state_hash::StateHash;

/// The keys of a scenario's events.
#[derive(Debug)]
pub struct KeyTable {
    keys: Vec<Key>,
    // No attacker chooses the keys of a simulation, and every run must be the same.
    numbers: HashMap<Key, EventNumber, BuildHasherDefault<StateHash>>,
}

impl KeyTable {
    /// Creates the keys of `count` events: every second is a UUID, every fifth has a source.
    ///
    /// # Panics
    ///
    /// Never: every one of these keys is valid.
    pub fn of(count: usize) -> Self {
        let number = |at| EventNumber::try_from(at).unwrap_or(EventNumber::MAX);
        let keys = KEYS.with_borrow_mut(|keys| {
            keys.extend((keys.len()..count).map(|at| key(number(at))));
            keys[..count].to_vec()
        });
        let numbers = keys.iter().enumerate().map(|(at, key)| (key.clone(), number(at))).collect();
        Self { keys, numbers }
    }

    /// Returns the key of an event.
    pub fn key(&self, event: EventNumber) -> &Key {
        &self.keys[usize::from(event)]
    }

    /// Returns the event of a key.
    pub fn number(&self, key: &Key) -> Option<EventNumber> {
        self.numbers.get(key).copied()
    }

    /// Returns the event with one of its payloads. Payloads of other numbers have other bytes, and some another size.
    pub fn event(&self, event: EventNumber, payload: u8) -> Event {
        let len = 8 + usize::from(payload) * usize::from(event % 3) * 24;
        let make = || described(event, Event::new(self.key(event).clone(), vec![payload; len]));
        if usize::from(payload) >= USUAL_PAYLOADS {
            return make();
        }
        EVENTS.with_borrow_mut(|events| {
            if events.len() <= usize::from(event) {
                events.resize(usize::from(event) + 1, Default::default());
            }
            events[usize::from(event)][usize::from(payload)].get_or_insert_with(make).clone()
        })
    }

    /// Returns the event as the submission with this number has it: every other submission has an additional
    /// attribute.
    pub fn submitted(&self, event: EventNumber, payload: u8, at: u32) -> Event {
        let submitted = self.event(event, payload);
        if event % 4 != 2 || at.is_multiple_of(2) {
            return submitted;
        }
        submitted.with_attribute("submission", &at.to_string()).expect("a short value")
    }

    /// Returns the number of events.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Returns whether there are no events.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }
}

thread_local! {
    /// The first keys, made once: a thread runs one scenario after the other.
    static KEYS: RefCell<Vec<Key>> = const { RefCell::new(Vec::new()) };

    /// The first events with the payloads that nearly all have, made once: hashing a payload takes longer than
    /// executing a command.
    static EVENTS: RefCell<Vec<[Option<Event>; USUAL_PAYLOADS]>> = const { RefCell::new(Vec::new()) };
}

/// The number of payloads that nearly all events have.
const USUAL_PAYLOADS: usize = 5;

/// Adds the optional fields of an event: every third has a type, every fourth an attribute, and every seventh a
/// content type.
fn described(number: EventNumber, event: Event) -> Event {
    let typed = match number % 6 {
        1 => event.with_type("order"),
        4 => event.with_type("email"),
        _ => Ok(event),
    };
    let attributed =
        typed.and_then(|event| if number % 4 == 2 { event.with_attribute("region", "north") } else { Ok(event) });
    let described = attributed
        .and_then(|event| if number % 7 == 5 { event.with_content_type("application/json") } else { Ok(event) });
    described.expect("the values above are short and printable")
}

fn key(number: EventNumber) -> Key {
    let source = if number % 5 == 3 { "shop" } else { "" };
    let id = match number % 2 {
        0 => format!("00000000-0000-4000-8000-{number:012x}"),
        _ => format!("event-{number}"),
    };
    Key::new(source, &id).expect("the ids above are short and printable")
}
