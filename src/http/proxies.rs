//! Proxies that are believed, and their clients.

use core::net::IpAddr;
use core::str::FromStr;
use std::borrow::ToOwned as _;
use std::string::String;
use std::vec::Vec;

use axum::http::header::{FORWARDED, HOST};
use axum::http::uri::{Authority, Uri};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Request};

/// Addresses that begin with the same bits: `10.0.0.0/8`, or a single one.
///
/// ```
/// use eventful::http::Network;
///
/// let network: Network = "10.0.0.0/8".parse()?;
/// assert!(network.has("10.1.2.3".parse()?) && !network.has("11.0.0.1".parse()?));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    bits: u8,
}

/// A text that is no [`Network`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no network: write an address, or one with a number of bits such as 10.0.0.0/8")]
pub struct InvalidNetwork(String);

impl Network {
    /// Returns whether this address is in it.
    pub fn has(&self, address: IpAddr) -> bool {
        // A shift by all bits would overflow: a network of none has an arm of its own.
        let same = |one: u128, other: u128, width: u8| (one ^ other) >> (width - self.bits).min(127) == 0;
        match (self.address, address.to_canonical()) {
            _ if self.bits == 0 => self.address.is_ipv4() == address.to_canonical().is_ipv4(),
            (IpAddr::V4(one), IpAddr::V4(other)) => same(one.to_bits().into(), other.to_bits().into(), 32),
            (IpAddr::V6(one), IpAddr::V6(other)) => same(one.to_bits(), other.to_bits(), 128),
            _ => false,
        }
    }
}

impl FromStr for Network {
    type Err = InvalidNetwork;

    fn from_str(text: &str) -> Result<Self, InvalidNetwork> {
        let (address, bits) = text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
        let parsed = || {
            let address = address.parse::<IpAddr>().ok()?;
            let most = if address.is_ipv4() { 32 } else { 128 };
            let bits = bits.map_or(Some(most), |bits| bits.parse().ok()).filter(|bits| *bits <= most)?;
            Some(Self { address, bits })
        };
        parsed().ok_or_else(|| InvalidNetwork(text.to_owned()))
    }
}

/// The proxies that are believed.
#[derive(Debug, Clone, Default)]
pub(super) struct Proxies(pub(super) Vec<Network>);

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

impl Proxies {
    fn believes(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.has(address))
    }

    /// Puts the host that the client has called in place of the one that its proxy has, in the head and in the target,
    /// which names it in HTTP/2. Returns the client's address, as far as it is known. What is forwarded by others is
    /// removed, so that nothing reads it.
    pub(super) fn resolve<B>(&self, peer: Option<IpAddr>, request: &mut Request<B>) -> Option<IpAddr> {
        let headers = request.headers_mut();
        if !headers.keys().any(is_forwarded) {
            return peer;
        }
        if !peer.is_some_and(|peer| self.believes(peer)) {
            remove_forwarded(headers);
            return peer;
        }
        let host = last(headers, &FORWARDED_HOST).and_then(|host| HeaderValue::from_str(host).ok());
        if let Some(host) = &host {
            headers.insert(HOST, host.clone());
        }
        // Each proxy adds whom it was called by. The last one that is no proxy of ours is the client.
        let hops: Vec<_> = headers.get_all(FORWARDED_FOR).iter().filter_map(|value| value.to_str().ok()).collect();
        let hops = hops.iter().rev().flat_map(|value| value.rsplit(','));
        let mut client = peer;
        for hop in hops {
            // What is no address cannot be checked, so nothing before it is believed.
            let Ok(address) = hop.trim().parse::<IpAddr>() else { break };
            client = Some(address);
            if !self.believes(address) {
                break;
            }
        }
        if let Some(target) = host.and_then(|host| target_at(request.uri(), host.as_bytes())) {
            *request.uri_mut() = target;
        }
        client
    }
}

/// The same target at another host; none when it names no host, or the other one is none.
fn target_at(target: &Uri, host: &[u8]) -> Option<Uri> {
    target.authority()?;
    let mut parts = target.clone().into_parts();
    parts.authority = Some(Authority::try_from(host).ok()?);
    Uri::from_parts(parts).ok()
}

fn is_forwarded(name: &HeaderName) -> bool {
    name.as_str().starts_with("x-forwarded-") || *name == FORWARDED
}

fn remove_forwarded(headers: &mut HeaderMap) {
    let names: Vec<_> = headers.keys().filter(|name| is_forwarded(name)).cloned().collect();
    for name in names {
        headers.remove(name);
    }
}

/// The value that the nearest proxy has added.
fn last<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let value = headers.get_all(name).iter().next_back()?.to_str().ok()?;
    value.rsplit(',').next().map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString as _;

    fn address(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    fn resolve(peer: &str, headers: &[(&'static str, &'static str)]) -> (Option<String>, HeaderMap) {
        let (client, request) = resolve_at("/v1/stats", peer, headers);
        (client, request.into_parts().0.headers)
    }

    fn resolve_at(target: &str, peer: &str, headers: &[(&'static str, &'static str)]) -> (Option<String>, Request<()>) {
        let proxies = Proxies(["10.0.0.0/8", "::1"].map(|network| network.parse().expect("a network")).into());
        let mut request = Request::builder().uri(target).body(()).expect("a request");
        for (name, value) in headers {
            request.headers_mut().append(*name, HeaderValue::from_static(value));
        }
        let client = proxies.resolve(Some(address(peer)), &mut request).map(|client| client.to_string());
        (client, request)
    }

    #[test]
    fn target_that_names_a_host_names_the_forwarded_one() {
        let target = "http://inner:8080/v1/stats?a=b";
        let at = |peer, host| resolve_at(target, peer, &[("x-forwarded-host", host)]).1.uri().to_string();
        assert_eq!(at("10.0.0.1", "a.example"), "http://a.example/v1/stats?a=b");
        assert_eq!(at("11.0.0.1", "a.example"), target, "it is not believed");
        assert_eq!(at("10.0.0.1", "a b"), target, "that is no host");
    }

    #[test]
    fn network_is_an_address_with_a_number_of_bits() {
        for (network, inside, outside) in [
            ("10.0.0.0/8", "10.255.0.1", "11.0.0.0"),
            ("10.1.2.3", "10.1.2.3", "10.1.2.4"),
            ("0.0.0.0/0", "1.2.3.4", "::1"),
            ("fd00::/8", "fd12::1", "fe00::1"),
            ("::/0", "::1", "1.2.3.4"),
            ("192.168.0.0/31", "::ffff:192.168.0.1", "192.168.0.2"),
        ] {
            let network: Network = network.parse().expect("a network");
            assert!(network.has(address(inside)) && !network.has(address(outside)), "{network:?}");
        }
        for text in ["", "10", "10.0.0.0/33", "::/129", "10.0.0.0/", "a/8", "10.0.0.0/-1"] {
            assert!(text.parse::<Network>().expect_err(text).to_string().contains("is no network"));
        }
    }

    #[test]
    fn what_a_proxy_of_ours_forwards_counts() {
        let forwarded = [
            ("host", "inner:8080"),
            ("x-forwarded-host", "evil.example, a.example"),
            ("x-forwarded-for", "6.6.6.6, 1.2.3.4, 10.0.0.9"),
        ];
        let (client, headers) = resolve("10.0.0.1", &forwarded);
        assert_eq!((client.as_deref(), &headers[HOST]), (Some("1.2.3.4"), &HeaderValue::from_static("a.example")));
        assert_eq!(resolve("::1", &[("x-forwarded-for", "nonsense")]).0.as_deref(), Some("::1"));
        assert_eq!(resolve("::1", &[("x-forwarded-for", "10.0.0.2")]).0.as_deref(), Some("10.0.0.2"));
    }

    #[test]
    fn what_others_forward_is_removed() {
        let forwarded = [
            ("host", "inner"),
            ("x-forwarded-host", "a.example"),
            ("x-forwarded-for", "10.0.0.9"),
            ("x-forwarded-proto", "https"),
            ("forwarded", "for=1.2.3.4"),
        ];
        let (client, headers) = resolve("1.1.1.1", &forwarded);
        assert_eq!(
            (client.as_deref(), headers.len(), &headers[HOST]),
            (Some("1.1.1.1"), 1, &HeaderValue::from_static("inner"))
        );
    }
}
