//! What guards ask for: events, entries, lists; and what they tell: activity.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{FromRequestParts, State};
use axum::response::Response;
use cerrojo_app::picture::Snapshot;
use cerrojo_app::{Trouble, activity, picture};
use cerrojo_domain::{ListIndex, ListName};
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{HeaderMap, HeaderName};
use serde_json::{Map, Value, json};
use tokio::time::Instant;

use crate::Web;
use crate::basic::{Service, Who};
use crate::body::{Body, Fields, FromFields};
use crate::envelope::{Answer, Failure, JSON, Nothing, Success};
use crate::messages;
use crate::places::Place;
use crate::problem::{self, Problem};
use crate::query::{Named, Pairs, is_name};
use crate::stream::{Asked, LONGEST_SNAPSHOT, Stopping, Stream, snapshot_for};
use crate::unfold::{self, Pieces};
use crate::wire;

static LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// Longest time since a use that is taken as it is said.
const LONGEST_AGO: Duration = Duration::from_hours(366 * 24);

/// Follow the log.
///
/// An event stream as `docs/GUARD-PROTOCOL.md` describes it. Without credentials within caps of the server's.
#[utoipa::path(
    get,
    path = "/api/guards/events",
    tag = "guards",
    security((), ("service" = [])),
    params(("Last-Event-ID" = Option<String>, Header, description = "The position of the last event that was applied")),
    responses(
        (status = 200, description = "Events", body = String, content_type = "text/event-stream"),
        (status = 401, description = "Wrong credentials of a service, or none where they are needed", body = Failure),
        (status = 429, description = "Too many without credentials, or too many wrong ones", body = Failure),
    )
)]
pub(crate) async fn events(
    State(web): State<Web>,
    arrived: Arrived,
    who: Who,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let place = web.places().take(&who)?;
    let service = match who {
        Who::Service(service) => Some(service),
        Who::Anonymous(_) => None,
    };
    let last = headers.get(&LAST_EVENT_ID).and_then(|value| value.to_str().ok()).filter(|id| wire::is_position(id));
    let Arrived { at: arrival, stopping } = arrived;
    let asked = Asked { arrival, place, service, stopping, last: last.map(str::to_owned) };
    Ok(unfold::events(unfold::body(Stream::open(web, asked).await?), wire::HEARTBEAT))
}

/// What the log has since a position.
///
/// For guards whom streams do not reach, as `docs/GUARD-PROTOCOL.md` describes it.
#[utoipa::path(
    get,
    path = "/api/guards/entries",
    tag = "guards",
    security((), ("service" = [])),
    params(("after" = Option<String>, Query, description = "The position of an earlier answer")),
    responses(
        (status = 200, description = "Entries, or a snapshot", body = Value),
        (status = 401, description = "Wrong credentials of a service, or none where they are needed", body = Failure),
        (status = 429, description = "Too many without credentials, or too many wrong ones", body = Failure),
    )
)]
pub(crate) async fn entries(
    State(web): State<Web>,
    Arrived { at: arrival, .. }: Arrived,
    who: Who,
    pairs: Pairs,
) -> Result<Response, Problem> {
    let after = pairs.text("after")?.filter(|position| wire::is_position(position));
    let place = web.questions().take(&who)?;
    let is_service = matches!(who, Who::Service(_));
    let taken_at = web.clock.elapsed();
    let lease = web.guard.lease();
    let tail = match &after {
        Some(after) => picture::resume(&web, after).await?,
        None => None,
    };
    let mut told = wire::about(&web);
    if let Some(tail) = tail {
        told.extend(wire::entries(&web, &tail.news));
        told.insert("elapsed".to_owned(), wire::elapsed(taken_at, arrival));
        told.insert("position".to_owned(), tail.position.into());
        if !lease.lies_ahead(&*web.clock) {
            return Err(Trouble::Unavailable("this node may not be current".to_owned()).into());
        }
        return Ok(plain(&told.into(), place));
    }
    let snapshot = snapshot_for(&web, arrival, is_service).await?;
    told.insert("elapsed".to_owned(), wire::elapsed(snapshot.taken_at, arrival));
    told.insert("incarnation".to_owned(), snapshot.incarnation.as_str().into());
    told.insert("position".to_owned(), snapshot.tail.position.as_str().into());
    let mut response = Response::new(unfold::body(Whole::new(&told.into(), snapshot, place)));
    response.headers_mut().insert(CONTENT_TYPE, JSON);
    Ok(response)
}

/// A snapshot in one JSON text, made list by list while it is sent: lists are shared by all who are sent them.
struct Whole {
    begin: Option<String>,
    snapshot: Arc<Snapshot>,
    sent: usize,
    end: Option<&'static str>,
    until: Instant,
    _place: Place,
}

impl Whole {
    /// `told`: the object's other members.
    fn new(told: &Value, snapshot: Arc<Snapshot>, place: Place) -> Self {
        let mut begin = told.to_string();
        // Its brace is closed at the end.
        begin.pop();
        let (keys, retired) = (&snapshot.keys, json!(snapshot.retired_keys));
        let begin = format!("{begin},\"snapshot\":{{\"keys\":{keys},\"retired_keys\":{retired},\"lists\":[");
        let until = Instant::now() + LONGEST_SNAPSHOT;
        Self { begin: Some(begin), snapshot, sent: 0, end: Some("]}}"), until, _place: place }
    }
}

impl Pieces for Whole {
    async fn next(&mut self) -> Option<Bytes> {
        if Instant::now() >= self.until {
            return None;
        }
        if let Some(begin) = self.begin.take() {
            return Some(begin.into());
        }
        let Some(list) = self.snapshot.lists.get(self.sent) else { return self.end.take().map(Bytes::from) };
        self.sent += 1;
        let comma = if self.sent == 1 { "" } else { "," };
        Some(format!("{comma}{}", wire::list(list)).into())
    }
}

/// A list that a guard does not know.
#[utoipa::path(
    get,
    path = "/api/guards/lists/{name}",
    tag = "guards",
    security((), ("service" = [])),
    params(("name" = String, Path, description = "As in the `uri` of a token's `status.status_list`")),
    responses(
        (status = 200, description = "Its capacity and its bits", body = Value),
        (status = 401, description = "Wrong credentials of a service, or none where they are needed", body = Failure),
        (status = 404, description = "No such list in use", body = Failure),
        (status = 429, description = "Too many without credentials, or too many wrong ones", body = Failure),
    )
)]
pub(crate) async fn list(State(web): State<Web>, who: Who, Named(name): Named) -> Result<Response, Problem> {
    let place = web.questions().take(&who)?;
    let name = ListName::from_text(name.ok_or(&problem::NO_LIST)?);
    let found = picture::list(&web, &name).await?.ok_or(&problem::NO_LIST)?;
    Ok(plain(&wire::list(&found), place))
}

/// Tell which sessions were used.
///
/// So that a session that is used only in services does not look idle. Uses of sessions that are over are passed over.
#[utoipa::path(
    post,
    path = "/api/guards/activity",
    tag = "guards",
    security(("service" = [])),
    request_body(content = ActivityBody, content_type = "application/json"),
    responses(
        (status = 200, description = "Written down", body = Success<Nothing>),
        (status = 401, description = "No credentials of a service, or wrong ones", body = Failure),
        (status = 429, description = "Too many wrong credentials", body = Failure),
    )
)]
pub(crate) async fn activity(
    State(web): State<Web>,
    _: Service,
    Body(told): Body<ActivityBody>,
) -> Result<Answer, Problem> {
    let uses = told.uses.as_ref().and_then(read_uses).ok_or(&problem::ACTIVITY)?;
    activity::report(&web, &uses).await?;
    Ok(Answer::plain(messages::ACTIVITY))
}

/// Which sessions were used.
#[derive(utoipa::ToSchema)]
pub(crate) struct ActivityBody {
    /// By list, pairs of a session's place in it and how many milliseconds ago it was used.
    #[schema(value_type = std::collections::HashMap<String, Vec<Vec<u64>>>)]
    uses: Option<Map<String, Value>>,
}

impl FromFields for ActivityBody {
    fn from_fields(fields: &mut Fields) -> Self {
        Self { uses: fields.object_or("uses", &problem::ACTIVITY) }
    }
}

type Uses = Vec<(ListName, Vec<(ListIndex, Duration)>)>;

fn read_uses(uses: &Map<String, Value>) -> Option<Uses> {
    uses.iter()
        .map(|(list, seen)| {
            let seen: Option<Vec<_>> = seen.as_array()?.iter().map(read_use).collect();
            is_name(list).then_some((ListName::from_text(list.as_str()), seen?))
        })
        .collect()
}

fn read_use(pair: &Value) -> Option<(ListIndex, Duration)> {
    let [index, ago] = pair.as_array()?.as_slice() else { return None };
    let index = u32::try_from(index.as_u64()?).ok()?;
    Some((ListIndex(index), Duration::from_millis(ago.as_u64()?).min(LONGEST_AGO)))
}

/// JSON without the contract's envelope. The place is kept until it is sent.
fn plain(value: &Value, place: Place) -> Response {
    let mut response = Response::new(unfold::holding(Bytes::from(value.to_string()), place));
    response.headers_mut().insert(CONTENT_TYPE, JSON);
    response
}

/// When the request came, by `Clock::elapsed`, and what tells that the server stops, where it runs behind
/// [`crate::serve`]. Stands first among what a handler takes.
pub(crate) struct Arrived {
    pub(crate) at: Duration,
    pub(crate) stopping: Option<Stopping>,
}

impl FromRequestParts<Web> for Arrived {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<Self, Infallible> {
        Ok(Self { at: web.clock.elapsed(), stopping: parts.extensions.get().cloned() })
    }
}
