//! What a token stands for, told to a service that cannot verify tokens itself.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use cerrojo_domain::strict_json;
use serde_json::Value;

use crate::authenticate::{AuthError, Counts, Showing, authenticate};
use crate::{App, Caller, Trouble};

/// A token that is accepted now.
pub struct Active {
    /// Whose it is.
    pub caller: Caller,
    /// Its other claims.
    pub claims: Value,
}

/// Checks a token as [`authenticate`] does, which counts as a use of its session. `None`: it is dead, of whatever kind.
///
/// # Errors
/// [`Trouble::Unavailable`] only where the answer might have been yes.
pub async fn introspect(app: &App, token: &str) -> Result<Option<Active>, Trouble> {
    let showing = Showing { token, from: None, counts: Counts::AsUse };
    match authenticate(app, showing).await {
        Ok(caller) => Ok(Some(Active { caller, claims: payload(token).unwrap_or_default() })),
        Err(AuthError::Invalid | AuthError::Over) => Ok(None),
        Err(AuthError::Trouble(trouble)) => Err(trouble),
    }
}

/// The payload of a token whose signature was found good.
fn payload(token: &str) -> Option<Value> {
    let bytes = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    strict_json::parse(&bytes).ok()
}
