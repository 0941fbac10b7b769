//! Signatures by HMAC.

use std::vec::Vec;

use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::{Sha256, Sha512};

use super::hexadecimal;
use super::scheme::{HmacAlgorithm, KeyForm, SignatureEncoding};
use super::secret::Secret;
use crate::texts::base64;

/// The HMAC of these parts, one behind the other.
pub(in crate::http) fn mac(algorithm: HmacAlgorithm, key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    match algorithm {
        HmacAlgorithm::Sha1 => of::<Hmac<Sha1>>(key, parts),
        HmacAlgorithm::Sha256 => of::<Hmac<Sha256>>(key, parts),
        HmacAlgorithm::Sha512 => of::<Hmac<Sha512>>(key, parts),
    }
}

fn of<M: Mac + KeyInit>(key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    // An HMAC takes a key of any length.
    let Ok(mut mac) = M::new_from_slice(key) else { return Vec::new() };
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().to_vec()
}

impl SignatureEncoding {
    pub(super) fn decode(self, text: &str) -> Option<Vec<u8>> {
        match self {
            Self::Hex => hexadecimal::decode(text),
            Self::Base64 => base64::decode(text),
        }
    }
}

impl KeyForm {
    /// Decodes the key in a secret; `None` when it is not written in this form.
    pub(in crate::http) fn key(self, secret: &Secret) -> Option<Vec<u8>> {
        match self {
            Self::Text => Some(secret.bytes().to_vec()),
            Self::Base64 => {
                let text = str::from_utf8(secret.bytes()).ok()?;
                base64::decode(text.strip_prefix("whsec_").unwrap_or(text)).filter(|key| !key.is_empty())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 2202, test case 2; RFC 4231, test case 2.
    #[test]
    fn hmac_is_that_of_the_rfcs() {
        let text: [&[u8]; 2] = [b"what do ya want ", b"for nothing?"];
        let hex = |algorithm| hexadecimal::encode(&mac(algorithm, b"Jefe", &text));
        assert_eq!(hex(HmacAlgorithm::Sha1), "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
        assert_eq!(hex(HmacAlgorithm::Sha256), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
        assert_eq!(
            hex(HmacAlgorithm::Sha512),
            "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e6fd\
             caeab1a34d4a6b4b636e070a38bce737"
        );
    }

    #[test]
    fn secret_in_base64_may_have_its_prefix() {
        for text in ["whsec_YWJj", "YWJj"] {
            assert_eq!(KeyForm::Base64.key(&Secret::new(text)).as_deref(), Some(&b"abc"[..]));
        }
        for text in ["whsec_", "whsec_*", "\u{e4}"] {
            assert_eq!(KeyForm::Base64.key(&Secret::new(text)), None, "{text}");
        }
        assert_eq!(KeyForm::Text.key(&Secret::new("whsec_YWJj")).as_deref(), Some(&b"whsec_YWJj"[..]));
    }
}
