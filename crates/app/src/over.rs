//! Why a session is over, told to whoever has its token.
//!
//! Asked only where a request was refused already, and of tokens alone that are genuine: nobody else learns anything.

use std::time::Duration;

use cerrojo_domain::{EndReason, ListIndex, ListName, SessionId, Status, UnixMillis, UserId};
use cerrojo_store::sessions::{Ended, Session};
use cerrojo_store::{sessions, users};
use quick_cache::sync::Cache;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::sha256::sha256;
use crate::{App, Caller, Trouble, old_tokens};

/// Tokens whose reason is remembered: whoever shows one that is over again and again costs no query each time.
const REMEMBERED: usize = 4096;
/// For how long: what it is taken from can still change, as an account's status does.
const FRESH: Duration = Duration::from_secs(10);
/// Queries at a time, and how long an answer that is a 401 in any case waits for one.
const LOOK_UPS: usize = 8;
const PATIENCE: Duration = Duration::from_secs(1);

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident = $text:literal),+ $(,)?) => {
        /// Why a session is over, as its own user is told.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Reason { $($(#[$doc])* $name),+ }

        impl Reason {
            /// Every reason there is.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// As it is told.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text),+ }
            }
        }
    };
}

reasons! {
    /// Its own token asked for it.
    Logout = "logout",
    /// The same person ended it, together with others or from another one.
    LogoutElsewhere = "logout_elsewhere",
    /// The password was changed or reset.
    PasswordChanged = "password_changed",
    /// The e-mail address was changed.
    EmailChanged = "email_changed",
    /// The account is inactive.
    AccountInactive = "account_inactive",
    /// The account is suspended.
    AccountSuspended = "account_suspended",
    /// The account is gone.
    AccountDeleted = "account_deleted",
    /// An administrator or the operator ended it, or changed something that ends sessions.
    Admin = "admin",
    /// Nobody used it for too long.
    Idle = "idle",
    /// It lived as long as it may.
    Expired = "expired",
    /// A newer session took its place.
    Replaced = "replaced",
    /// Everything ended since the database was restored or failed over.
    Restored = "restored",
    /// Nothing better is known, or not any more.
    Ended = "ended",
}

/// A session's ending, as its own user is told of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Over {
    /// Why.
    pub reason: Reason,
    /// When, if that is known.
    pub at: Option<UnixMillis>,
    /// What kind of who: `user`, `administrator`, `operator` or `server`; `None`: not known.
    pub by: Option<String>,
}

impl Over {
    fn only(reason: Reason) -> Self {
        Self { reason, at: None, by: None }
    }
}

/// What was found lately, and whose turn it is to look.
pub(crate) struct Reasons {
    known: Cache<[u8; 32], (Duration, Option<Over>)>,
    look_ups: Semaphore,
}

impl Default for Reasons {
    fn default() -> Self {
        Self { known: Cache::new(REMEMBERED), look_ups: Semaphore::new(LOOK_UPS) }
    }
}

/// Which session is asked about, and what its token says of it.
struct Asked {
    session: SessionId,
    place: Option<(UserId, ListName, ListIndex)>,
    /// When its token expires; `None`: of another application's.
    expires_at: Option<UnixMillis>,
}

/// Why the session of a token that was refused is over. `None`: it is the token of no session.
pub async fn of_token(app: &App, token: &str) -> Option<Over> {
    let hash = sha256(token.as_bytes());
    if let Some((until, over)) = app.reasons.known.get(&hash)
        && app.clock.elapsed() < until
    {
        return over;
    }
    let asked = match app.guard.identify(token) {
        Some(verified) => of(&verified),
        None => Asked { session: old_tokens::session_of(app, token)?, place: None, expires_at: None },
    };
    match look_up(app, &asked).await {
        Some(found) => {
            app.reasons.known.insert(hash, (app.clock.elapsed() + FRESH, found.clone()));
            found
        }
        None => Some(Over::only(Reason::Ended)),
    }
}

/// Why this session is over, which was accepted before.
pub async fn of_session(app: &App, session: &Caller) -> Over {
    look_up(app, &of(session)).await.flatten().unwrap_or_else(|| Over::only(Reason::Ended))
}

fn of(verified: &Caller) -> Asked {
    Asked {
        session: verified.session.clone(),
        place: Some((verified.user, verified.list.clone(), verified.index)),
        expires_at: Some(verified.expires_at),
    }
}

/// `None`: nothing can be said now. A node that is cut off does not wait for its database.
async fn look_up(app: &App, asked: &Asked) -> Option<Option<Over>> {
    if !app.is_ready() {
        return None;
    }
    let looking = async {
        let _turn = app.reasons.look_ups.acquire().await;
        read(app, asked).await
    };
    match timeout(PATIENCE, looking).await {
        Ok(Ok(found)) => Some(found),
        Ok(Err(trouble)) => {
            tracing::debug!(error = %trouble, "why a session ended cannot be read now");
            None
        }
        Err(_) => None,
    }
}

async fn read(app: &App, asked: &Asked) -> Result<Option<Over>, Trouble> {
    let now = app.clock.now();
    let session = sessions::by_id(&mut app.store.reader(), &asked.session).await?;
    let Some(session) = session.filter(|session| is_meant(session, asked)) else {
        return Ok(asked.expires_at.map(|expires_at| Over::only(of_none(expires_at, now))));
    };
    let expired = session.expires_at.min(asked.expires_at.unwrap_or(session.expires_at));
    let Some(ended) = session.ended else {
        // It is written down in a moment.
        let is_expired = expired <= now;
        let over = Over { reason: Reason::Expired, at: Some(expired), by: Some("server".to_owned()) };
        return Ok(Some(if is_expired { over } else { Over::only(Reason::Ended) }));
    };
    if ended.at < now.minus(app.settings.retention.ended_sessions) {
        return Ok(Some(Over::only(Reason::Ended)));
    }
    let reason = reason(app, session.user, &ended).await?;
    let by = ended.by.split(':').next().map(str::to_owned);
    Ok(Some(Over { reason, at: Some(ended.at), by }))
}

/// A row of that name that is another's says nothing of this token.
fn is_meant(session: &Session, asked: &Asked) -> bool {
    let place = (session.user, session.list.clone(), session.index);
    asked.place.as_ref().is_none_or(|told| *told == place)
}

/// Rows are kept for as long as a token of theirs is out: one that is missing before was lost with a database that went back.
fn of_none(expires_at: UnixMillis, now: UnixMillis) -> Reason {
    if now < expires_at { Reason::Restored } else { Reason::Ended }
}

async fn reason(app: &App, user: UserId, ended: &Ended) -> Result<Reason, Trouble> {
    let Some(reason) = EndReason::parse(&ended.reason) else { return Ok(Reason::Ended) };
    Ok(match reason {
        EndReason::Logout => Reason::Logout,
        EndReason::LogoutElsewhere | EndReason::LogoutOthers | EndReason::LogoutAll => Reason::LogoutElsewhere,
        EndReason::PasswordChanged | EndReason::PasswordReset => Reason::PasswordChanged,
        EndReason::EmailChanged => Reason::EmailChanged,
        EndReason::Admin | EndReason::Operator | EndReason::RoleChanged | EndReason::KeyRetired => Reason::Admin,
        EndReason::UserDeleted => Reason::AccountDeleted,
        EndReason::Idle => Reason::Idle,
        EndReason::SessionLimit => Reason::Replaced,
        EndReason::Expired => Reason::Expired,
        EndReason::Restored => Reason::Restored,
        EndReason::Disabled => {
            let user = users::by_id(&mut app.store.reader(), user).await?;
            let is_suspended = user.is_some_and(|user| user.status == Status::Suspended);
            if is_suspended { Reason::AccountSuspended } else { Reason::AccountInactive }
        }
    })
}
