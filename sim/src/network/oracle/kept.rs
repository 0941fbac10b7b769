//! Nothing accepted is lost: what clients were told is there, and ends once faults have stopped.

use eventful::{Eventful, Status};

use super::{Verdict, holds};
use crate::failure::Broken;
use crate::network::ledger::{digest, key};
use crate::network::scenario::Item;

/// The engine has each of these events, with its payload.
pub(in crate::network) fn there(eventful: &Eventful, acknowledged: &[Item]) -> Verdict {
    for item in acknowledged {
        let Ok(Some(view)) = eventful.get(key(item.key)) else {
            return Err(Broken::new("kept", 1, format_args!("e{} was accepted, and is lost", item.key)));
        };
        holds(view.digest == digest(item.key, item.payload), || {
            Broken::new("kept", 2, format_args!("e{} was taken with another payload than {}", item.key, item.payload))
        })?;
    }
    Ok(())
}

/// Each of these events has ended, and an event that has failed says why.
pub(in crate::network) fn over(eventful: &Eventful, acknowledged: &[Item]) -> Verdict {
    there(eventful, acknowledged)?;
    for item in acknowledged {
        let view = eventful.get(key(item.key)).ok().flatten();
        let over = view.as_ref().is_some_and(|view| view.status.is_terminal());
        holds(over, || Broken::new("kept", 1, format_args!("e{} has not ended", item.key)))?;
        let explained = view.is_some_and(|view| view.status != Status::Failed || view.last_error.is_some());
        holds(explained, || Broken::new("kept", 1, format_args!("e{} has failed without a reason", item.key)))?;
    }
    Ok(())
}
