//! What every page stands on: who looks at it, in which language, after what.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::response::{IntoResponse as _, Response};
use cerrojo_app::authenticate::{AuthError, Counts, Showing, authenticate};
use cerrojo_app::{Caller, Limited, farewell};
use http::header::{CACHE_CONTROL, LOCATION, REFERRER_POLICY, RETRY_AFTER, SET_COOKIE, VARY};
use http::request::Parts;
use http::{HeaderValue, Method, StatusCode};
use minijinja::value::{Serde, merge_maps};
use minijinja::{Value, context};

use super::faults::{self, Faults};
use super::next::Next;
use super::told::{Told, Whose};
use super::{Language, html, written};
use crate::Web;
use crate::cookie::{KeptPages, SessionCookie, take_leave};
use crate::counted::put_quota;
use crate::envelope::Unwritten;
use crate::problem::{self, Problem};

/// How long it is kept what was done: the page that says so follows at once.
const TOLD_FOR: Duration = Duration::from_mins(1);

/// What a handler of a page begins with.
pub(crate) struct Stage {
    pub(super) web: Web,
    pub(super) language: Language,
    /// What was done before this page.
    pub(super) told: Option<Told>,
    /// The token in the cookie.
    token: Option<String>,
}

/// Who the cookie says is there.
pub(super) enum Visitor {
    /// There is none.
    Nobody,
    /// Somebody who is signed in.
    Person(Caller),
    /// Somebody who was; whose session, if it was one of ours.
    Over(Option<Whose>),
}

/// A page that is to be shown: its template, and what that is given.
pub(super) struct View<'a> {
    template: &'static str,
    own: Value,
    caller: Option<&'a Caller>,
}

impl<'a> View<'a> {
    pub(super) fn new(template: &'static str, own: Value) -> Self {
        Self { template, own, caller: None }
    }

    /// The same for somebody who is signed in.
    pub(super) fn of(self, caller: &'a Caller) -> Self {
        Self { caller: Some(caller), ..self }
    }
}

impl FromRequestParts<Web> for Stage {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<Self, Problem> {
        if web.pages().is_none() {
            return Err((&problem::NO_ROUTE).into());
        }
        let told = told_cookie(web).token(&parts.headers).and_then(|note| farewell::unsealed(web, note, TOLD_FOR));
        let told = told.and_then(Told::read);
        let token = web.cookie().token(&parts.headers).map(str::to_owned);
        let language = Language::of(&parts.headers, web.settings.locale);
        Ok(Self { web: web.clone(), language, told, token })
    }
}

fn told_cookie(web: &Web) -> SessionCookie {
    SessionCookie::of_what_was_done(&web.settings.public_url)
}

impl Stage {
    /// Whether the visitor is signed in. A use of the session.
    pub(super) async fn visitor(&self) -> Result<Visitor, Problem> {
        let Some(token) = &self.token else { return Ok(Visitor::Nobody) };
        let showing = Showing { token, from: None, counts: Counts::AsUse };
        match authenticate(&self.web, showing).await {
            Ok(caller) => Ok(Visitor::Person(caller)),
            Err(AuthError::Invalid | AuthError::Over) => {
                let known = self.web.guard.identify(token);
                Ok(Visitor::Over(known.as_ref().map(Whose::of)))
            }
            Err(AuthError::Trouble(trouble)) => Err(trouble.into()),
        }
    }

    /// The token of the cookie.
    pub(super) fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    /// Shows a page, and what was done before it.
    pub(super) async fn show(&self, view: View<'_>) -> Response {
        let told = self.told_value().await;
        let mut response = self.page(view, told);
        if self.told.is_some() {
            set_cookie(&mut response, told_cookie(&self.web).clear());
        }
        response
    }

    /// Shows a page again, with what was wrong.
    pub(super) fn refuse(&self, view: View<'_>, problem: Problem) -> Response {
        let faults = faults::of(&problem, self.language);
        self.refuse_with(view, problem, faults)
    }

    /// The same with faults of the page's own.
    pub(super) fn refuse_with(&self, mut view: View<'_>, problem: Problem, faults: Faults) -> Response {
        view.own = merge_maps([context! { faults => Serde(faults) }, view.own]);
        let mut response = self.page(view, Value::from(()));
        if response.status() == StatusCode::OK {
            *response.status_mut() = problem.row.status;
        }
        put_quota(response.headers_mut(), problem.quota, problem.row.status);
        if let Some(seconds) = problem.retry_after {
            response.headers_mut().insert(RETRY_AFTER, seconds.into());
        }
        response.extensions_mut().insert(Unwritten::Shown(problem.into()));
        response
    }

    /// A page that says nothing but what was wrong.
    pub(super) fn fail(&self, problem: Problem) -> Response {
        let status = problem.row.status.as_u16();
        self.refuse(View::new("problem.html", context! { status => status }), problem)
    }

    fn page(&self, View { template, own, caller }: View<'_>, told: Value) -> Response {
        let Some(pages) = self.web.pages() else { return Problem::from(&problem::NO_ROUTE).into_response() };
        match pages.write(template, self.language, (written::common(caller, told), own)) {
            Err(trouble) => Problem::from(trouble).into_response(),
            Ok(text) => {
                let mut response = html(text, self.language);
                let headers = response.headers_mut();
                headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
                headers.insert(VARY, HeaderValue::from_static("Accept-Language, Cookie"));
                // With `no-referrer` browsers would say of no form which page it was sent from (`Origin: null`).
                headers.insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
                response
            }
        }
    }

    async fn told_value(&self) -> Value {
        let Some(told) = &self.told else { return Value::from(()) };
        let ended = match told.whose() {
            // What cannot be looked up is not told; that the session is over is so all the same.
            Some(whose) => farewell::of(&self.web, &whose.session).await.unwrap_or_default(),
            None => None,
        };
        let (title, text) = told.words();
        let ended = ended.map(|ended| {
            let by = ended.by.split(':').next().unwrap_or_default();
            context! { at => ended.at.rfc3339(), reason => ended.reason.clone(), by => by }
        });
        let account = told.whose().map(|whose| context! { name => whose.name.clone(), email => whose.email.clone() });
        context! {
            title => self.language.pick(title.es, title.en),
            text => self.language.pick(text.es, text.en),
            ended => ended,
            account => account,
        }
    }

    /// 303 to a page of this server's.
    pub(super) fn go(&self, to: &str) -> Response {
        let base = self.web.pages().map_or("", |pages| &pages.base);
        let mut response = StatusCode::SEE_OTHER.into_response();
        if let Ok(place) = HeaderValue::try_from(format!("{base}{to}")) {
            response.headers_mut().insert(LOCATION, place);
        }
        response
    }

    /// The same, after something was done.
    pub(super) fn go_telling(&self, to: &str, told: &Told) -> Response {
        let mut response = self.go(to);
        let note = farewell::sealed(&self.web, &told.written());
        set_cookie(&mut response, told_cookie(&self.web).set(&note, TOLD_FOR));
        response
    }

    /// The session that the browser holds is over: to the page where one signs in, and back from there.
    pub(super) fn over(&self, whose: Option<Whose>, next: Option<&Next>) -> Response {
        let to = next.map_or("/login".to_owned(), |next| format!("/login?next={}", encoded(next.as_str())));
        self.leaving(self.go_telling(&to, &Told::Ended(whose)), KeptPages::Left)
    }

    /// Has the browser forget its session.
    pub(super) fn leaving(&self, mut response: Response, kept: KeptPages) -> Response {
        take_leave(&mut response, self.web.cookie().clear(), kept);
        response
    }

    /// An act of somebody signed in was refused.
    pub(super) fn refuse_to(&self, caller: &Caller, view: View<'_>, problem: Problem) -> Response {
        if problem.row == &problem::SESSION_OVER {
            return self.over(Some(Whose::of(caller)), None);
        }
        self.refuse(view.of(caller), problem)
    }
}

pub(super) fn set_cookie(response: &mut Response, cookie: Option<HeaderValue>) {
    if let Some(cookie) = cookie {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
}

/// For a page that has a secret in its address: nobody is told that, also not this server.
pub(super) fn without_referrer(mut response: Response) -> Response {
    response.headers_mut().insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

/// What came of a limited act. On a refusal what is left of the limit travels with it.
pub(super) fn limited<T, E: Into<Problem>>(limited: Limited<Result<T, E>>) -> Result<T, Problem> {
    let Limited { outcome, quota } = limited;
    outcome.map_err(|error| {
        let problem: Problem = error.into();
        Problem { quota: quota.or(problem.quota), ..problem }
    })
}

/// A path as the value of a query.
fn encoded(path: &str) -> String {
    path.replace('%', "%25").replace('&', "%26").replace('+', "%2B").replace('#', "%23")
}

/// Somebody who is signed in; whoever is not gets to the page where one signs in, and from there back.
pub(super) struct SignedIn {
    pub(super) stage: Stage,
    pub(super) caller: Caller,
}

impl FromRequestParts<Web> for SignedIn {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<Self, Response> {
        let stage = Stage::from_request_parts(parts, web).await.map_err(Problem::into_response)?;
        let path = parts.uri.path_and_query().map_or("/account", http::uri::PathAndQuery::as_str);
        // What was to be done is not done later, by somebody else perhaps.
        let next = Next::of(if parts.method == Method::GET { path } else { "/account" });
        match stage.visitor().await {
            Ok(Visitor::Person(caller)) => Ok(Self { stage, caller }),
            Ok(Visitor::Over(whose)) => Err(stage.over(whose, next.as_ref())),
            Ok(Visitor::Nobody) => {
                let next = next.map(|next| encoded(next.as_str())).unwrap_or_default();
                Err(stage.go(&format!("/login?next={next}")))
            }
            Err(problem) => Err(stage.fail(problem)),
        }
    }
}

/// What the address of a page asks for.
pub(super) struct Asked {
    /// Where to go after signing in.
    pub(super) next: Option<Next>,
    /// The code of a link; empty: none.
    pub(super) token: String,
    /// A session; empty: none.
    pub(super) id: String,
}

impl FromRequestParts<Web> for Asked {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &Web) -> Result<Self, Infallible> {
        let query = parts.uri.query().unwrap_or_default().as_bytes();
        let one = |name| {
            let mut values = crate::form::values(query, name).unwrap_or_default();
            if values.len() == 1 { values.remove(0) } else { String::new() }
        };
        Ok(Self { next: Next::of(&one("next")), token: one("token"), id: one("id") })
    }
}
