//! What administrators and the operator do to accounts.
use cerrojo_domain::{Origin, RoleId, Status, User, UserId};
use crate::{App, Caller, Trouble, sessions::{Session, Show}};
/// On whose word.
#[derive(Clone, Copy)]
pub enum By<'a> { /** over HTTP; the role is checked */ Administrator(&'a Caller, &'a Origin), /** on the command line */ Operator }
/// What is to change; a value equal to the stored one changes and ends nothing.
#[derive(Default)]
pub struct UserChange { /** as typed */ pub name: Option<String>, /** as typed */ pub email: Option<String>, /** number of a role */ pub role_id: Option<RoleId>, /** as typed: active, inactive, suspended */ pub status: Option<String>, /** the command line only */ pub password: Option<String> }
/// A page of users.
pub struct Page { /** newest first */ pub users: Vec<User>, /** from 1 */ pub current_page: i64, /** at least 1 */ pub total_pages: i64, /** asked for */ pub page_size: i64, /** in all */ pub total_items: i64 }
/// Why not.
#[derive(Debug)]
pub enum AdminError { /** 403 "Acceso denegado: se requiere rol de administrador" */ NotAdministrator, /** 404 */ NotFound, /** 400 "No hay datos para actualizar" */ Nothing, /** 400 */ Email, /** 400 */ Name, /** 409 CONFLICT */ EmailTaken, /** 400 "Rol inválido" */ Role, /** 400 "Estado inválido" */ Status, /** CLI: password flaws */ Password(Vec<cerrojo_domain::password::PasswordFlaw>), /** 403: one's own role, activity or deletion */ OneSelf, /** 403: the last administrator stays */ LastAdministrator, /** 401 */ SessionOver, /** 503/500 */ Trouble(Trouble) }
/// A user that the operator adds.
pub struct AddedUser { /** as typed */ pub name: String, /** as typed */ pub email: String, /** as typed */ pub password: String, /** role */ pub role_id: RoleId }
/// Adds a user.
pub async fn add_user(app: &App, user: AddedUser) -> Result<User, AdminError> { todo!() }
/// Lists users; `limit` is clamped to 1..=1000 (100 if not given), `page` from 1.
pub async fn list_users(app: &App, by: By<'_>, page: Option<i64>, limit: Option<i64>) -> Result<Page, AdminError> { todo!() }
/// One user.
pub async fn user(app: &App, by: By<'_>, id: UserId) -> Result<User, AdminError> { todo!() }
/// The user of an address (command line).
pub async fn user_by_email(app: &App, email: &str) -> Result<User, AdminError> { todo!() }
/// Changes a user.
pub async fn update_user(app: &App, by: By<'_>, id: UserId, change: UserChange) -> Result<User, AdminError> { todo!() }
/// Deletes a user; the sessions end with it.
pub async fn delete_user(app: &App, by: By<'_>, id: UserId) -> Result<(), AdminError> { todo!() }
/// A user's sessions.
pub async fn user_sessions(app: &App, by: By<'_>, id: UserId, show: Show) -> Result<Vec<Session>, AdminError> { todo!() }
/// Ends all of a user's sessions; how many.
pub async fn end_user_sessions(app: &App, by: By<'_>, id: UserId) -> Result<usize, AdminError> { todo!() }
/// Ends one session by its id (command line).
pub async fn end_session(app: &App, id: &cerrojo_domain::SessionId) -> Result<(), AdminError> { todo!() }
/// Ends every session there is (command line).
pub async fn end_everything(app: &App) -> Result<(), AdminError> { todo!() }
