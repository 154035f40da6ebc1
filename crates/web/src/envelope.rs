//! What every answer looks like. Handlers say what; the edge, which knows the language, has it written.

use std::borrow::Cow;
use std::sync::Arc;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use cerrojo_app::Locale;
use cerrojo_app::administer::Page;
use cerrojo_app::over::Reason;
use http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use crate::cookie::SessionOver;
use crate::counted::put_quota;
use crate::problem::{Challenge, Problem, Row};

/// A message in both languages. `{minutes}` stands for the window of the sign-in limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Text {
    pub(crate) es: &'static str,
    pub(crate) en: &'static str,
}

/// One of `errors`: a text, after the name of the field that it is about.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Detail {
    subject: &'static str,
    text: Text,
}

impl Detail {
    /// `text` starts with a space.
    pub(crate) fn about(subject: &'static str, text: Text) -> Self {
        Self { subject, text }
    }
}

impl Detail {
    /// Without its subject.
    pub(crate) fn text(&self) -> Text {
        self.text
    }
}

impl From<Text> for Detail {
    fn from(text: Text) -> Self {
        Self { subject: "", text }
    }
}

/// How answers are worded.
#[derive(Clone, Copy)]
pub(crate) struct Voice {
    pub(crate) locale: Locale,
    /// The window of the sign-in limit, rounded up.
    pub(crate) login_minutes: u64,
}

impl Voice {
    fn say(self, text: Text) -> Cow<'static, str> {
        let said = match self.locale {
            Locale::Es => text.es,
            Locale::En => text.en,
        };
        if said.contains("{minutes}") {
            said.replace("{minutes}", &self.login_minutes.to_string()).into()
        } else {
            said.into()
        }
    }
}

/// A success.
#[expect(clippy::struct_field_names, reason = "the contract's names")]
#[derive(Serialize, ToSchema)]
pub(crate) struct Success<T> {
    /// Always true.
    #[schema(example = true)]
    success: bool,
    /// For people; the language is a setting of the server.
    message: String,
    data: T,
}

/// A success that is a page of a list.
#[derive(Serialize, ToSchema)]
pub(crate) struct SuccessPage<T> {
    /// Always true.
    #[schema(example = true)]
    success: bool,
    /// For people; the language is a setting of the server.
    message: String,
    data: Vec<T>,
    pagination: Pagination,
}

/// Where in the list a page is.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Pagination {
    /// From 1.
    pub(crate) current_page: i64,
    pub(crate) total_pages: i64,
    pub(crate) page_size: i64,
    pub(crate) total_items: i64,
    pub(crate) has_next_page: bool,
    pub(crate) has_previous_page: bool,
}

/// Anything but a success.
#[derive(Serialize, ToSchema)]
pub(crate) struct Failure {
    /// Always false.
    #[schema(example = false)]
    success: bool,
    /// For people; the language is a setting of the server.
    #[schema(example = "Token no proporcionado o inválido")]
    message: String,
    /// For programs; stable.
    #[schema(value_type = String, example = "UNAUTHORIZED")]
    code: &'static str,
    /// With the 401 for the token of a session that has ended: why, for programs. `logout`, `logout_elsewhere`, `password_changed`,
    /// `email_changed`, `account_inactive`, `account_suspended`, `account_deleted`, `admin`, `idle`, `expired`, `replaced`,
    /// `restored`, or `ended` where nothing better is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false, nullable = false, value_type = String, example = "logout")]
    reason: Option<&'static str>,
    /// What exactly is wrong with the input, for people.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    errors: Vec<String>,
}

/// `data` that is null.
#[derive(Serialize, ToSchema)]
pub(crate) struct Nothing;

/// A success that a handler returns.
pub(crate) struct Answer<T = Nothing> {
    status: StatusCode,
    message: Text,
    data: T,
    over: Option<SessionOver>,
}

impl<T> Answer<T> {
    /// 200 with `data`.
    pub(crate) fn new(message: Text, data: T) -> Self {
        Self { status: StatusCode::OK, message, data, over: None }
    }

    /// 201 with `data`.
    pub(crate) fn created(message: Text, data: T) -> Self {
        Self { status: StatusCode::CREATED, message, data, over: None }
    }

    /// 202 with `data`.
    pub(crate) fn accepted(message: Text, data: T) -> Self {
        Self { status: StatusCode::ACCEPTED, message, data, over: None }
    }
}

impl Answer {
    /// 200 without `data`.
    pub(crate) fn plain(message: Text) -> Self {
        Self::new(message, Nothing)
    }

    /// The same, of the calling session's own end.
    pub(crate) fn farewell(message: Text) -> Self {
        Self { over: Some(SessionOver), ..Self::plain(message) }
    }
}

/// A page that a handler returns.
pub(crate) struct AnswerPage<T> {
    message: Text,
    items: Vec<T>,
    pagination: Pagination,
}

impl<T> AnswerPage<T> {
    /// A page of a list, each item shown by `view`.
    pub(crate) fn new<I>(message: Text, page: &Page<I>, view: impl Fn(&I) -> T) -> Self {
        let pagination = Pagination {
            current_page: page.current_page,
            total_pages: page.total_pages,
            page_size: page.page_size,
            total_items: page.total_items,
            has_next_page: page.current_page < page.total_pages,
            has_previous_page: page.current_page > 1,
        };
        Self { message, items: page.items.iter().map(view).collect(), pagination }
    }
}

/// A body that waits, in the response's extensions, for somebody who knows the language.
#[derive(Clone)]
pub(crate) enum Unwritten {
    Success(Arc<dyn Fn(Voice) -> serde_json::Result<Vec<u8>> + Send + Sync>),
    Problem(Arc<Problem>),
    /// A problem that a page tells, which is written.
    Shown(Arc<Problem>),
    /// A problem told as RFC 6749, section 5.2, tells it.
    OAuth(Arc<Problem>, &'static str),
}

impl<T: Serialize + Send + Sync + 'static> IntoResponse for Answer<T> {
    fn into_response(self) -> Response {
        let Self { status, message, data, over } = self;
        let mut response = unwritten(status, move |voice| {
            serde_json::to_vec(&Success { success: true, message: voice.say(message).into(), data: &data })
        });
        if let Some(over) = over {
            response.extensions_mut().insert(over);
        }
        response
    }
}

impl<T: Serialize + Send + Sync + 'static> IntoResponse for AnswerPage<T> {
    fn into_response(self) -> Response {
        let Self { message, items, pagination } = self;
        unwritten(StatusCode::OK, move |voice| {
            serde_json::to_vec(&SuccessPage {
                success: true,
                message: voice.say(message).into(),
                data: items.iter().collect(),
                pagination: pagination.clone(),
            })
        })
    }
}

fn unwritten(
    status: StatusCode,
    write: impl Fn(Voice) -> serde_json::Result<Vec<u8>> + Send + Sync + 'static,
) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response.extensions_mut().insert(Unwritten::Success(Arc::new(write)));
    response
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = self.row.status;
        let headers = response.headers_mut();
        match self.row.challenge {
            Challenge::None => {}
            Challenge::Bearer => {
                headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            Challenge::Basic => {
                headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"cerrojo\""));
            }
            Challenge::InvalidToken | Challenge::SessionOver => {
                headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer error=\"invalid_token\""));
            }
        }
        put_quota(headers, self.quota, self.row.status);
        if let Some(seconds) = self.retry_after {
            headers.insert(RETRY_AFTER, seconds.into());
        }
        response.extensions_mut().insert(Unwritten::Problem(Arc::new(self)));
        response
    }
}

/// In the extensions of an answer: why the session is over.
#[derive(Clone, Copy)]
pub(crate) struct Why(pub(crate) Reason);

/// The row of a problem that waits to be written.
pub(crate) fn row(response: &Response) -> Option<&'static Row> {
    match response.extensions().get::<Unwritten>()? {
        Unwritten::Problem(problem) => Some(problem.row),
        Unwritten::Success(_) | Unwritten::OAuth(..) | Unwritten::Shown(_) => None,
    }
}

/// Writes what waits to be written. The problem, if it is one, for the log.
pub(crate) fn write(response: &mut Response, voice: Voice) -> Option<Arc<Problem>> {
    let unwritten = response.extensions_mut().remove::<Unwritten>()?;
    let (written, problem) = match unwritten {
        Unwritten::Shown(problem) => return Some(problem),
        Unwritten::Success(write) => (write(voice), None),
        Unwritten::Problem(problem) => {
            let why = response.extensions_mut().remove::<Why>();
            (serde_json::to_vec(&failure(&problem, why, voice)), Some(problem))
        }
        Unwritten::OAuth(problem, error) => (serde_json::to_vec(&json!({ "error": error })), Some(problem)),
    };
    match written {
        Ok(json) => *response.body_mut() = Body::from(json),
        Err(_) => *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR,
    }
    response.headers_mut().insert(CONTENT_TYPE, JSON);
    problem
}

/// The media type of every envelope.
pub(crate) const JSON: HeaderValue = HeaderValue::from_static("application/json");

fn failure(problem: &Problem, why: Option<Why>, voice: Voice) -> Failure {
    let errors = problem.errors.iter().map(|detail| format!("{}{}", detail.subject, voice.say(detail.text))).collect();
    let reason = why.map(|Why(reason)| reason.as_str());
    Failure { success: false, message: voice.say(problem.row.message).into(), code: problem.row.code, reason, errors }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;

    use super::*;
    use crate::problem;

    async fn written(mut response: Response, locale: Locale) -> String {
        write(&mut response, Voice { locale, login_minutes: 15 });
        String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
    }

    #[tokio::test]
    async fn a_success_always_has_data() {
        let text = Text { es: "Sesión cerrada exitosamente", en: "Session closed successfully" };
        let body = written(Answer::plain(text).into_response(), Locale::Es).await;
        assert_eq!(body, r#"{"success":true,"message":"Sesión cerrada exitosamente","data":null}"#);
        let body = written(Answer::new(text, "x").into_response(), Locale::En).await;
        assert_eq!(body, r#"{"success":true,"message":"Session closed successfully","data":"x"}"#);
    }

    #[tokio::test]
    async fn a_failure_has_errors_only_if_there_are_any() {
        let body = written(Problem::from(&problem::BAD_TOKEN).into_response(), Locale::Es).await;
        assert_eq!(body, r#"{"success":false,"message":"Token no proporcionado o inválido","code":"UNAUTHORIZED"}"#);
        let wrong = Problem::with_errors(
            &problem::WRONG_INPUT,
            vec![Detail::about("email", Text { es: " debe ser texto", en: " must be text" })],
        );
        let body = written(wrong.into_response(), Locale::En).await;
        assert_eq!(
            body,
            r#"{"success":false,"message":"Invalid input","code":"VALIDATION_ERROR","errors":["email must be text"]}"#
        );
    }

    #[tokio::test]
    async fn the_limit_says_its_own_window() {
        let body = written(Problem::from(&problem::TOO_MANY_LOGINS).into_response(), Locale::Es).await;
        assert!(body.contains("intente de nuevo en 15 minutos."), "{body}");
    }
}
