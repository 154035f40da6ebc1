//! What is kept of a person: read all of it, and have it deleted.

use axum::extract::State;
use cerrojo_app::administer::By;
use cerrojo_app::{App, Caller, leave, personal};
use cerrojo_domain::{Origin, SessionId, UserId};

use crate::Web;
use crate::api::sessions::Confirmation;
use crate::bearer::{Administrator, Bearer};
use crate::body::{Body, or_nothing};
use crate::client::Client;
use crate::counted::Counted;
use crate::envelope::{Answer, Failure, Nothing, Success};
use crate::messages;
use crate::problem::{self, Problem};
use crate::query::UserPath;
use crate::view::{PersonalView, Viewer};

/// Gives all that is kept of oneself.
///
/// The account, its sessions with devices and addresses, the addresses that it signed in from, the mails that were sent, and
/// what the audit trail says of it. The hash of the password is left out.
#[utoipa::path(
    get,
    path = "/api/auth/profile/data",
    operation_id = "own_data",
    tag = "account",
    security(("bearer" = [])),
    responses(
        (status = 200, description = "All that is kept of the caller", body = Success<PersonalView>),
        (status = 404, description = "The user is gone", body = Failure),
    )
)]
pub(crate) async fn own(
    State(app): State<Web>,
    Bearer(caller): Bearer,
    Client(origin): Client,
) -> Result<Answer<PersonalView>, Problem> {
    Ok(Answer::new(messages::PERSONAL, own_view(&app, &caller, &origin).await?))
}

/// All that is kept of the caller, which is recorded first.
pub(crate) async fn own_view(app: &App, caller: &Caller, origin: &Origin) -> Result<PersonalView, Problem> {
    personal::record_own(app, caller, origin).await?;
    view(app, caller.user, (&caller.session, Viewer::Owner)).await
}

/// Gives all that is kept of a user.
#[utoipa::path(
    get,
    path = "/api/admin/users/{id}/data",
    operation_id = "user_data",
    tag = "administration",
    security(("bearer" = [])),
    params(("id" = i64, Path, minimum = 1, description = "The user")),
    responses(
        (status = 200, description = "All that is kept of the user", body = Success<PersonalView>),
        (status = 403, description = "Not an administrator", body = Failure),
        (status = 404, description = "No such user", body = Failure),
    )
)]
pub(crate) async fn of_user(
    State(app): State<Web>,
    administrator: Administrator,
    UserPath(id): UserPath,
) -> Result<Answer<PersonalView>, Problem> {
    administrator.check_certain()?;
    let asking = (&administrator.caller, administrator.by());
    Ok(Answer::new(messages::PERSONAL, users_view(&app, asking, id).await?))
}

/// All that is kept of a user, which is recorded first.
pub(crate) async fn users_view(
    app: &App,
    (caller, by): (&Caller, By<'_>),
    user: UserId,
) -> Result<PersonalView, Problem> {
    personal::record_of(app, by, user).await?;
    view(app, user, (&caller.session, Viewer::Administrator)).await
}

/// All that is kept of a user, as of one moment.
async fn view(app: &App, user: UserId, (current, viewer): (&SessionId, Viewer)) -> Result<PersonalView, Problem> {
    let mut run = app.store.snapshot().await.map_err(cerrojo_app::Trouble::from)?;
    let kept = (app.clock.now(), app.settings.retention);
    let personal = personal::of(&mut run, user, kept).await.map_err(cerrojo_app::Trouble::from)?;
    let personal = personal.ok_or(&problem::NO_USER)?;
    Ok(PersonalView::new(personal, &app.settings, (current, viewer)))
}

/// Deletes one's own account.
///
/// Only where the operator allows it, and with the current password. Every session is over, the calling one too. An
/// administrator's account is deleted by another administrator.
#[utoipa::path(
    delete,
    path = "/api/auth/profile",
    operation_id = "delete_profile",
    tag = "account",
    security(("bearer" = [])),
    request_body = Option<Confirmation>,
    responses(
        (status = 200, description = "The account is gone", body = Success<Nothing>),
        (status = 403, description = "Not allowed here; or an administrator's account", body = Failure),
        (status = 429, description = "Too many wrong passwords", body = Failure),
    )
)]
pub(crate) async fn delete_own(
    State(app): State<Web>,
    Bearer(caller): Bearer,
    Client(origin): Client,
    body: Result<Body<Confirmation>, Problem>,
) -> Counted<Answer> {
    let (Confirmation { current_password }, flaw) = or_nothing(body);
    let limited = leave::leave(&app, &caller, &origin, current_password).await;
    Counted::new(limited, flaw, |()| Answer::farewell(messages::ACCOUNT_DELETED))
}
