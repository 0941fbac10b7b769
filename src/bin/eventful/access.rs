//! Access to the server, and the proof to targets of where a delivery comes from.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use clap::Args;
use eventful::http::sources::SecretRef;
use eventful::http::{Access, AccessConfig, Signer};
use hyper::header::HeaderValue;

/// The options of access to the server, and of the proof to its targets.
#[derive(Debug, Args)]
pub(crate) struct AccessOptions {
    /// A file with a token that submits events, sent as Authorization: Bearer TOKEN; may be repeated. With any token,
    /// every call needs one, but health and sources
    #[arg(long, env = "EVENTFUL_SUBMIT_TOKEN_FILE", value_delimiter = ',', value_name = "FILE")]
    submit_token_file: Vec<PathBuf>,
    /// A file with a token that reads events and numbers; may be repeated
    #[arg(long, env = "EVENTFUL_READ_TOKEN_FILE", value_delimiter = ',', value_name = "FILE")]
    read_token_file: Vec<PathBuf>,
    /// A file with a token of workers, which take events and settle them; may be repeated
    #[arg(long, env = "EVENTFUL_WORK_TOKEN_FILE", value_delimiter = ',', value_name = "FILE")]
    work_token_file: Vec<PathBuf>,
    /// A file with a token that does everything; may be repeated
    #[arg(long, env = "EVENTFUL_OPERATE_TOKEN_FILE", value_delimiter = ',', value_name = "FILE")]
    operate_token_file: Vec<PathBuf>,
    /// Let all who reach an address that is not loopback call everything, without a token
    #[arg(long, env = "EVENTFUL_ALLOW_ANYONE")]
    allow_anyone: bool,
    /// A file with a secret, whsec_ and base64, that signs deliveries as Standard Webhooks has it; may be repeated while one
    /// replaces another
    #[arg(long, env = "EVENTFUL_DELIVER_SECRET_FILE", value_delimiter = ',', value_name = "FILE")]
    deliver_secret_file: Vec<PathBuf>,
}

/// Access that no server can be started with.
#[derive(Debug)]
pub(crate) struct InvalidAccess(String);

impl std::fmt::Display for InvalidAccess {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for InvalidAccess {}

impl InvalidAccess {
    fn of(why: impl std::fmt::Display) -> Self {
        Self(why.to_string())
    }
}

impl AccessOptions {
    /// The tokens of flags and of a file, for a server that listens there.
    pub(crate) fn access(&self, listen: SocketAddr, file: &AccessConfig) -> Result<Access, InvalidAccess> {
        let mut config = file.clone();
        config.submit.extend(in_files(&self.submit_token_file));
        config.read.extend(in_files(&self.read_token_file));
        config.work.extend(in_files(&self.work_token_file));
        config.operate.extend(in_files(&self.operate_token_file));
        let access = Access::new(&config).map_err(InvalidAccess::of)?;
        // In canonical form, as `::ffff:127.0.0.1` is a loopback address, too.
        if access.is_open() && !self.allow_anyone && !listen.ip().to_canonical().is_loopback() {
            return Err(InvalidAccess(format!(
                "all who reach {listen} could submit, redrive and discard: give tokens with --operate-token-file FILE, \
                 --read-token-file and --submit-token-file, listen on 127.0.0.1, or let everyone in with --allow-anyone"
            )));
        }
        Ok(access)
    }

    /// Returns whether a flag names a secret that signs deliveries.
    pub(crate) const fn signs(&self) -> bool {
        !self.deliver_secret_file.is_empty()
    }

    /// The signer of deliveries with the secrets of flags and of a file; absent when there are none.
    pub(crate) fn signer(&self, file: &[SecretRef]) -> Result<Option<Signer>, InvalidAccess> {
        let secrets = [in_files(&self.deliver_secret_file).as_slice(), file].concat();
        let secrets = secrets.iter().map(SecretRef::read).collect::<Result<Vec<_>, _>>().map_err(InvalidAccess::of)?;
        if secrets.is_empty() { Ok(None) } else { Signer::new(&secrets).map(Some).map_err(InvalidAccess::of) }
    }
}

/// Returns the header with the token in this file.
pub(crate) fn authorization(file: &Path) -> Result<HeaderValue, InvalidAccess> {
    let token = SecretRef::File(file.to_owned()).read().map_err(InvalidAccess::of)?;
    token.bearer().ok_or_else(|| InvalidAccess(format!("the token in {} is not ASCII: correct it", file.display())))
}

fn in_files(paths: &[PathBuf]) -> Vec<SecretRef> {
    paths.iter().cloned().map(SecretRef::File).collect()
}
