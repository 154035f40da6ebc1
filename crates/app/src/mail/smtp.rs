//! Mail that leaves by SMTP (RFC 5321), encrypted.

use std::pin::Pin;
use std::time::Duration;

use cerrojo_domain::host::is_loopback;
use lettre::message::Mailbox;
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Tokio1Executor};
use url::Url;

use super::message::{Path, message, sender};
use super::{Mail, Mailer};

/// How long a server may take over one command.
const TIMEOUT: Duration = Duration::from_secs(20);

/// Hands mail to an SMTP server, a connection for each.
pub struct SmtpMailer {
    from: Mailbox,
    server: AsyncSmtpTransport<Tokio1Executor>,
    /// Host and port, for whoever reads what went wrong.
    place: String,
}

impl SmtpMailer {
    /// `url`: `smtps://user:password@host:port` (TLS from the first byte, port 465 if not given) or `smtp://…` (STARTTLS
    /// required, port 587). Only a host on the loopback is spoken to without TLS (port 25), and any other that says
    /// `smtp://host?tls=none`, without a password. User and password are percent-encoded. `from`: `mail.from`.
    ///
    /// # Errors
    /// What is wrong, without the password.
    pub fn new(url: &str, from: &str) -> Result<Self, String> {
        let url = secured(url)?;
        let server = AsyncSmtpTransport::<Tokio1Executor>::from_url(url.as_str())
            .map_err(|error| format!("mail.url: {error}"))?
            .timeout(Some(TIMEOUT))
            .build();
        let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
        let place = format!("{}{port}", url.host_str().unwrap_or_default());
        Ok(Self { from: sender(from)?, server, place })
    }

    /// Connects, encrypts and signs in as for a mail, and sends none.
    ///
    /// # Errors
    /// What went wrong.
    pub async fn test(&self) -> Result<(), String> {
        match self.server.test_connection().await {
            Ok(true) => Ok(()),
            Ok(false) => Err(format!("{} did not answer NOOP", self.place)),
            Err(error) => Err(self.told(&error)),
        }
    }

    fn told(&self, error: &lettre::transport::smtp::Error) -> String {
        format!("{}: {error}", self.place)
    }
}

/// The address with `tls` as it is to be.
fn secured(url: &str) -> Result<Url, String> {
    let mut url = Url::parse(url.trim()).map_err(|error| format!("mail.url: {error}"))?;
    let host = url.host_str().filter(|host| !host.is_empty()).ok_or("mail.url names no host")?;
    let on_loopback = is_loopback(host.trim_start_matches('[').trim_end_matches(']'));
    let asked = match url.query() {
        None | Some("") => None,
        Some("tls=required") => Some(true),
        Some("tls=none") => Some(false),
        Some(_) => return Err("mail.url: only tls=required or tls=none may follow the question mark".to_owned()),
    };
    let encrypted = match (url.scheme(), asked) {
        ("smtps", None | Some(true)) => {
            url.set_query(None);
            return Ok(url);
        }
        ("smtp", asked) => asked.unwrap_or(!on_loopback),
        _ => return Err("mail.url begins with smtps:// or smtp://".to_owned()),
    };
    if !encrypted && !on_loopback && (!url.username().is_empty() || url.password().is_some()) {
        return Err("mail.url: a password does not travel without TLS".to_owned());
    }
    url.set_query(encrypted.then_some("tls=required"));
    Ok(url)
}

impl Mailer for SmtpMailer {
    fn send<'a>(&'a self, mail: &'a Mail) -> Pin<Box<dyn Future<Output = Result<(), String>> + Send + 'a>> {
        Box::pin(async move {
            let message = message(&self.from, mail, Path::Wire)?;
            self.server.send(message).await.map(drop).map_err(|error| self.told(&error))
        })
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
    use tokio::net::TcpListener;

    use super::*;

    #[test]
    fn only_the_loopback_is_spoken_to_in_the_clear_unasked() {
        let secured = |url: &str| secured(url).map(String::from);
        assert_eq!(secured("smtp://mail.example.com:2525").as_deref(), Ok("smtp://mail.example.com:2525?tls=required"));
        assert_eq!(
            secured("smtp://u:p%40@mail.example.com").as_deref(),
            Ok("smtp://u:p%40@mail.example.com?tls=required")
        );
        assert_eq!(secured("smtps://mail.example.com").as_deref(), Ok("smtps://mail.example.com"));
        for host in ["localhost:1025", "127.0.0.1:1025", "[::1]:1025"] {
            assert_eq!(secured(&format!("smtp://{host}")), Ok(format!("smtp://{host}")));
        }
        assert_eq!(secured("smtp://mailpit:1025?tls=none").as_deref(), Ok("smtp://mailpit:1025"));
        assert!(secured("smtp://127.0.0.1.example.com").unwrap().ends_with("tls=required"));
        for bad in [
            "smtp://u:p@mailpit?tls=none",
            "smtp://mail.example.com?tls=opportunistic",
            "smtps://mail.example.com?tls=none",
            "http://mail.example.com",
            "smtp://",
            "mail.example.com",
        ] {
            let told = secured(bad).unwrap_err();
            assert!(!told.contains("u:p"), "{told}");
        }
    }

    #[tokio::test]
    async fn a_mail_arrives_at_a_server_on_the_loopback() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mailer =
            SmtpMailer::new(&format!("smtp://{}", listener.local_addr().unwrap()), "no-reply@example.com").unwrap();
        let server = tokio::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            let (read, mut write) = stream.into_split();
            let mut lines = BufReader::new(read).lines();
            let mut heard = Vec::new();
            write.write_all(b"220 here\r\n").await.unwrap();
            while let Some(line) = lines.next_line().await.unwrap() {
                let answer: &[u8] = match line.as_str() {
                    "DATA" => b"354 go on\r\n",
                    "." | "RSET" => b"250 taken\r\n",
                    "QUIT" => break,
                    line if line.starts_with("EHLO") || line.starts_with("MAIL FROM:") || line.starts_with("RCPT") => {
                        b"250 yes\r\n"
                    }
                    _ => b"",
                };
                heard.push(line);
                write.write_all(answer).await.unwrap();
            }
            heard
        });
        let mail = Mail {
            to: "ana@example.com".to_owned(),
            subject: "Hola".to_owned(),
            text: "Contraseña\n".to_owned(),
            html: Some("<p>x</p>\n".to_owned()),
        };
        mailer.send(&mail).await.unwrap();
        drop(mailer);
        let heard = server.await.unwrap();
        assert!(heard.contains(&"RCPT TO:<ana@example.com>".to_owned()), "{heard:?}");
        assert!(heard.contains(&"Subject: Hola".to_owned()), "{heard:?}");
    }

    #[tokio::test]
    async fn a_server_that_is_down_is_an_error() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("smtp://{}", listener.local_addr().unwrap());
        drop(listener);
        let mail = Mail { to: "ana@example.com".to_owned(), subject: String::new(), text: String::new(), html: None };
        assert!(SmtpMailer::new(&url, "no-reply@example.com").unwrap().send(&mail).await.is_err());
    }
}
