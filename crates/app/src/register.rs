//! Register, and be signed in.
use cerrojo_domain::{Origin};
use cerrojo_domain::password::PasswordFlaw;
use crate::{App, Limited, Trouble, login::SignedIn};
/// What a person typed.
pub struct NewAccount { /** as typed */ pub name: Option<String>, /** as typed */ pub email: Option<String>, /** as typed */ pub password: Option<String> }
/// What was left out (absent, null or blank).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing { /** name */ Name, /** email */ Email, /** password */ Password }
/// Why not.
#[derive(Debug)]
pub enum RegisterError { /** 400 "Datos de entrada incompletos" */ Incomplete(Vec<Missing>), /** 400 */ Email, /** 400: over 200 characters or with control characters */ Name, /** 400 "Contraseña no cumple requisitos" */ Password(Vec<PasswordFlaw>), /** 409 */ EmailTaken, /** 403 */ Closed, /** 429 */ TooMany, /** 503/500 */ Trouble(Trouble) }
/// Registers.
pub async fn register(app: &App, origin: &Origin, typed: NewAccount) -> Limited<Result<SignedIn, RegisterError>> { todo!() }
