//! Sign in.
use cerrojo_domain::{Origin, SessionId, UnixMillis, User};
use crate::{App, Limited, Trouble};
/// What a person typed.
pub struct Credentials { /** as typed */ pub email: Option<String>, /** as typed */ pub password: Option<String> }
/// A session just born.
pub struct SignedIn { /** the JWT */ pub token: String, /** user, as of now */ pub user: User, /** its id */ pub session: SessionId, /** the token's exp */ pub expires_at: UnixMillis }
/// Why not.
#[derive(Debug)]
pub enum LoginError { /** 400 */ Incomplete, /** 401 INVALID_CREDENTIALS */ Credentials, /** 401 UNAUTHORIZED, right password only */ Inactive, /** 429 */ TooMany, /** 503/500 */ Trouble(Trouble) }
/// Signs in.
pub async fn login(app: &App, origin: &Origin, typed: Credentials) -> Limited<Result<SignedIn, LoginError>> { todo!() }
