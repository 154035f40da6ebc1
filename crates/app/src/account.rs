//! Proving again that the caller is the person: the current password.
use cerrojo_domain::{Origin, User};
use crate::{App, Quota, Trouble};
/// Why the current password did not help.
#[derive(Debug)]
pub enum Reauth { /** 400: it is asked for and was not given */ Missing, /** 401 INVALID_CREDENTIALS */ Wrong, /** 429, with the exhausted figure */ TooMany(Option<Quota>), /** 503/500 */ Trouble(Trouble) }
