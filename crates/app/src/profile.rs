//! One's own profile.
use cerrojo_domain::{Origin, User};
use crate::{App, Caller, Quota, Trouble, account::Reauth};
/// What is to change; a value equal to the stored one changes and ends nothing.
pub struct ProfileChange { /** as typed */ pub name: Option<String>, /** as typed */ pub email: Option<String>, /** if reauthentication is required */ pub current_password: Option<String> }
/// Why not.
#[derive(Debug)]
pub enum ProfileError { /** 404 */ NotFound, /** 400 "Debe proporcionar al menos nombre o email para actualizar" */ Nothing, /** 400 */ Email, /** 400 */ Name, /** 409 CONFLICT */ EmailTaken, /** current password */ Reauth(Reauth), /** 401 */ SessionOver, /** 503/500 */ Trouble(Trouble) }
/// Reads.
pub async fn read(app: &App, caller: &Caller) -> Result<User, ProfileError> { todo!() }
/// Changes.
pub async fn change(app: &App, caller: &Caller, origin: &Origin, change: ProfileChange) -> Result<User, ProfileError> { todo!() }
