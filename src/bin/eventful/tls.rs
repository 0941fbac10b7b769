//! TLS, by files.

use std::path::PathBuf;

use clap::Args;
use eventful::http::{Tls, TlsFiles};

/// TLS, by files.
#[derive(Debug, Args)]
pub(crate) struct TlsOptions {
    /// Serve TLS with the certificate in this file, in PEM, followed by those that lead to a root; SIGHUP reads it again
    #[arg(long, env = "EVENTFUL_TLS_CERT", value_name = "FILE")]
    tls_cert: Option<PathBuf>,
    /// The key of the certificate, in PEM
    #[arg(long, env = "EVENTFUL_TLS_KEY", value_name = "FILE")]
    tls_key: Option<PathBuf>,
}

impl TlsOptions {
    /// Returns TLS with the files, if there are any.
    pub(crate) fn tls(&self) -> anyhow::Result<Option<Tls>> {
        match (self.tls_cert.clone(), self.tls_key.clone()) {
            (Some(certificates), Some(key)) => Ok(Some(Tls::new(TlsFiles { certificates, key })?)),
            (None, None) => Ok(None),
            // Not asked of the parser, which sees each key of a configuration file alone.
            _ => anyhow::bail!(
                "one of tls_cert and tls_key is missing: give the certificate and its key, --tls-cert and --tls-key"
            ),
        }
    }
}

/// Reads the files again, and logs what came of it.
pub(crate) fn reload(tls: &Tls) {
    match tls.reload() {
        Ok(()) => tracing::info!("SIGHUP: certificate and key were read again, for new connections"),
        Err(error) => tracing::error!("SIGHUP: {error}; the ones from before are used"),
    }
}
