//! Keeping this process's lists and keys equal to the log.
use crate::{App, Trouble};
/// Applies whatever the log has and this process has not.
pub async fn catch_up(app: &App) -> Result<(), Trouble> { todo!() }
