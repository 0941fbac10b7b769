//! URLs that requests are sent to.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use hyper::Uri;

/// An absolute `http` or `https` URL, checked so far that a request can be sent to it.
///
/// Its text forms leave the query out, which may hold a secret.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct HttpUrl(Uri);

impl HttpUrl {
    /// Reads a URL with a scheme, a host, perhaps a port, a path and a query.
    ///
    /// # Errors
    ///
    /// What is wrong, without a user, a password or a query: they may be secrets.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        check(text).map(Self).map_err(|wrong| format!("{wrong}; write a URL such as http://127.0.0.1:9000/hook"))
    }

    /// Reads a URL to which paths are appended.
    ///
    /// # Errors
    ///
    /// As [`HttpUrl::parse`]; a query is refused.
    pub(crate) fn parse_base(text: &str) -> Result<Self, String> {
        let Self(uri) = Self::parse(text)?;
        match uri.query() {
            None => Ok(Self(uri)),
            Some(_) => Err("a query would not be sent: leave it out; write a URL such as http://127.0.0.1:8080".into()),
        }
    }

    pub(crate) const fn uri(&self) -> &Uri {
        &self.0
    }

    /// Returns this base with a path appended.
    pub(crate) fn join(&self, path: &str) -> anyhow::Result<Uri> {
        // A base with a slash at its end and one without are the same.
        Ok(format!("{}{path}", self.0.to_string().trim_end_matches('/')).parse()?)
    }
}

impl fmt::Display for HttpUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, authority) = (self.0.scheme_str().unwrap_or_default(), self.0.authority());
        write!(f, "{scheme}://{}{}", authority.map_or("", |authority| authority.as_str()), self.0.path())?;
        // The query is left out: it may hold a secret.
        f.write_str(if self.0.query().is_some() { "?…" } else { "" })
    }
}

impl fmt::Debug for HttpUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn check(text: &str) -> Result<Uri, String> {
    // The parser drops a fragment silently.
    if text.contains('#') {
        return Err("a fragment (# and what follows) would not be sent: leave it out".to_owned());
    }
    let uri: Uri = text.parse().map_err(|_| "this is not an absolute URL".to_owned())?;
    match uri.scheme_str() {
        Some("http" | "https") => {}
        Some(scheme) => return Err(format!("the scheme {scheme:?} is neither http nor https")),
        None => return Err("the scheme is missing".to_owned()),
    }
    let authority = uri.authority().map_or("", |authority| authority.as_str());
    if authority.contains('@') {
        return Err("a user and a password in the URL would not be sent: leave them out".to_owned());
    }
    check_authority(authority)?;
    Ok(uri)
}

/// Checks host and port: what the client does not understand it would replace by its default.
pub(crate) fn check_authority(authority: &str) -> Result<(), String> {
    let port = match authority.strip_prefix('[') {
        Some(rest) => {
            let (host, port) = rest.split_once(']').ok_or("the IPv6 address has no closing bracket")?;
            host.parse::<Ipv6Addr>().map_err(|_| format!("[{host}] is not an IPv6 address"))?;
            (!port.is_empty()).then(|| port.strip_prefix(':').ok_or("a port is separated by a colon")).transpose()?
        }
        None => {
            let (host, port) = authority.split_once(':').map_or((authority, None), |(host, port)| (host, Some(port)));
            check_host(host)?;
            port
        }
    };
    port.map_or(Ok(()), check_port)
}

fn check_host(host: &str) -> Result<(), String> {
    let labels = host.strip_suffix('.').unwrap_or(host);
    if labels.is_empty() {
        return Err("the host is missing".to_owned());
    }
    let is_label = |label: &str| {
        !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    if !labels.split('.').all(is_label) {
        return Err(format!("{host:?} is not a host name"));
    }
    // A name whose last label is a number is an IPv4 address and nothing else (WHATWG URL, "ends in a number").
    let ends_in_number = labels.rsplit('.').next().is_some_and(|last| last.bytes().all(|byte| byte.is_ascii_digit()));
    match ends_in_number && host.parse::<Ipv4Addr>().is_err() {
        true => Err(format!("{host:?} is not an IPv4 address")),
        false => Ok(()),
    }
}

fn check_port(port: &str) -> Result<(), String> {
    if port.is_empty() {
        return Err("the port after the colon is missing".to_owned());
    }
    // Digits only, as `+80` would be parsed, too.
    let is_port = port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok_and(|port| port > 0);
    if is_port { Ok(()) } else { Err(format!("the port {port} is not in 1..=65535")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn url_with_scheme_host_port_path_and_query_is_taken() {
        for (text, shown) in [
            ("http://127.0.0.1:9000/hook", "http://127.0.0.1:9000/hook"),
            ("HTTPS://Hook.example", "https://Hook.example/"),
            ("http://localhost:1", "http://localhost:1/"),
            ("http://[::1]:65535/a/b", "http://[::1]:65535/a/b"),
            ("http://[::1]/", "http://[::1]/"),
            ("http://my_service.", "http://my_service./"),
            ("https://h/x?token=secret&to=me", "https://h/x?…"),
        ] {
            let url = HttpUrl::parse(text).expect(text);
            assert_eq!((url.to_string(), format!("{url:?}")), (shown.to_owned(), shown.to_owned()));
        }
    }

    #[test]
    fn url_that_no_request_can_be_sent_to_is_refused() {
        for (text, wrong) in [
            ("", "not an absolute URL"),
            ("/hook", "the scheme is missing"),
            ("nonsense", "the scheme is missing"),
            ("127.0.0.1:9000", "the scheme is missing"),
            ("ftp://host/", "\"ftp\" is neither http nor https"),
            ("http://", "not an absolute URL"),
            ("http:///x", "not an absolute URL"),
            ("http://:80/", "the host is missing"),
            ("http://127.0.0.1:80800/x", "the port 80800 is not in 1..=65535"),
            ("http://h:65536/", "the port 65536 is not"),
            ("http://h:0/", "the port 0 is not"),
            ("http://h:+80/", "the port +80 is not"),
            ("http://h:/", "the port after the colon is missing"),
            ("http://[::1]:/", "the port after the colon is missing"),
            ("http://[::1]80/", "separated by a colon"),
            ("http://[nonsense]/", "not an IPv6 address"),
            ("http://127.0.0.256/", "not an IPv4 address"),
            ("http://127.1:80/", "not an IPv4 address"),
            ("http://a..b/", "not a host name"),
            ("http://./", "the host is missing"),
            ("http://a,b/", "not a host name"),
            ("http://h/x#part", "a fragment"),
            ("http://h /", "not an absolute URL"),
        ] {
            let error = HttpUrl::parse(text).expect_err(text);
            assert!(error.contains(wrong) && error.contains("http://127.0.0.1:9000/hook"), "{text}: {error}");
        }
    }

    #[test]
    fn refusal_of_a_url_shows_no_secret() {
        for text in [
            "http://user:hunter2@host/",
            "http://hunter2@host:80800/",
            "http://user:hunter2^@host/",
            "ftp://user:hunter2@host/",
            "http://host:80800/?token=hunter2",
            "http://host/?token=hunter2#x",
            "user:hunter2@host",
            "http://user:hunter2@",
        ] {
            let error = HttpUrl::parse(text).expect_err(text);
            assert!(!error.contains("hunter2"), "{text}: {error}");
        }
    }

    #[test]
    fn base_url_has_no_query_and_takes_paths() {
        assert!(HttpUrl::parse_base("http://h/?a=hunter2").is_err_and(|error| !error.contains("hunter2")));
        for (base, joined) in [("http://h:1", "http://h:1/v1/x"), ("http://h:1/up/", "http://h:1/up/v1/x")] {
            let base = HttpUrl::parse_base(base).expect(base);
            assert_eq!(base.join("/v1/x").expect("a URL").to_string(), joined);
        }
    }
}
