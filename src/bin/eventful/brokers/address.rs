//! URLs of brokers.

use std::fmt;

use crate::url::{HttpUrl, check_authority};

/// The URL of a stream or a subject: `nats://HOST:4222/NAME`, with several hosts when they are parted by commas. `tls://` asks
/// for TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NatsUrl {
    pub(crate) scheme: String,
    pub(crate) hosts: Vec<String>,
    /// The name behind the hosts.
    pub(crate) name: String,
    /// The settings behind the name.
    query: Vec<(String, String)>,
}

/// The URL that events are delivered to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum DeliveryUrl {
    Http(HttpUrl),
    Nats(NatsUrl),
}

impl NatsUrl {
    /// Reads the URL of a stream.
    ///
    /// # Errors
    ///
    /// What is wrong, without what may be a secret.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        parsed(text).map_err(|wrong| format!("{wrong}; write a URL such as nats://127.0.0.1:4222/ORDERS"))
    }

    /// Returns whether a text is meant to be such a URL.
    pub(crate) fn is_meant(text: &str) -> bool {
        ["nats://", "tls://"].iter().any(|scheme| text.starts_with(scheme))
    }

    /// Returns the value of a name in the query.
    #[cfg(any(feature = "nats", test))]
    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Refuses names in the query but these.
    pub(crate) fn knows(&self, names: &[&str]) -> Result<(), String> {
        match self.query.iter().find(|(name, _)| !names.contains(&name.as_str())) {
            None => Ok(()),
            Some((name, _)) if names.is_empty() => Err(format!("{name:?} is not known here: leave out what follows ?")),
            Some((name, _)) => Err(format!("{name:?} is not known here: these are {}", names.join(", "))),
        }
    }
}

impl DeliveryUrl {
    /// Reads the URL of a service, or of a subject.
    ///
    /// # Errors
    ///
    /// As [`HttpUrl::parse`] and [`NatsUrl::parse`].
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if !NatsUrl::is_meant(text) {
            return HttpUrl::parse(text).map(Self::Http);
        }
        let url = NatsUrl::parse(text)?;
        url.knows(&[])?;
        if url.name.contains(['*', '>']) {
            return Err("a subject to publish to has no * and no >: name one".to_owned());
        }
        Ok(Self::Nats(url))
    }
}

impl fmt::Display for NatsUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}/{}", self.scheme, self.hosts.join(","), self.name)
    }
}

fn parsed(text: &str) -> Result<NatsUrl, String> {
    let (scheme, rest) = text.split_once("://").ok_or("the scheme is missing")?;
    if !["nats", "tls"].contains(&scheme) {
        return Err(format!("the scheme {scheme:?} is neither nats nor tls"));
    }
    if rest.contains('@') {
        return Err("a user and a password stand elsewhere, in user and password of a configuration file".to_owned());
    }
    let (hosts, path) = rest.split_once('/').ok_or("the name behind the host is missing")?;
    let (name, query) = path.split_once('?').unwrap_or((path, ""));
    let hosts: Vec<_> = hosts.split(',').map(str::to_owned).collect();
    hosts.iter().try_for_each(|host| check_authority(host))?;
    if name.is_empty() || name.contains(|c: char| c.is_whitespace() || c.is_control() || c == '/' || c == '#') {
        return Err("the name behind the host is missing, or has characters that no name has".to_owned());
    }
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    let pair = |pair: &str| pair.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
    let query = pairs.map(|text| pair(text).ok_or_else(|| "behind ? stand name=value, parted by &".to_owned()));
    Ok(NatsUrl { scheme: scheme.to_owned(), hosts, name: name.to_owned(), query: query.collect::<Result<_, _>>()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn url_names_hosts_and_a_stream() {
        let url = NatsUrl::parse("nats://a:4222,b/ORDERS?consumer=one&dead_letters=dead.x").expect("a URL");
        assert_eq!((url.hosts.len(), url.name.as_str()), (2, "ORDERS"));
        assert_eq!((url.value("consumer"), url.value("other")), (Some("one"), None));
        assert_eq!(url.to_string(), "nats://a:4222,b/ORDERS");
        assert!(url.knows(&["consumer", "dead_letters"]).is_ok() && url.knows(&["consumer"]).is_err());
        assert_eq!(DeliveryUrl::parse("tls://a/done").map(|url| matches!(url, DeliveryUrl::Nats(_))), Ok(true));
        assert_eq!(DeliveryUrl::parse("http://a/done").map(|url| matches!(url, DeliveryUrl::Http(_))), Ok(true));
    }

    #[test]
    fn url_that_is_not_possible_is_refused() {
        for (text, wrong) in [
            ("nats://a:4222", "the name behind the host is missing"),
            ("nats://a:4222/", "the name behind the host is missing"),
            ("nats://a/b c", "characters that no name has"),
            ("nats:///ORDERS", "the host is missing"),
            ("nats://a:99999/ORDERS", "the port 99999"),
            ("nats://user:hunter2@a/ORDERS", "user and password"),
            ("nats://a/ORDERS?consumer", "name=value"),
            ("amqp://a/ORDERS", "neither nats nor tls"),
        ] {
            let error = NatsUrl::parse(text).expect_err(text);
            assert!(error.contains(wrong) && error.contains("nats://127.0.0.1:4222/ORDERS"), "{text}: {error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
        assert!(DeliveryUrl::parse("nats://a/done.*").is_err() && DeliveryUrl::parse("nats://a/done?x=1").is_err());
    }
}
