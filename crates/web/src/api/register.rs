//! Registering.

use axum::extract::State;
use cerrojo_app::Settings;
use cerrojo_app::register::{self, NewAccount, Registered, Waiting};
use http::HeaderMap;
use serde::Serialize;
use utoipa::ToSchema;

use crate::Web;
use crate::body::{Body, Fields, FromFields, or_nothing};
use crate::client::Client;
use crate::cookie::{Setting, TokenForm};
use crate::counted::Counted;
use crate::envelope::{Answer, Failure, Success};
use crate::messages;
use crate::problem::{self, Problem};
use crate::view::SignedInView;

/// What registering takes. A `role` that is sent is ignored.
#[derive(ToSchema)]
pub(crate) struct Register {
    #[schema(value_type = String, example = "Ana Ruiz")]
    name: Option<String>,
    #[schema(value_type = String, example = "ana@example.com")]
    email: Option<String>,
    /// 8 to 256 characters, not a common one.
    #[schema(value_type = String, example = "Caballo-bateria-grapa-1")]
    password: Option<String>,
    /// True: the token is set as a cookie that scripts cannot read, and left out of the answer. The request has to come from
    /// the server's own pages or an origin of `cors.origins`.
    #[schema(value_type = bool, required = false, example = false)]
    cookie: Option<bool>,
}

impl FromFields for Register {
    fn from_fields(fields: &mut Fields) -> Self {
        Self {
            name: fields.text("name"),
            email: fields.text("email"),
            password: fields.text("password"),
            cookie: fields.yes_or_no("cookie", &problem::COOKIE),
        }
    }
}

/// A registration: a session, or an address to be confirmed.
#[derive(Clone, Serialize)]
#[serde(untagged)]
pub(crate) enum RegisteredView {
    SignedIn(Box<SignedInView>),
    Waiting(WaitingView),
}

impl RegisteredView {
    pub(crate) fn new(registered: Registered, settings: &Settings, form: TokenForm) -> Self {
        match registered {
            Registered::SignedIn(signed_in) => Self::SignedIn(Box::new(SignedInView::new(*signed_in, settings, form))),
            Registered::Waiting(Waiting { name, email }) => {
                let user = WaitingUser { name, email: email.as_str().to_owned(), email_verified: false };
                Self::Waiting(WaitingView { token: None, user })
            }
        }
    }
}

/// A registration whose address is to be confirmed. The same whether or not the address has an account.
#[derive(Clone, Serialize, ToSchema)]
#[schema(as = Waiting)]
pub(crate) struct WaitingView {
    /// `null`: there is no session before the address was confirmed.
    #[schema(value_type = Option<String>, required)]
    token: Option<String>,
    user: WaitingUser,
}

/// What was sent.
#[derive(Clone, Serialize, ToSchema)]
pub(crate) struct WaitingUser {
    #[schema(example = "Ana Ruiz")]
    name: String,
    #[schema(example = "ana@example.com")]
    email: String,
    /// Always false.
    #[schema(example = false)]
    email_verified: bool,
}

/// Registers, and signs in.
///
/// Where addresses have to be confirmed first (`register.verification = "required"`) there is no session and no account until
/// then: the answer is a 202, the same whether or not the address has an account, which only the mail to it tells. Registering
/// again takes the place of what was typed before and sends another link.
#[utoipa::path(
    post,
    path = "/api/auth/register",
    tag = "session",
    request_body = Register,
    responses(
        (status = 201, description = "Registered and signed in", body = Success<SignedInView>),
        (status = 202, description = "A mail was sent to the address, which has to be confirmed first", body = Success<WaitingView>),
        (status = 403, description = "Registration is closed. Or a cookie was asked for from a page that is not allowed to: `CROSS_SITE_REQUEST`", body = Failure),
        (status = 409, description = "The email is taken", body = Failure),
        (status = 429, description = "Too many requests from this address", body = Failure),
    )
)]
pub(crate) async fn register(
    State(app): State<Web>,
    Client(origin): Client,
    headers: HeaderMap,
    body: Result<Body<Register>, Problem>,
) -> Result<Counted<Setting<Answer<RegisteredView>>>, Problem> {
    let (Register { name, email, password, cookie }, flaw) = or_nothing(body);
    let form = app.token_form(cookie, &headers)?;
    let limited = register::register(&app, &origin, NewAccount { name, email, password }).await;
    if matches!(limited.outcome, Ok(Registered::SignedIn(_))) {
        form.end_replaced(&app, &headers, &origin).await;
    }
    Ok(Counted::new(limited, flaw, |registered| {
        let cookie = match &registered {
            Registered::SignedIn(signed_in) => form.cookie(&app, signed_in),
            Registered::Waiting(_) => None,
        };
        let is_waiting = matches!(registered, Registered::Waiting(_));
        let view = RegisteredView::new(registered, &app.settings, form);
        let answer = if is_waiting {
            Answer::accepted(messages::CONFIRM, view)
        } else {
            Answer::created(messages::REGISTERED, view)
        };
        Setting(answer, cookie)
    }))
}
