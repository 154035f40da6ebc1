//! One's own profile.

use axum::extract::State;
use cerrojo_app::profile::{self, ProfileChange};
use utoipa::ToSchema;

use crate::Web;
use crate::bearer::Bearer;
use crate::body::{Body, Fields, FromFields};
use crate::client::Client;
use crate::envelope::{Answer, Failure, Success};
use crate::messages;
use crate::problem::Problem;
use crate::view::OneUser;

/// What a change of the profile takes: at least one of name and email.
#[derive(ToSchema)]
pub(crate) struct Profile {
    #[schema(example = "Ana Ruiz", nullable = false)]
    name: Option<String>,
    #[schema(example = "ana@example.com", nullable = false)]
    email: Option<String>,
    /// Needed for a change of email if the server asks for reauthentication.
    #[schema(rename = "currentPassword", nullable = false)]
    current_password: Option<String>,
}

impl FromFields for Profile {
    fn from_fields(fields: &mut Fields) -> Self {
        Self {
            name: fields.text("name"),
            email: fields.text("email"),
            current_password: fields.text("currentPassword"),
        }
    }
}

/// Reads the profile.
#[utoipa::path(
    get,
    path = "/api/auth/profile",
    operation_id = "read_profile",
    tag = "account",
    security(("bearer" = [])),
    responses(
        (status = 200, description = "The caller's profile", body = Success<OneUser>),
        (status = 404, description = "The user is gone", body = Failure),
    )
)]
pub(crate) async fn read(State(app): State<Web>, Bearer(caller): Bearer) -> Result<Answer<OneUser>, Problem> {
    let profile = profile::read(&app, &caller).await?;
    Ok(Answer::new(messages::PROFILE, OneUser::new(&profile, &app.settings)))
}

/// Changes name or email.
///
/// A changed email ends the other sessions. Where addresses have to be confirmed first (`register.verification = "required"`) the
/// old one stays until the new one is (`pending_email`), and nothing ends before.
#[utoipa::path(
    put,
    path = "/api/auth/profile",
    operation_id = "change_profile",
    tag = "account",
    security(("bearer" = [])),
    request_body = Profile,
    responses(
        (status = 200, description = "The profile as it is now", body = Success<OneUser>),
        (status = 404, description = "The user is gone", body = Failure),
        (status = 409, description = "The email is taken", body = Failure),
        (status = 429, description = "Too many wrong passwords", body = Failure),
    )
)]
pub(crate) async fn change(
    State(app): State<Web>,
    Bearer(caller): Bearer,
    Client(origin): Client,
    Body(Profile { name, email, current_password }): Body<Profile>,
) -> Result<Answer<OneUser>, Problem> {
    let change = ProfileChange { name, email, current_password };
    let profile = profile::change(&app, &caller, &origin, change).await?;
    Ok(Answer::new(messages::PROFILE_UPDATED, OneUser::new(&profile, &app.settings)))
}
