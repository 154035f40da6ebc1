//! What administrators do to users.

use axum::extract::State;
use cerrojo_app::administer::{self, UserChange, UserSearch, UserSort};
use cerrojo_domain::{RoleId, Status};
use utoipa::ToSchema;

use crate::Web;
use crate::bearer::Administrator;
use crate::body::{Body, Fields, FromFields};
use crate::envelope::{Answer, AnswerPage, Failure, Nothing, Success, SuccessPage, Text};
use crate::messages;
use crate::problem::{self, Problem};
use crate::query::{Pairs, UserPath};
use crate::view::{EndedCount, SessionsView, UserView, Viewer};

use super::sessions::asked;

/// What a change of a user takes: at least one of them.
#[derive(ToSchema)]
pub(crate) struct UserUpdate {
    #[schema(example = "Ana Ruiz", nullable = false)]
    name: Option<String>,
    #[schema(example = "ana@example.com", nullable = false)]
    email: Option<String>,
    #[schema(example = 2, nullable = false)]
    role_id: Option<RoleId>,
    /// `active`, `inactive` or `suspended`.
    #[schema(example = "suspended", nullable = false)]
    status: Option<String>,
    /// Whether the address is to count as confirmed; ends nothing.
    #[schema(example = true, nullable = false)]
    email_verified: Option<bool>,
}

impl FromFields for UserUpdate {
    fn from_fields(fields: &mut Fields) -> Self {
        Self {
            name: fields.text("name"),
            email: fields.text("email"),
            role_id: fields.integer_or("role_id", &problem::ROLE),
            status: fields.text_or("status", &problem::STATUS),
            email_verified: fields.yes_or_no("email_verified", &problem::VERIFIED),
        }
    }
}

/// Lists users, newest first.
///
/// With `search` only those with that in their name or email, without regard to case and to accents of Western
/// European letters, or with that number.
#[utoipa::path(
    get,
    path = "/api/admin/users",
    tag = "administration",
    security(("bearer" = [])),
    params(
        ("page" = Option<i64>, Query, minimum = 1, description = "From 1"),
        ("limit" = Option<i64>, Query, minimum = 1, description = "Users a page; 100 if not given"),
        ("search" = Option<String>, Query, max_length = 200, description = "A part of the name or the email, or the number"),
        ("status" = Option<String>, Query, description = "`active`, `inactive` or `suspended`"),
        ("role_id" = Option<i64>, Query, minimum = 1, description = "The number of a role"),
        ("sort" = Option<String>, Query, description = "`registered_at`, `name` or `email`, with `-` before it the other way round; `-registered_at` if not given"),
    ),
    responses(
        (status = 200, description = "A page of users", body = SuccessPage<UserView>),
        (status = 403, description = "Not an administrator", body = Failure),
    )
)]
pub(crate) async fn list_users(
    State(app): State<Web>,
    administrator: Administrator,
    query: Pairs,
) -> Result<AnswerPage<UserView>, Problem> {
    let (page, limit) = (query.number("page")?, query.number("limit")?);
    let page = administer::list_users(&app, administrator.by(), &looked_for(&query)?, (page, limit)).await?;
    Ok(AnswerPage::new(messages::USERS, &page, |user| UserView::new(user, &app.settings)))
}

/// Whom a query asks for.
fn looked_for(query: &Pairs) -> Result<UserSearch, Problem> {
    let statuses = Text { es: " debe ser active, inactive o suspended", en: " must be active, inactive or suspended" };
    let sorts = Text {
        es: " debe ser registered_at, name o email, o lo mismo con un guion delante, como -registered_at",
        en: " must be registered_at, name or email, or the same with a minus before it, such as -registered_at",
    };
    Ok(UserSearch {
        text: query.text("search")?.unwrap_or_default(),
        status: query.once("status", statuses, Status::parse)?,
        role_id: query.number("role_id")?,
        sort: query.once("sort", sorts, UserSort::parse)?.unwrap_or_default(),
    })
}

/// Reads a user.
#[utoipa::path(
    get,
    path = "/api/admin/users/{id}",
    operation_id = "read_user",
    tag = "administration",
    security(("bearer" = [])),
    params(("id" = i64, Path, minimum = 1, description = "The user")),
    responses(
        (status = 200, description = "The user", body = Success<UserView>),
        (status = 403, description = "Not an administrator", body = Failure),
        (status = 404, description = "No such user", body = Failure),
    )
)]
pub(crate) async fn user(
    State(app): State<Web>,
    administrator: Administrator,
    UserPath(id): UserPath,
) -> Result<Answer<UserView>, Problem> {
    let user = administer::user(&app, administrator.by(), id).await?;
    Ok(Answer::new(messages::USER, UserView::new(&user, &app.settings)))
}

/// Changes a user.
///
/// A status other than `active`, another role or another email ends every session of the user.
#[utoipa::path(
    put,
    path = "/api/admin/users/{id}",
    tag = "administration",
    security(("bearer" = [])),
    params(("id" = i64, Path, minimum = 1, description = "The user")),
    request_body = UserUpdate,
    responses(
        (status = 200, description = "The user as it is now", body = Success<UserView>),
        (status = 403, description = "Not an administrator; or it would leave nobody who is", body = Failure),
        (status = 404, description = "No such user", body = Failure),
        (status = 409, description = "The email is taken", body = Failure),
    )
)]
pub(crate) async fn update_user(
    State(app): State<Web>,
    administrator: Administrator,
    UserPath(id): UserPath,
    Body(UserUpdate { name, email, role_id, status, email_verified }): Body<UserUpdate>,
) -> Result<Answer<UserView>, Problem> {
    let change = UserChange { name, email, role_id, status, email_verified, password: None, seen: None };
    let user = administer::update_user(&app, administrator.by(), id, change).await?;
    Ok(Answer::new(messages::USER_UPDATED, UserView::new(&user, &app.settings)))
}

/// Has a user choose another password.
///
/// The password works no more, every session of the user is over, and a mail brings a link to choose another: five an hour at most,
/// and none if the account is not active. The user can also ask for one as for a forgotten password.
#[utoipa::path(
    post,
    path = "/api/admin/users/{id}/force-reset",
    tag = "administration",
    security(("bearer" = [])),
    params(("id" = i64, Path, minimum = 1, description = "The user")),
    responses(
        (status = 200, description = "The user", body = Success<UserView>),
        (status = 403, description = "Not an administrator; or oneself", body = Failure),
        (status = 404, description = "No such user", body = Failure),
    )
)]
pub(crate) async fn force_reset(
    State(app): State<Web>,
    administrator: Administrator,
    UserPath(id): UserPath,
) -> Result<Answer<UserView>, Problem> {
    let user = administer::force_reset(&app, administrator.by(), id).await?;
    Ok(Answer::new(messages::RESET_FORCED, UserView::new(&user, &app.settings)))
}

/// Deletes a user.
///
/// The user's sessions end with it.
#[utoipa::path(
    delete,
    path = "/api/auth/users/{id}",
    tag = "administration",
    security(("bearer" = [])),
    params(("id" = i64, Path, minimum = 1, description = "The user")),
    responses(
        (status = 200, description = "Deleted", body = Success<Nothing>),
        (status = 403, description = "Not an administrator; or oneself", body = Failure),
        (status = 404, description = "No such user", body = Failure),
    )
)]
pub(crate) async fn delete_user(
    State(app): State<Web>,
    administrator: Administrator,
    UserPath(id): UserPath,
) -> Result<Answer, Problem> {
    administer::delete_user(&app, administrator.by(), id).await?;
    Ok(Answer::plain(messages::USER_DELETED))
}

/// Lists a user's sessions.
#[utoipa::path(
    get,
    path = "/api/admin/users/{id}/sessions",
    operation_id = "list_user_sessions",
    tag = "administration",
    security(("bearer" = [])),
    params(
        ("id" = i64, Path, minimum = 1, description = "The user"),
        ("ended" = Option<bool>, Query, description = "Also those that ended in the last 30 days (`retention.ended_sessions`)"),
    ),
    responses(
        (status = 200, description = "The user's sessions", body = Success<SessionsView>),
        (status = 403, description = "Not an administrator", body = Failure),
        (status = 404, description = "No such user", body = Failure),
    )
)]
pub(crate) async fn user_sessions(
    State(app): State<Web>,
    administrator: Administrator,
    UserPath(id): UserPath,
    query: Pairs,
) -> Result<Answer<SessionsView>, Problem> {
    let sessions = administer::user_sessions(&app, administrator.by(), id, asked(&query)?).await?;
    Ok(Answer::new(
        messages::SESSIONS,
        SessionsView::new(sessions, &administrator.caller.session, Viewer::Administrator),
    ))
}

/// Ends all of a user's sessions.
#[utoipa::path(
    delete,
    path = "/api/admin/users/{id}/sessions",
    tag = "administration",
    security(("bearer" = [])),
    params(("id" = i64, Path, minimum = 1, description = "The user")),
    responses(
        (status = 200, description = "All are over", body = Success<EndedCount>),
        (status = 403, description = "Not an administrator", body = Failure),
        (status = 404, description = "No such user", body = Failure),
    )
)]
pub(crate) async fn end_user_sessions(
    State(app): State<Web>,
    administrator: Administrator,
    UserPath(id): UserPath,
) -> Result<Answer<EndedCount>, Problem> {
    let ended = administer::end_user_sessions(&app, administrator.by(), id).await?;
    Ok(Answer::new(messages::SESSIONS_CLOSED, EndedCount { ended }))
}
