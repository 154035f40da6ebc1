//! What a session token claims (RFC 9068 without `client_id`): written by the signer, read by the guard.

use cerrojo_domain::{KeyId, ListIndex, ListName, SessionId, UnixMillis, UserId, strict_json};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::guard::Policy;
use crate::verdict::Verified;

/// Claims of a session token, to be signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Claims {
    /// Issuer: `public_url`.
    pub iss: String,
    /// Audience.
    pub aud: String,
    /// The user's number as text.
    pub sub: String,
    /// Issued at, unix seconds.
    pub iat: i64,
    /// Expires at, unix seconds; refused from then on.
    pub exp: i64,
    /// The token's own random name.
    pub jti: String,
    /// The session's name, 64 bytes at most.
    pub sid: String,
    /// Where the session's bit is (draft-ietf-oauth-status-list, section 6).
    pub status: Status,
    /// The user's number, from 1.
    pub user_id: i64,
    /// The user's address at the sign-in.
    pub email: String,
    /// The user's role, from 1.
    pub role_id: i64,
    /// The user's name at the sign-in.
    pub name: String,
}

/// The `status` claim.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Status {
    /// Reference to a status list.
    pub status_list: StatusList,
}

/// A reference to one bit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StatusList {
    /// Place in the list.
    pub idx: u32,
    /// `<issuer>/status-lists/<name>`.
    pub uri: String,
}

/// How far `iat` and `nbf` may lie ahead of this machine's clock, in seconds.
const SKEW: i64 = 60;
/// Numbers beyond this are not exact in every JSON reader (RFC 8259, section 6).
const EXACT: i64 = 1 << 53;
const LONGEST_SESSION_ID: usize = 64;
const LONGEST_LIST_NAME: usize = 64;

/// Reads a verified payload. `None`: a claim is missing, of the wrong type, or does not fit the policy or the time.
pub(crate) fn read(payload: &[u8], key: KeyId, policy: &Policy, now: UnixMillis) -> Option<Verified> {
    let Ok(Value::Object(claims)) = strict_json::parse(payload) else { return None };
    let user = integer(&claims, "user_id").filter(|user| *user >= 1)?;
    let fits = text(&claims, "iss")? == policy.issuer
        && is_audience(claims.get("aud")?, &policy.audience)
        && text(&claims, "sub")? == user.to_string()
        && !text(&claims, "jti")?.is_empty();
    if !fits {
        return None;
    }
    let latest_start = now.seconds().saturating_add(SKEW);
    let issued = integer(&claims, "iat").filter(|iat| *iat <= latest_start)?;
    let expires = integer(&claims, "exp").filter(|exp| issued <= *exp)?;
    if claims.contains_key("nbf") && integer(&claims, "nbf")? > latest_start {
        return None;
    }
    let session = text(&claims, "sid").filter(|sid| !sid.is_empty() && sid.len() <= LONGEST_SESSION_ID)?;
    let place = claims.get("status")?.as_object()?.get("status_list")?.as_object()?;
    let list = text(place, "uri")?.strip_prefix(&policy.issuer)?.strip_prefix("/status-lists/")?;
    if !is_list_name(list) {
        return None;
    }
    let index = u32::try_from(integer(place, "idx")?).ok()?;
    Some(Verified {
        session: SessionId::from_text(session),
        user: UserId(user),
        email: text(&claims, "email")?.to_owned(),
        name: text(&claims, "name")?.to_owned(),
        role_id: integer(&claims, "role_id").filter(|role| *role >= 1)?,
        issued_at: UnixMillis(issued.saturating_mul(1000)),
        expires_at: UnixMillis(expires.saturating_mul(1000)),
        key,
        list: ListName::from_text(list),
        index: ListIndex(index),
    })
}

/// A list's name may be looked up by whoever does not know it: only what can be one gets so far.
pub(crate) fn is_list_name(text: &str) -> bool {
    let is_of_base64url = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    (1..=LONGEST_LIST_NAME).contains(&text.len()) && text.bytes().all(is_of_base64url)
}

fn text<'a>(object: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    object.get(name)?.as_str()
}

/// An integer written as one (not `1.0`, not `1e0`), from 0 and exact everywhere.
fn integer(object: &Map<String, Value>, name: &str) -> Option<i64> {
    object.get(name)?.as_i64().filter(|number| (0..EXACT).contains(number))
}

/// A string, or an array of exactly this one (RFC 7519, section 4.1.3).
fn is_audience(claim: &Value, audience: &str) -> bool {
    match claim {
        Value::String(text) => text == audience,
        Value::Array(all) => matches!(all.as_slice(), [Value::String(text)] if text == audience),
        _ => false,
    }
}
