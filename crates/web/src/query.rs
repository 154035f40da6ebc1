//! What stands in paths and behind the question mark.

use std::convert::Infallible;
use std::str::FromStr;

use axum::extract::{FromRequestParts, Path, Query};
use cerrojo_domain::UserId;
use http::request::Parts;

use crate::Web;
use crate::envelope::{Detail, Text};
use crate::problem::{self, Problem};

/// The `{id}` of a user in a path: an integer from 1.
pub(crate) struct UserPath(pub(crate) UserId);

impl FromRequestParts<Web> for UserPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<Self, Problem> {
        let Path(id) = Path::<String>::from_request_parts(parts, web).await.map_err(|_| &problem::USER_ID)?;
        from_one(&id).map(|id| Self(UserId(id))).ok_or_else(|| (&problem::USER_ID).into())
    }
}

/// The one name in a path; `None` if it cannot be one of ours (base64url) and so names nothing.
pub(crate) struct Named(pub(crate) Option<String>);

impl FromRequestParts<Web> for Named {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<Self, Infallible> {
        let name = Path::<String>::from_request_parts(parts, web).await.ok().map(|Path(name)| name);
        Ok(Self(name.filter(|name| is_name(name))))
    }
}

/// The pairs of the query, decoded.
pub(crate) struct Pairs(Vec<(String, String)>);

impl FromRequestParts<Web> for Pairs {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Web) -> Result<Self, Problem> {
        let Query(pairs) = Query::try_from_uri(&parts.uri).map_err(|_| &problem::WRONG_INPUT)?;
        Ok(Self(pairs))
    }
}

impl Pairs {
    /// An integer from 1; `None` if it is not given.
    pub(crate) fn number(&self, name: &'static str) -> Result<Option<i64>, Problem> {
        let text = Text { es: " debe ser un entero desde 1", en: " must be an integer from 1" };
        self.once(name, text, from_one)
    }

    /// `true` or `false`; `None` if it is not given.
    pub(crate) fn yes_or_no(&self, name: &'static str) -> Result<Option<bool>, Problem> {
        self.once(name, Text { es: " debe ser true o false", en: " must be true or false" }, |value| {
            bool::from_str(value).ok()
        })
    }

    /// A text, given once; `None` if it is not given.
    pub(crate) fn text(&self, name: &'static str) -> Result<Option<String>, Problem> {
        let text = Text { es: " debe darse una vez", en: " must be given once" };
        self.once(name, text, |value| Some(value.to_owned()))
    }

    /// Whether it is given at all.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(key, _)| key == name)
    }

    /// A value that is read, given once; `None` if it is not given. `rule` says behind its name what it has to be.
    pub(crate) fn once<T>(
        &self,
        name: &'static str,
        rule: Text,
        read: impl Fn(&str) -> Option<T>,
    ) -> Result<Option<T>, Problem> {
        let mut values = self.0.iter().filter(|(key, _)| key == name).map(|(_, value)| value);
        match (values.next(), values.next()) {
            (None, _) => Ok(None),
            (Some(value), None) => match read(value) {
                Some(read) => Ok(Some(read)),
                None => Err(Problem::with_errors(&problem::WRONG_INPUT, vec![Detail::about(name, rule)])),
            },
            (Some(_), Some(_)) => Err(Problem::with_errors(&problem::WRONG_INPUT, vec![Detail::about(name, rule)])),
        }
    }
}

/// Base64url, as names of lists and sessions are.
pub(crate) fn is_name(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

/// Digits alone, not zero.
fn from_one(text: &str) -> Option<i64> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten().filter(|number| *number >= 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(pairs: &[(&str, &str)]) -> Pairs {
        Pairs(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    #[test]
    fn numbers_start_at_one() {
        assert_eq!(from_one("1"), Some(1));
        assert_eq!(from_one("9223372036854775807"), Some(i64::MAX));
        for text in ["", "0", "-1", "+1", "1.0", "1e3", " 1", "0x1", "9223372036854775808", "uno", "١"] {
            assert_eq!(from_one(text), None, "{text:?}");
        }
    }

    #[test]
    fn names_are_base64url() {
        assert!(is_name("pQ7-x_9tVgJ0hB3kLm2NaA"));
        for text in ["", "a b", "a\0b", "../x", "ñ", &"a".repeat(65)] {
            assert!(!is_name(text), "{text:?}");
        }
    }

    #[test]
    fn what_is_given_is_right_and_given_once() {
        assert_eq!(pairs(&[("limit", "20")]).number("limit").unwrap(), Some(20));
        assert_eq!(pairs(&[]).number("limit").unwrap(), None);
        assert_eq!(pairs(&[("limit", "x")]).number("limit").unwrap_err().row, &problem::WRONG_INPUT);
        assert_eq!(pairs(&[("page", "1"), ("page", "2")]).number("page").unwrap_err().row, &problem::WRONG_INPUT);
        assert_eq!(pairs(&[("ended", "true")]).yes_or_no("ended").unwrap(), Some(true));
        assert_eq!(pairs(&[("ended", "yes")]).yes_or_no("ended").unwrap_err().row, &problem::WRONG_INPUT);
    }
}
