//! Nothing accepted is lost: what clients were told is there, and ends once faults have stopped.

use eventful::{Eventful, Status};

use super::{Verdict, holds};
use crate::at_once::at_once;
use crate::failure::Broken;
use crate::network::ledger::{digest, key};
use crate::network::oracle::payloads::Owed;
use crate::network::scenario::KeyNumber;

/// The engine has each of these events, with its payload, and those that were discarded stay so.
pub(in crate::network) fn there(eventful: &Eventful, owed: &Owed) -> Verdict {
    for item in &owed.items {
        let Ok(Some(view)) = at_once(eventful.get(key(item.key))) else {
            return Err(Broken::new("kept", 1, format_args!("e{} was accepted, and is lost", item.key)));
        };
        holds(view.digest == digest(item.key, item.payload), || {
            Broken::new("kept", 2, format_args!("e{} was taken with another payload than {}", item.key, item.payload))
        })?;
    }
    for number in &owed.discarded {
        let status = at_once(eventful.get(key(*number))).ok().flatten().map(|view| view.status);
        holds(status.is_none_or(|status| status == Status::Discarded), || {
            Broken::new("kept", 4, format_args!("e{number} was discarded, and is {status:?}"))
        })?;
    }
    Ok(())
}

/// A client asked for an event that it knew to be taken, and there was none.
pub(in crate::network) fn unknown(number: KeyNumber) -> Broken {
    Broken::new("kept", 1, format_args!("e{number} was taken, and then there was no such event"))
}

/// Each of these events has ended, and an event that has failed says why.
pub(in crate::network) fn over(eventful: &Eventful, owed: &Owed) -> Verdict {
    there(eventful, owed)?;
    for item in &owed.items {
        let view = at_once(eventful.get(key(item.key))).ok().flatten();
        let over = view.as_ref().is_some_and(|view| view.status.is_terminal());
        holds(over, || Broken::new("kept", 1, format_args!("e{} has not ended", item.key)))?;
        let explained = view.is_some_and(|view| view.status != Status::Failed || view.last_error.is_some());
        holds(explained, || Broken::new("kept", 1, format_args!("e{} has failed without a reason", item.key)))?;
    }
    Ok(())
}
