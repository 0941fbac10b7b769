//! Filters of events, as requests write them.

use std::format;
use std::string::String;

use super::problem::Problem;
use super::query;
use crate::engine::{Filter, Status};

/// The parameters that choose events.
const NAMES: [&str; 10] = [
    "status",
    "source",
    "type",
    "error",
    "failed_from",
    "failed_until",
    "cause",
    "id",
    "accepted_from",
    "accepted_until",
];

/// The filter in a query, and the values of the call's other parameters.
pub(super) fn parse<const N: usize>(
    uri_query: Option<&str>,
    others: [&str; N],
) -> Result<(Filter, [Option<String>; N]), Problem> {
    let (chosen, others) = query::split(uri_query, NAMES, others)?;
    let [status, source, event_type, error, failed_from, failed_until, cause, id, from, until] = chosen;
    let filter = Filter {
        status: status.as_deref().map(parse_status).transpose()?,
        source: source.map(Into::into),
        event_type: event_type.map(Into::into),
        error: error.map(Into::into),
        cause: cause.map(Into::into),
        id: id.map(Into::into),
        accepted_from: query::time("accepted_from", from.as_deref())?,
        accepted_until: query::time("accepted_until", until.as_deref())?,
        failed_from: query::time("failed_from", failed_from.as_deref())?,
        failed_until: query::time("failed_until", failed_until.as_deref())?,
    };
    Ok((filter, others))
}

fn parse_status(name: &str) -> Result<Status, Problem> {
    let names = Status::ALL.map(Status::as_str);
    let found = Status::ALL.into_iter().find(|status| status.as_str() == name);
    found.ok_or_else(|| Problem::invalid(format!("unknown status {name:?}: known are {}", names.join(", "))))
}
