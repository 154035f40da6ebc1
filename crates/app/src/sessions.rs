//! One's own sessions: see them, end them.
use cerrojo_domain::{Origin, SessionId};
pub use cerrojo_store::sessions::{Ended, Session};
use crate::{App, Caller, Quota, Trouble, account::Reauth};
/// Which sessions to show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Show { /** live */ Live, /** live and those ended in the last 30 days */ WithEnded }
/// Why not.
#[derive(Debug)]
pub enum SessionsError { /** 404 */ NotFound, /** 401: the calling session ended meanwhile */ SessionOver, /** the current password is asked for */ Reauth(Reauth), /** 503/500 */ Trouble(Trouble) }
/// Lists one's own.
pub async fn list(app: &App, caller: &Caller, show: Show) -> Result<Vec<Session>, Trouble> { todo!() }
/// Ends one of one's own.
pub async fn end_one(app: &App, caller: &Caller, origin: &Origin, id: &SessionId, current_password: Option<String>) -> Result<(), SessionsError> { todo!() }
/// Ends all, the calling one included.
pub async fn logout_all(app: &App, caller: &Caller, origin: &Origin, current_password: Option<String>) -> Result<(), SessionsError> { todo!() }
/// Ends all but the calling one.
pub async fn logout_others(app: &App, caller: &Caller, origin: &Origin, current_password: Option<String>) -> Result<(), SessionsError> { todo!() }
