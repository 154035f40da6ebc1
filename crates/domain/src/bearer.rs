//! The bearer token of a request (RFC 6750, section 2.1).

/// Why a request has no token to check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoBearerToken {
    /// It brings none: section 3.1 has no error code for that.
    Missing,
    /// It brings something that cannot be one: `invalid_token`.
    Invalid,
}

/// The one token of the one `Authorization` header, given the values of all there are. The server and every service read it
/// alike, so that nobody is told one thing here and another there.
///
/// # Errors
/// [`NoBearerToken`].
pub fn bearer_token<'a>(values: impl IntoIterator<Item = &'a [u8]>) -> Result<&'a str, NoBearerToken> {
    let mut values = values.into_iter();
    let value = values.next().ok_or(NoBearerToken::Missing)?;
    // Of two others might have looked at the other one.
    if values.next().is_some() {
        return Err(NoBearerToken::Invalid);
    }
    let (scheme, rest) = value.split_at_checked(6).ok_or(NoBearerToken::Missing)?;
    if !scheme.eq_ignore_ascii_case(b"bearer") || !(rest.is_empty() || rest.starts_with(b" ")) {
        return Err(NoBearerToken::Missing);
    }
    match std::str::from_utf8(rest.trim_ascii()) {
        Ok("") => Err(NoBearerToken::Missing),
        Ok(token) => Ok(token),
        Err(_) => Err(NoBearerToken::Invalid),
    }
}
