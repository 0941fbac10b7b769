//! The ways in which senders show that a request is their own.

use core::fmt;
use core::str::FromStr;
use std::borrow::ToOwned as _;
use std::string::String;
use std::vec::Vec;

use axum::http::HeaderName;
use serde::{Deserialize, Serialize};

/// The way in which a sender shows that a request is its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "scheme", rename_all = "kebab-case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Verification {
    /// A signature of each request.
    Hmac(HmacScheme),
    /// A user and a password (RFC 7617). Each secret is `user:password`.
    Basic {},
    /// A token, sent as `Authorization: Bearer` (RFC 6750). Each secret is a token.
    Bearer {},
    /// No verification: everyone who can reach the server may send events of this source.
    None {},
}

/// A signature by HMAC (RFC 2104) in a header.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct HmacScheme {
    /// The hash function. `sha256` by default.
    pub algorithm: HmacAlgorithm,
    /// The header of the signature. `x-signature` by default.
    pub header: String,
    /// The encoding of the signature. `hex` by default.
    pub encoding: SignatureEncoding,
    /// The text before a signature, such as `sha256=`. Empty by default.
    pub prefix: String,
    /// The separator of several signatures in the header, of which one must be right. Only one is there by default.
    pub separator: Option<String>,
    /// The text that is signed. `{body}` by default.
    pub signed: SignedText,
    /// The place of the time of the signature, in seconds since the Unix epoch: `header:NAME`, or `signature:PREFIX`
    /// for a part of the signature's header. Without it, an old request may be sent again by anyone who has seen it.
    pub timestamp: Option<TimestampPlace>,
    /// The most seconds by which that time may differ from this server's wall clock. 300 by default.
    pub tolerance_seconds: u32,
    /// The form of a secret. `text` by default.
    pub key: KeyForm,
}

impl Default for HmacScheme {
    fn default() -> Self {
        Self {
            algorithm: HmacAlgorithm::Sha256,
            header: String::from("x-signature"),
            encoding: SignatureEncoding::Hex,
            prefix: String::new(),
            separator: None,
            signed: SignedText(Vec::from([SignedPart::Body])),
            timestamp: None,
            // Five minutes, as Stripe, Slack and the libraries of Standard Webhooks have it.
            tolerance_seconds: 300,
            key: KeyForm::Text,
        }
    }
}

/// A hash function.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum HmacAlgorithm {
    /// Broken as a hash function, and not as the one of an HMAC. Some senders have no other.
    Sha1,
    /// SHA-256.
    Sha256,
    /// SHA-512.
    Sha512,
}

/// An encoding of bytes as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum SignatureEncoding {
    /// In hexadecimal digits.
    Hex,
    /// In base64 (RFC 4648, section 4).
    Base64,
}

/// The form of a secret's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum KeyForm {
    /// The key itself.
    Text,
    /// The key in base64, behind `whsec_` or not: as Standard Webhooks has it.
    Base64,
}

/// The text that is signed: a template with `{body}`, `{timestamp}`, `{header:NAME}`, `{url}` (the source's `url` and
/// the query) and `{form}` (the fields of a form, ordered and one behind the other).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SignedText(pub(super) Vec<SignedPart>);

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum SignedPart {
    Text(String),
    Body,
    Timestamp,
    Header(HeaderName),
    Url,
    Form,
}

/// A text that is no [`SignedText`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} cannot be signed: write text with {{body}}, {{timestamp}}, {{header:NAME}}, {{url}} or {{form}} in it")]
pub struct InvalidSignedText(String);

impl FromStr for SignedText {
    type Err = InvalidSignedText;

    fn from_str(text: &str) -> Result<Self, InvalidSignedText> {
        let invalid = || InvalidSignedText(text.to_owned());
        let (mut parts, mut rest) = (Vec::new(), text);
        while let Some((before, behind)) = rest.split_once('{') {
            let (name, after) = behind.split_once('}').ok_or_else(invalid)?;
            if !before.is_empty() {
                parts.push(SignedPart::Text(before.to_owned()));
            }
            parts.push(match (name, name.strip_prefix("header:")) {
                ("body", _) => SignedPart::Body,
                ("timestamp", _) => SignedPart::Timestamp,
                ("url", _) => SignedPart::Url,
                ("form", _) => SignedPart::Form,
                (_, Some(header)) => SignedPart::Header(header.parse().map_err(|_| invalid())?),
                _ => return Err(invalid()),
            });
            rest = after;
        }
        if !rest.is_empty() {
            parts.push(SignedPart::Text(rest.to_owned()));
        }
        // A signature that covers nothing of the event would fit every event.
        let covers = parts.iter().any(|part| matches!(part, SignedPart::Body | SignedPart::Form));
        if covers { Ok(Self(parts)) } else { Err(invalid()) }
    }
}

impl TryFrom<String> for SignedText {
    type Error = InvalidSignedText;

    fn try_from(text: String) -> Result<Self, InvalidSignedText> {
        text.parse()
    }
}

impl From<SignedText> for String {
    fn from(signed: SignedText) -> Self {
        std::format!("{signed}")
    }
}

impl fmt::Display for SignedText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|part| match part {
            SignedPart::Text(text) => f.write_str(text),
            SignedPart::Body => f.write_str("{body}"),
            SignedPart::Timestamp => f.write_str("{timestamp}"),
            SignedPart::Header(name) => write!(f, "{{header:{name}}}"),
            SignedPart::Url => f.write_str("{url}"),
            SignedPart::Form => f.write_str("{form}"),
        })
    }
}

/// The place of the time of a signature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
#[non_exhaustive]
pub enum TimestampPlace {
    /// In this header.
    Header(HeaderName),
    /// In the signature's header, in the part that begins so.
    Signature(String),
}

/// A text that is no [`TimestampPlace`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no place of a time: write header:NAME, or signature:PREFIX such as signature:t=")]
pub struct InvalidTimestampPlace(String);

impl FromStr for TimestampPlace {
    type Err = InvalidTimestampPlace;

    fn from_str(text: &str) -> Result<Self, InvalidTimestampPlace> {
        let invalid = || InvalidTimestampPlace(text.to_owned());
        match text.split_once(':').ok_or_else(invalid)? {
            ("header", name) => name.parse().map(Self::Header).map_err(|_| invalid()),
            // An empty prefix would fit every part of the header.
            ("signature", prefix) if !prefix.is_empty() => Ok(Self::Signature(prefix.to_owned())),
            _ => Err(invalid()),
        }
    }
}

impl TryFrom<String> for TimestampPlace {
    type Error = InvalidTimestampPlace;

    fn try_from(text: String) -> Result<Self, InvalidTimestampPlace> {
        text.parse()
    }
}

impl From<TimestampPlace> for String {
    fn from(place: TimestampPlace) -> Self {
        match place {
            TimestampPlace::Header(name) => std::format!("header:{name}"),
            TimestampPlace::Signature(prefix) => std::format!("signature:{prefix}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString as _;

    #[test]
    fn signed_text_is_written_as_it_is_read() {
        for text in
            ["{body}", "v0:{timestamp}:{body}", "{header:webhook-id}.{timestamp}.{body}", "{url}{form}", "{body}!"]
        {
            assert_eq!(text.parse::<SignedText>().expect("a text").to_string(), text);
        }
        for text in ["", "body", "{timestamp}", "{body", "{nothing}{body}", "{header:}{body}", "{url}"] {
            assert!(text.parse::<SignedText>().is_err(), "{text}");
        }
    }

    #[test]
    fn place_of_a_time_is_written_as_it_is_read() {
        for text in ["header:x-time", "signature:t="] {
            assert_eq!(String::from(text.parse::<TimestampPlace>().expect("a place")), text);
        }
        for text in ["", "header:", "signature:", "t=", "json:/t"] {
            assert!(text.parse::<TimestampPlace>().is_err(), "{text}");
        }
    }
}
