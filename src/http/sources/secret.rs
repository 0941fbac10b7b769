//! Secrets that only a sender and this server know.

use core::fmt;
use core::hint::black_box;
use std::env;
use std::fs;
use std::path::PathBuf;
use std::string::{String, ToString as _};
use std::sync::Arc;
use std::vec::Vec;

use axum::http::HeaderValue;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// A secret. It is compared in constant time, and never shown.
#[derive(Clone)]
pub struct Secret(Arc<[u8]>);

/// A reference to a secret: `{ file = "/run/secrets/github" }` or `{ env = "GITHUB_SECRET" }`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum SecretRef {
    /// In this file, but for the line break at its end.
    File(PathBuf),
    /// In this variable of the environment.
    Env(String),
    /// Here. A configuration file cannot hold it.
    #[serde(skip)]
    Given(Secret),
}

/// The reason why there is no secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoSecret {
    /// The file cannot be read.
    #[error("the secret in {file} cannot be read: {cause}; correct the path or the rights of the file")]
    File {
        /// Its path.
        file: String,
        /// The words of the operating system.
        cause: String,
    },
    /// The variable is not set.
    #[error("the variable {0} is not set: set it to the secret")]
    Env(String),
    /// The secret has no bytes.
    #[error("the secret in {0} is empty: every signature would be known to all; write one with 32 random bytes")]
    Empty(String),
}

impl Secret {
    /// A secret of these bytes.
    pub fn new(bytes: impl AsRef<[u8]>) -> Self {
        Self(Arc::from(bytes.as_ref()))
    }

    /// The header `Authorization` that shows it as a bearer token (RFC 6750), marked as sensitive; nothing when it holds
    /// what no header may.
    pub fn bearer(&self) -> Option<HeaderValue> {
        // A sensitive value does not show in debug output.
        let mut value = HeaderValue::from_bytes(&[b"Bearer ", &*self.0].concat()).ok()?;
        value.set_sensitive(true);
        Some(value)
    }

    /// The secret as the value of a header, marked as sensitive; nothing when it holds what no header may.
    pub fn header(&self) -> Option<HeaderValue> {
        let mut value = HeaderValue::from_bytes(&self.0).ok()?;
        value.set_sensitive(true);
        Some(value)
    }

    pub(in crate::http) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Returns whether these bytes are the secret, in a time that depends on neither.
    pub(in crate::http) fn is(&self, bytes: &[u8]) -> bool {
        // By digests, whose length is fixed: that of the secret does not show.
        same(&Sha256::digest(&self.0), &Sha256::digest(bytes))
    }
}

/// Returns whether both are equal, in a time that depends on their lengths alone.
pub(in crate::http) fn same(one: &[u8], other: &[u8]) -> bool {
    // All bytes are compared, and the optimizer must not stop at the first difference.
    one.len() == other.len() && black_box(one.iter().zip(other).fold(0, |differ, (a, b)| differ | (a ^ b))) == 0
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.is(&other.0)
    }
}

impl Eq for Secret {}

impl SecretRef {
    /// Reads the secret.
    ///
    /// # Errors
    ///
    /// [`NoSecret`] when there is none.
    pub fn read(&self) -> Result<Secret, NoSecret> {
        let (place, bytes) = match self {
            Self::Given(secret) => ("the program".to_string(), secret.0.to_vec()),
            Self::Env(name) => (name.clone(), in_environment(name)?),
            Self::File(path) => (path.display().to_string(), in_file(path)?),
        };
        if bytes.is_empty() { Err(NoSecret::Empty(place)) } else { Ok(Secret::new(bytes)) }
    }
}

fn in_environment(name: &str) -> Result<Vec<u8>, NoSecret> {
    let value = env::var_os(name).ok_or_else(|| NoSecret::Env(name.to_string()))?;
    Ok(value.into_encoded_bytes())
}

fn in_file(path: &PathBuf) -> Result<Vec<u8>, NoSecret> {
    let mut bytes = fs::read(path)
        .map_err(|error| NoSecret::File { file: path.display().to_string(), cause: error.to_string() })?;
    // Editors and `echo` put a line break at the end; only one is removed, since a secret may end in others.
    for end in [b'\n', b'\r'] {
        if bytes.last() == Some(&end) {
            bytes.pop();
        }
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::format;

    #[test]
    fn secret_is_compared_and_never_shown() {
        let secret = Secret::new("top");
        assert!(secret.is(b"top") && !secret.is(b"tap") && !secret.is(b"") && secret == Secret::new(b"top"));
        assert_eq!(format!("{secret:?} {:?}", SecretRef::Given(secret.clone())), "Secret Given(Secret)");
        let shown = secret.bearer().expect("a header");
        assert_eq!((shown.as_bytes(), format!("{shown:?}")), (&b"Bearer top"[..], String::from("Sensitive")));
        let value = secret.header().expect("a header");
        assert_eq!((value.as_bytes(), value.is_sensitive()), (&b"top"[..], true));
        assert!(Secret::new("a\nb").bearer().is_none() && Secret::new("a\nb").header().is_none());
        assert!(same(b"", b"") && !same(b"a", b"ab") && !same(b"ab", b"ac"));
    }

    #[test]
    fn secret_in_a_file_ends_at_its_line_break() {
        let directory = tempfile::tempdir().expect("a directory");
        let file = |name: &str, bytes: &[u8]| {
            let path = directory.path().join(name);
            fs::write(&path, bytes).expect("a file");
            SecretRef::File(path)
        };
        for (bytes, secret) in [("top\n", "top"), ("top\r\n", "top"), (" top", " top"), ("a\n\n", "a\n")] {
            assert!(file("a", bytes.as_bytes()).read().expect("a secret").is(secret.as_bytes()), "{bytes:?}");
        }
        let empty = file("a", b"\n").read().expect_err("it is empty");
        assert!(matches!(empty, NoSecret::Empty(_)), "{empty}");
        let missing = SecretRef::File(directory.path().join("b")).read().expect_err("there is none");
        assert!(matches!(missing, NoSecret::File { .. }), "{missing}");
        let unset = SecretRef::Env("EVENTFUL_TEST_UNSET".into()).read();
        assert_eq!(unset.expect_err("not set"), NoSecret::Env("EVENTFUL_TEST_UNSET".into()));
    }
}
