//! Who is calling: the check of a bearer token.
use std::sync::Arc;
use cerrojo_guard::Verified;
use crate::{App, Trouble};
/// The session that a request's token belongs to, checked.
pub type Caller = Arc<Verified>;
/// Why a token is not accepted.
#[derive(Debug)]
pub enum AuthError { /** 401 */ Invalid, /** 503 or 500 */ Trouble(Trouble) }
/// Checks a token; asks the database only where idleness must be decided.
pub async fn authenticate(app: &App, token: &str) -> Result<Caller, AuthError> { todo!() }
