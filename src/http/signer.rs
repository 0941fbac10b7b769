//! Shows a target that a delivery is from this server.

use std::format;
use std::string::String;
use std::vec::Vec;

use super::sources::mac::mac;
use super::sources::{HmacAlgorithm, KeyForm, Secret};
use crate::texts::base64;

/// Signs deliveries as Standard Webhooks 1.0 has it.
///
/// ```
/// use eventful::http::{Signer, sources::Secret};
///
/// let signer = Signer::new(&[Secret::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")])?;
/// let signature = signer.header("msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, br#"{"test": 2432232314}"#);
/// assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
/// # Ok::<(), eventful::http::InvalidSigningKey>(())
/// ```
#[derive(Debug, Clone)]
pub struct Signer(Vec<Secret>);

/// A secret that deliveries cannot be signed with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the secret for deliveries is not base64: write whsec_ and 32 random bytes in base64")]
#[non_exhaustive]
pub struct InvalidSigningKey;

impl Signer {
    /// A signer with these secrets, in base64, behind `whsec_` or not. While one replaces another, both sign.
    ///
    /// # Errors
    ///
    /// [`InvalidSigningKey`] when one is not base64.
    pub fn new(secrets: &[Secret]) -> Result<Self, InvalidSigningKey> {
        let key = |secret| KeyForm::Base64.key(secret).map(Secret::new).ok_or(InvalidSigningKey);
        secrets.iter().map(key).collect::<Result<_, _>>().map(Self)
    }

    /// The header `webhook-signature` of a delivery with this `webhook-id`, `webhook-timestamp` and body.
    pub fn header(&self, id: &str, timestamp: u64, body: &[u8]) -> String {
        let begin = format!("{id}.{timestamp}.");
        let signature = |key: &Secret| {
            let signature = mac(HmacAlgorithm::Sha256, key.bytes(), &[begin.as_bytes(), body]);
            format!("v1,{}", base64::encode(&signature))
        };
        // Several signatures during a change of secrets: a receiver accepts any of them.
        self.0.iter().map(signature).collect::<Vec<_>>().join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_secret_signs() {
        let secrets = ["whsec_YWJj", "ZGVm"].map(Secret::new);
        let signer = Signer::new(&secrets).expect("they are base64");
        let both = signer.header("a", 1, b"x");
        let each = secrets.map(|secret| Signer::new(&[secret]).expect("it is base64").header("a", 1, b"x"));
        assert_eq!(both, each.join(" "));
        assert!(each[0] != each[1] && Signer::new(&[Secret::new("whsec_*")]).is_err());
    }
}
