//! Bodies: read whole at the edge, within limits; understood by the endpoints that take one.

use std::time::Duration;

use axum::body::{Body as RawBody, Bytes, HttpBody as _};
use axum::extract::{FromRequestParts, Request};
use cerrojo_domain::strict_json;
use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use http::request::Parts;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use serde_json::{Map, Value};

use crate::Web;
use crate::envelope::{Detail, Text};
use crate::problem::{self, Problem};

/// Longest body that is read, in bytes.
const LONGEST: usize = 64 * 1024;

/// What came as a request's body. Without it in a request's extensions, nothing did.
#[derive(Clone)]
pub(crate) enum Gathered {
    Whole(Bytes),
    TooLarge,
    TooSlow,
    CutOff,
}

/// Reads the body within its limits and leaves it in the extensions: a handler that does not look at it has drained it,
/// and one that refuses for another reason answers the same whatever the body.
pub(crate) async fn gather(request: Request, time: Duration) -> (Request, Option<Gathered>) {
    if request.body().is_end_stream() {
        return (request, None);
    }
    let (mut parts, body) = request.into_parts();
    let gathered = if declared_length(&parts.headers).is_some_and(|length| length > LONGEST as u64) {
        Gathered::TooLarge
    } else {
        match tokio::time::timeout(time, Limited::new(body, LONGEST).collect()).await {
            Err(_) => Gathered::TooSlow,
            Ok(Ok(whole)) => Gathered::Whole(whole.to_bytes()),
            Ok(Err(error)) if error.is::<LengthLimitError>() => Gathered::TooLarge,
            Ok(Err(_)) => Gathered::CutOff,
        }
    };
    parts.extensions.insert(gathered.clone());
    (Request::from_parts(parts, RawBody::empty()), Some(gathered))
}

fn declared_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// What an endpoint takes.
pub(crate) trait FromFields {
    /// Picks what it knows; what it does not know is ignored, never obeyed.
    fn from_fields(fields: &mut Fields) -> Self;
}

/// A body that was understood. An absent or empty one is `{}`.
pub(crate) struct Body<T>(pub(crate) T);

impl<T: FromFields> FromRequestParts<Web> for Body<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Web) -> Result<Self, Problem> {
        read(parts.extensions.get(), &parts.headers).map(Self)
    }
}

/// For limited endpoints: a body that is of no use counts as a request all the same, with nothing in it.
pub(crate) fn or_nothing<T: FromFields>(body: Result<Body<T>, Problem>) -> (T, Option<Problem>) {
    match body {
        Ok(Body(typed)) => (typed, None),
        Err(flaw) => (T::from_fields(&mut Fields::default()), Some(flaw)),
    }
}

fn read<T: FromFields>(gathered: Option<&Gathered>, headers: &HeaderMap) -> Result<T, Problem> {
    let mut fields = match gathered {
        None => Fields::default(),
        Some(Gathered::TooLarge) => return Err((&problem::TOO_LARGE).into()),
        Some(Gathered::TooSlow) => return Err((&problem::TOO_SLOW).into()),
        Some(Gathered::CutOff) => return Err((&problem::CUT_OFF).into()),
        Some(Gathered::Whole(bytes)) if bytes.is_empty() => Fields::default(),
        Some(Gathered::Whole(_)) if !says_json(headers) => return Err((&problem::NOT_JSON).into()),
        Some(Gathered::Whole(bytes)) => Fields::parse(bytes)?,
    };
    let typed = T::from_fields(&mut fields);
    match fields.problem {
        Some(row) => Err(Problem::from(row)),
        None if fields.wrong.is_empty() => Ok(typed),
        None => Err(Problem::with_errors(&problem::WRONG_INPUT, fields.wrong)),
    }
}

/// Whether the body is declared to be JSON in UTF-8 (RFC 8259, section 8.1; RFC 6839, section 3.1), not compressed.
fn says_json(headers: &HeaderMap) -> bool {
    let plain = headers.get(CONTENT_ENCODING).is_none_or(|coding| coding.as_bytes().eq_ignore_ascii_case(b"identity"));
    let Some(declared) = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()) else { return false };
    let mut pieces = declared.split(';').map(str::trim);
    let media_type = pieces.next().unwrap_or_default().to_ascii_lowercase();
    let is_json =
        media_type == "application/json" || (media_type.starts_with("application/") && media_type.ends_with("+json"));
    let is_utf8 = pieces.all(|parameter| match parameter.split_once('=') {
        Some((name, value)) if name.trim().eq_ignore_ascii_case("charset") => {
            value.trim().trim_matches('"').eq_ignore_ascii_case("utf-8")
        }
        _ => true,
    });
    plain && is_json && is_utf8
}

/// The members of a body's object, and what was found wrong with those that were asked for.
#[derive(Default)]
pub(crate) struct Fields {
    members: Map<String, Value>,
    wrong: Vec<Detail>,
    problem: Option<&'static problem::Row>,
}

impl Fields {
    fn parse(bytes: &[u8]) -> Result<Self, Problem> {
        match strict_json::parse(bytes) {
            Ok(Value::Object(members)) => Ok(Self { members, ..Self::default() }),
            Ok(_) => Err((&problem::NOT_AN_OBJECT).into()),
            Err(_) => Err((&problem::BROKEN_JSON).into()),
        }
    }

    /// A text, exactly as sent. Absent and null are the same.
    pub(crate) fn text(&mut self, name: &'static str) -> Option<String> {
        if let Value::String(text) = self.take(name)? {
            Some(text)
        } else {
            self.wrong.push(Detail::about(name, Text { es: " debe ser texto", en: " must be text" }));
            None
        }
    }

    /// A text, where anything else has a problem of its own.
    pub(crate) fn text_or(&mut self, name: &'static str, problem: &'static problem::Row) -> Option<String> {
        if let Value::String(text) = self.take(name)? {
            Some(text)
        } else {
            self.problem = Some(problem);
            None
        }
    }

    /// An integer, where anything else has a problem of its own.
    pub(crate) fn integer_or(&mut self, name: &'static str, problem: &'static problem::Row) -> Option<i64> {
        let integer = self.take(name)?.as_i64();
        if integer.is_none() {
            self.problem = Some(problem);
        }
        integer
    }

    /// True or false, where anything else has a problem of its own.
    pub(crate) fn yes_or_no(&mut self, name: &'static str, problem: &'static problem::Row) -> Option<bool> {
        let value = self.take(name)?.as_bool();
        if value.is_none() {
            self.problem = Some(problem);
        }
        value
    }

    /// An object, where anything else has a problem of its own.
    pub(crate) fn object_or(
        &mut self,
        name: &'static str,
        problem: &'static problem::Row,
    ) -> Option<Map<String, Value>> {
        if let Value::Object(object) = self.take(name)? {
            Some(object)
        } else {
            self.problem = Some(problem);
            None
        }
    }

    /// A member under either of its spellings, camelCase or `snake_case`; not null.
    fn take(&mut self, name: &'static str) -> Option<Value> {
        let mut named = |name: &str| self.members.remove(name).filter(|value| !value.is_null());
        let values = (named(name), named(&other_spelling(name)));
        if let (Some(one), Some(other)) = &values
            && one != other
        {
            let text =
                Text { es: " está dos veces y con valores distintos", en: " is given twice, with different values" };
            self.wrong.push(Detail::about(name, text));
        }
        values.0.or(values.1)
    }
}

/// `newPassword` for `new_password` and the other way round.
fn other_spelling(name: &str) -> String {
    if name.contains('_') {
        let mut words = name.split('_');
        let first = words.next().unwrap_or_default().to_owned();
        words.fold(first, |spelled, word| {
            let (initial, rest) = word.split_at_checked(1).unwrap_or((word, ""));
            spelled + &initial.to_ascii_uppercase() + rest
        })
    } else {
        name.chars().fold(String::new(), |mut spelled, c| {
            if c.is_ascii_uppercase() {
                spelled.push('_');
            }
            spelled.push(c.to_ascii_lowercase());
            spelled
        })
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[derive(Debug, PartialEq, Eq)]
    struct Typed {
        email: Option<String>,
        new: Option<String>,
        role: Option<i64>,
    }

    impl FromFields for Typed {
        fn from_fields(fields: &mut Fields) -> Self {
            Self {
                email: fields.text("email"),
                new: fields.text("newPassword"),
                role: fields.integer_or("role_id", &problem::ROLE),
            }
        }
    }

    fn typed_as(content_type: Option<&'static str>, body: &'static str) -> Result<Typed, Problem> {
        let mut headers = HeaderMap::new();
        headers.extend(content_type.map(|value| (CONTENT_TYPE, HeaderValue::from_static(value))));
        read(Some(&Gathered::Whole(body.into())), &headers)
    }

    fn typed(body: &'static str) -> Result<Typed, Problem> {
        typed_as(Some("application/json"), body)
    }

    fn refused(body: &'static str) -> &'static problem::Row {
        typed(body).unwrap_err().row
    }

    const NOTHING: Typed = Typed { email: None, new: None, role: None };

    #[test]
    fn no_body_and_an_empty_one_are_an_empty_object() {
        assert_eq!(read::<Typed>(None, &HeaderMap::new()).unwrap(), NOTHING);
        assert_eq!(typed_as(None, "").unwrap(), NOTHING);
        assert_eq!(typed_as(Some("text/plain"), "").unwrap(), NOTHING);
        assert_eq!(typed("{}").unwrap(), NOTHING);
        assert_eq!(typed(r#"{"email":null,"admin":true}"#).unwrap(), NOTHING);
    }

    #[test]
    fn both_spellings_are_read_and_must_agree() {
        for body in [r#"{"newPassword":"x"}"#, r#"{"new_password":"x"}"#, r#"{"newPassword":"x","new_password":"x"}"#] {
            assert_eq!(typed(body).unwrap().new.as_deref(), Some("x"), "{body}");
        }
        assert_eq!(refused(r#"{"newPassword":"x","new_password":"y"}"#), &problem::WRONG_INPUT);
        assert_eq!(typed(r#"{"roleId":3}"#).unwrap().role, Some(3));
    }

    #[test]
    fn wrong_types_are_named() {
        let problem = typed(r#"{"email":5,"newPassword":["x"]}"#).unwrap_err();
        assert_eq!(problem.row, &problem::WRONG_INPUT);
        let text = Text { es: " debe ser texto", en: " must be text" };
        assert_eq!(problem.errors, [Detail::about("email", text), Detail::about("newPassword", text)]);
        for body in [r#"{"role_id":"2"}"#, r#"{"role_id":2.5}"#, r#"{"role_id":99999999999999999999}"#] {
            assert_eq!(refused(body), &problem::ROLE, "{body}");
        }
    }

    #[test]
    fn what_is_not_one_json_object_is_refused() {
        for body in ["{", "nonsense", r#"{"email":"a","email":"b"}"#, r#"{"email":"\u0000"}"#, r#"{"email":"\ud800"}"#]
        {
            assert_eq!(refused(body), &problem::BROKEN_JSON, "{body}");
        }
        for body in ["[]", "\"x\"", "null", "7"] {
            assert_eq!(refused(body), &problem::NOT_AN_OBJECT, "{body}");
        }
    }

    #[test]
    fn only_json_in_utf8_is_read() {
        let json = [
            "application/json",
            "Application/JSON; charset=UTF-8",
            "application/json;charset=\"utf-8\"",
            "application/merge-patch+json",
        ];
        for media_type in json {
            assert!(typed_as(Some(media_type), "{}").is_ok(), "{media_type}");
        }
        let other =
            ["text/plain", "application/json; charset=latin1", "application/x-www-form-urlencoded", "text/json"];
        for media_type in other.map(Some).into_iter().chain([None]) {
            assert_eq!(typed_as(media_type, "{}").unwrap_err().row, &problem::NOT_JSON, "{media_type:?}");
        }
    }

    #[tokio::test]
    async fn bodies_are_read_up_to_the_limit() {
        let time = Duration::from_secs(10);
        let fits = Request::new(RawBody::from(vec![b' '; LONGEST]));
        assert!(matches!(gather(fits, time).await.1, Some(Gathered::Whole(bytes)) if bytes.len() == LONGEST));
        let too_long = Request::new(RawBody::from(vec![b' '; LONGEST + 1]));
        assert!(matches!(gather(too_long, time).await.1, Some(Gathered::TooLarge)));
        let mut declared = Request::new(RawBody::from("{}"));
        declared.headers_mut().insert(CONTENT_LENGTH, 65_537.into());
        assert!(matches!(gather(declared, time).await.1, Some(Gathered::TooLarge)));
        assert!(gather(Request::new(RawBody::empty()), time).await.1.is_none());
    }
}
