//! A client of HTTP/1.1 that loses patience.

use std::io::{BufRead as _, BufReader, Error, Read as _, Result, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

/// What is asked.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// Method and path.
    pub line: &'a str,
    /// The bearer token.
    pub token: Option<&'a str>,
    /// A body of JSON.
    pub body: Option<&'a Value>,
    /// How long an answer is waited for.
    pub patience: Duration,
}

/// What was answered.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The body; null if it is no JSON.
    pub body: Value,
}

/// A connection that is kept for the next question.
#[derive(Debug)]
pub struct Connection {
    server: SocketAddr,
    stream: Option<BufReader<TcpStream>>,
}

impl Connection {
    /// To this server; it is connected to when something is asked.
    #[must_use]
    pub fn to(server: SocketAddr) -> Self {
        Self { server, stream: None }
    }

    /// Another one to the same server.
    #[must_use]
    pub fn again(&self) -> Self {
        Self::to(self.server)
    }

    /// Asks; an error if no whole answer came. A question that changes nothing is asked again where the server had closed
    /// the connection since the last one; any other one gets a connection of its own.
    pub fn ask(&mut self, request: Request<'_>) -> Result<Answer> {
        let may_repeat = request.line.starts_with("GET ");
        if may_repeat && let Some(kept) = self.stream.take() {
            match self.ask_on(kept, request) {
                Err(error) if is_closed(&error) => {}
                answered => return answered,
            }
        }
        let stream = TcpStream::connect_timeout(&self.server, request.patience)?;
        stream.set_nodelay(true)?;
        self.ask_on(BufReader::new(stream), request)
    }

    fn ask_on(&mut self, mut stream: BufReader<TcpStream>, request: Request<'_>) -> Result<Answer> {
        stream.get_ref().set_read_timeout(Some(request.patience))?;
        stream.get_ref().set_write_timeout(Some(request.patience))?;
        stream.get_mut().write_all(written(self.server, request).as_bytes())?;
        let mut line = String::new();
        if stream.read_line(&mut line)? == 0 {
            return Err(std::io::ErrorKind::ConnectionReset.into());
        }
        let status = line.split(' ').nth(1).and_then(|status| status.parse().ok());
        let status = status.ok_or_else(|| Error::other("no status"))?;
        let mut length = None;
        loop {
            line.clear();
            if stream.read_line(&mut line)? == 0 {
                return Err(Error::other("half a head"));
            }
            let header = line.trim_end().to_ascii_lowercase();
            if header.is_empty() {
                break;
            }
            length = header.strip_prefix("content-length: ").and_then(|length| length.parse().ok()).or(length);
        }
        let mut body = vec![0; length.ok_or_else(|| Error::other("no length"))?];
        stream.read_exact(&mut body)?;
        self.stream = Some(stream);
        Ok(Answer { status, body: serde_json::from_slice(&body).unwrap_or_default() })
    }
}

fn is_closed(error: &Error) -> bool {
    use std::io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, NotConnected};
    matches!(error.kind(), BrokenPipe | ConnectionAborted | ConnectionReset | NotConnected)
}

fn written(server: SocketAddr, Request { line, token, body, .. }: Request<'_>) -> String {
    let token = token.map(|token| format!("Authorization: Bearer {token}\r\n")).unwrap_or_default();
    let body = body.map(Value::to_string).unwrap_or_default();
    let length = body.len();
    format!(
        "{line} HTTP/1.1\r\nHost: {server}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n{token}\r\n{body}"
    )
}
