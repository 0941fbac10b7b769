//! Nothing accepted is lost: what clients were told is there, and ends once faults have stopped.

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use eventful::{Eventful, RecordView, Status};

use super::{Verdict, holds};
use crate::failure::Broken;
use crate::network::ledger::{digest, key};
use crate::network::oracle::payloads::Owed;
use crate::network::scenario::KeyNumber;

/// The engine has each of these events, with its payload, and those that were discarded stay so.
///
/// What it cannot say at once, as its journal is busy or being opened, is left for the next look.
pub(in crate::network) fn there(eventful: &Eventful, owed: &Owed) -> Verdict {
    for item in &owed.items {
        let Some(found) = look(eventful, item.key) else { return Ok(()) };
        let Some(view) = found else {
            return Err(Broken::new("kept", 1, format_args!("e{} was accepted, and is lost", item.key)));
        };
        holds(view.digest == digest(item.key, item.payload), || {
            Broken::new("kept", 2, format_args!("e{} was taken with another payload than {}", item.key, item.payload))
        })?;
    }
    for number in &owed.discarded {
        let status = look(eventful, *number).flatten().map(|view| view.status);
        holds(status.is_none_or(|status| status == Status::Discarded), || {
            Broken::new("kept", 4, format_args!("e{number} was discarded, and is {status:?}"))
        })?;
    }
    Ok(())
}

/// The record of this key, or that there is none; nothing when there is no answer now.
fn look(eventful: &Eventful, number: KeyNumber) -> Option<Option<RecordView>> {
    match pin!(eventful.get(key(number))).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer.ok(),
        Poll::Pending => None,
    }
}

/// A client asked for an event that it knew to be taken, and there was none.
pub(in crate::network) fn unknown(number: KeyNumber) -> Broken {
    Broken::new("kept", 1, format_args!("e{number} was taken, and then there was no such event"))
}

/// A client submitted an event that it knew to be taken, and there was no room for it.
pub(in crate::network) fn refused(number: KeyNumber) -> Broken {
    Broken::new("kept", 2, format_args!("e{number} was taken, and then there was no room for it"))
}

/// Each of these events has ended, and an event that has failed says why.
pub(in crate::network) fn over(eventful: &Eventful, owed: &Owed) -> Verdict {
    there(eventful, owed)?;
    for item in &owed.items {
        let view = look(eventful, item.key).flatten();
        let over = view.as_ref().is_some_and(|view| view.status.is_terminal());
        holds(over, || Broken::new("kept", 1, format_args!("e{} has not ended", item.key)))?;
        let explained = view.is_some_and(|view| view.status != Status::Failed || view.last_error.is_some());
        holds(explained, || Broken::new("kept", 1, format_args!("e{} has failed without a reason", item.key)))?;
    }
    Ok(())
}
