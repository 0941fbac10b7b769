//! The address of a database, and connections to it.

use core::fmt;

use tokio_postgres::config::{Config, Host, LoadBalanceHosts, SslMode, TargetSessionAttrs};

use crate::session::{Session, reason};

/// The database in which the journals are, by its URL.
///
/// ```
/// let database: eventful_postgres::Database = "postgresql://app@db.example/orders".parse()?;
/// assert_eq!(database.to_string(), "database orders at db.example:5432");
/// # Ok::<(), eventful_postgres::UrlError>(())
/// ```
///
/// The URL is one of libpq: `postgresql://USER:PASSWORD@HOST:PORT/DATABASE?OPTIONS`, or
/// `host=… dbname=…`. Several hosts (`host=a,b`) are tried one after the other, and the one that
/// takes writes is used: that is what finds the primary after a fail-over. With `sslmode=require`
/// the connection has TLS, and the certificate of the server is verified by the roots of the system,
/// or those in the file that `SSL_CERT_FILE` names; that needs the feature `tls`. Without it
/// there is no TLS.
#[derive(Debug, Clone)]
pub struct Database {
    config: Config,
}

/// The reason why a URL names no database.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UrlError {
    /// The form is not that of a URL of PostgreSQL.
    #[error("the URL of the database cannot be read ({0}): write postgresql://USER:PASSWORD@HOST:PORT/DATABASE")]
    Form(String),
    /// The URL asks for TLS, which this build does not have.
    #[error("the URL of the database asks for TLS (sslmode=require): build with the feature `tls`, or remove it")]
    NoTls,
}

impl std::str::FromStr for Database {
    type Err = UrlError;

    fn from_str(url: &str) -> Result<Self, UrlError> {
        let mut config: Config = url.parse().map_err(|error| UrlError::Form(reason(&error)))?;
        if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
            return Err(UrlError::Form("it names no host".to_owned()));
        }
        if config.get_ssl_mode() != SslMode::Require {
            config.ssl_mode(SslMode::Disable);
        } else if cfg!(not(feature = "tls")) {
            return Err(UrlError::NoTls);
        }
        config.target_session_attrs(TargetSessionAttrs::ReadWrite);
        if config.get_application_name().is_none() {
            config.application_name("eventful");
        }
        Ok(Self { config })
    }
}

impl Database {
    pub(crate) fn role(&self) -> &str {
        self.config.get_user().unwrap_or_default()
    }

    /// Sets the password, in place of one in the URL.
    #[must_use]
    pub fn password(mut self, password: &str) -> Self {
        self.config.password(password);
        self
    }

    /// Opens a connection to the first host that takes writes, in the order of the URL or in another one.
    pub(crate) async fn connect(&self, is_shuffled: bool) -> Result<Session, tokio_postgres::Error> {
        let mut config = self.config.clone();
        if is_shuffled {
            config.load_balance_hosts(LoadBalanceHosts::Random);
        }
        #[cfg(feature = "tls")]
        if self.config.get_ssl_mode() == SslMode::Require {
            let tls = crate::tls::Rustls::of_system();
            let (client, connection) = config.connect(tls.clone()).await?;
            return Ok(Session::new(client, connection));
        }
        let (client, connection) = config.connect(tokio_postgres::NoTls).await?;
        Ok(Session::new(client, connection))
    }

    /// Asks the server to give up the statement of another connection. The server does not say
    /// whether it did.
    pub(crate) async fn cancel(&self, token: &tokio_postgres::CancelToken) {
        #[cfg(feature = "tls")]
        if self.config.get_ssl_mode() == SslMode::Require {
            return drop(token.cancel_query(crate::tls::Rustls::of_system()).await);
        }
        drop(token.cancel_query(tokio_postgres::NoTls).await);
    }
}

impl fmt::Display for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let user = self.config.get_user().unwrap_or_default();
        write!(f, "database {} at ", self.config.get_dbname().unwrap_or(user))?;
        let named = self.config.get_hosts().iter().map(|host| match host {
            Host::Tcp(name) => name.clone(),
            #[cfg(unix)]
            Host::Unix(path) => path.display().to_string(),
        });
        let addressed = self.config.get_hostaddrs().iter().map(ToString::to_string);
        let hosts: Vec<_> = if self.config.get_hosts().is_empty() { addressed.collect() } else { named.collect() };
        for (index, host) in hosts.iter().enumerate() {
            let ports = self.config.get_ports();
            let port = ports.get(index).or_else(|| ports.first()).unwrap_or(&5432);
            write!(f, "{}{host}:{port}", if index == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(url: &str) -> String {
        match url.parse::<Database>() {
            Ok(database) => database.to_string(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn database_is_shown_with_its_hosts_and_without_its_password() {
        assert_eq!(shown("postgresql://app:secret@a:1,b:2/orders"), "database orders at a:1, b:2");
        assert_eq!(shown("host=/run/postgresql user=app"), "database app at /run/postgresql:5432");
        let database: Database = "postgresql://app:secret@a/orders".parse().expect("a URL");
        assert!(!format!("{database:?}").contains("secret"));
    }

    #[test]
    fn url_that_names_no_database_is_refused_with_what_to_write() {
        for url in ["", "postgresql://a:port/b", "user=app"] {
            assert!(shown(url).contains("write postgresql://"), "{url}: {}", shown(url));
        }
    }

    #[cfg(not(feature = "tls"))]
    #[test]
    fn tls_is_refused_by_a_build_without_it() {
        assert!(shown("postgresql://a/b?sslmode=require").contains("build with the feature `tls`"));
    }
}
