//! The wire form of the lists: Token Status List tokens.
use cerrojo_domain::ListName;
use crate::{App, Trouble};
/// The signed token (`typ` statuslist+jwt) of a list; `None`: no such list. `max_age`: seconds a cache may keep it.
pub async fn token(app: &App, name: &ListName) -> Result<Option<ListToken>, Trouble> { todo!() }
/// What is served.
pub struct ListToken { /** compact JWS */ pub token: String, /** strong ETag, with quotes */ pub etag: String, /** seconds */ pub max_age: u64 }
