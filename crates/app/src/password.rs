//! Changing one's own password.
use cerrojo_domain::Origin;
use cerrojo_domain::password::PasswordFlaw;
use crate::{App, Caller, Limited, Trouble};
/// What a person typed.
pub struct PasswordChange { /** as typed */ pub current: Option<String>, /** as typed */ pub new: Option<String> }
/// Why not.
#[derive(Debug)]
pub enum PasswordError { /** 400 "Contraseña actual y nueva contraseña son requeridas" */ Incomplete, /** 400 "La nueva contraseña no cumple requisitos" */ Flawed(Vec<PasswordFlaw>), /** 401 INVALID_CREDENTIALS */ Wrong, /** 429 */ TooMany, /** 401 */ SessionOver, /** 503/500 */ Trouble(Trouble) }
/// Changes it; every other session of the user is over.
pub async fn change(app: &App, caller: &Caller, origin: &Origin, typed: PasswordChange) -> Limited<Result<(), PasswordError>> { todo!() }
