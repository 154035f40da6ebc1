//! How texts become values. An `Err` says what is wrong where the key's "expects" does not say it already.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use base64::Engine as _;
use cerrojo_app::{Locale, Rate, Required, RoleRules, Secret, Verification, WhenFull};
use cerrojo_domain::host::is_loopback;
use cerrojo_domain::{RoleId, Roles, UnixMillis};
use cerrojo_web::Network;
use zeroize::Zeroizing;

/// Why a text is no value of its setting; empty when there is nothing to add.
pub(crate) type Wrong = String;

const DAY: u64 = 24 * 3600;
const LONGEST: Duration = Duration::from_secs(366 * DAY);

/// `1h30m`, `45s`, `30d`.
pub(crate) fn duration(text: &str) -> Result<Duration, Wrong> {
    let mut seconds = 0_u64;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or("the unit is missing: s, m, h or d")?;
        let (number, after) = rest.split_at(digits);
        let mut after = after.chars();
        let unit = match after.next() {
            Some('s') => 1,
            Some('m') => 60,
            Some('h') => 3600,
            Some('d') => DAY,
            _ => return Err("units are s, m, h and d".to_owned()),
        };
        let number: u64 = number.parse().map_err(|_| String::new())?;
        seconds = number.checked_mul(unit).and_then(|more| seconds.checked_add(more)).ok_or("it is too long")?;
        rest = after.as_str();
    }
    let duration = Duration::from_secs(seconds);
    if seconds == 0 || duration > LONGEST { Err(String::new()) } else { Ok(duration) }
}

/// A duration of a day at least.
pub(crate) fn days(text: &str) -> Result<Duration, Wrong> {
    duration(text).and_then(|found| if found < Duration::from_secs(DAY) { Err(String::new()) } else { Ok(found) })
}

/// A duration between two others, which are included.
pub(crate) fn duration_within(text: &str, between: std::ops::RangeInclusive<Duration>) -> Result<Duration, Wrong> {
    duration(text).and_then(|found| if between.contains(&found) { Ok(found) } else { Err(String::new()) })
}

/// A duration or `off`.
pub(crate) fn duration_or_off(text: &str) -> Result<Option<Duration>, Wrong> {
    if text == "off" { Ok(None) } else { duration(text).map(Some) }
}

/// A duration of a day or more, or `off`.
pub(crate) fn days_or_off(text: &str) -> Result<Option<Duration>, Wrong> {
    if text == "off" { Ok(None) } else { days(text).map(Some) }
}

/// How many sessions, or `off`.
pub(crate) fn sessions_or_off(text: &str) -> Result<Option<u32>, Wrong> {
    if text == "off" { Ok(None) } else { number(text, 1..=1000).map(Some) }
}

/// `end-oldest` or `refuse`.
pub(crate) fn when_full(text: &str) -> Result<WhenFull, Wrong> {
    match text {
        "end-oldest" => Ok(WhenFull::EndOldest),
        "refuse" => Ok(WhenFull::Refuse),
        _ => Err(String::new()),
    }
}

/// `admin idle_timeout=15m max_age=8h`: a role that exists, and what is otherwise for it.
pub(crate) fn role_rules(text: &str, declared: &Roles) -> Result<(RoleId, RoleRules), Wrong> {
    let mut words = text.split_whitespace();
    let name = words.next().ok_or("a role is missing")?;
    let role = declared.by_name(name).ok_or_else(|| format!("there is no role {name}; declare it under [roles]"))?;
    let mut own = RoleRules::default();
    for word in words {
        let (what, value) = word.split_once('=').ok_or_else(|| format!("{word} has no ="))?;
        let is_twice = match what {
            "idle_timeout" => own.idle_timeout.replace(duration_or_off(value)?).is_some(),
            "max_age" => own.max_age.replace(duration_or_off(value)?).is_some(),
            "max_per_user" => own.max_per_user.replace(sessions_or_off(value)?).is_some(),
            _ => return Err(format!("{what} is none of idle_timeout, max_age and max_per_user")),
        };
        if is_twice {
            return Err(format!("{what} stands there twice"));
        }
    }
    if own == RoleRules::default() {
        return Err(format!("nothing is otherwise for {name}"));
    }
    Ok((role, own))
}

/// `5/15m` or `off`.
pub(crate) fn rate_or_off(text: &str) -> Result<Option<Rate>, Wrong> {
    if text == "off" {
        return Ok(None);
    }
    let (count, window) = text.split_once('/').ok_or("")?;
    let count = count.trim().parse().ok().filter(|count| (1..=1_000_000).contains(count)).ok_or("")?;
    let window = duration(window.trim())?;
    if window > Duration::from_secs(DAY) {
        return Err("a day at most".to_owned());
    }
    Ok(Some(Rate { count, window }))
}

/// `true` or `false`.
pub(crate) fn flag(text: &str) -> Result<bool, Wrong> {
    text.parse().map_err(|_| String::new())
}

/// A number between two others, which are included.
pub(crate) fn number(text: &str, between: std::ops::RangeInclusive<u32>) -> Result<u32, Wrong> {
    text.parse().ok().filter(|number| between.contains(number)).ok_or_else(String::new)
}

/// A number up to another one, which is included; `off` is zero.
pub(crate) fn number_or_off(text: &str, most: u32) -> Result<u32, Wrong> {
    if text == "off" { Ok(0) } else { number(text, 0..=most) }
}

/// Where to listen.
pub(crate) fn listen(text: &str) -> Result<SocketAddr, Wrong> {
    text.parse().map_err(|_| "a host name is not enough: give the address to listen on".to_owned())
}

/// A text that is not empty.
pub(crate) fn text(text: &str) -> Result<String, Wrong> {
    if text.trim().is_empty() || text.chars().any(char::is_control) { Err(String::new()) } else { Ok(text.to_owned()) }
}

/// A path.
pub(crate) fn path(text: &str) -> Result<PathBuf, Wrong> {
    self::text(text).map(PathBuf::from)
}

/// `es` or `en`.
pub(crate) fn locale(text: &str) -> Result<Locale, Wrong> {
    match text {
        "es" => Ok(Locale::Es),
        "en" => Ok(Locale::En),
        _ => Err(String::new()),
    }
}

/// An address or a network in CIDR notation; the address alone is a network of one.
pub(crate) fn network(text: &str) -> Result<Network, Wrong> {
    text.parse().map_err(|_| String::new())
}

/// The parts of an http or https URL that decisions are made by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct WebUrl {
    /// As given, without slashes at its end.
    pub(crate) text: String,
    /// Whether it is https.
    pub(crate) scheme: Scheme,
    /// Name or address, without brackets.
    pub(crate) host: String,
}

/// Schemes of the web.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scheme {
    /// Plain.
    Http,
    /// Over TLS.
    Https,
}

impl WebUrl {
    /// Whether only this machine reaches it.
    pub(crate) fn is_loopback(&self) -> bool {
        is_loopback(&self.host) || self.host.ends_with(".localhost")
    }
}

/// An http(s) URL with nothing behind its path.
pub(crate) fn web_url(text: &str) -> Result<WebUrl, Wrong> {
    let (scheme, rest) = text.split_once("://").ok_or("")?;
    let scheme = match scheme {
        "http" => Scheme::Http,
        "https" => Scheme::Https,
        _ => return Err("only http and https will do".to_owned()),
    };
    if rest.chars().any(|c| c.is_control() || c.is_whitespace() || "?#\"<>\\^`{|}".contains(c)) {
        return Err("it has characters that do not belong there".to_owned());
    }
    let authority = rest.split('/').next().unwrap_or_default();
    if authority.contains('@') {
        return Err("user and password do not belong there".to_owned());
    }
    let (host, port) = match authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, after)) => {
            let address: std::net::Ipv6Addr = host.parse().map_err(|_| String::new())?;
            (address.to_string(), after.strip_prefix(':').or(after.is_empty().then_some("")))
        }
        None => match authority.split_once(':') {
            Some((host, port)) => (host.to_lowercase(), Some(port)),
            None => (authority.to_lowercase(), Some("")),
        },
    };
    let port = port.ok_or("")?;
    if host.is_empty() || host.contains(',') || !(port.is_empty() || port.parse::<u16>().is_ok()) {
        return Err("host or port is not right".to_owned());
    }
    Ok(WebUrl { text: text.trim_end_matches('/').to_owned(), scheme, host })
}

/// A web origin (RFC 6454, section 6.2).
pub(crate) fn origin(text: &str) -> Result<String, Wrong> {
    if text == "*" {
        return Err("every origin is not an origin: name those whose pages may call the API".to_owned());
    }
    let url = web_url(text)?;
    let authority = text.split_once("://").map_or("", |(_, rest)| rest);
    if authority.contains('/') {
        return Err("an origin has no path, not even a slash".to_owned());
    }
    Ok(url.text.to_lowercase())
}

/// `off`, `notify` or `required`.
pub(crate) fn verification(text: &str) -> Result<Verification, Wrong> {
    match text {
        "off" => Ok(Verification::Off),
        "notify" => Ok(Verification::Notify),
        "required" => Ok(Verification::Required),
        _ => Err(String::new()),
    }
}

/// A link in mails, with a place for the code.
pub(crate) fn link(text: &str) -> Result<String, Wrong> {
    let fine = text.contains("{token}")
        && text.contains("://")
        && !text.chars().any(|c| c.is_control() || c.is_whitespace() || c == '"' || c == '<' || c == '>');
    if fine { Ok(text.to_owned()) } else { Err(String::new()) }
}

/// A mail server's URL.
pub(crate) fn mail_url(text: &str) -> Result<String, Wrong> {
    let host = text.strip_prefix("smtp://").or_else(|| text.strip_prefix("smtps://")).ok_or("")?;
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
    if host.is_empty() || text.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err(String::new());
    }
    Ok(text.to_owned())
}

/// The secret of HS256 (RFC 7518, section 3.2).
pub(crate) fn secret(text: &str) -> Result<Secret, Wrong> {
    secret_of(text, 32)
}

/// A secret of so many bytes at least.
pub(crate) fn secret_of(text: &str, least: usize) -> Result<Secret, Wrong> {
    let bytes = match text.strip_prefix("base64:") {
        Some(encoded) => base64_bytes(encoded.trim()).ok_or("that is not base64")?,
        None => text.as_bytes().to_vec(),
    };
    let bytes = Zeroizing::new(bytes);
    if bytes.len() < least {
        return Err(format!("these are {}", bytes.len()));
    }
    Ok(Secret(bytes))
}

/// `type=access`: a claim and its value.
pub(crate) fn required_claim(text: &str) -> Result<Required, Wrong> {
    let (claim, value) = text.split_once('=').ok_or("")?;
    let (claim, value) = (self::text(claim.trim())?, self::text(value.trim())?);
    Ok(Required { claim, value })
}

/// A date, with a time or without.
pub(crate) fn time(text: &str) -> Result<UnixMillis, Wrong> {
    UnixMillis::parse(text).ok_or_else(String::new)
}

/// Base64 of either alphabet, padded or not (RFC 4648, sections 4 and 5).
pub(crate) fn base64_bytes(text: &str) -> Option<Vec<u8>> {
    let bare = text.trim_end_matches('=');
    let standard = base64::engine::general_purpose::STANDARD_NO_PAD.decode(bare);
    standard.or_else(|_| base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(bare)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        assert_eq!(duration("24h"), Ok(Duration::from_hours(24)));
        assert_eq!(duration("1h30m"), Ok(Duration::from_mins(90)));
        for bad in ["", "0s", "24", "h", "1.5h", "-1h", "1w", "367d", "99999999999999999999d", "1h ", "１h"] {
            assert!(duration(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn rates() {
        assert_eq!(rate_or_off("5/15m"), Ok(Some(Rate { count: 5, window: Duration::from_mins(15) })));
        assert_eq!(rate_or_off("off"), Ok(None));
        for bad in ["", "5", "0/1m", "5/", "/15m", "-1/15m", "5/2d", "OFF"] {
            assert!(rate_or_off(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn web_urls() {
        let url = web_url("https://Auth.Example.com/base/").map(|url| (url.text, url.host));
        assert_eq!(url, Ok(("https://Auth.Example.com/base".to_owned(), "auth.example.com".to_owned())));
        for loopback in ["http://localhost:4000", "http://127.0.0.1:4000", "http://[::1]:4000", "http://a.localhost"] {
            assert!(web_url(loopback).is_ok_and(|url| url.is_loopback()), "{loopback}");
        }
        let bad = [
            "",
            "auth.example.com",
            "ftp://a",
            "http://",
            "http://u:p@a",
            "http://a?b",
            "http://a#b",
            "http://a:99999",
            "http://[::1",
            "http://[::1]x",
            "http://a b",
            "http:///x",
        ];
        for bad in bad {
            assert!(web_url(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn networks() {
        assert!(network("10.0.0.0/8").is_ok_and(|network| network.contains("10.1.2.3".parse().unwrap())));
        assert!(network("::1").is_ok_and(|network| !network.contains("::2".parse().unwrap())));
        for bad in ["", "10.0.0.0/33", "10.0.0.0/", "host", "::1/129", "10.0.0.0/-1"] {
            assert!(network(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn origins_have_no_path() {
        assert_eq!(origin("https://App.example.com:8443"), Ok("https://app.example.com:8443".to_owned()));
        for bad in ["*", "https://a/", "https://a/b", "null", "a"] {
            assert!(origin(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn secrets_have_32_bytes() {
        assert!(secret("short").is_err());
        assert!(secret("0123456789abcdef0123456789abcdef").is_ok());
        assert!(secret("base64:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=").is_ok());
        assert!(secret("base64:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA").is_err());
        assert!(secret("base64:?").is_err());
    }
}
