//! Whether a request that a browser sent with a cookie comes from pages that are ours (Fetch Metadata; Fetch standard,
//! "`Origin` header").

use cerrojo_domain::host::origin_of;
use http::header::ORIGIN;
use http::{HeaderMap, HeaderName, Method};

use crate::cors::CorsPolicy;
use crate::problem::{self, Problem};

static SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Pages that are ours: those of the server's own origin, and of the origins that CORS lets read.
#[derive(Debug)]
pub(crate) struct OwnPages {
    origin: String,
    listed: CorsPolicy,
}

impl OwnPages {
    pub(crate) fn new(public_url: &str, listed: CorsPolicy) -> Self {
        Self { origin: origin_of(public_url), listed }
    }

    /// Whether the request says, in a way that no page can fake, that one of them sent it. One that says nothing does not.
    pub(crate) fn sent(&self, headers: &HeaderMap) -> bool {
        let origin = only(headers, &ORIGIN);
        is_same_origin(headers)
            || origin.is_some_and(|origin| origin.eq_ignore_ascii_case(&self.origin) || self.listed.allows(origin))
    }

    /// The same, or why not: for whatever a cookie alone must not be enough for.
    pub(crate) fn check(&self, headers: &HeaderMap) -> Result<(), Problem> {
        if self.sent(headers) { Ok(()) } else { Err((&problem::CROSS_SITE).into()) }
    }

    /// For what only reads: refuses what says that a page of others sent it, and lets pass what says nothing, as browsers do
    /// over plain http.
    pub(crate) fn check_reading(&self, headers: &HeaderMap) -> Result<(), Problem> {
        let says = headers.contains_key(&SEC_FETCH_SITE) || headers.contains_key(ORIGIN);
        let by_hand = only(headers, &SEC_FETCH_SITE) == Some("none") && !headers.contains_key(ORIGIN);
        if !says || by_hand { Ok(()) } else { self.check(headers) }
    }
}

/// Whether the browser says that the page is of the very origin that it asks.
pub(crate) fn is_same_origin(headers: &HeaderMap) -> bool {
    only(headers, &SEC_FETCH_SITE) == Some("same-origin")
}

/// Methods that change nothing here (RFC 9110, section 9.2.1).
pub(crate) fn only_reads(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

/// Of two, others might have looked at the other one.
fn only<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.to_str().ok()?;
    if values.next().is_some() { None } else { Some(value) }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;
    use crate::Cors;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &'static str)| {
            (HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        pairs.iter().map(pair).collect()
    }

    fn pages() -> OwnPages {
        let url = "https://auth.example.com/base";
        let listed = Cors::Origins(vec!["https://app.example.com".to_owned()]);
        OwnPages::new(url, CorsPolicy::new(&listed, url))
    }

    #[test]
    fn pages_of_ours_are_known_by_what_browsers_say() {
        for pairs in [
            &[("sec-fetch-site", "same-origin")][..],
            &[("origin", "https://auth.example.com")],
            &[("origin", "https://app.example.com"), ("sec-fetch-site", "same-site")],
            // A form on a page with `Referrer-Policy: no-referrer`.
            &[("origin", "null"), ("sec-fetch-site", "same-origin")],
        ] {
            assert!(pages().sent(&headers(pairs)), "{pairs:?}");
        }
    }

    #[test]
    fn whatever_says_otherwise_or_nothing_is_none_of_ours() {
        for pairs in [
            &[][..],
            &[("sec-fetch-site", "same-site")],
            &[("sec-fetch-site", "cross-site")],
            &[("sec-fetch-site", "none")],
            &[("sec-fetch-site", "")],
            &[("origin", "null")],
            &[("origin", "https://evil.example")],
            &[("origin", "https://auth.example.com.evil.example")],
            &[("origin", "http://auth.example.com")],
            &[("origin", "https://auth.example.com:8443")],
            &[("origin", "https://auth.example.com"), ("origin", "https://evil.example")],
            &[("sec-fetch-site", "same-origin"), ("sec-fetch-site", "cross-site")],
            &[("origin", "https://evil.example"), ("sec-fetch-site", "same-site")],
        ] {
            let problem = pages().check(&headers(pairs)).err();
            assert!(problem.is_some_and(|problem| problem.row == &problem::CROSS_SITE), "{pairs:?}");
        }
    }

    #[test]
    fn reading_is_refused_only_to_pages_that_say_that_they_are_of_others() {
        for pairs in [&[][..], &[("sec-fetch-site", "none")]] {
            assert!(pages().check_reading(&headers(pairs)).is_ok(), "{pairs:?}");
        }
        for pairs in [
            &[("sec-fetch-site", "same-site")][..],
            &[("sec-fetch-site", "cross-site")],
            &[("origin", "null")],
            &[("origin", "https://evil.example"), ("sec-fetch-site", "none")],
        ] {
            assert!(pages().check_reading(&headers(pairs)).is_err(), "{pairs:?}");
        }
    }
}
