//! Signing in.

use axum::extract::State;
use cerrojo_app::login::{self, Credentials};
use utoipa::ToSchema;

use crate::Web;
use crate::body::{Body, Fields, FromFields, or_nothing};
use crate::client::Client;
use crate::counted::Counted;
use crate::envelope::{Answer, Failure, Success};
use crate::messages;
use crate::problem::Problem;
use crate::view::SignedInView;

/// What signing in takes.
#[derive(ToSchema)]
pub(crate) struct Login {
    /// Case and surrounding white space do not matter.
    #[schema(value_type = String, example = "ana@example.com")]
    email: Option<String>,
    #[schema(value_type = String, example = "Caballo-bateria-grapa-1")]
    password: Option<String>,
}

impl FromFields for Login {
    fn from_fields(fields: &mut Fields) -> Self {
        Self { email: fields.text("email"), password: fields.text("password") }
    }
}

/// Signs in.
///
/// An unknown email and a wrong password are answered alike. Failed tries are limited.
#[utoipa::path(
    post,
    path = "/api/auth/login",
    tag = "session",
    request_body = Login,
    responses(
        (status = 200, description = "Signed in", body = Success<SignedInView>),
        (status = 401, description = "Wrong email or password; or the user is not active", body = Failure),
        (status = 403, description = "Somebody registered with this password and has not confirmed the address: `EMAIL_NOT_VERIFIED`", body = Failure),
        (status = 409, description = "As many sessions as the user may have, where the settings refuse one more", body = Failure),
        (status = 429, description = "Too many failed tries", body = Failure),
    )
)]
pub(crate) async fn login(
    State(app): State<Web>,
    Client(origin): Client,
    body: Result<Body<Login>, Problem>,
) -> Counted<Answer<SignedInView>> {
    let (Login { email, password }, flaw) = or_nothing(body);
    let limited = login::login(&app, &origin, Credentials { email, password }).await;
    Counted::new(limited, flaw, |signed_in| {
        Answer::new(messages::SIGNED_IN, SignedInView::new(signed_in, &app.settings))
    })
}
