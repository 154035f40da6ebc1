//! One request, written as a test reads, and its answer.

use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Request};
use cerrojo_app::over::Reason;
use http_body_util::BodyExt as _;
use serde_json::Value;

use crate::{Events, TestApp};

/// A request that is sent when awaited.
#[derive(Clone)]
#[must_use = "a call is made when it is awaited"]
pub struct Call {
    app: TestApp,
    method: Method,
    path: String,
    headers: HeaderMap,
    body: Vec<u8>,
    address: IpAddr,
}

impl Call {
    pub(crate) fn new(app: &TestApp, method: &str, path: &str) -> Self {
        Self {
            app: app.clone(),
            method: Method::from_bytes(method.as_bytes()).expect("a method"),
            path: path.to_owned(),
            headers: HeaderMap::new(),
            body: Vec::new(),
            address: IpAddr::from([192, 0, 2, 1]),
        }
    }

    /// Sends `body` as JSON.
    #[expect(clippy::needless_pass_by_value, reason = "json!({…}) is written in place")]
    pub fn json(self, body: Value) -> Self {
        let text = body.to_string();
        self.header("content-type", "application/json").body(text)
    }

    /// Sends these bytes; says nothing of their type.
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// Sets a header, in place of one of that name.
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers.insert(header_name(name), header_value(value.as_ref()));
        self
    }

    /// Adds a header beside those of that name.
    pub fn add_header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers.append(header_name(name), header_value(value.as_ref()));
        self
    }

    /// Leaves a header out.
    pub fn without(mut self, name: &str) -> Self {
        self.headers.remove(header_name(name));
        self
    }

    /// Shows this token (RFC 6750, section 2.1).
    pub fn bearer(self, token: &str) -> Self {
        self.header("authorization", format!("Bearer {token}"))
    }

    /// Shows this token in the server's cookie, as its name is over plain http.
    pub fn cookie(self, token: &str) -> Self {
        self.header("cookie", format!("cerrojo={token}"))
    }

    /// Shows a service's credentials (RFC 7617).
    pub fn basic(self, name: &str, secret: &str) -> Self {
        use base64::Engine as _;
        let pair = base64::engine::general_purpose::STANDARD.encode(format!("{name}:{secret}"));
        self.header("authorization", format!("Basic {pair}"))
    }

    /// Sends the request and reads its answer as a stream of events.
    pub async fn events(self) -> Events {
        let app = self.app.clone();
        Events::of(app.answer(self.request()).await)
    }

    /// Comes from this network address.
    ///
    /// # Panics
    /// If it is not one.
    pub fn from(mut self, address: &str) -> Self {
        self.address = address.parse().expect("an address");
        self
    }

    pub(crate) fn at_address(mut self, address: IpAddr) -> Self {
        self.address = address;
        self
    }
}

impl Call {
    fn request(self) -> Request<Body> {
        let mut request = Request::new(Body::from(self.body));
        *request.method_mut() = self.method;
        *request.uri_mut() = self.path.parse().expect("a path");
        *request.headers_mut() = self.headers;
        request.extensions_mut().insert(ConnectInfo(SocketAddr::new(self.address, 50_000)));
        request
    }
}

fn header_name(name: &str) -> HeaderName {
    HeaderName::from_bytes(name.as_bytes()).expect("a header name")
}

fn header_value(value: &[u8]) -> HeaderValue {
    HeaderValue::from_bytes(value).expect("a header value")
}

impl IntoFuture for Call {
    type Output = Reply;
    type IntoFuture = Pin<Box<dyn Future<Output = Reply> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let what = format!("{} {}", self.method, self.path);
            let app = self.app.clone();
            let response = app.answer(self.request()).await;
            let (parts, body) = response.into_parts();
            // A stream has no end: whoever wants what it says asks for its events.
            let streams = parts.headers.get("content-type").is_some_and(|media_type| media_type == "text/event-stream");
            let body = if streams { Body::empty() } else { body };
            let body = body.collect().await.expect("a whole body").to_bytes().to_vec();
            Reply { what, status: parts.status.as_u16(), headers: parts.headers, body }
        })
    }
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Reply {
    what: String,
    /// The status code.
    pub status: u16,
    /// All headers.
    pub headers: HeaderMap,
    /// The body's bytes.
    pub body: Vec<u8>,
}

impl Reply {
    /// The body as JSON.
    ///
    /// # Panics
    /// If it is none.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{self}\nis no JSON: {error}"))
    }

    /// A header's value; `None` if it is absent.
    ///
    /// # Panics
    /// If the header stands there more than once or is not text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.get_all(name).iter();
        let value = values.next();
        assert!(values.next().is_none(), "{name} stands there more than once in {self}");
        value.map(|value| value.to_str().expect("text"))
    }

    /// A header's value as a number.
    ///
    /// # Panics
    /// If it is absent or none.
    #[must_use]
    pub fn number(&self, header: &str) -> u64 {
        let value = self.header(header).unwrap_or_else(|| panic!("no {header} in {self}"));
        value.parse().unwrap_or_else(|_| panic!("{header}: {value} is no number"))
    }

    /// `data` of a success.
    ///
    /// # Panics
    /// If it is none.
    #[must_use]
    pub fn data(&self) -> Value {
        let mut body = self.json();
        assert_eq!(body["success"], true, "{self}");
        body["data"].take()
    }

    /// This answer is a success of the contract with this status and message; gives its `data`.
    ///
    /// # Panics
    /// If not.
    #[track_caller]
    #[expect(clippy::must_use_candidate, reason = "most callers only want the assertion")]
    pub fn assert_ok(&self, status: u16, message: &str) -> Value {
        assert_eq!(self.status, status, "{self}");
        let mut body = self.json();
        assert_eq!(body["success"], true, "{self}");
        assert_eq!(body["message"], message, "{self}");
        let fields = body.as_object_mut().expect("an object");
        let data = fields.remove("data").unwrap_or_else(|| panic!("no data in {self}"));
        assert!(data.is_object() || data.is_array() || data.is_null(), "data of {self}");
        fields.remove("pagination");
        let names: Vec<&String> = fields.keys().collect();
        assert_eq!(names, ["message", "success"], "{self}");
        self.assert_json_type();
        data
    }

    /// This answer is an error of the contract with this status, code and message, and has no `errors`.
    ///
    /// # Panics
    /// If not.
    #[track_caller]
    pub fn assert_error(&self, status: u16, code: &str, message: &str) {
        self.assert_error_with(status, code, message, &[]);
    }

    /// This answer is an error of the contract, with these `errors`.
    ///
    /// # Panics
    /// If not.
    #[track_caller]
    #[expect(clippy::too_many_arguments, reason = "the parts of an error answer, in the contract's order")]
    pub fn assert_error_with(&self, status: u16, code: &str, message: &str, errors: &[&str]) {
        assert_eq!(self.status, status, "{self}");
        let mut expected = serde_json::json!({ "success": false, "message": message, "code": code });
        if !errors.is_empty() {
            expected["errors"] = errors.into();
        }
        assert_eq!(self.json(), expected, "{self}");
        self.assert_json_type();
    }

    /// This answer is an error of this status and code; its message is the server's own.
    ///
    /// # Panics
    /// If not.
    #[track_caller]
    pub fn assert_code(&self, status: u16, code: &str) {
        assert_eq!(self.status, status, "{self}");
        let body = self.json();
        assert_eq!(body["success"], false, "{self}");
        assert_eq!(body["code"], code, "{self}");
        assert!(body["message"].as_str().is_some_and(|message| !message.is_empty()), "{self}");
        let fields = body.as_object().expect("an object");
        assert!(
            fields.keys().all(|key| ["success", "message", "code", "reason", "errors"].contains(&key.as_str())),
            "{self}"
        );
        self.assert_json_type();
    }

    /// This is the one 401 that every bearer-protected endpoint gives to a token that is not accepted, whether or not it says
    /// why a session is over.
    ///
    /// # Panics
    /// If not.
    #[track_caller]
    pub fn assert_token_refused(&self) {
        match self.json()["reason"].as_str() {
            Some(reason) => {
                let known = Reason::ALL.iter().any(|known| known.as_str() == reason);
                assert!(known, "{reason} is no reason in {self}");
                self.assert_over(reason);
            }
            None => self.assert_token_unknown(),
        }
    }

    /// The same for what is the token of no session: it says nothing of why.
    ///
    /// # Panics
    /// If not.
    #[track_caller]
    pub fn assert_token_unknown(&self) {
        self.assert_error(401, "UNAUTHORIZED", "Token no proporcionado o inválido");
        assert_eq!(self.header("www-authenticate"), Some(r#"Bearer error="invalid_token""#), "{self}");
    }

    /// The same for the token of a session that is over, for this reason.
    ///
    /// # Panics
    /// If not.
    #[track_caller]
    pub fn assert_over(&self, reason: &str) {
        assert_eq!(self.status, 401, "{self}");
        let message = "Token no proporcionado o inválido";
        let expected =
            serde_json::json!({ "success": false, "message": message, "code": "UNAUTHORIZED", "reason": reason });
        assert_eq!(self.json(), expected, "{self}");
        assert_eq!(self.header("www-authenticate"), Some(r#"Bearer error="invalid_token""#), "{self}");
        self.assert_json_type();
    }

    /// This is the 401 of a bearer-protected endpoint that was shown no token.
    ///
    /// # Panics
    /// If not.
    #[track_caller]
    pub fn assert_token_missing(&self) {
        self.assert_error(401, "UNAUTHORIZED", "Token no proporcionado o inválido");
        assert_eq!(self.header("www-authenticate"), Some("Bearer"), "{self}");
    }

    #[track_caller]
    fn assert_json_type(&self) {
        let media_type = self.header("content-type").unwrap_or_default();
        assert!(media_type == "application/json" || media_type == "application/json; charset=utf-8", "{self}");
    }
}

impl std::fmt::Display for Reply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "{} → {}", self.what, self.status)?;
        for (name, value) in &self.headers {
            writeln!(f, "{name}: {}", String::from_utf8_lossy(value.as_bytes()))?;
        }
        write!(f, "\n{}", String::from_utf8_lossy(&self.body))
    }
}

/// `value` has these members with these values; it may have more.
///
/// # Panics
/// If not.
#[track_caller]
#[expect(clippy::needless_pass_by_value, reason = "json!({…}) is written in place")]
pub fn assert_has(value: &Value, expected: Value) {
    for (name, expected) in expected.as_object().expect("members") {
        assert_eq!(value.get(name), Some(expected), "{name} of {value}");
    }
}
