//! What goes on with one's own session, as it happens; and that somebody is there.

use axum::extract::State;
use axum::response::Response;
use cerrojo_app::activity;
use serde::Serialize;
use utoipa::ToSchema;

use crate::Web;
use crate::api::guards::Arrived;
use crate::bearer::{Bearer, Onlooking};
use crate::envelope::{Answer, Failure, Success};
use crate::messages;
use crate::own_stream::{self, OwnStream};
use crate::problem::Problem;
use crate::unfold;

/// Follow one's own session.
///
/// An event stream. `session` comes first and whenever the deadlines have moved: `session_id`, `expires_at`, `idle_at` (or
/// null) and the server's time as `now`. `expiring` comes a minute before the session ends by itself: `cause` (`expired` or
/// `idle`) and when. `profile`: the profile was changed; a hint, which may get lost between nodes. `ended` is the last:
/// `reason`, `at` and, where it is known, `by` (`user`, `administrator`, `operator`, `server`). A comment comes every 15 s at
/// least. The stream closes with its session, when the server stops, and when this node cannot show that it is current: ask
/// again then. Following is no use of the session.
#[utoipa::path(
    get,
    path = "/api/auth/events",
    operation_id = "own_events",
    tag = "session",
    security(("bearer" = [])),
    responses(
        (status = 200, description = "Events", body = String, content_type = "text/event-stream"),
        (status = 403, description = "With a cookie, from a page of others: `CROSS_SITE_REQUEST`", body = Failure),
        (status = 429, description = "As many streams as a session (4), a user (32) or this node (`events.max_streams`) may have: `TOO_MANY_STREAMS`", body = Failure),
    )
)]
pub(crate) async fn events(
    State(web): State<Web>,
    Arrived { stopping, .. }: Arrived,
    Onlooking(caller): Onlooking,
) -> Result<Response, Problem> {
    let place = own_stream::enter(&web, &caller)?;
    let stream = OwnStream::new(web, place, stopping);
    Ok(unfold::events(unfold::body(stream), own_stream::HEARTBEAT))
}

/// When the session will be over if nobody does anything.
#[derive(Clone, Serialize, ToSchema)]
#[schema(as = Activity)]
pub(crate) struct ActivityView {
    #[schema(example = "2026-02-14T10:00:00.000Z")]
    expires_at: String,
    /// `null`: it may go unused (`session.idle_timeout`).
    #[schema(required, example = "2026-02-13T10:30:00.000Z")]
    idle_at: Option<String>,
    /// The server's time, for clients whose clock may be wrong.
    #[schema(example = "2026-02-13T10:00:00.000Z")]
    now: String,
}

/// Says that somebody is there.
///
/// Moves the idle deadline of the calling session. For clients that send `Cerrojo-Activity: background` with what they ask for
/// by themselves, so that only people keep a session alive.
#[utoipa::path(
    post,
    path = "/api/auth/activity",
    operation_id = "note_activity",
    tag = "session",
    security(("bearer" = [])),
    responses((status = 200, description = "Moved", body = Success<ActivityView>))
)]
pub(crate) async fn activity(State(web): State<Web>, Bearer(caller): Bearer) -> Answer<ActivityView> {
    let deadlines = activity::note(&web, &caller);
    let view = ActivityView {
        expires_at: deadlines.expires_at.rfc3339(),
        idle_at: deadlines.idle_at.map(cerrojo_domain::UnixMillis::rfc3339),
        now: web.clock.now().rfc3339(),
    };
    Answer::new(messages::ACTIVITY, view)
}
