//! Signing in.

use axum::extract::State;
use cerrojo_app::login::{self, Credentials};
use http::HeaderMap;
use utoipa::ToSchema;

use crate::Web;
use crate::body::{Body, Fields, FromFields, or_nothing};
use crate::client::Client;
use crate::cookie::Setting;
use crate::counted::Counted;
use crate::envelope::{Answer, Failure, Success};
use crate::messages;
use crate::problem::{self, Problem};
use crate::view::SignedInView;

/// What signing in takes.
#[derive(ToSchema)]
pub(crate) struct Login {
    /// Case and surrounding white space do not matter.
    #[schema(value_type = String, example = "ana@example.com")]
    email: Option<String>,
    #[schema(value_type = String, example = "Caballo-bateria-grapa-1")]
    password: Option<String>,
    /// True: the token is set as a cookie that scripts cannot read, and left out of the answer. The request has to come from
    /// the server's own pages or an origin of `cors.origins`.
    #[schema(value_type = bool, required = false, example = false)]
    cookie: Option<bool>,
}

impl FromFields for Login {
    fn from_fields(fields: &mut Fields) -> Self {
        Self {
            email: fields.text("email"),
            password: fields.text("password"),
            cookie: fields.yes_or_no("cookie", &problem::COOKIE),
        }
    }
}

/// Signs in.
///
/// An unknown email and a wrong password are answered alike. Failed tries are limited. With `"cookie": true` the token is set as
/// a cookie and is not in the answer.
#[utoipa::path(
    post,
    path = "/api/auth/login",
    tag = "session",
    request_body = Login,
    responses(
        (status = 200, description = "Signed in", body = Success<SignedInView>),
        (status = 401, description = "Wrong email or password; or the user is not active", body = Failure),
        (status = 403, description = "Somebody registered with this password and has not confirmed the address: `EMAIL_NOT_VERIFIED`. Or a cookie was asked for from a page that is not allowed to: `CROSS_SITE_REQUEST`", body = Failure),
        (status = 409, description = "As many sessions as the user may have, where the settings refuse one more", body = Failure),
        (status = 429, description = "Too many failed tries", body = Failure),
    )
)]
pub(crate) async fn login(
    State(app): State<Web>,
    Client(origin): Client,
    headers: HeaderMap,
    body: Result<Body<Login>, Problem>,
) -> Result<Counted<Setting<Answer<SignedInView>>>, Problem> {
    let (Login { email, password, cookie }, flaw) = or_nothing(body);
    let form = app.token_form(cookie, &headers)?;
    let limited = login::login(&app, &origin, Credentials { email, password }).await;
    if limited.outcome.is_ok() {
        form.end_replaced(&app, &headers, &origin).await;
    }
    Ok(Counted::new(limited, flaw, |signed_in| {
        let cookie = form.cookie(&app, &signed_in);
        let view = SignedInView::new(signed_in, &app.settings, form);
        Setting(Answer::new(messages::SIGNED_IN, view), cookie)
    }))
}
