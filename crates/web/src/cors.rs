//! Which pages of other origins may read answers (Fetch standard, section "CORS protocol").

use axum::response::Response;
use cerrojo_domain::host::{host_of, is_loopback};
use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD,
    ORIGIN, VARY,
};
use http::{HeaderMap, HeaderValue, Method, StatusCode};

use crate::Cors;

/// What the setting comes to for this server.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum CorsPolicy {
    Nobody,
    Loopback,
    Only(Vec<String>),
}

/// What one request is granted.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Grant {
    Nothing,
    /// The answer may be read by this origin.
    Read(HeaderValue),
    /// The question that browsers ask first may be answered with yes.
    Preflight(HeaderValue),
}

impl CorsPolicy {
    pub(crate) fn new(setting: &Cors, public_url: &str) -> Self {
        match setting {
            Cors::Unset if is_loopback(host_of(public_url)) => Self::Loopback,
            Cors::Unset => Self::Nobody,
            Cors::Origins(origins) if origins.is_empty() => Self::Nobody,
            Cors::Origins(origins) => {
                Self::Only(origins.iter().map(|origin| origin.trim_end_matches('/').to_ascii_lowercase()).collect())
            }
        }
    }

    /// What a request is granted.
    pub(crate) fn grant(&self, method: &Method, headers: &HeaderMap) -> Grant {
        let Some(origin) = headers.get(ORIGIN) else { return Grant::Nothing };
        if !origin.to_str().is_ok_and(|origin| self.allows(origin)) {
            Grant::Nothing
        } else if *method == Method::OPTIONS && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD) {
            Grant::Preflight(origin.clone())
        } else {
            Grant::Read(origin.clone())
        }
    }

    /// Whether pages of this origin may read.
    pub(crate) fn allows(&self, origin: &str) -> bool {
        match self {
            Self::Nobody => false,
            Self::Loopback => is_loopback_origin(origin),
            Self::Only(origins) => origins.iter().any(|known| known.eq_ignore_ascii_case(origin)),
        }
    }

    /// Puts the grant on an answer. A preflight is 204 wherever it was sent, so that the page gets to read what the real
    /// request is answered.
    pub(crate) fn put(&self, grant: Grant, response: &mut Response) {
        // What is for everybody is the same for everybody.
        if response.headers().contains_key(ACCESS_CONTROL_ALLOW_ORIGIN) && !matches!(grant, Grant::Preflight(_)) {
            return;
        }
        if *self != Self::Nobody {
            response.headers_mut().append(VARY, HeaderValue::from_static("Origin"));
        }
        let fixed = |value| HeaderValue::from_static(value);
        match grant {
            Grant::Nothing => {}
            Grant::Read(origin) => {
                let headers = response.headers_mut();
                headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
                headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, fixed("true"));
                headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, fixed(EXPOSED));
            }
            Grant::Preflight(origin) => {
                *response.status_mut() = StatusCode::NO_CONTENT;
                *response.body_mut() = axum::body::Body::empty();
                let headers = response.headers_mut();
                headers.remove(http::header::CONTENT_TYPE);
                headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
                headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, fixed("true"));
                headers.insert(ACCESS_CONTROL_ALLOW_METHODS, fixed("GET, HEAD, POST, PUT, DELETE"));
                headers.insert(
                    ACCESS_CONTROL_ALLOW_HEADERS,
                    fixed("Authorization, Content-Type, Cerrojo-Activity, Last-Event-ID"),
                );
                headers.insert(ACCESS_CONTROL_MAX_AGE, fixed("600"));
            }
        }
    }
}

/// What a page may read beside the body.
const EXPOSED: &str =
    "Retry-After, RateLimit-Limit, RateLimit-Remaining, RateLimit-Reset, WWW-Authenticate, X-Request-Id";

/// Whether an origin (RFC 6454, section 6.2) is a page of this machine, whatever its port.
fn is_loopback_origin(origin: &str) -> bool {
    let authority = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
    authority.is_some_and(is_loopback_authority)
}

fn is_loopback_authority(authority: &str) -> bool {
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (authority, None),
    };
    let port_ok = port.is_none_or(|port| port.bytes().all(|b| b.is_ascii_digit()) && port.parse::<u16>().is_ok());
    let bracketed = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let host_ok = match bracketed {
        Some(address) => address.contains(':') && is_loopback(address),
        None => !host.contains(':') && is_loopback(host),
    };
    port_ok && host_ok
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unset(public_url: &str, origin: &str) -> bool {
        CorsPolicy::new(&Cors::Unset, public_url).allows(origin)
    }

    #[test]
    fn unset_allows_this_machine_while_the_server_is_on_it() {
        let here = "http://127.0.0.1:4000";
        let pages = [
            "http://localhost:5173",
            "http://localhost",
            "https://localhost:8443",
            "http://127.0.0.1:3000",
            "http://127.9.8.7",
            "http://[::1]:3000",
            "http://[::1]",
        ];
        for origin in pages {
            assert!(unset(here, origin), "{origin}");
            assert!(unset("http://localhost:4000/", origin) && unset("http://[::1]:4000", origin), "{origin}");
            assert!(!unset("https://auth.example.com", origin), "{origin}");
        }
    }

    #[test]
    fn nobody_passes_for_this_machine() {
        let others = [
            "null",
            "http://localhost.example.com",
            "http://127.0.0.1.example.com",
            "http://example.com",
            "http://localhost:80:80",
            "http://localhost:http",
            "http://localhost@example.com",
            "file://localhost",
            "http://127.0.0.1/",
            "http://128.0.0.1",
            "http://[::2]",
            "localhost",
            "",
        ];
        for origin in others {
            assert!(!unset("http://127.0.0.1:4000", origin), "{origin:?}");
        }
        assert!(!unset("http://localhost.example.com", "http://localhost"));
    }

    #[test]
    fn set_origins_are_all_there_are() {
        let set = Cors::Origins(vec!["https://App.example.com/".to_owned()]);
        let policy = CorsPolicy::new(&set, "http://localhost:4000");
        assert!(policy.allows("https://app.example.com"));
        for origin in
            ["https://example.com", "http://app.example.com", "https://app.example.com:8443", "http://localhost"]
        {
            assert!(!policy.allows(origin), "{origin}");
        }
        assert!(!CorsPolicy::new(&Cors::Origins(Vec::new()), "http://localhost").allows("http://localhost"));
    }

    #[test]
    fn a_preflight_is_an_options_request_that_says_so() {
        let policy = CorsPolicy::new(&Cors::Unset, "http://localhost:4000");
        let origin = HeaderValue::from_static("http://localhost:5173");
        let mut headers = HeaderMap::from_iter([(ORIGIN, origin.clone())]);
        assert_eq!(policy.grant(&Method::OPTIONS, &headers), Grant::Read(origin.clone()));
        headers.insert(ACCESS_CONTROL_REQUEST_METHOD, HeaderValue::from_static("POST"));
        assert_eq!(policy.grant(&Method::OPTIONS, &headers), Grant::Preflight(origin.clone()));
        assert_eq!(policy.grant(&Method::POST, &headers), Grant::Read(origin));
        assert_eq!(policy.grant(&Method::POST, &HeaderMap::new()), Grant::Nothing);
    }
}
