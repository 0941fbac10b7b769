//! The oracle of accepted events: each is there, and ends once faults have stopped.

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use eventful::{Cursor, Eventful, RecordView, Status, Timestamp};

use super::{OracleResult, holds};
use crate::failure::Broken;
use crate::network::connection_owners::{digest, key, number};
use crate::network::oracle::payloads::OwedPayload;
use crate::network::scenario::KeyNumber;
use crate::spec::ReferenceState;

/// Checks that the engine has each of these events, with its payload, and that discarded ones stay so.
///
/// A lookup that is not ready at once, as the journal is busy or being opened, is left for the next check.
pub(in crate::network) fn there(eventful: &Eventful, owed: &OwedPayload) -> OracleResult {
    for item in &owed.items {
        let Some(found) = look(eventful, item.key) else { return Ok(()) };
        let Some(view) = found else {
            return Err(Broken::new("kept", 1, format_args!("e{} was accepted, but is lost", item.key)));
        };
        holds(view.digest == digest(item.key, item.payload), || {
            Broken::new(
                "kept",
                2,
                format_args!("e{} has another payload than {}, which was accepted", item.key, item.payload),
            )
        })?;
    }
    for number in &owed.discarded {
        let status = look(eventful, *number).flatten().map(|view| view.status);
        holds(status.is_none_or(|status| status == Status::Discarded), || {
            Broken::new("kept", 4, format_args!("e{number} was discarded, but is {status:?}"))
        })?;
    }
    Ok(())
}

/// Returns the record of this key, or that there is none; nothing while the engine cannot respond at once.
fn look(eventful: &Eventful, number: KeyNumber) -> Option<Option<RecordView>> {
    match pin!(eventful.get(key(number))).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer.ok(),
        Poll::Pending => None,
    }
}

/// A client knew that an event was accepted, and a lookup did not find it.
pub(in crate::network) fn unknown(number: KeyNumber) -> Broken {
    Broken::new("kept", 1, format_args!("e{number} was accepted, but a lookup did not find it"))
}

/// A client submitted an accepted event again, and it was refused for lack of room.
pub(in crate::network) fn refused(number: KeyNumber) -> Broken {
    Broken::new("kept", 2, format_args!("e{number} was accepted, but was refused later for lack of room"))
}

/// Checks that each of these events has ended, and that each failed one has a reason.
pub(in crate::network) fn over(eventful: &Eventful, owed: &OwedPayload) -> OracleResult {
    there(eventful, owed)?;
    for item in &owed.items {
        let view = look(eventful, item.key).flatten();
        let over = view.as_ref().is_some_and(|view| view.status.is_terminal());
        holds(over, || Broken::new("kept", 1, format_args!("e{} has not ended", item.key)))?;
        let explained = view.is_some_and(|view| view.status != Status::Failed || view.last_error.is_some());
        holds(explained, || Broken::new("kept", 1, format_args!("e{} has failed, but has no error", item.key)))?;
    }
    Ok(())
}

/// The size of a page at rest, small so that there are several.
const PAGE: usize = 4;

/// Checks that at rest the engine shows exactly the records that its facts make.
pub(in crate::network) fn shown(eventful: &Eventful, expected: &ReferenceState, now: Timestamp) -> OracleResult {
    let (mut next, mut count) = (Some(Cursor::START), 0);
    while let Some(cursor) = next {
        let page = pin!(eventful.list(None, cursor, PAGE)).poll(&mut Context::from_waker(Waker::noop()));
        let Poll::Ready(Ok(page)) = page else { return Err(wrong("a page of records is refused")) };
        for view in &page.records {
            let record = number(&view.key).and_then(|key| expected.present(key.into(), now));
            let difference = record.map_or(Some("is there"), |record| record.difference(view));
            holds(difference.is_none(), || {
                wrong(format_args!("{} {}: {view:?}, but {record:?}", view.key, difference.unwrap_or_default()))
            })?;
        }
        (next, count) = (page.next, count + page.records.len());
    }
    let present = expected.all().filter(|(event, _)| expected.present(*event, now).is_some()).count();
    holds(count == present, || wrong(format_args!("{count} records are shown, expected {present}")))
}

fn wrong(what: impl std::fmt::Display) -> Broken {
    Broken::new("kept", 7, format_args!("at rest {what}"))
}
