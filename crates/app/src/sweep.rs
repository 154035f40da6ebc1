//! What time does: expiry, idleness, retired lists, old rows.
use crate::{App, Trouble};
/// One round. Every minute in a running server.
pub async fn sweep(app: &App) -> Result<(), Trouble> { todo!() }
