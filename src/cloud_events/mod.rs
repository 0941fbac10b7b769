//! Events as CloudEvents 1.0 has them, in the modes of its bindings: binary, structured, and a batch of structured ones.
//!
//! | an event | a CloudEvent |
//! |---|---|
//! | id, source, type | `id`, `source`, `type`, which a CloudEvent must have: see [`NO_SOURCE`] and [`NO_TYPE`] |
//! | payload, content type | `data`, `datacontenttype` |
//! | attributes whose names are lower-case letters and digits | attributes of the same names |
//!
//! | module | topic |
//! |---|---|
//! | `reading` | CloudEvents as they come: [`mode`], then [`binary`], [`read_structured`] or [`batch`] |
//! | `writing` | events that leave as CloudEvents: [`headers`] for binary mode, [`structured`] for structured mode |
//!
//! Events in any mode are accepted by `POST /v1/events`. The bindings of NATS and of AMQP write headers in the same way.

mod reading;
mod writing;

use std::string::String;

pub use reading::{CloudEventsMode, InvalidCloudEvent, batch, binary, mode, structured as read_structured};
pub use writing::{CONTENT_TYPE, NO_SOURCE, NO_TYPE, headers, structured};

/// The version that is understood.
const VERSION: &str = "1.0";

/// The prefix of the headers of binary mode.
const PREFIX: &str = "ce-";

fn essence(content_type: &str) -> String {
    content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

fn is_json(content_type: &str) -> bool {
    let essence = essence(content_type);
    essence.ends_with("/json") || essence.ends_with("+json")
}

/// Returns whether an attribute may have this name.
fn is_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
}
