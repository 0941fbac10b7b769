//! Keys and payloads by their numbers: few, so that duplicates and conflicts happen.

use eventful::{Key, engine::ScheduleName};

/// Returns the key with this number; every third is a UUID, every third has a source.
///
/// # Panics
///
/// Never: every one of these keys is valid.
pub fn key(number: u8) -> Key {
    let (source, id) = match number % 3 {
        0 => ("", format!("00000000-0000-4000-8000-0000000000{number:02x}")),
        1 => ("", format!("event-{number}")),
        _ => ("source", format!("{number}")),
    };
    Key::new(source, &id).expect("the ids above are short and printable")
}

/// Returns the payload with this number; they differ in length too.
pub fn payload(number: u8) -> Vec<u8> {
    vec![number; usize::from(number) * 12]
}

/// Returns the schedule with this number.
///
/// # Panics
///
/// Never: every one of these names is valid.
pub fn schedule(number: u8) -> ScheduleName {
    ScheduleName::new(&format!("schedule-{number}")).expect("a short name")
}
