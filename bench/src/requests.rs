//! Requests, written once before anything is measured.

use std::fmt::Write as _;
use std::sync::Arc;

/// Requests to be drawn from.
pub(crate) type Requests = Arc<Vec<Vec<u8>>>;

/// The issuer of all tokens here: servers are told that this is their public URL, whatever port they listen on.
pub(crate) const PUBLIC_URL: &str = "http://127.0.0.1:4000";
/// The password of every seeded user.
pub(crate) const PASSWORD: &str = "cinco remos azules";

/// The address of a seeded user.
pub(crate) fn email(number: usize) -> String {
    format!("user{number}@example.com")
}

/// One request without a body for each token.
pub(crate) fn with_tokens(line: &str, tokens: &[String]) -> Requests {
    let request = |token: &String| {
        let length = if line.starts_with("POST") { "content-length: 0\r\n" } else { "" };
        format!("{}authorization: Bearer {token}\r\n{length}\r\n", start(line)).into_bytes()
    };
    Arc::new(tokens.iter().map(request).collect())
}

/// One sign-in for each of `users` users.
pub(crate) fn logins(users: usize) -> Requests {
    let request = |number| {
        let body = format!("{{\"email\":\"{}\",\"password\":\"{PASSWORD}\"}}", email(number));
        let mut text = start("POST /api/auth/login");
        let _ = write!(text, "content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        text.into_bytes()
    };
    Arc::new((0..users).map(request).collect())
}

/// A request without token or body.
pub(crate) fn plain(line: &str) -> Vec<u8> {
    format!("{}\r\n", start(line)).into_bytes()
}

fn start(line: &str) -> String {
    format!("{line} HTTP/1.1\r\nhost: 127.0.0.1:4000\r\nuser-agent: cerrojo-bench\r\naccept: */*\r\n")
}
