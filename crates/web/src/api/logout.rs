//! The endpoint that the project exists for.

use axum::extract::State;
use cerrojo_app::end;

use crate::Web;
use crate::bearer::ToBeEnded;
use crate::client::Client;
use crate::envelope::{Answer, Nothing, Success};
use crate::messages;
use crate::problem::Problem;

/// Logs out.
///
/// Ends the calling session. When the 200 has been sent the same token gets 401 from every endpoint of every node, after
/// any crash or restart. No body is needed; one that is sent is not looked at.
#[utoipa::path(
    post,
    path = "/api/auth/logout",
    tag = "session",
    security(("bearer" = [])),
    responses((status = 200, description = "The session is over", body = Success<Nothing>))
)]
pub(crate) async fn logout(
    State(app): State<Web>,
    ToBeEnded(caller): ToBeEnded,
    Client(origin): Client,
) -> Result<Answer, Problem> {
    end::logout(&app, &caller, &origin).await?;
    Ok(Answer::farewell(messages::SESSION_CLOSED))
}
