//! One's own sessions: see them, end them.

use axum::extract::State;
use cerrojo_app::sessions::{self, Show};
use cerrojo_domain::SessionId;
use utoipa::ToSchema;

use crate::Web;
use crate::bearer::Bearer;
use crate::body::{Body, Fields, FromFields};
use crate::client::Client;
use crate::envelope::{Answer, Failure, Nothing, Success};
use crate::messages;
use crate::problem::{self, Problem};
use crate::query::{Named, Pairs};
use crate::view::{SessionsView, Viewer};

/// The password again, where the server asks for it. The whole body may be left out otherwise.
#[derive(ToSchema)]
pub(crate) struct Confirmation {
    #[schema(rename = "currentPassword", nullable = false)]
    pub(crate) current_password: Option<String>,
}

impl FromFields for Confirmation {
    fn from_fields(fields: &mut Fields) -> Self {
        Self { current_password: fields.text("currentPassword") }
    }
}

/// Which sessions a query asks for.
pub(crate) fn asked(query: &Pairs) -> Result<Show, Problem> {
    Ok(if query.yes_or_no("ended")? == Some(true) { Show::WithEnded } else { Show::Live })
}

/// Lists one's own sessions.
#[utoipa::path(
    get,
    path = "/api/auth/sessions",
    operation_id = "list_sessions",
    tag = "session",
    security(("bearer" = [])),
    params(("ended" = Option<bool>, Query, description = "Also those that ended in the last 30 days (`retention.ended_sessions`)")),
    responses((status = 200, description = "The caller's sessions", body = Success<SessionsView>))
)]
pub(crate) async fn list(
    State(app): State<Web>,
    Bearer(caller): Bearer,
    query: Pairs,
) -> Result<Answer<SessionsView>, Problem> {
    let sessions = sessions::list(&app, &caller, asked(&query)?).await?;
    Ok(Answer::new(messages::SESSIONS, SessionsView::new(sessions, &caller.session, Viewer::Owner)))
}

/// Ends one of one's own sessions.
#[expect(clippy::too_many_arguments, reason = "extractors: what a request has")]
#[utoipa::path(
    delete,
    path = "/api/auth/sessions/{id}",
    operation_id = "end_session",
    tag = "session",
    security(("bearer" = [])),
    params(("id" = String, Path, description = "The session")),
    request_body = Option<Confirmation>,
    responses(
        (status = 200, description = "The session is over", body = Success<Nothing>),
        (status = 404, description = "No such session, or somebody else's", body = Failure),
        (status = 429, description = "Too many wrong passwords", body = Failure),
    )
)]
pub(crate) async fn end_one(
    State(app): State<Web>,
    Bearer(caller): Bearer,
    Client(origin): Client,
    Named(id): Named,
    Body(Confirmation { current_password }): Body<Confirmation>,
) -> Result<Answer, Problem> {
    let id = SessionId::from_text(id.ok_or(&problem::NO_SESSION)?);
    sessions::end_one(&app, &caller, &origin, (&id, current_password)).await?;
    let is_own = id == caller.session;
    Ok(if is_own { Answer::farewell(messages::SESSION_CLOSED) } else { Answer::plain(messages::SESSION_CLOSED) })
}

/// Ends all of one's own sessions, the calling one included.
#[utoipa::path(
    post,
    path = "/api/auth/logout-all",
    tag = "session",
    security(("bearer" = [])),
    request_body = Option<Confirmation>,
    responses(
        (status = 200, description = "All are over", body = Success<Nothing>),
        (status = 429, description = "Too many wrong passwords", body = Failure),
    )
)]
pub(crate) async fn logout_all(
    State(app): State<Web>,
    Bearer(caller): Bearer,
    Client(origin): Client,
    Body(Confirmation { current_password }): Body<Confirmation>,
) -> Result<Answer, Problem> {
    sessions::logout_all(&app, &caller, &origin, current_password).await?;
    Ok(Answer::farewell(messages::ALL_SESSIONS_CLOSED))
}

/// Ends all of one's own sessions but the calling one.
#[utoipa::path(
    post,
    path = "/api/auth/logout-others",
    tag = "session",
    security(("bearer" = [])),
    request_body = Option<Confirmation>,
    responses(
        (status = 200, description = "The others are over", body = Success<Nothing>),
        (status = 429, description = "Too many wrong passwords", body = Failure),
    )
)]
pub(crate) async fn logout_others(
    State(app): State<Web>,
    Bearer(caller): Bearer,
    Client(origin): Client,
    Body(Confirmation { current_password }): Body<Confirmation>,
) -> Result<Answer, Problem> {
    sessions::logout_others(&app, &caller, &origin, current_password).await?;
    Ok(Answer::plain(messages::OTHER_SESSIONS_CLOSED))
}
