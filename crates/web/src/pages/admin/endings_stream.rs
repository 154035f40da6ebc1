//! `/admin/endings/events`: endings as they happen, at this node and at others.

use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{FromRequestParts, State};
use axum::response::Response;
use cerrojo_app::administer::By;
use cerrojo_app::authenticate::{self, AuthError};
use cerrojo_app::onlookers::Place;
use cerrojo_app::system::{self, Ended, Which};
use cerrojo_app::{Caller, Trouble, activity};
use cerrojo_domain::ADMIN_ROLE;
use http::request::Parts;
use serde_json::json;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::endings::{self, MOST, Row};
use super::query::Query;
use crate::Web;
use crate::api::guards::Arrived;
use crate::bearer::Onlooking;
use crate::client::Client;
use crate::own_stream::{self, COMMENT, HEARTBEAT};
use crate::pages::Language;
use crate::problem::{self, Problem};
use crate::stream::{Stopping, stopped};
use crate::unfold::{self, Pieces};
use crate::wire;

/// Endings that come so soon after others travel together: many at once cost one question.
const GATHERING: Duration = Duration::from_millis(100);

/// An administrator who looks on, which is no use of the session, and what is asked for.
pub(in crate::pages) struct Watching {
    caller: Caller,
    which: Which,
    language: Language,
}

impl FromRequestParts<Web> for Watching {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<Self, Problem> {
        if web.pages().is_none() {
            return Err((&problem::NO_ROUTE).into());
        }
        let Onlooking(caller) = Onlooking::from_request_parts(parts, web).await?;
        if caller.role_id != ADMIN_ROLE {
            return Err((&problem::NOT_ADMINISTRATOR).into());
        }
        let Ok(Client(origin)) = Client::from_request_parts(parts, web).await;
        let Ok(query) = Query::from_request_parts(parts, web).await;
        let which = endings::asked(&query).which(web, By::Administrator(&caller, &origin)).await?;
        let which = Which { before: None, ..which };
        Ok(Self { which, language: Language::of(&parts.headers, web.settings.locale), caller })
    }
}

/// The newest endings, and then each as it happens, until the administrator's own session ends.
pub(in crate::pages) async fn events(
    State(web): State<Web>,
    Arrived { stopping, .. }: Arrived,
    Watching { caller, which, language }: Watching,
) -> Result<Response, Problem> {
    let place = own_stream::enter(&web, &caller)?;
    // Before anything is read, so that nothing that follows is missed.
    let news = web.ended_lately.watch();
    let (_, seen) = web.ended_lately.since(u64::MAX);
    let beat = Instant::now() + HEARTBEAT;
    let stream = EndingsStream { web, place, stopping, news, seen, which, language, beat, stage: Stage::Opening };
    Ok(unfold::events(unfold::body(stream), HEARTBEAT))
}

struct EndingsStream {
    web: Web,
    place: Place,
    stopping: Option<Stopping>,
    news: watch::Receiver<u64>,
    /// How many endings there had been when it was last told of some.
    seen: u64,
    which: Which,
    language: Language,
    beat: Instant,
    stage: Stage,
}

/// How far it has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Nothing was sent.
    Opening,
    /// News are waited for, until this time at the least.
    Waiting(Instant),
    /// Nothing more is sent.
    Over,
}

impl EndingsStream {
    /// What there is to say now.
    async fn look(&mut self) -> Result<Option<Bytes>, Trouble> {
        match authenticate::stands(&self.web, self.place.session()).await {
            Ok(()) => {}
            Err(AuthError::Trouble(trouble)) => return Err(trouble),
            Err(AuthError::Invalid | AuthError::Over) => {
                self.stage = Stage::Over;
                return Ok(Some(own_stream::ended(&self.web, self.place.session()).await));
            }
        }
        let deadlines = activity::deadlines(&self.web, self.place.session());
        self.place.wake_at(deadlines.idle_at.into_iter().fold(deadlines.expires_at, std::cmp::Ord::min));
        if self.stage == Stage::Opening {
            let newest = system::newest_endings(&self.web, &self.which, MOST).await?;
            return Ok(Some(self.rows(&newest, 0)));
        }
        let (since, seen) = self.web.ended_lately.since(self.seen);
        if seen > self.seen {
            self.seen = seen;
            let most = usize::try_from(MOST).unwrap_or(usize::MAX);
            let mut ended = system::ended_of(&self.web, &since.sessions, &self.which).await?;
            let skipped = ended.len().saturating_sub(most);
            ended.truncate(most);
            let left_out = since.left_out.saturating_add(u64::try_from(skipped).unwrap_or(u64::MAX));
            if !ended.is_empty() || left_out > 0 {
                return Ok(Some(self.rows(&ended, left_out)));
            }
        }
        Ok((Instant::now() >= self.beat).then(|| Bytes::from_static(COMMENT)))
    }

    fn rows(&self, ended: &[Ended], left_out: u64) -> Bytes {
        let rows: Vec<Row> = ended.iter().map(|ended| Row::of(ended, self.language)).collect();
        wire::event("rows", None, &json!({ "rows": rows, "left_out": left_out }))
    }
}

impl Pieces for EndingsStream {
    async fn next(&mut self) -> Option<Bytes> {
        while self.stage != Stage::Over {
            match self.look().await {
                Ok(Some(said)) => {
                    let now = Instant::now();
                    self.beat = now + HEARTBEAT;
                    if self.stage != Stage::Over {
                        self.stage = Stage::Waiting(now + GATHERING);
                    }
                    return Some(said);
                }
                // Also where nothing of it was asked for.
                Ok(None) if self.stage != Stage::Opening => self.stage = Stage::Waiting(Instant::now() + GATHERING),
                Ok(None) => {}
                Err(trouble) => {
                    tracing::debug!(error = %trouble, "a stream is closed");
                    return None;
                }
            }
            let gathered = if let Stage::Waiting(until) = self.stage { until } else { Instant::now() };
            let news = async {
                sleep_until(gathered).await;
                let _ = self.news.changed().await;
            };
            tokio::select! {
                biased;
                () = stopped(&mut self.stopping) => return None,
                () = self.place.woken() => {}
                () = news => {}
                () = sleep_until(self.beat) => {}
            }
        }
        None
    }
}
