//! What a token of the other application says: a JWT that its secret signed with HS256 (RFC 7519, section 7.2).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use cerrojo_domain::{Email, SessionId, UnixMillis, UserId};
use cerrojo_guard::{Jws, SESSION_TOKEN, VerifyingKey};
use serde_json::{Map, Value};

use super::TokenHash;
use crate::settings::{OldTokens, Required};
use crate::sha256::sha256;

/// How far `iat` and `nbf` may lie ahead of this machine's clock, in seconds.
const SKEW: i64 = 60;
/// The year 10000: nothing that is a date lies beyond it, in seconds.
const END_OF_DATES: i64 = 253_402_300_800;

/// A token whose signature and claims are good, expired or not.
pub(super) struct OldToken {
    pub(super) hash: TokenHash,
    /// Of the session that is made of it: the same wherever it is used.
    pub(super) session: SessionId,
    pub(super) user: Named,
    /// 0 if it does not say.
    pub(super) issued_at: UnixMillis,
    /// When it expires, or the operator has said that it does.
    pub(super) expires_at: UnixMillis,
    /// When it expires by itself. What is kept of it is kept as long, whatever the operator says meanwhile.
    pub(super) lasts_until: UnixMillis,
}

/// Whose it is, as it says.
pub(super) enum Named {
    Number(UserId),
    Email(Email),
}

/// Reads it. `None`: it is none, or none that is to be accepted.
pub(super) fn read(token: &str, settings: &OldTokens, now: UnixMillis) -> Option<OldToken> {
    // Ours say another `typ`: none of them can be taken for one of these, whatever secrets are the same.
    let jws = Jws::parse(token, SESSION_TOKEN.max_bytes).ok();
    let jws = jws.filter(|jws| jws.typ().is_none_or(|typ| typ.eq_ignore_ascii_case("jwt")))?;
    let payload = jws.verify(&VerifyingKey::Hs256(settings.secret.0.to_vec())).ok()?;
    let Ok(Value::Object(claims)) = payload.json() else { return None };
    if let Some(missing) = settings.require.iter().find(|required| !has(&claims, required)) {
        tracing::debug!(
            token.claim = missing.claim,
            "an old token is not accepted: it does not say what migration.require wants"
        );
        return None;
    }
    let latest = now.seconds().saturating_add(SKEW);
    let issued_at = if claims.contains_key("iat") { seconds(&claims, "iat").filter(|iat| *iat <= latest)? } else { 0 };
    if claims.contains_key("nbf") && seconds(&claims, "nbf")? > latest {
        return None;
    }
    let issued_at = millis(issued_at);
    if settings.issued_before.is_some_and(|before| issued_at >= before || !claims.contains_key("iat")) {
        return None;
    }
    let says = if claims.contains_key("exp") { Some(millis(seconds(&claims, "exp")?)) } else { None };
    // One that never expires lives as long as the operator says, and no longer.
    let expires_at = [says, settings.until].into_iter().flatten().min()?;
    let lasts_until = says.unwrap_or_else(|| millis(END_OF_DATES));
    let Some(user) = claims.get(&settings.user_claim).and_then(named) else {
        tracing::debug!(
            token.claim = settings.user_claim,
            "an old token is not accepted: its migration.user_claim names nobody"
        );
        return None;
    };
    let hash = sha256(token.as_bytes());
    Some(OldToken {
        session: SessionId::from_text(format!("old-{}", URL_SAFE_NO_PAD.encode(hash))),
        hash,
        user,
        issued_at,
        expires_at,
        lasts_until,
    })
}

/// A whole number from 1 on, as such or as text, or an address.
fn named(claim: &Value) -> Option<Named> {
    let number = match claim {
        Value::Number(number) => number.as_i64()?,
        Value::String(text) if text.contains('@') => return Email::parse(text).ok().map(Named::Email),
        Value::String(text) => text.parse().ok().filter(|number: &i64| number.to_string() == *text)?,
        _ => return None,
    };
    (number >= 1).then_some(Named::Number(UserId(number)))
}

fn has(claims: &Map<String, Value>, Required { claim, value }: &Required) -> bool {
    let is_it = |found: &Value| match found {
        Value::String(text) => text == value,
        Value::Number(number) => number.to_string().as_str() == value,
        Value::Bool(truth) => truth.to_string().as_str() == value,
        _ => false,
    };
    match claims.get(claim) {
        Some(Value::Array(all)) => all.iter().any(is_it),
        found => found.is_some_and(is_it),
    }
}

/// `NumericDate` (RFC 7519, section 2) as whole seconds, rounded down; some applications write fractions.
fn seconds(claims: &Map<String, Value>, name: &str) -> Option<i64> {
    let number = claims.get(name)?.as_number()?;
    let whole = number.as_i64().or_else(|| {
        let number = number.as_f64()?.floor();
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a float becomes the nearest whole number, and is bounded below"
        )]
        Some(number as i64)
    })?;
    (0..END_OF_DATES).contains(&whole).then_some(whole)
}

fn millis(seconds: i64) -> UnixMillis {
    UnixMillis(seconds.saturating_mul(1000))
}
