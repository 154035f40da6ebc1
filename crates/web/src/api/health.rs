//! Whether the server runs, and whether it may be sent requests.

use axum::extract::State;
use cerrojo_app::Trouble;

use crate::Web;
use crate::envelope::{Answer, Failure, Nothing, Success};
use crate::messages;
use crate::problem::Problem;

/// Is it running?
///
/// Never asks the database.
#[utoipa::path(
    get,
    path = "/health/live",
    tag = "health",
    responses((status = 200, description = "It is", body = Success<Nothing>))
)]
pub(crate) async fn live() -> Answer {
    Answer::plain(messages::LIVE)
}

/// May it be sent requests?
///
/// Answered from memory.
#[utoipa::path(
    get,
    path = "/health/ready",
    tag = "health",
    responses(
        (status = 200, description = "It may", body = Success<Nothing>),
        (status = 503, description = "It may not: it cannot show that it is current", body = Failure),
    )
)]
pub(crate) async fn ready(State(app): State<Web>) -> Result<Answer, Problem> {
    if app.is_ready() {
        Ok(Answer::plain(messages::READY))
    } else {
        Err(Trouble::Unavailable("not ready".to_owned()).into())
    }
}
