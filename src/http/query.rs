//! The part of a URL after the question mark.

use core::fmt::Display;
use core::ops::RangeInclusive;
use core::str::FromStr;
use core::time::Duration;
use std::borrow::Cow;
use std::format;
use std::string::String;

use percent_encoding::percent_decode;

use super::duration;
use super::problem::Problem;
use crate::engine::Timestamp;
use crate::texts::rfc3339;

/// The values of these parameters, in this order. A `+` means a space.
///
/// # Errors
///
/// An unknown parameter, one given twice, or text that is not UTF-8: a mistyped `source` must not
/// become another event.
pub(super) fn parse<const N: usize>(query: Option<&str>, names: [&str; N]) -> Result<[Option<String>; N], Problem> {
    let (values, []) = split(query, names, [])?;
    Ok(values)
}

/// The values of parameters, in their order.
type Values<const N: usize> = [Option<String>; N];

/// As [`parse`], for two groups of parameters.
pub(super) fn split<const N: usize, const M: usize>(
    query: Option<&str>,
    first: [&str; N],
    second: [&str; M],
) -> Result<(Values<N>, Values<M>), Problem> {
    let (mut one, mut other) = ([const { None }; N], [const { None }; M]);
    for pair in query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let name = decode(name)?;
        let at = |names: &[&str]| names.iter().position(|known| *known == name);
        let place = match (at(&first), at(&second)) {
            (Some(at), _) => &mut one[at],
            (None, Some(at)) => &mut other[at],
            (None, None) => return Err(unknown(&name, &[&first[..], &second[..]].concat())),
        };
        // Servers and proxies differ in which of two values counts.
        if place.replace(decode(value)?).is_some() {
            return Err(Problem::invalid(format!("{name} is given twice: give it once")));
        }
    }
    Ok((one, other))
}

/// Returns whether a parameter is true; an absent one is not.
pub(super) fn flag(name: &str, value: Option<&str>) -> Result<bool, Problem> {
    match value {
        None | Some("false") => Ok(false),
        Some("true") => Ok(true),
        Some(value) => Err(Problem::invalid(format!("{name} is {value:?}: give true or false"))),
    }
}

/// The number that a parameter has, if it is there. The error of another text names the valid ones.
pub(super) fn number<T: FromStr + Display>(
    name: &str,
    value: Option<&str>,
    range: RangeInclusive<T>,
) -> Result<Option<T>, Problem> {
    let Some(value) = value else { return Ok(None) };
    let (least, most) = (range.start(), range.end());
    value
        .parse()
        .map(Some)
        .map_err(|_| Problem::invalid(format!("{name} is {value:?}: give a whole number from {least} to {most}")))
}

/// The time that a parameter has, if it is there.
pub(super) fn time(name: &str, value: Option<&str>) -> Result<Option<Timestamp>, Problem> {
    let Some(value) = value else { return Ok(None) };
    let refused = || Problem::invalid(format!("{name} is {value:?}: give a time such as 2023-11-14T22:13:20Z"));
    rfc3339::parse(value).map(Some).ok_or_else(refused)
}

/// The longest that a call may wait: proxies cut a connection on which nothing is sent for 60 s.
const LONGEST_WAIT: Duration = Duration::from_secs(55);

/// The time for which a call is to wait, as this parameter has it.
pub(super) fn wait(name: &str, text: &str) -> Result<Duration, Problem> {
    let wait = duration::parse(text).map_err(|why| Problem::invalid(format!("{name}: {why}")))?;
    if wait > LONGEST_WAIT {
        return Err(Problem::invalid(format!("{name} is {text:?}: wait for {LONGEST_WAIT:?} at most, and call again")));
    }
    Ok(wait)
}

fn unknown(name: &str, names: &[&str]) -> Problem {
    Problem::invalid(match names {
        [] => format!(
            "unknown parameter {name:?}: leave it out, this call takes none (an envelope has its source inside)"
        ),
        _ => format!("unknown parameter {name:?}: this call takes {}", names.join(", ")),
    })
}

/// A name or a value, decoded.
pub(super) fn decode(text: &str) -> Result<String, Problem> {
    // A plus is a space, as forms and most clients write it.
    let spaced = text.replace('+', " ");
    let decoded = percent_decode(spaced.as_bytes()).decode_utf8().map(Cow::into_owned);
    decoded.map_err(|_| Problem::invalid("the query is not UTF-8: encode it as UTF-8, then percent-encode it"))
}
