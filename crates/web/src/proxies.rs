//! Whose address counts: the peer's, or the one that trusted proxies forward.

use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use http::header::FORWARDED;
use http::{HeaderMap, HeaderName};

static X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// A network address or a block of them: `192.0.2.7`, `10.0.0.0/8`, `2001:db8::/32`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    base: IpAddr,
    prefix: u32,
}

/// The text is neither an address nor a block in CIDR notation (RFC 4632, section 3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NetworkError;

impl std::fmt::Display for NetworkError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("neither an IP address nor a network such as 10.0.0.0/8")
    }
}

impl std::error::Error for NetworkError {}

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let (base, prefix) = text.split_once('/').map_or((text, None), |(base, prefix)| (base, Some(prefix)));
        let base: IpAddr = base.trim().parse().map_err(|_| NetworkError)?;
        let width = width(base);
        let prefix = match prefix {
            None => width,
            Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => digits.parse().map_err(|_| NetworkError)?,
            Some(_) => return Err(NetworkError),
        };
        if prefix > width { Err(NetworkError) } else { Ok(Self { base, prefix }) }
    }
}

impl Network {
    /// Whether `address` is in this network. An IPv4 address mapped into IPv6 counts as IPv4.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.base.to_canonical(), address.to_canonical()) {
            (IpAddr::V4(base), IpAddr::V4(address)) => {
                let differing = u128::from(base.to_bits() ^ address.to_bits());
                differing.checked_shr(32_u32.saturating_sub(self.prefix)).unwrap_or(0) == 0
            }
            (IpAddr::V6(base), IpAddr::V6(address)) => {
                let differing = base.to_bits() ^ address.to_bits();
                differing.checked_shr(128_u32.saturating_sub(self.prefix)).unwrap_or(0) == 0
            }
            _ => false,
        }
    }
}

fn width(address: IpAddr) -> u32 {
    if address.is_ipv4() { 32 } else { 128 }
}

/// The client's address. Forwarding headers are read only if the peer is trusted, from right to left, past further trusted
/// addresses. If `Forwarded` and `X-Forwarded-For` are both there and disagree, one of them came from the client
/// untouched and nothing tells which: then the peer's own address counts.
pub(crate) fn client_address(peer: IpAddr, headers: &HeaderMap, trusted: &[Network]) -> IpAddr {
    let is_trusted = |address: IpAddr| trusted.iter().any(|network| network.contains(address));
    if trusted.is_empty() || !is_trusted(peer) {
        return peer;
    }
    let standard = hops(headers, &FORWARDED, forwarded_for);
    let customary = hops(headers, &X_FORWARDED_FOR, |element| Some(element));
    let walk = |hops: Vec<Option<IpAddr>>| {
        let mut nearest = peer;
        for hop in hops.into_iter().rev() {
            let Some(address) = hop else { break };
            nearest = address;
            if !is_trusted(address) {
                break;
            }
        }
        nearest
    };
    match (standard.map(walk), customary.map(walk)) {
        (None, None) => peer,
        (Some(address), None) | (None, Some(address)) => address,
        (Some(one), Some(other)) => {
            if one == other {
                one
            } else {
                peer
            }
        }
    }
}

/// The addresses in a header's comma-separated elements, in order; `None` for one that names no address. All of it
/// `None`: no such header.
fn hops(headers: &HeaderMap, name: &HeaderName, read: impl Fn(&str) -> Option<&str>) -> Option<Vec<Option<IpAddr>>> {
    let mut found = None;
    for value in headers.get_all(name) {
        let hops: &mut Vec<_> = found.get_or_insert_default();
        match value.to_str() {
            Ok(text) => hops.extend(text.split(',').map(|element| read(element.trim()).and_then(node_address))),
            Err(_) => hops.push(None),
        }
    }
    found
}

/// The `for` parameter of one element of `Forwarded` (RFC 7239, section 4).
fn forwarded_for(element: &str) -> Option<&str> {
    element.split(';').find_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        name.trim().eq_ignore_ascii_case("for").then(|| value.trim())
    })
}

/// A node's address (RFC 7239, section 6), quoted or not, with or without a port. Obfuscated and unknown ones have none.
fn node_address(node: &str) -> Option<IpAddr> {
    let node = node.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(node);
    let bracketed = node.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let address: IpAddr = bracketed
        .unwrap_or(node)
        .parse()
        .or_else(|_| node.parse::<SocketAddr>().map(|with_port| with_port.ip()))
        .ok()?;
    Some(address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn client(peer: &str, headers: &[(&'static str, &str)], trusted: &[&str]) -> IpAddr {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().unwrap());
        }
        let trusted: Vec<Network> = trusted.iter().map(|text| text.parse().unwrap()).collect();
        client_address(address(peer), &map, &trusted)
    }

    #[test]
    fn networks_contain_what_shares_their_prefix() {
        let holds = |network: &str, text: &str| network.parse::<Network>().unwrap().contains(address(text));
        assert!(holds("10.0.0.0/8", "10.255.1.2"));
        assert!(!holds("10.0.0.0/8", "11.0.0.1"));
        assert!(holds("192.0.2.7", "192.0.2.7"));
        assert!(!holds("192.0.2.7", "192.0.2.6"));
        assert!(holds("0.0.0.0/0", "203.0.113.9"));
        assert!(!holds("0.0.0.0/0", "2001:db8::1"));
        assert!(holds("2001:db8::/32", "2001:db8:ffff::1"));
        assert!(!holds("2001:db8::/32", "2001:db9::1"));
        assert!(holds("::/0", "2001:db9::1"));
        assert!(holds("192.0.2.0/24", "::ffff:192.0.2.200"));
    }

    #[test]
    fn what_is_no_network_is_refused() {
        for text in ["", "10.0.0.0/33", "10.0.0.0/+8", "10.0.0/8", "::/129", "10.0.0.0/", "proxy", "10.0.0.0/8/8"] {
            assert_eq!(text.parse::<Network>(), Err(NetworkError), "{text:?}");
        }
    }

    #[test]
    fn nobody_else_is_believed() {
        let forged = [("x-forwarded-for", "198.51.100.1"), ("forwarded", "for=198.51.100.1")];
        assert_eq!(client("203.0.113.9", &forged, &[]), address("203.0.113.9"));
        assert_eq!(client("203.0.113.9", &forged, &["10.0.0.0/8"]), address("203.0.113.9"));
    }

    #[test]
    fn the_nearest_untrusted_address_counts() {
        let trusted = &["10.0.0.0/8"];
        let read = |value: &str| client("10.0.0.1", &[("x-forwarded-for", value)], trusted);
        assert_eq!(read("203.0.113.9"), address("203.0.113.9"));
        assert_eq!(read("1.1.1.1, 203.0.113.9"), address("203.0.113.9"));
        assert_eq!(read("1.1.1.1, 203.0.113.9, 10.0.0.2"), address("203.0.113.9"));
        assert_eq!(read("203.0.113.9:4711"), address("203.0.113.9"));
        assert_eq!(read("[2001:db8::1]:4711"), address("2001:db8::1"));
        assert_eq!(read("10.0.0.3, 10.0.0.2"), address("10.0.0.3"));
        assert_eq!(read("1.1.1.1, unknown, 10.0.0.2"), address("10.0.0.2"));
        assert_eq!(read("gibberish"), address("10.0.0.1"));
    }

    #[test]
    fn several_header_lines_are_one_list() {
        let lines = [("x-forwarded-for", "1.1.1.1"), ("x-forwarded-for", "203.0.113.9")];
        assert_eq!(client("10.0.0.1", &lines, &["10.0.0.0/8"]), address("203.0.113.9"));
    }

    #[test]
    fn forwarded_is_read_as_its_standard_says() {
        let read = |value: &str| client("10.0.0.1", &[("forwarded", value)], &["10.0.0.0/8"]);
        assert_eq!(read("for=203.0.113.9;proto=https;by=10.0.0.1"), address("203.0.113.9"));
        assert_eq!(read("For=\"[2001:db8::1]:4711\""), address("2001:db8::1"));
        assert_eq!(read("for=1.1.1.1, for=203.0.113.9, for=10.0.0.7"), address("203.0.113.9"));
        assert_eq!(read("for=_hidden"), address("10.0.0.1"));
        assert_eq!(read("proto=https"), address("10.0.0.1"));
    }

    #[test]
    fn headers_that_disagree_are_not_believed() {
        let trusted = &["10.0.0.0/8"];
        let same = [("forwarded", "for=203.0.113.9"), ("x-forwarded-for", "203.0.113.9")];
        assert_eq!(client("10.0.0.1", &same, trusted), address("203.0.113.9"));
        let smuggled = [("forwarded", "for=1.1.1.1"), ("x-forwarded-for", "203.0.113.9")];
        assert_eq!(client("10.0.0.1", &smuggled, trusted), address("10.0.0.1"));
    }
}
