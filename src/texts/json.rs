//! Parts of a JSON text, found and left out without a change to the rest.

use core::fmt;
use core::str::FromStr;
use std::borrow::Cow;
use std::borrow::ToOwned as _;
use std::string::String;
use std::vec::Vec;

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// The most levels of arrays and objects inside each other: as many as `serde_json` reads.
const MAX_DEPTH: usize = 128;

/// A place in a JSON text, as RFC 6901 has it: `/data/object/id`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Pointer(Vec<String>);

/// A text that is no [`Pointer`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no JSON pointer: begin each name with /, and write ~1 for / and ~0 for ~ in a name")]
pub struct InvalidPointer(String);

impl FromStr for Pointer {
    type Err = InvalidPointer;

    fn from_str(text: &str) -> Result<Self, InvalidPointer> {
        let invalid = || InvalidPointer(text.to_owned());
        let names = text.strip_prefix('/').ok_or_else(invalid)?.split('/');
        names.map(|name| unescaped(name).ok_or_else(invalid)).collect::<Result<_, _>>().map(Self)
    }
}

fn unescaped(name: &str) -> Option<String> {
    // Another character behind a tilde is not defined (RFC 6901).
    let well = name.split('~').skip(1).all(|rest| rest.starts_with(['0', '1']));
    well.then(|| name.replace("~1", "/").replace("~0", "~"))
}

impl TryFrom<String> for Pointer {
    type Error = InvalidPointer;

    fn try_from(text: String) -> Result<Self, InvalidPointer> {
        text.parse()
    }
}

impl From<Pointer> for String {
    fn from(pointer: Pointer) -> Self {
        std::format!("{pointer}")
    }
}

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|name| write!(f, "/{}", name.replace('~', "~0").replace('/', "~1")))
    }
}

/// The reason why nothing can be read from a body.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InvalidJson {
    #[error("the body is no JSON: {0}")]
    Syntax(#[from] serde_json::Error),
    #[error("the body is not UTF-8: encode it as UTF-8")]
    NotUtf8,
    #[error("the body has more than {MAX_DEPTH} arrays and objects inside each other: send it flatter")]
    Deep,
    #[error("the body names {0:?} twice in one object: name it once")]
    Twice(String),
    #[error("{0} of the body is no text, number or boolean: configure another place")]
    NoScalar(Pointer),
}

impl Pointer {
    /// The text, number or boolean here, as it is written; nothing when it is absent or `null`.
    pub(crate) fn text<'a>(&self, json: &'a [u8]) -> Result<Option<Cow<'a, str>>, InvalidJson> {
        let mut found = None;
        let mut walk = Walk::begin(json)?;
        walk.value(&[&self.0], 0, &mut |part| found = Some(part))?;
        match found {
            None | Some(b"null") => Ok(None),
            // Unescaped, so that two spellings of one text are one text.
            Some([b'"', ..]) => Ok(found.map(serde_json::from_slice::<String>).transpose()?.map(Cow::Owned)),
            Some([b'{' | b'[', ..]) => Err(InvalidJson::NoScalar(self.clone())),
            Some(part) => Ok(str::from_utf8(part).ok().map(Cow::Borrowed)),
        }
    }
}

/// The SHA-256 of a JSON text without what is at these places, whatever the order of members and the white space. Numbers
/// count as they are written, so 1 and 1.0 differ.
pub(crate) fn digest_without(json: &[u8], excluded: &[Pointer]) -> Result<[u8; 32], InvalidJson> {
    let excluded: Vec<&[String]> = excluded.iter().map(|pointer| &*pointer.0).collect();
    let rest = Walk::begin(json)?.value(&excluded, 0, &mut |_| {})?;
    Ok(Sha256::digest(rest.unwrap_or_default()).into())
}

/// The SHA-256 of all of a JSON text, in the same way.
pub(crate) fn canonical_digest(json: &[u8]) -> Result<[u8; 32], InvalidJson> {
    digest_without(json, &[])
}

/// A walk through a JSON text that is known to be one.
struct Walk<'a> {
    json: &'a [u8],
    at: usize,
}

impl<'a> Walk<'a> {
    fn begin(json: &'a [u8]) -> Result<Self, InvalidJson> {
        // The whole text is valid from here on, so the walk need not report errors of syntax.
        serde_json::from_slice::<IgnoredAny>(json)?;
        str::from_utf8(json).map_err(|_| InvalidJson::NotUtf8)?;
        Ok(Self { json, at: 0 })
    }

    /// Goes over a value. Gives it in its canonical form without what is at the places; nothing when that is all of it.
    /// What is at a place is shown to `visit`.
    fn value(
        &mut self,
        places: &[&[String]],
        depth: usize,
        visit: &mut dyn FnMut(&'a [u8]),
    ) -> Result<Option<Vec<u8>>, InvalidJson> {
        if depth > MAX_DEPTH {
            return Err(InvalidJson::Deep);
        }
        // White space between values does not count.
        self.skip(b" \t\r\n");
        let begin = self.at;
        let form = match self.json.get(begin) {
            Some(b'{') => self.object(places, depth, visit)?,
            Some(b'[') => self.array(places, depth, visit)?,
            Some(b'"') => serde_json::to_vec(&self.string()?)?,
            _ => self.scalar().to_vec(),
        };
        if places.iter().any(|names| names.is_empty()) {
            visit(&self.json[begin..self.at]);
            return Ok(None);
        }
        Ok(Some(form))
    }

    fn object(
        &mut self,
        places: &[&[String]],
        depth: usize,
        visit: &mut dyn FnMut(&'a [u8]),
    ) -> Result<Vec<u8>, InvalidJson> {
        let mut members = Vec::new();
        self.at += 1;
        while self.has_next(b'}') {
            let name = self.string()?;
            self.skip(b" \t\r\n:");
            let value = self.value(&below(places, &name), depth + 1, visit)?;
            members.push((name, value));
        }
        // The order of members does not count.
        members.sort_unstable();
        // JSON with a name twice means different things to different parsers.
        if let Some(two) = members.windows(2).find(|two| two[0].0 == two[1].0) {
            return Err(InvalidJson::Twice(two[0].0.clone()));
        }
        let kept = members.into_iter().filter_map(|(name, value)| Some((name, value?)));
        let mut form = Vec::from(*b"{");
        for (name, value) in kept {
            serde_json::to_writer(&mut form, &name)?;
            form.extend([&b":"[..], &value, b","].concat());
        }
        form.push(b'}');
        Ok(form)
    }

    fn array(
        &mut self,
        places: &[&[String]],
        depth: usize,
        visit: &mut dyn FnMut(&'a [u8]),
    ) -> Result<Vec<u8>, InvalidJson> {
        let mut form = Vec::from(*b"[");
        let mut index = 0_usize;
        self.at += 1;
        while self.has_next(b']') {
            let value = self.value(&below(places, &std::format!("{index}")), depth + 1, visit)?;
            form.extend(value.into_iter().flat_map(|value| [value, Vec::from(*b",")].concat()));
            index += 1;
        }
        form.push(b']');
        Ok(form)
    }

    /// Moves to the next member or element; false behind the end.
    fn has_next(&mut self, end: u8) -> bool {
        self.skip(b" \t\r\n,");
        let ended = self.json.get(self.at).is_none_or(|byte| *byte == end);
        self.at += usize::from(ended);
        !ended
    }

    fn skip(&mut self, bytes: &[u8]) {
        while self.json.get(self.at).is_some_and(|byte| bytes.contains(byte)) {
            self.at += 1;
        }
    }

    fn string(&mut self) -> Result<String, InvalidJson> {
        let begin = self.at;
        self.at += 1;
        while let Some(byte) = self.json.get(self.at).filter(|byte| **byte != b'"') {
            self.at += if *byte == b'\\' { 2 } else { 1 };
        }
        self.at += 1;
        Ok(serde_json::from_slice(&self.json[begin..self.at.min(self.json.len())])?)
    }

    fn scalar(&mut self) -> &'a [u8] {
        let rest = &self.json[self.at..];
        let len = rest.iter().position(|byte| b" \t\r\n,]}".contains(byte)).unwrap_or(rest.len());
        self.at += len;
        &rest[..len]
    }
}

/// The places inside the member of this name, as seen from there.
fn below<'p>(places: &[&'p [String]], name: &str) -> Vec<&'p [String]> {
    places
        .iter()
        .filter_map(|names| names.split_first().filter(|(first, _)| *first == name))
        .map(|(_, rest)| rest)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString as _;

    #[test]
    fn place_holds_what_is_written_there() {
        let json = br#" {"a": {"b/c": [1.50, "\u00e4\"", true, null, {}]}, "~": "t"} "#;
        for (place, text) in [
            ("/a/b~1c/0", Some("1.50")),
            ("/a/b~1c/1", Some("ä\"")),
            ("/a/b~1c/2", Some("true")),
            ("/a/b~1c/3", None),
            ("/a/b~1c/5", None),
            ("/a/b~1c/00", None),
            ("/~0", Some("t")),
            ("/b", None),
        ] {
            let pointer: Pointer = place.parse().expect("a pointer");
            assert_eq!(pointer.to_string(), place);
            assert_eq!(pointer.text(json).expect("it is JSON").as_deref(), text, "{place}");
        }
        for (place, json) in [("/a", "{\"a\":[]}"), ("/a", "{\"a\":1,\"a\":2}"), ("/a", "{\"a\":"), ("/a", "")] {
            assert!(place.parse::<Pointer>().expect("a pointer").text(json.as_bytes()).is_err(), "{json}");
        }
        for text in ["", "a", "/~", "/~2"] {
            assert!(text.parse::<Pointer>().is_err(), "{text}");
        }
    }

    #[test]
    fn digest_covers_what_is_not_excluded() {
        let digest = |json: &str, places: &[&str]| {
            let places: Vec<Pointer> = places.iter().map(|place| place.parse().expect("a pointer")).collect();
            digest_without(json.as_bytes(), &places).expect("it is JSON")
        };
        let one = digest(r#"{"id":"e","n":2,"d":{"x":[1,{"y":0}]}}"#, &["/n", "/d/x/1"]);
        assert_eq!(one, digest(r#" {"d" : {"x":[1 ,{"y":9}]}, "n":1,"\u0069d":"e"}"#, &["/n", "/d/x/1"]));
        assert_eq!(one, digest(r#"{"id":"e","d":{"x":[1]}}"#, &[]));
        for other in [r#"{"id":"f","d":{"x":[1]}}"#, r#"{"id":"e","d":{"x":[1.0]}}"#, r#"{"id":"e","d":{"x":["1"]}}"#] {
            assert_ne!(one, digest(other, &[]), "{other}");
        }
    }

    #[test]
    fn text_that_is_too_deep_or_no_text_is_refused() {
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        assert!(digest_without(nested(MAX_DEPTH).as_bytes(), &[]).is_ok());
        let deep = digest_without(nested(MAX_DEPTH + 2).as_bytes(), &[]).expect_err("too deep");
        assert!(matches!(deep, InvalidJson::Deep), "{deep}");
        for json in [&b"\"\xff\""[..], b"NaN", b"{\"a\":01}", b"[1,]", b"\0"] {
            assert!(digest_without(json, &[]).is_err(), "{json:?}");
        }
    }
}
