//! The one road by which sessions end.
use cerrojo_domain::{Origin};
use crate::{App, Caller, Trouble};
/// Why a logout is not a 200.
#[derive(Debug)]
pub enum LogoutError { /** 401: it had ended already, and everybody knows */ AlreadyEnded, /** 503/500 */ Trouble(Trouble) }
/// Ends the calling session.
pub async fn logout(app: &App, caller: &Caller, origin: &Origin) -> Result<(), LogoutError> { todo!() }
