//! The stream of one's own session: how it stands, until it ends.
//!
//! Whatever is sent is looked at first as a request would be: a stream says nothing more once its session is over or this
//! node may not say yes, and then it closes.

use std::time::Duration;

use axum::body::Bytes;
use cerrojo_app::activity::{self, Deadlines};
use cerrojo_app::authenticate::{self, AuthError};
use cerrojo_app::onlookers::{self, Place};
use cerrojo_app::{Caller, over};
use cerrojo_domain::UnixMillis;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep_until};

use crate::Web;
use crate::problem::{self, Problem};
use crate::stream::{Stopping, stopped};
use crate::unfold::Pieces;
use crate::wire;

/// How often something comes at least.
pub(crate) const HEARTBEAT: Duration = Duration::from_secs(15);
/// How long before its end a session is told of it, if it lives so long at all.
const WARNING: Duration = Duration::from_mins(1);
/// Seconds until whoever finds no place may try again.
const LATER: u32 = 15;
/// Comments are passed over by whoever reads events (HTML standard, section 9.2.6).
pub(crate) const COMMENT: &[u8] = b":\n\n";

/// A stream.
pub(crate) struct OwnStream {
    web: Web,
    place: Place,
    stopping: Option<Stopping>,
    /// Between two of anything.
    pause: Duration,
    beat: Instant,
    told: Option<Deadlines>,
    warned: Option<Warning>,
    is_over: bool,
}

/// A place for somebody who follows as this session, if one is left.
pub(crate) fn enter(web: &Web, caller: &Caller) -> Result<Place, Problem> {
    let most = web.settings().max_streams as usize;
    onlookers::enter(web.app(), caller, most)
        .map_err(|_| Problem { retry_after: Some(LATER), ..(&problem::TOO_MANY_STREAMS).into() })
}

/// Which end is near.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Warning {
    Expired(UnixMillis),
    Idle(UnixMillis),
}

/// What a look comes to.
enum Turn {
    Say(Bytes),
    Wait,
    Close,
}

impl OwnStream {
    pub(crate) fn new(web: Web, place: Place, stopping: Option<Stopping>) -> Self {
        // Whoever counts the idle time down hears of a later deadline well before the earlier one.
        let idle = web.settings.session_rules(place.session().role_id).idle_timeout;
        let pause = idle.map_or(HEARTBEAT, |idle| HEARTBEAT.min(idle / 4));
        let beat = Instant::now() + pause;
        Self { web, place, stopping, pause, beat, told: None, warned: None, is_over: false }
    }

    async fn look(&mut self) -> Turn {
        match authenticate::stands(&self.web, self.place.session()).await {
            Ok(()) => {}
            Err(AuthError::Trouble(trouble)) => {
                tracing::debug!(error = %trouble, "a stream is closed");
                return Turn::Close;
            }
            Err(AuthError::Invalid | AuthError::Over) => return Turn::Say(self.end().await),
        }
        if self.told.is_some() && self.place.take_profile() {
            return Turn::Say(wire::event("profile", None, &json!({})));
        }
        let now = self.web.clock.now();
        let deadlines = activity::deadlines(&self.web, self.place.session());
        let is_time = Instant::now() >= self.beat;
        let is_asked = self.place.take_moved() || self.warned.is_some_and(|warned| !warned.holds(deadlines));
        if self.told.is_none_or(|told| told != deadlines && (is_time || is_asked)) {
            return Turn::Say(self.session(deadlines, now));
        }
        if let Some(warning) = self.warning(deadlines, now) {
            if let Warning::Idle(at) = warning
                && let Ok(()) = onlookers::refresh(&self.web, self.place.session()).await
            {
                let refreshed = activity::deadlines(&self.web, self.place.session());
                if refreshed.idle_at != Some(at) {
                    return Turn::Say(self.session(refreshed, now));
                }
            }
            self.warned = Some(warning);
            return Turn::Say(warning.event());
        }
        if is_time {
            return Turn::Say(Bytes::from_static(COMMENT));
        }
        self.place.wake_at(self.next_due(deadlines));
        Turn::Wait
    }

    async fn end(&mut self) -> Bytes {
        self.is_over = true;
        ended(&self.web, self.place.session()).await
    }

    fn session(&mut self, deadlines: Deadlines, now: UnixMillis) -> Bytes {
        self.told = Some(deadlines);
        self.warned = self.warned.filter(|warned| warned.holds(deadlines));
        let mut data = shown(deadlines, now);
        if let Some(members) = data.as_object_mut() {
            members.insert("session_id".to_owned(), self.place.session().session.as_str().into());
        }
        wire::event("session", None, &data)
    }

    /// What is near and was not told yet.
    fn warning(&self, deadlines: Deadlines, now: UnixMillis) -> Option<Warning> {
        let mut near = self.warnings(deadlines).filter(|(from, _)| *from <= now).map(|(_, warning)| warning);
        near.find(|warning| self.warned != Some(*warning))
    }

    /// The nearer end, and when to warn of it.
    fn warnings(&self, Deadlines { expires_at, idle_at }: Deadlines) -> impl Iterator<Item = (UnixMillis, Warning)> {
        let session = self.place.session();
        let life = expires_at.since(session.issued_at);
        let idle = self.web.settings.session_rules(session.role_id).idle_timeout.unwrap_or(life);
        let nearer = match idle_at {
            Some(idle_at) if idle_at < expires_at => (idle_at.minus(WARNING.min(idle / 2)), Warning::Idle(idle_at)),
            _ => (expires_at.minus(WARNING.min(life / 2)), Warning::Expired(expires_at)),
        };
        [nearer].into_iter()
    }

    fn next_due(&self, deadlines: Deadlines) -> UnixMillis {
        let end = deadlines.idle_at.into_iter().fold(deadlines.expires_at, UnixMillis::min);
        let warnings = self.warnings(deadlines).filter(|(_, warning)| self.warned != Some(*warning));
        warnings.map(|(from, _)| from).fold(end, UnixMillis::min)
    }
}

impl Warning {
    /// Whether that end is still when it was.
    fn holds(self, deadlines: Deadlines) -> bool {
        match self {
            Self::Expired(at) => deadlines.expires_at == at,
            Self::Idle(at) => deadlines.idle_at == Some(at),
        }
    }

    fn event(self) -> Bytes {
        let data = match self {
            Self::Expired(at) => json!({ "expires_at": at.rfc3339(), "cause": "expired" }),
            Self::Idle(at) => json!({ "idle_at": at.rfc3339(), "cause": "idle" }),
        };
        wire::event("expiring", None, &data)
    }
}

/// What the last event says.
pub(crate) async fn ended(web: &Web, session: &Caller) -> Bytes {
    let over = over::of_session(web, session).await;
    let at = over.at.unwrap_or_else(|| web.clock.now());
    let mut data = json!({ "reason": over.reason.as_str(), "at": at.rfc3339() });
    if let (Some(by), Some(members)) = (over.by, data.as_object_mut()) {
        members.insert("by".to_owned(), by.into());
    }
    wire::event("ended", None, &data)
}

/// As clients are told, with the server's own time: theirs may be wrong.
pub(crate) fn shown(deadlines: Deadlines, now: UnixMillis) -> Value {
    json!({
        "expires_at": deadlines.expires_at.rfc3339(),
        "idle_at": deadlines.idle_at.map(UnixMillis::rfc3339),
        "now": now.rfc3339(),
    })
}

impl Pieces for OwnStream {
    async fn next(&mut self) -> Option<Bytes> {
        while !self.is_over {
            match self.look().await {
                Turn::Say(said) => {
                    self.beat = Instant::now() + self.pause;
                    return Some(said);
                }
                Turn::Close => return None,
                Turn::Wait => {}
            }
            tokio::select! {
                biased;
                () = stopped(&mut self.stopping) => return None,
                () = self.place.woken() => {}
                () = sleep_until(self.beat) => {}
            }
        }
        None
    }
}
