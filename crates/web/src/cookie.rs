//! The session's token in a cookie, for pages that share the server's site (RFC 6265).
//!
//! The token is an ordinary one. What the cookie adds is that a page's scripts cannot read it; what it costs is that browsers
//! send it by themselves, so that whatever changes something has to come from pages that are ours ([`crate::cross_site`]).

use std::time::Duration;

use axum::response::{IntoResponse, Response};
use cerrojo_app::authenticate::{Counts, Showing, authenticate};
use cerrojo_app::end::{self, LogoutError};
use cerrojo_app::login::SignedIn;
use cerrojo_domain::Origin;
use http::header::{COOKIE, SET_COOKIE};
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::Web;
use crate::problem::Problem;

/// Browsers cut it off there, whatever a server says (RFC 6265bis, section 5.5).
const LONGEST: Duration = Duration::from_hours(400 * 24);

/// Cookies of one name that a sign-out looks at.
pub(crate) const MOST_TOKENS: usize = 32;

static CLEAR_SITE_DATA: HeaderName = HeaderName::from_static("clear-site-data");

/// How the server names its cookie, and what it says beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SessionCookie {
    name: &'static str,
    attributes: &'static str,
}

impl SessionCookie {
    /// Over https under a prefix with which browsers take it from this host alone, over TLS (RFC 6265bis, section 4.1.3.2):
    /// neither another host of the domain nor somebody in the network can put one of theirs in its place. Over plain http
    /// browsers refuse that name.
    pub(crate) fn new(public_url: &str) -> Self {
        if public_url.starts_with("https://") {
            Self { name: "__Host-cerrojo", attributes: "; Path=/; Secure; HttpOnly; SameSite=Lax" }
        } else {
            Self { name: "cerrojo", attributes: "; Path=/; HttpOnly; SameSite=Lax" }
        }
    }

    /// The one that says to the next page what was done, of the same kind.
    pub(crate) fn of_what_was_done(public_url: &str) -> Self {
        let Self { name, attributes } = Self::new(public_url);
        let name = if name == "cerrojo" { "cerrojo-done" } else { "__Host-cerrojo-done" };
        Self { name, attributes }
    }

    /// The token of the one cookie of this name. `None`: there is none, or there are several, of which somebody else may have
    /// set the one that was taken.
    pub(crate) fn token<'h>(&self, headers: &'h HeaderMap) -> Option<&'h str> {
        let mut values = self.values(headers);
        let value = values.next()?;
        if values.next().is_some() {
            return None;
        }
        std::str::from_utf8(value).ok().filter(|token| !token.is_empty())
    }

    /// The tokens of all cookies of this name: to be signed out of whichever it is. A few more than [`MOST_TOKENS`] at most.
    pub(crate) fn tokens(&self, headers: &HeaderMap) -> Vec<String> {
        let values = self.values(headers).filter_map(|value| std::str::from_utf8(value).ok());
        values.filter(|token| !token.is_empty()).take(MOST_TOKENS + 1).map(str::to_owned).collect()
    }

    fn values<'h>(&self, headers: &'h HeaderMap) -> impl Iterator<Item = &'h [u8]> {
        let pairs = headers.get_all(COOKIE).iter().flat_map(|value| value.as_bytes().split(|byte| *byte == b';'));
        pairs.filter_map(|pair| self.value(pair))
    }

    fn value<'p>(&self, pair: &'p [u8]) -> Option<&'p [u8]> {
        let equals = pair.iter().position(|byte| *byte == b'=')?;
        let (name, value) = pair.split_at_checked(equals)?;
        (name.trim_ascii() == self.name.as_bytes()).then(|| value.get(1..).unwrap_or_default().trim_ascii())
    }

    /// `Set-Cookie` with this token, kept for so long. `None`: it is no token.
    pub(crate) fn set(&self, token: &str, lasts: Duration) -> Option<HeaderValue> {
        let Self { name, attributes } = self;
        // A token is base64url and dots, all of which a cookie may hold (section 4.1.1).
        if !token.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)) {
            return None;
        }
        let seconds = lasts.min(LONGEST).as_secs();
        let mut value = HeaderValue::try_from(format!("{name}={token}{attributes}; Max-Age={seconds}")).ok()?;
        value.set_sensitive(true);
        Some(value)
    }

    /// `Set-Cookie` that takes it away.
    pub(crate) fn clear(&self) -> Option<HeaderValue> {
        let Self { name, attributes } = self;
        HeaderValue::try_from(format!("{name}={attributes}; Max-Age=0")).ok()
    }
}

/// How a new token is given out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TokenForm {
    /// In the answer's body.
    InAnswer,
    /// As a cookie, and nowhere else.
    InCookie,
}

impl TokenForm {
    /// `Set-Cookie` with the token of a session just born, if that is how.
    pub(crate) fn cookie(self, web: &Web, signed_in: &SignedIn) -> Option<HeaderValue> {
        match self {
            Self::InAnswer => None,
            Self::InCookie => web.cookie().set(&signed_in.token, signed_in.expires_at.since(web.clock.now())),
        }
    }

    /// Ends the session whose cookie the new one takes the place of, if it does.
    pub(crate) async fn end_replaced(self, web: &Web, headers: &HeaderMap, origin: &Origin) {
        if self == Self::InCookie {
            end_replaced(web, web.cookie().token(headers), origin).await;
        }
    }
}

impl Web {
    /// How whoever asks wants it. A cookie is set only for pages that are ours: others would sign their visitors in to accounts
    /// of their own choosing.
    pub(crate) fn token_form(&self, cookie: Option<bool>, headers: &HeaderMap) -> Result<TokenForm, Problem> {
        if cookie != Some(true) {
            return Ok(TokenForm::InAnswer);
        }
        self.own_pages().check(headers)?;
        Ok(TokenForm::InCookie)
    }
}

/// Ends the session of the cookie that another one takes the place of: it would be out of everybody's reach. The new one is there
/// whatever becomes of this.
pub(crate) async fn end_replaced(web: &Web, token: Option<&str>, origin: &Origin) {
    let Some(token) = token else { return };
    let showing = Showing { token, from: None, counts: Counts::AsNothing };
    let Ok(before) = authenticate(web, showing).await else { return };
    if let Err(LogoutError::Trouble(trouble)) = end::logout(web, &before, origin).await {
        tracing::warn!(error = %trouble, "the session that a browser had before could not be ended");
    }
}

/// An answer that sets a cookie, if there is one.
pub(crate) struct Setting<A>(pub(crate) A, pub(crate) Option<HeaderValue>);

impl<A: IntoResponse> IntoResponse for Setting<A> {
    fn into_response(self) -> Response {
        let Self(answer, cookie) = self;
        let mut response = answer.into_response();
        if let Some(cookie) = cookie {
            response.headers_mut().append(SET_COOKIE, cookie);
        }
        response
    }
}

/// In the extensions of an answer: the calling session is over now. If a cookie showed it, the browser is told to forget it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SessionOver;

/// Has a browser forget the cookie, and what it kept of the pages of a session that was ended from one of our own.
///
/// `cache` alone: `"cookies"` and `"storage"` would clear what other applications of the domain or the origin have there.
pub(crate) fn take_leave(response: &mut Response, clear: Option<HeaderValue>, kept: KeptPages) {
    let headers = response.headers_mut();
    if let Some(clear) = clear {
        headers.append(SET_COOKIE, clear);
    }
    if kept == KeptPages::Forgotten {
        headers.insert(&CLEAR_SITE_DATA, HeaderValue::from_static("\"cache\""));
    }
}

/// What becomes of pages that the browser kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeptPages {
    /// They stay.
    Left,
    /// They go.
    Forgotten,
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: &str = "http://127.0.0.1:4000";
    const SECURE: &str = "https://auth.example.com";

    fn read(url: &str, cookies: &[&'static str]) -> Option<String> {
        let headers: HeaderMap = cookies.iter().map(|value| (COOKIE, HeaderValue::from_static(value))).collect();
        SessionCookie::new(url).token(&headers).map(str::to_owned)
    }

    #[test]
    fn the_one_of_its_name_is_found_among_others() {
        for cookies in [
            &["cerrojo=a.b.c"][..],
            &["other=1; cerrojo=a.b.c"],
            &["cerrojo=a.b.c; cerrojo2=x; xcerrojo=y"],
            &["a=1", "b=2;cerrojo=a.b.c;c"],
            &["  cerrojo = a.b.c "],
            &["__Host-cerrojo=x; cerrojo=a.b.c"],
        ] {
            assert_eq!(read(PLAIN, cookies).as_deref(), Some("a.b.c"), "{cookies:?}");
        }
        assert_eq!(read(SECURE, &["cerrojo=x; __Host-cerrojo=a.b.c"]).as_deref(), Some("a.b.c"));
    }

    #[test]
    fn none_and_several_are_no_token() {
        for cookies in [
            &[][..],
            &[""],
            &["cerrojo"],
            &["cerrojo="],
            &["CERROJO=a.b.c"],
            &["cerrojo=a.b.c; cerrojo=a.b.c"],
            &["cerrojo=a.b.c", "cerrojo=d.e.f"],
            &["cerrojo=; cerrojo=a.b.c"],
        ] {
            assert_eq!(read(PLAIN, cookies), None, "{cookies:?}");
        }
        assert_eq!(read(SECURE, &["cerrojo=a.b.c", "__host-cerrojo=a.b.c", "__Secure-cerrojo=a.b.c"]), None);
    }

    #[test]
    fn bytes_that_are_no_text_are_no_token() {
        let value = HeaderValue::from_bytes(b"cerrojo=\xff\xfe").unwrap();
        assert_eq!(SessionCookie::new(PLAIN).token(&[(COOKIE, value)].into_iter().collect()), None);
    }

    #[test]
    fn it_is_for_this_host_alone_and_no_script_reads_it() {
        let set = |url: &str| SessionCookie::new(url).set("a.b-_.c", Duration::from_millis(90_999)).unwrap();
        assert_eq!(set(SECURE), "__Host-cerrojo=a.b-_.c; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=90");
        assert_eq!(set(PLAIN), "cerrojo=a.b-_.c; Path=/; HttpOnly; SameSite=Lax; Max-Age=90");
        let clear = |url: &str| SessionCookie::new(url).clear().unwrap();
        assert_eq!(clear(SECURE), "__Host-cerrojo=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0");
        assert_eq!(clear(PLAIN), "cerrojo=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0");
    }

    #[test]
    fn nothing_but_a_token_gets_into_it() {
        for token in ["a;b", "a b", "a\r\nb", "a,b", "a=b", "ñ", "a\"b"] {
            assert_eq!(SessionCookie::new(SECURE).set(token, Duration::from_mins(1)), None, "{token:?}");
        }
    }
}
