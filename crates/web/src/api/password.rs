//! One's own password.

use axum::extract::State;
use cerrojo_app::password::{self, PasswordChange};
use utoipa::ToSchema;

use crate::Web;
use crate::bearer::Bearer;
use crate::body::{Body, Fields, FromFields, or_nothing};
use crate::client::Client;
use crate::counted::Counted;
use crate::envelope::{Answer, Failure, Nothing, Success};
use crate::messages;
use crate::problem::Problem;

/// What a change of the password takes.
#[derive(ToSchema)]
pub(crate) struct Password {
    #[schema(rename = "currentPassword", value_type = String)]
    current: Option<String>,
    /// 8 to 256 characters, not a common one.
    #[schema(rename = "newPassword", value_type = String)]
    new: Option<String>,
}

impl FromFields for Password {
    fn from_fields(fields: &mut Fields) -> Self {
        Self { current: fields.text("currentPassword"), new: fields.text("newPassword") }
    }
}

/// Changes the password.
///
/// Every other session of the user is over; this one goes on. Wrong current passwords are limited.
#[utoipa::path(
    put,
    path = "/api/auth/password",
    operation_id = "change_password",
    tag = "account",
    security(("bearer" = [])),
    request_body = Password,
    responses(
        (status = 200, description = "Changed", body = Success<Nothing>),
        (status = 429, description = "Too many wrong passwords", body = Failure),
    )
)]
pub(crate) async fn change(
    State(app): State<Web>,
    Bearer(caller): Bearer,
    Client(origin): Client,
    body: Result<Body<Password>, Problem>,
) -> Counted<Answer> {
    let (Password { current, new }, flaw) = or_nothing(body);
    let limited = password::change(&app, &caller, &origin, PasswordChange { current, new }).await;
    Counted::new(limited, flaw, |()| Answer::plain(messages::PASSWORD_UPDATED))
}
