//! Hosts of addresses on the web: whose they are, and whether only this machine is meant.

use std::net::IpAddr;

/// The host of a URL, without scheme, user, port, path or the brackets around an IPv6 address.
#[must_use]
pub fn host_of(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    match host.strip_prefix('[') {
        Some(bracketed) => bracketed.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    }
}

/// The origin of an http or https URL as browsers write it (HTML standard, "serialization of an origin"): scheme, host and
/// port in lower case, the port left out where it is the scheme's own.
#[must_use]
pub fn origin_of(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let authority = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let usual = if scheme.eq_ignore_ascii_case("https") { ":443" } else { ":80" };
    let authority = authority.strip_suffix(usual).or(authority.strip_suffix(':')).unwrap_or(authority);
    format!("{scheme}://{authority}").to_ascii_lowercase()
}

/// Whether a host, without brackets, is this machine as it reaches itself: `localhost`, 127.0.0.0/8, `::1`. Names below
/// `localhost` are left out: not every resolver keeps them on the machine (RFC 6761, section 6.3).
#[must_use]
pub fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_is_found_in_any_public_url() {
        assert_eq!(host_of("http://127.0.0.1:4000"), "127.0.0.1");
        assert_eq!(host_of("https://u:p@host.example/path?x#y"), "host.example");
        assert_eq!(host_of("http://[2001:db8::1]:80/"), "2001:db8::1");
        assert_eq!(host_of("localhost"), "localhost");
    }

    #[test]
    fn an_origin_is_written_as_browsers_do() {
        assert_eq!(origin_of("https://Auth.Example.com/base"), "https://auth.example.com");
        assert_eq!(origin_of("https://auth.example.com:443"), "https://auth.example.com");
        assert_eq!(origin_of("http://a:80/"), "http://a");
        assert_eq!(origin_of("http://a:443"), "http://a:443");
        assert_eq!(origin_of("https://a:8443/x"), "https://a:8443");
        assert_eq!(origin_of("http://[::1]:4000"), "http://[::1]:4000");
        assert_eq!(origin_of("http://[::1]"), "http://[::1]");
    }

    #[test]
    fn the_loopback_is_told_from_what_looks_like_it() {
        for host in ["localhost", "LOCALHOST", "127.0.0.1", "127.9.8.7", "::1", "::ffff:127.0.0.1"] {
            assert!(is_loopback(host), "{host}");
        }
        for host in ["", "localhost.example.com", "127.0.0.1.example.com", "128.0.0.1", "::2", "[::1]", "0.0.0.0"] {
            assert!(!is_loopback(host), "{host}");
        }
    }
}
