//! The check of the host that a request is for, and of the page that sent it.

use core::net::{IpAddr, SocketAddr};
use core::str::FromStr;
use std::borrow::ToOwned as _;
use std::format;
use std::string::String;
use std::vec::Vec;

use axum::http::header::{HOST, ORIGIN};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderValue, Request, Uri, Version};

use super::problem::{Problem, ProblemKind};

/// A host by its name or its address, compared as hosts are: in any case, with or without the dot at its end.
///
/// ```
/// use eventful::http::Host;
///
/// let host: Host = "Events.Example.".parse()?;
/// assert_eq!(host, "events.example".parse()?);
/// assert!("events.example:8080".parse::<Host>().is_err());
/// # Ok::<(), eventful::http::InvalidHost>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host(Named);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Named {
    Address(IpAddr),
    Name(String),
}

/// A text that is no [`Host`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no host: write a name such as events.example, or an IP address, without a port")]
pub struct InvalidHost {
    text: String,
}

impl FromStr for Host {
    type Err = InvalidHost;

    fn from_str(text: &str) -> Result<Self, InvalidHost> {
        let bare: Result<IpAddr, _> = text.parse();
        // An IPv6 address without brackets, as people write it in configurations.
        if let Ok(address) = bare {
            return Ok(Self(Named::Address(address.to_canonical())));
        }
        let site = Site::parse(text.as_bytes()).filter(|site| !site.has_port);
        site.map(|site| site.host).ok_or_else(|| InvalidHost { text: text.to_owned() })
    }
}

/// A host with a port, as headers have it.
#[derive(Debug)]
struct Site {
    host: Host,
    port: Option<u16>,
    has_port: bool,
}

impl Site {
    /// Parses a host; `None` when it is none, or has a user before it.
    fn parse(text: &[u8]) -> Option<Self> {
        let authority = Authority::try_from(text).ok()?;
        let rest = authority.as_str().strip_prefix(authority.host())?;
        let has_port = !rest.is_empty();
        // A colon without a port is the default port (RFC 3986, section 3.2.3).
        let port = if matches!(rest, "" | ":") { None } else { Some(authority.port_u16()?) };
        let name = authority.host();
        // A final dot names the same host.
        let name = name.strip_suffix('.').unwrap_or(name);
        let inner = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
        let named = match inner.parse::<IpAddr>() {
            Ok(address) => Named::Address(address.to_canonical()),
            Err(_) if name.is_empty() => return None,
            Err(_) => Named::Name(name.to_ascii_lowercase()),
        };
        Some(Self { host: Host(named), port, has_port })
    }

    /// Returns whether both are one site of this scheme, whose default port need not be named.
    fn is(&self, other: &Self, scheme: &str) -> bool {
        let default = match scheme {
            // The default port, with which an origin is written without one.
            "http" => Some(80),
            "https" => Some(443),
            _ => None,
        };
        self.host == other.host && self.port.or(default) == other.port.or(default)
    }
}

/// The check of hosts and origins.
#[derive(Debug, Clone)]
pub(super) struct HostCheck {
    /// The hosts that requests may be for; any when absent.
    hosts: Option<Vec<Host>>,
}

impl HostCheck {
    /// Lets in what is for the given hosts, when there are any or the server is bound to loopback; else anything.
    pub(super) fn new(allowed: &[Host], bound: Option<SocketAddr>) -> Self {
        // On a loopback address every page in a browser can reach the server: only its own names are accepted.
        let local = bound.is_some_and(|bound| bound.ip().to_canonical().is_loopback());
        let own = bound.map(|bound| Host(Named::Address(bound.ip().to_canonical())));
        let named = || allowed.iter().cloned().chain(own).chain([Host(Named::Name("localhost".to_owned()))]);
        Self { hosts: (local || !allowed.is_empty()).then(|| named().collect()) }
    }

    /// # Errors
    ///
    /// It is for another host.
    pub(super) fn check_host<B>(&self, request: &Request<B>) -> Result<(), Problem> {
        let uri = request.uri();
        let host = single_host(request.version(), uri, request.headers())?;
        let target = uri.authority().map(|authority| authority.as_str().as_bytes());
        // Both are checked, as a proxy in front may have read either.
        [host, target].into_iter().flatten().try_for_each(|named| self.admit(named))
    }

    /// # Errors
    ///
    /// It is sent by a page of another site.
    pub(super) fn check_origin<B>(request: &Request<B>) -> Result<(), Problem> {
        let (uri, headers) = (request.uri(), request.headers());
        // The target wins over the header (RFC 9112, section 3.2.2).
        let target = uri.authority().map(|authority| authority.as_str().as_bytes());
        refuse_other_sites(headers, target.or_else(|| headers.get(HOST).map(HeaderValue::as_bytes)))
    }

    fn admit(&self, named: &[u8]) -> Result<(), Problem> {
        let Some(hosts) = &self.hosts else { return Ok(()) };
        let is_ours = |site: Site| match &site.host {
            // An address cannot be rebound to another server, as a name can.
            Host(Named::Address(address)) if address.is_loopback() => true,
            host => hosts.contains(host),
        };
        if Site::parse(named).is_some_and(is_ours) {
            return Ok(());
        }
        let detail = format!(
            "the host {:?} is not one of this server's: call it as localhost or by its address, or allow this host \
             (serve --allow-host, http::Limits::allowed_hosts)",
            String::from_utf8_lossy(named)
        );
        Err(Problem::new(ProblemKind::Misdirected, detail).closing())
    }
}

/// The host that the header names. None is needed in HTTP/1.0, and where the target has it; two are refused, as one of
/// both would not be read.
fn single_host<'a>(version: Version, uri: &Uri, headers: &'a HeaderMap) -> Result<Option<&'a [u8]>, Problem> {
    let mut values = headers.get_all(HOST).iter().map(HeaderValue::as_bytes);
    match (values.next(), values.next()) {
        (Some(host), None) => Ok(Some(host)),
        // Before HTTP/1.1, or with an absolute target, the header may be missing.
        (None, _) if version != Version::HTTP_11 || uri.authority().is_some() => Ok(None),
        _ => Err(Problem::invalid("a request of HTTP/1.1 has one Host header: send one").closing()),
    }
}

/// A browser sends what any page asks it to, also to an address that only its machine can reach. It names the page's
/// site, which must be this one.
fn refuse_other_sites(headers: &HeaderMap, host: Option<&[u8]>) -> Result<(), Problem> {
    let own = host.and_then(Site::parse);
    let is_ours = |origin: &HeaderValue| {
        let uri = Uri::try_from(origin.as_bytes()).ok()?;
        let site = Site::parse(uri.authority()?.as_str().as_bytes())?;
        Some(site.is(own.as_ref()?, uri.scheme_str()?))
    };
    // Without an Origin the call is not from a page of another site.
    if headers.get_all(ORIGIN).iter().all(|origin| is_ours(origin).unwrap_or(false)) {
        return Ok(());
    }
    let detail = "the Origin is not this host: call it from a program, not from a page";
    Err(Problem::new(ProblemKind::CrossSite, detail).closing())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString as _;

    const LOOPBACK: &str = "127.0.0.1:8080";
    const ANYWHERE: &str = "0.0.0.0:8080";

    #[test]
    fn loopback_server_is_called_by_its_names_only() {
        for host in [
            "localhost",
            "LOCALHOST:8080",
            "localhost.",
            "localhost:",
            "127.0.0.1",
            "127.9.9.9:1",
            "[::1]:8080",
            "[0:0:0:0:0:0:0:1]",
            "[::ffff:127.0.0.1]",
            "inbox.internal",
            "Inbox.Internal.:99",
        ] {
            assert_eq!(status(LOOPBACK, &["inbox.internal"], Some(host), None), None, "{host}");
        }
        for host in [
            "evil.example",
            "localhost.evil.example",
            "evil.example:8080",
            "10.0.0.1",
            "[::2]",
            "0.0.0.0",
            "",
            "localhost@evil",
            "user@localhost",
            "local host",
            "localhost:99999",
        ] {
            assert_eq!(
                status(LOOPBACK, &["inbox.internal"], Some(host), None),
                Some(ProblemKind::Misdirected),
                "{host}"
            );
        }
    }

    #[test]
    fn server_that_others_can_reach_checks_hosts_when_it_has_some() {
        assert_eq!(status(ANYWHERE, &[], Some("evil.example"), None), None);
        assert_eq!(status(ANYWHERE, &["a.example"], Some("A.example"), None), None);
        assert_eq!(status(ANYWHERE, &["a.example"], Some("evil.example"), None), Some(ProblemKind::Misdirected));
        assert_eq!(status("10.1.1.1:80", &["a.example"], Some("10.1.1.1"), None), None);
        assert_eq!(status("[::1]:80", &[], Some("evil.example"), None), Some(ProblemKind::Misdirected));
    }

    #[test]
    fn origin_is_compared_with_the_host_as_hosts_are() {
        for (host, origin) in [
            ("a.example", "http://a.example"),
            ("A.example", "http://a.EXAMPLE"),
            ("a.example:80", "http://a.example"),
            ("a.example", "http://a.example:80"),
            ("a.example", "https://a.example:443"),
            ("a.example.", "http://a.example"),
            ("a.example:8080", "http://a.example:8080"),
            ("[::1]:9", "http://[0::1]:9"),
        ] {
            assert_eq!(status(ANYWHERE, &[], Some(host), Some(origin)), None, "{host} {origin}");
        }
        for (host, origin) in [
            ("a.example", "http://b.example"),
            ("a.example", "http://a.example:8080"),
            ("a.example", "https://a.example:80"),
            ("a.example", "null"),
            ("a.example", "a.example"),
            ("a.example", ""),
            ("a.example:80", "https://a.example"),
            ("a.example", "ftp://a.example:80"),
        ] {
            assert_eq!(
                status(ANYWHERE, &[], Some(host), Some(origin)),
                Some(ProblemKind::CrossSite),
                "{host} {origin}"
            );
        }
    }

    #[test]
    fn rebound_name_is_refused_though_its_origin_is_its_host() {
        let refused = status(LOOPBACK, &[], Some("evil.example"), Some("http://evil.example"));
        assert_eq!(refused, Some(ProblemKind::Misdirected));
    }

    #[test]
    fn host_is_needed_once_but_not_in_the_oldest_version() {
        let door = door(LOOPBACK, &[]);
        let request = |version, target: &str, hosts: &[&str]| {
            let mut request = Request::builder().version(version).uri(target);
            for host in hosts {
                request = request.header(HOST, *host);
            }
            door.check_host(&request.body(()).expect("a request")).err().map(|problem| problem.kind())
        };
        assert_eq!(request(Version::HTTP_11, "/", &[]), Some(ProblemKind::Invalid));
        assert_eq!(request(Version::HTTP_11, "/", &["localhost", "localhost"]), Some(ProblemKind::Invalid));
        assert_eq!(request(Version::HTTP_10, "/", &[]), None);
        assert_eq!(request(Version::HTTP_10, "/", &["evil.example"]), Some(ProblemKind::Misdirected));
        assert_eq!(request(Version::HTTP_11, "http://localhost/", &["localhost"]), None);
        assert_eq!(request(Version::HTTP_11, "http://evil.example/", &["localhost"]), Some(ProblemKind::Misdirected));
        assert_eq!(request(Version::HTTP_2, "http://localhost/", &[]), None);
    }

    #[test]
    fn allowed_host_is_a_name_or_an_address_without_a_port() {
        for text in ["", "a:80", "a:", "a b", "user@a", "http://a", "a/b", "[::1]:80"] {
            let error = text.parse::<Host>().expect_err(text).to_string();
            assert!(error.contains("is no host: write a name"), "{error}");
        }
        for (one, other) in [("A.b.", "a.b"), ("::1", "[::1]"), ("::ffff:1.2.3.4", "1.2.3.4")] {
            assert_eq!(one.parse::<Host>(), other.parse::<Host>());
        }
    }

    fn door(bound: &str, allowed: &[&str]) -> HostCheck {
        let allowed: Vec<Host> = allowed.iter().map(|host| host.parse().expect("a host")).collect();
        HostCheck::new(&allowed, Some(bound.parse().expect("an address")))
    }

    fn status(bound: &str, allowed: &[&str], host: Option<&str>, origin: Option<&str>) -> Option<ProblemKind> {
        let mut request = Request::builder();
        for (name, value) in [(HOST, host), (ORIGIN, origin)] {
            request = value.into_iter().fold(request, |request, value| request.header(name.clone(), value));
        }
        let request = request.body(()).expect("a request");
        let checked = door(bound, allowed).check_host(&request).and_then(|()| HostCheck::check_origin(&request));
        checked.err().map(|problem| problem.kind())
    }
}
