//! Places in a request.

use core::fmt;
use core::str::FromStr;
use std::borrow::Cow;
use std::borrow::ToOwned as _;
use std::format;
use std::string::{String, ToString as _};
use std::vec::Vec;

use axum::http::{HeaderMap, HeaderName, Uri};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::hexadecimal;
use crate::http::query;
use crate::texts::json::{InvalidJson, Pointer};

/// A place in a request: `header:NAME`, `json:/pointer` (RFC 6901), `form:FIELD`, `query:NAME`, or `body:sha256`, the
/// digest of the body, for senders that give their events no id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
#[non_exhaustive]
pub enum Pick {
    /// The value of this header.
    Header(HeaderName),
    /// The text, number or boolean at this place of a JSON body.
    Json(Pointer),
    /// A field of an urlencoded form.
    Form(String),
    /// A parameter of the URL.
    Query(String),
    /// The SHA-256 of the body, in hexadecimal digits.
    BodySha256,
}

/// A text that is no [`Pick`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no place in a request: write header:NAME, json:/pointer, form:FIELD, query:NAME or body:sha256")]
pub struct InvalidPick(String);

impl FromStr for Pick {
    type Err = InvalidPick;

    fn from_str(text: &str) -> Result<Self, InvalidPick> {
        let invalid = || InvalidPick(text.to_owned());
        let (place, name) = text.split_once(':').filter(|(_, name)| !name.is_empty()).ok_or_else(invalid)?;
        match place {
            "header" => name.parse().map(Self::Header).map_err(|_| invalid()),
            "json" => name.parse().map(Self::Json).map_err(|_| invalid()),
            "form" => Ok(Self::Form(name.to_owned())),
            "query" => Ok(Self::Query(name.to_owned())),
            "body" if name == "sha256" => Ok(Self::BodySha256),
            _ => Err(invalid()),
        }
    }
}

impl TryFrom<String> for Pick {
    type Error = InvalidPick;

    fn try_from(text: String) -> Result<Self, InvalidPick> {
        text.parse()
    }
}

impl From<Pick> for String {
    fn from(pick: Pick) -> Self {
        pick.to_string()
    }
}

impl fmt::Display for Pick {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Header(name) => write!(f, "header:{name}"),
            Self::Json(pointer) => write!(f, "json:{pointer}"),
            Self::Form(name) => write!(f, "form:{name}"),
            Self::Query(name) => write!(f, "query:{name}"),
            Self::BodySha256 => f.write_str("body:sha256"),
        }
    }
}

/// The reason why nothing can be picked.
#[derive(Debug, thiserror::Error)]
pub(in crate::http) enum Unpicked {
    #[error("{0} is given more than once: give it once")]
    Twice(Pick),
    #[error("{0} is not UTF-8: encode it")]
    NotUtf8(Pick),
    #[error(transparent)]
    Json(#[from] InvalidJson),
}

/// A request with all of its body.
#[derive(Debug, Clone, Copy)]
pub(in crate::http) struct ReceivedRequest<'a> {
    pub(in crate::http) uri: &'a Uri,
    pub(in crate::http) headers: &'a HeaderMap,
    pub(in crate::http) body: &'a [u8],
}

impl Pick {
    /// Returns whether the body has to be read for it.
    pub(in crate::http) const fn is_inside(&self) -> bool {
        matches!(self, Self::Json(_) | Self::Form(_))
    }

    /// Returns the text at this place of a request; `None` when it is absent, `null` or empty.
    pub(in crate::http) fn text<'a>(&self, request: &ReceivedRequest<'a>) -> Result<Option<Cow<'a, str>>, Unpicked> {
        let text = match self {
            Self::Header(name) => self.header(name, request.headers)?,
            Self::Json(pointer) => pointer.text(request.body)?,
            Self::Form(name) => {
                let form = str::from_utf8(request.body).map_err(|_| Unpicked::NotUtf8(self.clone()))?;
                self.single(fields(form), name)?
            }
            Self::Query(name) => self.single(fields(request.uri.query().unwrap_or_default()), name)?,
            Self::BodySha256 => Some(hexadecimal::encode(&Sha256::digest(request.body)).into()),
        };
        Ok(text.filter(|text| !text.is_empty()))
    }

    fn header<'a>(&self, name: &HeaderName, headers: &'a HeaderMap) -> Result<Option<Cow<'a, str>>, Unpicked> {
        let mut values = headers.get_all(name).iter();
        let (value, None) = (values.next(), values.next()) else { return Err(Unpicked::Twice(self.clone())) };
        let Some(value) = value else { return Ok(None) };
        let text = str::from_utf8(value.as_bytes()).map_err(|_| Unpicked::NotUtf8(self.clone()))?;
        Ok(Some(Cow::Borrowed(text.trim())))
    }

    fn single<'a>(
        &self,
        fields: impl Iterator<Item = Option<(String, String)>>,
        wanted: &str,
    ) -> Result<Option<Cow<'a, str>>, Unpicked> {
        let mut found = None;
        for field in fields {
            let (name, value) = field.ok_or_else(|| Unpicked::NotUtf8(self.clone()))?;
            if name == wanted && found.replace(value).is_some() {
                return Err(Unpicked::Twice(self.clone()));
            }
        }
        Ok(found.map(Cow::Owned))
    }
}

/// The fields of an urlencoded form, decoded; nothing in place of one that is not UTF-8.
pub(in crate::http) fn fields(form: &str) -> impl Iterator<Item = Option<(String, String)>> {
    // An empty field comes from a separator at the end.
    form.split('&').filter(|field| !field.is_empty()).map(|field| {
        let (name, value) = field.split_once('=').unwrap_or((field, ""));
        Some((query::decode(name).ok()?, query::decode(value).ok()?))
    })
}

/// The fields of a form one behind the other, name and value, ordered and each once: what Twilio signs.
pub(in crate::http) fn joined_fields(form: &[u8]) -> Option<String> {
    let mut all = fields(str::from_utf8(form).ok()?).collect::<Option<Vec<_>>>()?;
    all.sort_unstable();
    all.dedup();
    Some(all.iter().map(|(name, value)| format!("{name}{value}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn place_is_written_as_it_is_read() {
        for text in ["header:x-github-delivery", "json:/a/0", "form:MessageSid", "query:id", "body:sha256"] {
            assert_eq!(text.parse::<Pick>().expect("a place").to_string(), text);
        }
        for text in ["", "header", "header:", "header:a b", "json:id", "cookie:a", "body:md5", "form:"] {
            assert!(text.parse::<Pick>().is_err(), "{text}");
        }
    }

    #[test]
    fn text_is_picked_where_it_is() {
        let uri: Uri = "/in/a?id=q%201&twice=1&twice=2".parse().expect("a target");
        let mut headers = HeaderMap::new();
        headers.insert("x-id", " h-1 ".parse().expect("a value"));
        headers.insert("x-none", "".parse().expect("a value"));
        headers.append("x-twice", "1".parse().expect("a value"));
        headers.append("x-twice", "1".parse().expect("a value"));
        headers.insert("x-bytes", axum::http::HeaderValue::from_bytes(b"\xff").expect("a value"));
        let pick = |place: &str, body: &str| {
            let request = ReceivedRequest { uri: &uri, headers: &headers, body: body.as_bytes() };
            let picked = place.parse::<Pick>().expect("a place").text(&request);
            picked.map(|text| text.map(Cow::into_owned)).map_err(|error| error.to_string())
        };
        let some = |text: &str| Ok(Some(text.to_owned()));
        assert_eq!(pick("header:X-Id", ""), some("h-1"));
        assert_eq!(pick("header:x-none", ""), Ok(None));
        assert_eq!(pick("header:x-absent", ""), Ok(None));
        assert!(pick("header:x-twice", "").is_err() && pick("header:x-bytes", "").is_err());
        assert_eq!(pick("query:id", ""), some("q 1"));
        assert!(pick("query:twice", "").is_err());
        assert_eq!(pick("form:Sid", "Body=a+b&Sid=S%2F1"), some("S/1"));
        assert!(pick("form:Sid", "Sid=1&Sid=2").is_err() && pick("form:Sid", "Sid=%FF").is_err());
        assert_eq!(pick("json:/id", r#"{"id":17}"#), some("17"));
        assert!(pick("json:/id", "{").is_err());
        let digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(pick("body:sha256", "abc"), some(digest));
    }

    #[test]
    fn fields_are_joined_in_their_order_and_each_once() {
        assert_eq!(joined_fields(b"b=2&a=1&a=1&a=0&c="), Some("a0a1b2c".to_owned()));
        assert_eq!(joined_fields(b"a=%FF"), None);
    }
}
