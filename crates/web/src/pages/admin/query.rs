//! What the addresses of these pages ask for.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use http::request::Parts;

use crate::Web;

/// Longest value that is looked at, in characters.
const LONGEST: usize = 300;

/// Names and values. What is given twice, is empty or too long counts as not given, and so does all of it if it cannot be read.
pub(in crate::pages) struct Query(Vec<(String, String)>);

impl FromRequestParts<Web> for Query {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &Web) -> Result<Self, Infallible> {
        Ok(Self::of(parts.uri.query().unwrap_or_default().as_bytes()))
    }
}

impl Query {
    pub(super) fn of(query: &[u8]) -> Self {
        Self(crate::form::pairs(query).unwrap_or_default())
    }

    /// A value without spaces around it.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        let mut values = self.0.iter().filter(|(known, _)| known == name).map(|(_, value)| value.trim());
        let value = values.next().filter(|value| !value.is_empty() && value.chars().count() <= LONGEST)?;
        values.next().is_none().then(|| value.to_owned())
    }

    /// A value as typed, however long: for what is refused where it is looked for.
    pub(super) fn typed(&self, name: &str) -> &str {
        self.0.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }

    /// A whole number.
    pub(super) fn number(&self, name: &str) -> Option<i64> {
        self.text(name)?.parse().ok()
    }

    /// These, as the address of a page asks for them: with `&` after each.
    pub(super) fn again(&self, names: &[&str]) -> String {
        let pairs = names.iter().filter_map(|name| Some([*name, "=", &encoded(&self.text(name)?), "&"].concat()));
        pairs.collect()
    }
}

/// A value of a query (URL standard, section 5.2).
pub(super) fn encoded(text: &str) -> String {
    let encode = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    text.bytes().map(encode).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_is_read_once_and_written_again_as_it_was() {
        let query = Query::of(b"user=+ana%40example.com+&kind=session&by=1&by=2&since=&before=7&x=%22%3E%26");
        assert_eq!(query.text("user").as_deref(), Some("ana@example.com"));
        assert_eq!((query.text("by"), query.text("since"), query.number("before")), (None, None, Some(7)));
        assert_eq!(query.again(&["user", "by", "kind", "x"]), "user=ana%40example.com&kind=session&x=%22%3E%26&");
        assert_eq!(Query::of(b"user=%zz&kind=session").text("kind"), None);
        assert_eq!(Query::of(&[b"user=".as_slice(), &b"a".repeat(301)].concat()).text("user"), None);
        assert_eq!(Query::of(b"before=99999999999999999999").number("before"), None);
    }
}
