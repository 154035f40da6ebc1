//! Confirming an address, and accepting an invitation: what a link in a mail leads to.
//!
//! The link opens a page of the application, which sends the token by POST: what only looks at links uses none up.

use axum::extract::State;
use cerrojo_app::accept::{self, Acceptance};
use cerrojo_app::confirm;
use serde::Serialize;
use utoipa::ToSchema;

use crate::Web;
use crate::api::recover::ForgotPassword;
use crate::bearer::Anybody;
use crate::body::{Body, Fields, FromFields, or_nothing};
use crate::client::Client;
use crate::counted::Counted;
use crate::envelope::{Answer, Failure, Nothing, Success};
use crate::messages;
use crate::problem::Problem;
use crate::view::UserView;

/// What confirming an address takes.
#[derive(ToSchema)]
pub(crate) struct VerifyEmail {
    /// From the link in the mail.
    #[schema(value_type = String)]
    token: Option<String>,
}

impl FromFields for VerifyEmail {
    fn from_fields(fields: &mut Fields) -> Self {
        Self { token: fields.text("token") }
    }
}

/// An address that was confirmed.
#[derive(Clone, Serialize, ToSchema)]
pub(crate) struct ConfirmedView {
    #[schema(example = "ana@example.com")]
    email: String,
    /// Always true.
    #[schema(example = true)]
    email_verified: bool,
}

/// Confirms an address by the link's token.
///
/// The token works once. It signs nobody in: whoever opens the link need not be who typed the password. A link that changes an
/// account's address works for who is signed in to that account alone: send the session's token with it.
#[utoipa::path(
    post,
    path = "/api/auth/verify-email",
    operation_id = "verify_email",
    tag = "account",
    request_body = VerifyEmail,
    responses(
        (status = 200, description = "Confirmed", body = Success<ConfirmedView>),
        (status = 401, description = "The token is not valid (any more): `INVALID_VERIFICATION_TOKEN`", body = Failure),
        (status = 403, description = "The link changes the address of an account that the caller is not signed in to: `SIGN_IN_REQUIRED`. It can still be used", body = Failure),
        (status = 409, description = "Another account has the address meanwhile", body = Failure),
        (status = 429, description = "Too many requests from this address", body = Failure),
    )
)]
pub(crate) async fn verify_email(
    State(app): State<Web>,
    Client(origin): Client,
    caller: Result<Anybody, Problem>,
    body: Result<Body<VerifyEmail>, Problem>,
) -> Result<Counted<Answer<ConfirmedView>>, Problem> {
    let Anybody(caller) = caller?;
    let (VerifyEmail { token }, flaw) = or_nothing(body);
    let limited = confirm::confirm(&app, &origin, caller.as_ref(), token).await;
    Ok(Counted::new(limited, flaw, |email| {
        let view = ConfirmedView { email: email.as_str().to_owned(), email_verified: true };
        Answer::new(messages::EMAIL_CONFIRMED, view)
    }))
}

/// Asks for the mail with the link again.
///
/// The same answer, in the same time, whether or not there is anything to confirm. Earlier links work no more.
#[utoipa::path(
    post,
    path = "/api/auth/resend-verification",
    operation_id = "resend_verification",
    tag = "account",
    request_body = ForgotPassword,
    responses(
        (status = 200, description = "A mail is sent if there is something to confirm", body = Success<Nothing>),
        (status = 403, description = "Addresses are not confirmed here", body = Failure),
        (status = 429, description = "Too many requests from this address", body = Failure),
    )
)]
pub(crate) async fn resend(
    State(app): State<Web>,
    Client(origin): Client,
    body: Result<Body<ForgotPassword>, Problem>,
) -> Counted<Answer> {
    let (ForgotPassword { email }, flaw) = or_nothing(body);
    let limited = confirm::resend(&app, &origin, email).await;
    Counted::new(limited, flaw, |()| Answer::plain(messages::VERIFY_REQUESTED))
}

/// What accepting an invitation takes.
#[derive(ToSchema)]
pub(crate) struct AcceptInvitation {
    /// From the link in the mail.
    #[schema(value_type = String)]
    token: Option<String>,
    /// Needed if the invitation says none.
    #[schema(example = "Ana Ruiz", nullable = false)]
    name: Option<String>,
    /// 8 to 256 characters, not a common one.
    #[schema(value_type = String, example = "Caballo-bateria-grapa-1")]
    password: Option<String>,
}

impl FromFields for AcceptInvitation {
    fn from_fields(fields: &mut Fields) -> Self {
        Self { token: fields.text("token"), name: fields.text("name"), password: fields.text("password") }
    }
}

/// Accepts an invitation by the link's token.
///
/// The account has the invitation's role and a confirmed address. It is not signed in.
#[utoipa::path(
    post,
    path = "/api/auth/accept-invitation",
    operation_id = "accept_invitation",
    tag = "account",
    request_body = AcceptInvitation,
    responses(
        (status = 201, description = "The account", body = Success<UserView>),
        (status = 401, description = "The token is not valid (any more): `INVALID_INVITATION_TOKEN`", body = Failure),
        (status = 409, description = "There is an account of the address meanwhile", body = Failure),
        (status = 429, description = "Too many requests from this address", body = Failure),
    )
)]
pub(crate) async fn accept_invitation(
    State(app): State<Web>,
    Client(origin): Client,
    body: Result<Body<AcceptInvitation>, Problem>,
) -> Counted<Answer<UserView>> {
    let (AcceptInvitation { token, name, password }, flaw) = or_nothing(body);
    let limited = accept::accept(&app, &origin, Acceptance { token, name, password }).await;
    Counted::new(limited, flaw, |user| {
        Answer::created(messages::INVITATION_ACCEPTED, UserView::new(&user, &app.settings))
    })
}
