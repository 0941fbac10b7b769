//! Finds out whether a request is from its sender.

use std::borrow::Cow;
use std::string::String;
use std::vec::Vec;

use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, HeaderName};
use sha2::{Digest as _, Sha256};

use super::hexadecimal;
use super::mac::mac;
use super::pick::{self, ReceivedRequest};
use super::scheme::{HmacScheme, SignedPart, TimestampPlace, Verification};
use super::secret::{Secret, same};
use crate::engine::Timestamp;
use crate::texts::base64;

/// The check that a request is from its sender.
#[derive(Debug, Clone)]
pub(super) enum Verifier {
    Hmac(HmacVerifier),
    Basic(Vec<Secret>),
    Bearer(Vec<Secret>),
    None,
}

/// The verifier of signatures.
#[derive(Debug, Clone)]
pub(super) struct HmacVerifier {
    scheme: HmacScheme,
    header: HeaderName,
    keys: Vec<Secret>,
    /// The URL that the sender calls, without its query.
    url: Option<String>,
}

/// The reason why a request is not known to be from its sender. Names no secret, and nothing of the body.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(in crate::http) enum Unverified {
    #[error("there is no {0} header: have the sender sign its requests")]
    Unsigned(HeaderName),
    #[error(
        "the {0} header holds no signature of the configured form: correct the sender, or prefix, separator and encoding"
    )]
    Malformed(HeaderName),
    #[error(
        "the signature in {0} is none of this request under any secret: compare the secrets, and the configured scheme"
    )]
    Wrong(HeaderName),
    #[error("the signature has no time in seconds: correct the sender, or the configured timestamp")]
    NoTime,
    #[error(
        "the signature is {away} s away from the clock of this server, and {tolerance} s are allowed: send it again, or set the clocks"
    )]
    Stale { away: u64, tolerance: u32 },
    #[error("the request has no {0} header, which is signed: correct the sender")]
    Missing(HeaderName),
    #[error("the body is no form, or not that of the bodySHA256 in the URL: send it as it was signed")]
    Body,
    #[error("the credentials are not right: compare them with the configured secrets")]
    Credentials,
}

/// The reason why a source cannot verify anything.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unverifiable {
    #[error(
        "it has no secret: add secrets = [{{ file = \"PATH\" }}], or verify = {{ scheme = \"none\" }} to take anything"
    )]
    NoSecret,
    #[error("a secret is not base64: copy it again, with whsec_ or without")]
    NotBase64,
    #[error("{0:?} is no name of a header: correct verify.header")]
    Header(String),
    #[error("{{timestamp}} is signed, and its place is not known: add verify.timestamp")]
    NoTimestamp,
    #[error("{{url}} is signed, and is not known: add url, as the sender has it")]
    NoUrl,
    #[error("a secret is not user:password: correct it")]
    NoUser,
}

impl Verifier {
    pub(super) fn new(
        verification: &Verification,
        secrets: Vec<Secret>,
        url: Option<&str>,
    ) -> Result<Self, Unverifiable> {
        let is_none = matches!(verification, Verification::None {});
        // Without a secret every request would be refused, or none.
        if secrets.is_empty() && !is_none {
            return Err(Unverifiable::NoSecret);
        }
        match verification {
            Verification::Hmac(scheme) => HmacVerifier::new(scheme, &secrets, url).map(Self::Hmac),
            Verification::Basic {} if secrets.iter().all(|secret| secret.bytes().contains(&b':')) => {
                Ok(Self::Basic(secrets))
            }
            // A secret without a colon can be no user and password.
            Verification::Basic {} => Err(Unverifiable::NoUser),
            Verification::Bearer {} => Ok(Self::Bearer(secrets)),
            Verification::None {} => Ok(Self::None),
        }
    }

    /// Returns the scheme by which a sender may show who it is, as `WWW-Authenticate` has it.
    pub(super) const fn challenge(&self) -> &'static str {
        match self {
            Self::Basic(_) => "Basic realm=\"eventful\"",
            Self::Bearer(_) => "Bearer",
            Self::Hmac(_) | Self::None => "Signature",
        }
    }

    pub(super) fn verify(&self, request: &ReceivedRequest<'_>, wall: Timestamp) -> Result<(), Unverified> {
        match self {
            Self::Hmac(verifier) => verifier.verify(request, wall),
            Self::Basic(secrets) => {
                let sent = credentials(request.headers, "basic").and_then(base64::decode);
                known(secrets, &sent.ok_or(Unverified::Credentials)?)
            }
            Self::Bearer(secrets) => {
                let sent = credentials(request.headers, "bearer");
                known(secrets, sent.ok_or(Unverified::Credentials)?.as_bytes())
            }
            Self::None => Ok(()),
        }
    }
}

/// Returns the credentials after the name of this scheme in the header `Authorization`.
pub(in crate::http) fn credentials<'a>(headers: &'a HeaderMap, scheme: &str) -> Option<&'a str> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    // Two headers could be read differently by a proxy in front.
    let (Some(value), None) = (values.next(), values.next()) else { return None };
    let (name, rest) = value.to_str().ok()?.split_once(' ')?;
    name.eq_ignore_ascii_case(scheme).then(|| rest.trim())
}

/// Compares with every secret, so that the time says nothing of which one it was.
fn known(secrets: &[Secret], sent: &[u8]) -> Result<(), Unverified> {
    // All are compared, so that the time does not show which one fits.
    let found = secrets.iter().fold(false, |found, secret| secret.is(sent) | found);
    if found { Ok(()) } else { Err(Unverified::Credentials) }
}

impl HmacVerifier {
    fn new(scheme: &HmacScheme, secrets: &[Secret], url: Option<&str>) -> Result<Self, Unverifiable> {
        let signs = |part| scheme.signed.0.contains(&part);
        if signs(SignedPart::Timestamp) && scheme.timestamp.is_none() {
            return Err(Unverifiable::NoTimestamp);
        }
        if signs(SignedPart::Url) && url.is_none() {
            return Err(Unverifiable::NoUrl);
        }
        let header = scheme.header.parse().map_err(|_| Unverifiable::Header(scheme.header.clone()))?;
        let key = |secret| scheme.key.key(secret).map(Secret::new).ok_or(Unverifiable::NotBase64);
        let keys = secrets.iter().map(key).collect::<Result<_, _>>()?;
        Ok(Self { scheme: scheme.clone(), header, keys, url: url.map(String::from) })
    }

    fn verify(&self, request: &ReceivedRequest<'_>, wall: Timestamp) -> Result<(), Unverified> {
        let shown = single(request.headers, &self.header)?.ok_or_else(|| Unverified::Unsigned(self.header.clone()))?;
        let time = self.time(request.headers, shown)?;
        let signatures = self.signatures(shown)?;
        let parts = self.parts(request, time)?;
        let parts: Vec<&[u8]> = parts.iter().map(|part| &**part).collect();
        // All keys and all signatures, for the same reason; during a change of secrets there are several.
        let mut is_right = false;
        for key in &self.keys {
            let due = mac(self.scheme.algorithm, key.bytes(), &parts);
            is_right |= signatures.iter().fold(false, |found, signature| same(&due, signature) | found);
        }
        if !is_right {
            return Err(Unverified::Wrong(self.header.clone()));
        }
        // The time is compared last: it is what the sender signed only when the signature is right.
        time.map_or(Ok(()), |time| self.is_recent(time, wall))
    }

    /// The parts of the signature's header.
    fn shown<'a>(&'a self, text: &'a str) -> impl Iterator<Item = &'a str> {
        let separated = self.scheme.separator.as_deref().map(|separator| text.split(separator).map(str::trim));
        let whole = self.scheme.separator.is_none().then_some(text);
        separated.into_iter().flatten().chain(whole)
    }

    fn signatures(&self, text: &str) -> Result<Vec<Vec<u8>>, Unverified> {
        // Parts with another prefix are of another scheme or version.
        let written = self.shown(text).filter_map(|part| part.strip_prefix(&*self.scheme.prefix));
        let signatures: Vec<_> = written.filter_map(|text| self.scheme.encoding.decode(text)).collect();
        if signatures.is_empty() { Err(Unverified::Malformed(self.header.clone())) } else { Ok(signatures) }
    }

    fn time<'a>(&self, headers: &'a HeaderMap, shown: &'a str) -> Result<Option<&'a str>, Unverified> {
        let text = match &self.scheme.timestamp {
            None => return Ok(None),
            Some(TimestampPlace::Header(name)) => single(headers, name)?,
            Some(TimestampPlace::Signature(prefix)) => {
                let separator = self.scheme.separator.as_deref().unwrap_or(",");
                shown.split(separator).find_map(|part| part.trim().strip_prefix(&**prefix))
            }
        };
        text.map(Some).ok_or(Unverified::NoTime)
    }

    fn is_recent(&self, time: &str, wall: Timestamp) -> Result<(), Unverified> {
        // Only digits: a sign or a space would not be what the sender has signed.
        let digits = Some(time).filter(|time| time.bytes().all(|byte| byte.is_ascii_digit()));
        let seconds: u64 = digits.and_then(|time| time.parse().ok()).ok_or(Unverified::NoTime)?;
        let away = seconds.abs_diff(wall.as_micros() / 1_000_000);
        let tolerance = self.scheme.tolerance_seconds;
        if away <= tolerance.into() { Ok(()) } else { Err(Unverified::Stale { away, tolerance }) }
    }

    /// Passes on what is signed, part by part.
    fn parts<'a>(
        &'a self,
        request: &ReceivedRequest<'a>,
        time: Option<&'a str>,
    ) -> Result<Vec<Cow<'a, [u8]>>, Unverified> {
        let part = |part: &'a SignedPart| {
            Ok(match part {
                SignedPart::Text(text) => text.as_bytes().into(),
                SignedPart::Body => request.body.into(),
                SignedPart::Timestamp => time.unwrap_or_default().as_bytes().into(),
                SignedPart::Header(name) => {
                    let text = single(request.headers, name)?;
                    text.ok_or_else(|| Unverified::Missing(name.clone()))?.as_bytes().into()
                }
                SignedPart::Url => self.whole_url(request).into_bytes().into(),
                SignedPart::Form => form(request)?.into_bytes().into(),
            })
        };
        self.scheme.signed.0.iter().map(part).collect()
    }

    fn whole_url(&self, request: &ReceivedRequest<'_>) -> String {
        let url = self.url.as_deref().unwrap_or_default();
        match request.uri.query() {
            Some(query) => std::format!("{url}?{query}"),
            None => url.into(),
        }
    }
}

/// Returns what is signed of a body behind the URL: the fields of a form; of another body nothing, as the URL holds
/// its digest.
fn form(request: &ReceivedRequest<'_>) -> Result<String, Unverified> {
    let fields = pick::fields(request.uri.query().unwrap_or_default());
    // With this parameter the sender signs the digest of the body instead of its fields.
    let digest = fields.flatten().find(|(name, _)| name == "bodySHA256");
    match digest {
        None => pick::joined_fields(request.body).ok_or(Unverified::Body),
        Some((_, digest)) => {
            let is_its =
                hexadecimal::decode(&digest).is_some_and(|digest| same(&digest, &Sha256::digest(request.body)));
            if is_its { Ok(String::new()) } else { Err(Unverified::Body) }
        }
    }
}

/// The text of a header that is there at most once.
fn single<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, Unverified> {
    let mut values = headers.get_all(name).iter();
    let (value, None) = (values.next(), values.next()) else { return Err(Unverified::Malformed(name.clone())) };
    value.map(|value| value.to_str().map_err(|_| Unverified::Malformed(name.clone()))).transpose()
}
