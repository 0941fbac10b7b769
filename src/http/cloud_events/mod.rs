//! Events as CloudEvents 1.0 has them, in the modes of its HTTP binding: binary, structured, and a batch of structured ones.
//!
//! | an event | a CloudEvent |
//! |---|---|
//! | id, source, type | `id`, `source`, `type`, which a CloudEvent must have: see [`NO_SOURCE`] and [`NO_TYPE`] |
//! | payload, content type | `data`, `datacontenttype` |
//! | attributes whose names are lower-case letters and digits | attributes of the same names |
//!
//! | module | topic |
//! |---|---|
//! | `reading` | requests that hold CloudEvents |
//! | `writing` | events that leave as CloudEvents |
//!
//! Events in any mode are accepted by `POST /v1/events`. This module is for the way out: [`headers`] for binary mode,
//! [`structured`] for structured mode.

mod reading;
mod writing;

use std::string::String;

pub(super) use reading::{CloudEventsMode, InvalidCloudEvent, batch, binary, mode, structured as read_structured};
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
