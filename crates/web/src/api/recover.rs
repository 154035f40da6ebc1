//! Forgotten passwords.

use axum::extract::State;
use cerrojo_app::recover::{self, Reset};
use utoipa::ToSchema;

use crate::Web;
use crate::body::{Body, Fields, FromFields, or_nothing};
use crate::client::Client;
use crate::counted::Counted;
use crate::envelope::{Answer, Failure, Nothing, Success};
use crate::messages;
use crate::problem::Problem;

/// Whose password was forgotten, or who wants another link.
#[derive(ToSchema)]
pub(crate) struct ForgotPassword {
    #[schema(value_type = String, example = "ana@example.com")]
    pub(crate) email: Option<String>,
}

impl FromFields for ForgotPassword {
    fn from_fields(fields: &mut Fields) -> Self {
        Self { email: fields.text("email") }
    }
}

/// What setting a forgotten password anew takes.
#[derive(ToSchema)]
pub(crate) struct ResetPassword {
    /// From the link in the mail.
    #[schema(value_type = String)]
    token: Option<String>,
    /// 8 to 256 characters, not a common one.
    #[schema(rename = "newPassword", value_type = String)]
    new_password: Option<String>,
}

impl FromFields for ResetPassword {
    fn from_fields(fields: &mut Fields) -> Self {
        Self { token: fields.text("token"), new_password: fields.text("newPassword") }
    }
}

/// Asks for a mail with a link.
///
/// The same answer, in the same time, whether or not the account exists.
#[utoipa::path(
    post,
    path = "/api/auth/forgot-password",
    operation_id = "forgot_password",
    tag = "account",
    request_body = ForgotPassword,
    responses(
        (status = 200, description = "A mail is sent if the account exists", body = Success<Nothing>),
        (status = 429, description = "Too many requests from this address", body = Failure),
    )
)]
pub(crate) async fn forgot(
    State(app): State<Web>,
    Client(origin): Client,
    body: Result<Body<ForgotPassword>, Problem>,
) -> Counted<Answer> {
    let (ForgotPassword { email }, flaw) = or_nothing(body);
    let limited = recover::forgot(&app, &origin, email).await;
    Counted::new(limited, flaw, |()| Answer::plain(messages::RESET_REQUESTED))
}

/// Sets the password by the link's token.
///
/// The token works once, for an hour. Every session of the user is over.
#[utoipa::path(
    post,
    path = "/api/auth/reset-password",
    operation_id = "reset_password",
    tag = "account",
    request_body = ResetPassword,
    responses(
        (status = 200, description = "Set", body = Success<Nothing>),
        (status = 401, description = "The token is not valid (any more): `INVALID_RESET_TOKEN`", body = Failure),
        (status = 429, description = "Too many requests from this address", body = Failure),
    )
)]
pub(crate) async fn reset(
    State(app): State<Web>,
    Client(origin): Client,
    body: Result<Body<ResetPassword>, Problem>,
) -> Counted<Answer> {
    let (ResetPassword { token, new_password }, flaw) = or_nothing(body);
    let limited = recover::reset(&app, &origin, Reset { token, new_password }).await;
    Counted::new(limited, flaw, |()| Answer::plain(messages::PASSWORD_RESET))
}
