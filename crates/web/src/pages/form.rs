//! What a page's form sends.

use axum::extract::FromRequestParts;
use axum::response::{IntoResponse as _, Response};
use http::header::ORIGIN;
use http::request::Parts;
use http::{HeaderMap, HeaderName};

use super::stage::Stage;
use crate::Web;
use crate::body::Gathered;
use crate::problem::{self, Problem};

/// Fields of a form, at most; none of ours has ten.
const MOST: usize = 32;

static SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// The fields of a form that one of our own pages sent.
#[derive(Default)]
pub(super) struct Form(Vec<(String, String)>);

impl Form {
    /// A field, exactly as typed; `None`: it was not sent.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone())
    }

    /// The same, to be shown again.
    pub(super) fn typed(&self, name: &str) -> String {
        self.text(name).unwrap_or_default()
    }
}

impl FromRequestParts<Web> for Form {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<Self, Response> {
        let stage = Stage::from_request_parts(parts, web).await.map_err(Problem::into_response)?;
        let read = web.own_pages().check(&parts.headers).and_then(|()| read(parts));
        read.map_err(|problem| stage.fail(problem))
    }
}

/// The same of a page that a link in a mail opened. It has a secret in its address and so sends no referrer; browsers that say
/// nothing of the site (older ones, and all over plain http) then say `Origin: null`. That is enough for what the code of the link alone is
/// enough for: whoever knows it could send it without a browser. A session counts only beside a form that is known to be ours.
pub(super) struct LinkForm(pub(super) Form, pub(super) Sent);

/// Where the form of a link comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sent {
    /// One of our own pages.
    ByUs,
    /// Nobody knows.
    BySomebody,
}

impl FromRequestParts<Web> for LinkForm {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<Self, Response> {
        let stage = Stage::from_request_parts(parts, web).await.map_err(Problem::into_response)?;
        let sent = if says_nothing(&parts.headers) {
            Ok(Sent::BySomebody)
        } else {
            web.own_pages().check(&parts.headers).map(|()| Sent::ByUs)
        };
        let read = sent.and_then(|sent| Ok(Self(read(parts)?, sent)));
        read.map_err(|problem| stage.fail(problem))
    }
}

/// An origin that is kept back, and nothing of the site.
fn says_nothing(headers: &HeaderMap) -> bool {
    let mut origins = headers.get_all(ORIGIN).iter();
    let is_null = origins.next().is_some_and(|origin| origin == "null") && origins.next().is_none();
    is_null && !headers.contains_key(&SEC_FETCH_SITE)
}

fn read(parts: &Parts) -> Result<Form, Problem> {
    let bytes = match parts.extensions.get() {
        None => return Ok(Form(Vec::new())),
        Some(Gathered::TooLarge) => return Err((&problem::TOO_LARGE).into()),
        Some(Gathered::TooSlow) => return Err((&problem::TOO_SLOW).into()),
        Some(Gathered::CutOff) => return Err((&problem::CUT_OFF).into()),
        Some(Gathered::Whole(bytes)) if bytes.is_empty() => return Ok(Form(Vec::new())),
        Some(Gathered::Whole(bytes)) => bytes,
    };
    if !crate::form::says_form(&parts.headers) {
        return Err((&problem::NOT_FORM).into());
    }
    fields(bytes).map(Form).ok_or_else(|| (&problem::WRONG_INPUT).into())
}

/// No name twice, and no NUL, as in JSON; and few: each is compared with all before.
fn fields(bytes: &[u8]) -> Option<Vec<(String, String)>> {
    if bytes.split(|byte| *byte == b'&').nth(MOST).is_some() {
        return None;
    }
    let mut fields: Vec<(String, String)> = Vec::new();
    for (name, value) in crate::form::pairs(bytes)? {
        if value.contains('\0') || fields.iter().any(|(known, _)| *known == name) {
            return None;
        }
        fields.push((name, value));
    }
    Some(fields)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn a_form_is_read_as_typed_or_not_at_all() {
        let form = Form(fields(b"email=ana%40example.com&password=a+b%2B%26&name=%C3%91u").unwrap());
        assert_eq!(form.typed("email"), "ana@example.com");
        assert_eq!(form.text("password").as_deref(), Some("a b+&"));
        assert_eq!((form.typed("name"), form.text("token")), ("Ñu".to_owned(), None));
        for broken in [&b"a=1&a=2"[..], b"a=%00", b"a=%zz", b"a=%ff", b"%61=1&a=1"] {
            assert!(fields(broken).is_none(), "{broken:?}");
        }
    }

    #[test]
    fn a_form_of_very_many_fields_is_not_looked_through() {
        let of = |count: usize| (0..count).map(|number| format!("f{number}=1")).collect::<Vec<_>>().join("&");
        assert_eq!(fields(of(MOST).as_bytes()).map(|fields| fields.len()), Some(MOST));
        assert!(fields(of(MOST + 1).as_bytes()).is_none());
        assert!(fields("&".repeat(64 * 1024).as_bytes()).is_none());
    }

    #[test]
    fn only_a_browser_that_keeps_the_origin_back_says_nothing() {
        let headers = |pairs: &[(&'static str, &'static str)]| {
            let pair = |(name, value): &(&'static str, &'static str)| {
                (HeaderName::from_static(name), HeaderValue::from_static(value))
            };
            pairs.iter().map(pair).collect::<HeaderMap>()
        };
        assert!(says_nothing(&headers(&[("origin", "null")])));
        for other in [
            &[][..],
            &[("origin", "https://evil.example")],
            &[("origin", "null"), ("sec-fetch-site", "cross-site")],
            &[("origin", "null"), ("origin", "null")],
        ] {
            assert!(!says_nothing(&headers(other)), "{other:?}");
        }
    }
}
