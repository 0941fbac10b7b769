//! Which events a call is for.

use std::string::String;

use super::problem::Problem;
use super::records::parse_status;
use super::{query, rfc3339};
use crate::engine::Filter;

/// The parameters that choose events.
const NAMES: [&str; 6] = ["status", "source", "type", "error", "failed_from", "failed_until"];

/// The filter in a query, and the values of the call's other parameters.
pub(super) fn parse<const N: usize>(
    uri_query: Option<&str>,
    others: [&str; N],
) -> Result<(Filter, [Option<String>; N]), Problem> {
    let (chosen, others) = query::split(uri_query, NAMES, others)?;
    let [status, source, event_type, error, from, until] = chosen;
    let time = |name, text: Option<String>| text.map(|text| rfc3339::parse(name, &text)).transpose();
    let filter = Filter {
        status: status.as_deref().map(parse_status).transpose()?,
        source: source.map(Into::into),
        event_type: event_type.map(Into::into),
        error: error.map(Into::into),
        failed_from: time("failed_from", from)?,
        failed_until: time("failed_until", until)?,
    };
    Ok((filter, others))
}
