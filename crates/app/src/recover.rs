//! Forgotten passwords: the link and what it does.
use cerrojo_domain::Origin;
use cerrojo_domain::password::PasswordFlaw;
use crate::{App, Limited, Trouble};
/// Why not.
#[derive(Debug)]
pub enum ForgotError { /** 400 "Email es requerido" */ EmailMissing, /** 400 */ Email, /** 429 */ TooMany, /** 503/500 */ Trouble(Trouble) }
/// Asks for a reset mail. Only writes a job, account known or not.
pub async fn forgot(app: &App, origin: &Origin, email: Option<String>) -> Limited<Result<(), ForgotError>> { todo!() }
/// What a person typed.
pub struct Reset { /** the code of the link */ pub token: Option<String>, /** as typed */ pub new_password: Option<String> }
/// Why not.
#[derive(Debug)]
pub enum ResetError { /** 400 "Token es requerido" */ TokenMissing, /** 400 "Nueva contraseña es requerida" */ PasswordMissing, /** 400 "La nueva contraseña no cumple requisitos" */ Flawed(Vec<PasswordFlaw>), /** 401 INVALID_RESET_TOKEN */ InvalidToken, /** 429 */ TooMany, /** 503/500 */ Trouble(Trouble) }
/// Sets the password; every session of the user is over.
pub async fn reset(app: &App, origin: &Origin, typed: Reset) -> Limited<Result<(), ResetError>> { todo!() }
