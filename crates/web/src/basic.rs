//! Services by their credentials (RFC 7617, each half form-encoded as RFC 6749, section 2.3.1, has it).

use axum::extract::FromRequestParts;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cerrojo_app::services::{self, ServiceError, ServiceId};
use cerrojo_domain::AddressBlock;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use http::request::Parts;

use crate::client::Client;
use crate::problem::{self, Problem};
use crate::{Web, form};

/// Longest header that is looked at, in bytes.
const LONGEST: usize = 1024;

/// Whoever asks where credentials may be left out.
pub(crate) enum Who {
    /// Nobody in particular, from this address.
    Anonymous(AddressBlock),
    /// A service whose credentials are right.
    Service(ServiceId),
}

/// Whoever asks where they may not.
pub(crate) struct Service;

impl FromRequestParts<Web> for Who {
    type Rejection = Problem;

    /// Credentials that are wrong are never taken for none.
    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<Self, Problem> {
        let Ok(Client(origin)) = Client::from_request_parts(parts, web).await;
        let block = origin.block();
        if !parts.headers.contains_key(AUTHORIZATION) {
            return Ok(Self::Anonymous(block));
        }
        let (name, secret) = credentials(&parts.headers).ok_or(&problem::SERVICE)?;
        Ok(Self::Service(services::check(web, (&name, secret.as_bytes()), block).await?))
    }
}

impl FromRequestParts<Web> for Service {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<Self, Problem> {
        match Who::from_request_parts(parts, web).await? {
            Who::Service(_) => Ok(Self),
            Who::Anonymous(_) => Err((&problem::SERVICE).into()),
        }
    }
}

impl From<ServiceError> for Problem {
    fn from(error: ServiceError) -> Self {
        match error {
            ServiceError::Wrong => (&problem::SERVICE).into(),
            ServiceError::TooMany(quota) => Self { quota: Some(quota), ..(&problem::TOO_MANY_REQUESTS).into() },
            ServiceError::Trouble(cause) => cause.into(),
        }
    }
}

/// Name and secret of the one `Authorization` header.
fn credentials(headers: &HeaderMap) -> Option<(String, String)> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let value = values.next().filter(|value| value.len() <= LONGEST)?;
    if values.next().is_some() {
        return None;
    }
    let (scheme, rest) = value.as_bytes().split_at_checked(5)?;
    if !scheme.eq_ignore_ascii_case(b"basic") || !rest.starts_with(b" ") {
        return None;
    }
    let pair = STANDARD.decode(rest.trim_ascii()).ok()?;
    let mut halves = pair.splitn(2, |byte| *byte == b':');
    let (name, secret) = (halves.next()?, halves.next()?);
    Some((form::decode(name)?, form::decode(secret)?))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn read(values: &[&str]) -> Option<(String, String)> {
        let value = |value: &&str| (AUTHORIZATION, HeaderValue::from_str(value).unwrap());
        credentials(&values.iter().map(value).collect())
    }

    fn basic(pair: &str) -> String {
        format!("Basic {}", STANDARD.encode(pair))
    }

    #[test]
    fn both_halves_are_form_decoded() {
        for (pair, name, secret) in [
            ("orders:s3cret", "orders", "s3cret"),
            ("or%64ers:a%3Ab+c", "orders", "a:b c"),
            ("a::b", "a", ":b"),
            (":", "", ""),
        ] {
            assert_eq!(read(&[&basic(pair)]), Some((name.to_owned(), secret.to_owned())), "{pair}");
        }
        assert!(read(&[&basic("a:b").replace("Basic", "bAsIc")]).is_some());
    }

    #[test]
    fn what_is_no_basic_header_has_no_credentials() {
        let right = basic("a:b");
        assert!(read(&[&right]).is_some());
        let long = basic(&format!("a:{}", "b".repeat(LONGEST)));
        let broken =
            ["", "Basic", "Basic ", "Bearer a.b.c", "Basic !", "BasicYTpi", "Basic YTpi=", "Basic YWI=", "Basic JTpi"];
        for value in broken.into_iter().chain([long.as_str(), &right.replace(' ', "\t")]) {
            assert_eq!(read(&[value]), None, "{value}");
        }
        assert_eq!(read(&[&right, &right]), None);
    }

    /// Whatever bytes come, a header is read or refused, and what is read is what was encoded.
    #[test]
    fn hostile_headers_are_refused_or_read_as_they_are() {
        let mut state = 0x2545_f491_4f6c_dd1d_u64;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state
        };
        for _ in 0..20_000 {
            let length = next() % 40;
            let bytes: Vec<u8> =
                (0..length).map(|_| b"%:+ab=&\x00\xff\xc3\xb1 4F"[usize::try_from(next() % 14).unwrap()]).collect();
            let value = format!("Basic {}", STANDARD.encode(&bytes));
            let decoded = read(&[&value]);
            let mut halves = bytes.splitn(2, |byte| *byte == b':').map(form::decode);
            let expected = halves.next().flatten().zip(halves.next().flatten());
            assert_eq!(decoded, expected, "{bytes:?}");
            assert!(form::values(&bytes, "a").is_none_or(|all| all.len() <= bytes.len()));
        }
    }
}
