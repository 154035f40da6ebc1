//! Invitations, for administrators.

use axum::extract::State;
use cerrojo_app::administer::{self, Invitation, NewInvitation};
use cerrojo_domain::{RoleId, Roles, USER_ROLE};
use serde::Serialize;
use utoipa::ToSchema;

use crate::Web;
use crate::bearer::Administrator;
use crate::body::{Body, Fields, FromFields};
use crate::envelope::{Answer, AnswerPage, Failure, Nothing, Success, SuccessPage};
use crate::messages;
use crate::problem::{self, Problem};
use crate::query::{Named, Pairs};

/// Whom to invite, as what.
#[derive(ToSchema)]
pub(crate) struct Invite {
    #[schema(value_type = String, example = "ana@example.com")]
    email: Option<String>,
    /// Whoever accepts may give another.
    #[schema(example = "Ana Ruiz", nullable = false)]
    name: Option<String>,
    /// `user` (2) if neither this nor `role` is given.
    #[schema(example = 2, nullable = false)]
    role_id: Option<RoleId>,
    /// The same by the role's name.
    #[schema(example = "user", nullable = false)]
    role: Option<String>,
}

impl FromFields for Invite {
    fn from_fields(fields: &mut Fields) -> Self {
        Self {
            email: fields.text("email"),
            name: fields.text("name"),
            role_id: fields.integer_or("role_id", &problem::ROLE),
            role: fields.text_or("role", &problem::ROLE),
        }
    }
}

impl Invite {
    fn role(&self, app: &Web) -> Result<RoleId, Problem> {
        let named = self.role.as_deref().map(|name| app.settings.roles.by_name(name).ok_or(&problem::ROLE));
        match (self.role_id, named.transpose()?) {
            (Some(id), Some(named)) if id != named => Err((&problem::ROLE).into()),
            (given, named) => Ok(given.or(named).unwrap_or(USER_ROLE)),
        }
    }
}

/// An invitation that was not accepted yet.
#[derive(Clone, Serialize, ToSchema)]
#[schema(as = Invitation)]
pub(crate) struct InvitationView {
    #[schema(example = "pQ7-x_9tVgJ0hB3kLm2NaA")]
    id: String,
    #[schema(example = "ana@example.com")]
    email: String,
    /// `null`: whoever accepts gives one.
    #[schema(example = "Ana Ruiz", required)]
    name: Option<String>,
    #[schema(example = 2)]
    role_id: RoleId,
    /// The role's name.
    #[schema(example = "user")]
    role: String,
    /// The number of the administrator who invited; `null`: the operator, on the command line.
    #[schema(example = 1, required)]
    invited_by: Option<i64>,
    #[schema(example = "2026-02-13T10:00:00.000Z")]
    created_at: String,
    /// Until when it can be accepted.
    #[schema(example = "2026-02-20T10:00:00.000Z")]
    expires_at: String,
}

impl InvitationView {
    pub(crate) fn new(invitation: &Invitation, roles: &Roles) -> Self {
        Self {
            id: invitation.id.to_string(),
            email: invitation.email.as_str().to_owned(),
            name: invitation.name.clone(),
            role_id: invitation.role_id,
            role: roles.name(invitation.role_id),
            invited_by: invitation.invited_by.map(|by| by.user.0),
            created_at: invitation.created_at.rfc3339(),
            expires_at: invitation.expires_at.rfc3339(),
        }
    }
}

/// Invites somebody by mail.
///
/// Works where registration is closed as well. The mail has a link with which the person sets a name and a password.
#[utoipa::path(
    post,
    path = "/api/admin/invitations",
    operation_id = "invite",
    tag = "administration",
    security(("bearer" = [])),
    request_body = Invite,
    responses(
        (status = 201, description = "Invited", body = Success<InvitationView>),
        (status = 403, description = "Not an administrator", body = Failure),
        (status = 409, description = "The address has an account (`USER_ALREADY_EXISTS`) or an invitation; or too many wait", body = Failure),
    )
)]
pub(crate) async fn invite(
    State(app): State<Web>,
    administrator: Administrator,
    Body(invite): Body<Invite>,
) -> Result<Answer<InvitationView>, Problem> {
    let role_id = invite.role(&app)?;
    let Invite { email, name, .. } = invite;
    let invitation = administer::invite(&app, administrator.by(), NewInvitation { email, name, role_id }).await?;
    Ok(Answer::created(messages::INVITED, InvitationView::new(&invitation, &app.settings.roles)))
}

/// Lists invitations that were not accepted yet and still can be, the newest first.
#[utoipa::path(
    get,
    path = "/api/admin/invitations",
    operation_id = "list_invitations",
    tag = "administration",
    security(("bearer" = [])),
    params(
        ("page" = Option<i64>, Query, minimum = 1, description = "From 1"),
        ("limit" = Option<i64>, Query, minimum = 1, description = "Invitations a page; 100 if not given"),
    ),
    responses(
        (status = 200, description = "A page of invitations", body = SuccessPage<InvitationView>),
        (status = 403, description = "Not an administrator", body = Failure),
    )
)]
pub(crate) async fn list(
    State(app): State<Web>,
    administrator: Administrator,
    query: Pairs,
) -> Result<AnswerPage<InvitationView>, Problem> {
    let (page, limit) = (query.number("page")?, query.number("limit")?);
    let page = administer::list_invitations(&app, administrator.by(), page, limit).await?;
    Ok(AnswerPage::new(messages::INVITATIONS, &page, |one| InvitationView::new(one, &app.settings.roles)))
}

/// Sends an invitation again.
///
/// With another link and as much time again; the link of before works no more.
#[utoipa::path(
    post,
    path = "/api/admin/invitations/{id}/resend",
    operation_id = "resend_invitation",
    tag = "administration",
    security(("bearer" = [])),
    params(("id" = String, Path, description = "The invitation")),
    responses(
        (status = 200, description = "Sent", body = Success<InvitationView>),
        (status = 403, description = "Not an administrator", body = Failure),
        (status = 404, description = "No such invitation", body = Failure),
        (status = 429, description = "Several mails went to the address within an hour", body = Failure),
    )
)]
pub(crate) async fn resend(
    State(app): State<Web>,
    administrator: Administrator,
    Named(id): Named,
) -> Result<Answer<InvitationView>, Problem> {
    let id = id.ok_or(&problem::NO_INVITATION)?;
    let invitation = administer::resend_invitation(&app, administrator.by(), &id).await?;
    Ok(Answer::new(messages::INVITED, InvitationView::new(&invitation, &app.settings.roles)))
}

/// Takes an invitation back.
#[utoipa::path(
    delete,
    path = "/api/admin/invitations/{id}",
    operation_id = "revoke_invitation",
    tag = "administration",
    security(("bearer" = [])),
    params(("id" = String, Path, description = "The invitation")),
    responses(
        (status = 200, description = "Its link works no more", body = Success<Nothing>),
        (status = 403, description = "Not an administrator", body = Failure),
        (status = 404, description = "No such invitation", body = Failure),
    )
)]
pub(crate) async fn revoke(
    State(app): State<Web>,
    administrator: Administrator,
    Named(id): Named,
) -> Result<Answer, Problem> {
    let id = id.ok_or(&problem::NO_INVITATION)?;
    administer::revoke_invitation(&app, administrator.by(), &id).await?;
    Ok(Answer::plain(messages::INVITATION_REVOKED))
}
