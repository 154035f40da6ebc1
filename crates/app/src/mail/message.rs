//! A mail as it travels: RFC 5322 with a text, and an HTML alternative (RFC 2046, section 5.1.4) if it has one.

use cerrojo_domain::{ListName, SystemRandom};
use lettre::message::header::{ContentTransferEncoding, ContentType, HeaderName, HeaderValue};
use lettre::message::{Body, Mailbox, MultiPart, SinglePart};
use lettre::{Address, Message};

use super::Mail;

/// Through what the bodies must pass.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Path {
    /// Any mail server: seven bits a byte.
    Wire,
    /// A file: as it is, so that a person can read it.
    File,
}

/// Octets in a line, without its end (RFC 5322, section 2.1.1).
const LONGEST_LINE: usize = 998;

/// Reads `mail.from`: an address, or `Name <address>`.
pub(super) fn sender(from: &str) -> Result<Mailbox, String> {
    from.parse().map_err(|error| format!("mail.from: {error}"))
}

/// The message. Neither the subject nor the address can add a header: both are checked and encoded.
pub(super) fn message(from: &Mailbox, mail: &Mail, path: Path) -> Result<Message, String> {
    let to: Address = mail.to.parse().map_err(|error| format!("the address cannot be written to: {error}"))?;
    let subject: String = mail.subject.chars().filter(|c| !c.is_control()).collect();
    let id = ListName::new(&SystemRandom);
    let letter = Message::builder()
        .from(from.clone())
        .to(Mailbox::new(None, to))
        .subject(subject)
        .message_id(Some(format!("<{id}@{}>", from.email.domain())))
        // RFC 3834, section 5: nobody's holiday notice should answer.
        .raw_header(HeaderValue::new(HeaderName::new_from_ascii_str("Auto-Submitted"), "auto-generated".to_owned()));
    let text = part(ContentType::TEXT_PLAIN, &mail.text, path);
    let written = match &mail.html {
        None => letter.singlepart(text),
        Some(html) => {
            let mut parts = MultiPart::alternative();
            if path == Path::File {
                parts = parts.header(ContentTransferEncoding::EightBit);
            }
            letter.multipart(parts.singlepart(text).singlepart(part(ContentType::TEXT_HTML, html, path)))
        }
    };
    written.map_err(|error| format!("the mail cannot be written: {error}"))
}

fn part(kind: ContentType, text: &str, path: Path) -> SinglePart {
    let as_it_is = path == Path::File && text.lines().all(|line| line.len() <= LONGEST_LINE);
    let body = if as_it_is {
        // The library would rather encode a line that a person's eyes find long: a link would be torn.
        let lines = text.replace("\r\n", "\n").replace('\n', "\r\n");
        Body::dangerous_pre_encoded(lines.into_bytes(), ContentTransferEncoding::EightBit)
    } else {
        Body::new(text.to_owned())
    };
    SinglePart::builder().header(kind).body(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mail(to: &str, subject: &str) -> Mail {
        let (to, subject) = (to.to_owned(), subject.to_owned());
        Mail { to, subject, text: "Contraseña\n".to_owned(), html: Some("<p>Contraseña</p>\n".to_owned()) }
    }

    fn formatted(mail: &Mail, path: Path) -> String {
        let from = sender("Cerrojo <no-reply@example.com>").unwrap();
        String::from_utf8(message(&from, mail, path).unwrap().formatted()).unwrap()
    }

    #[test]
    fn a_message_has_what_a_mail_needs() {
        let wire = formatted(&mail("ana@example.com", "Tu contraseña"), Path::Wire);
        assert!(wire.is_ascii());
        for header in [
            "From: Cerrojo <no-reply@example.com>\r\n",
            "To: ana@example.com\r\n",
            "Subject: Tu =?utf-8?",
            "Auto-Submitted: auto-generated\r\n",
            "Date: ",
            "MIME-Version: 1.0\r\n",
            "Content-Type: multipart/alternative;",
            "Content-Type: text/plain; charset=utf-8\r\n",
            "Content-Type: text/html; charset=utf-8\r\n",
        ] {
            assert!(wire.contains(header), "{header}: {wire}");
        }
        assert!(wire.contains("@example.com>\r\n") && wire.contains("Message-ID: <"), "{wire}");
    }

    #[test]
    fn a_mail_without_a_page_is_its_text() {
        let bare = Mail { html: None, ..mail("ana@example.com", "x") };
        for path in [Path::Wire, Path::File] {
            let sent = formatted(&bare, path);
            assert!(sent.contains("Content-Type: text/plain; charset=utf-8\r\n"), "{sent}");
            assert!(!sent.contains("multipart") && !sent.contains("text/html"), "{sent}");
        }
    }

    #[test]
    fn a_file_can_be_read_by_a_person() {
        let file = formatted(&mail("ana@example.com", "x"), Path::File);
        assert!(file.contains("\r\nContraseña\r\n") && file.contains("<p>Contraseña</p>"), "{file}");
        assert!(file.contains("Content-Transfer-Encoding: 8bit\r\n"), "{file}");
        let link = format!("https://auth.example.com/reset-password?token={}", "x-_7".repeat(30));
        let long = Mail { text: format!("Contraseña:\n\n{link}\n"), ..mail("ana@example.com", "Enlace") };
        assert!(formatted(&long, Path::File).contains(&format!("\r\n{link}\r\n")), "a link in a file can be copied");
    }

    #[test]
    fn nothing_adds_a_header() {
        let from = sender("no-reply@example.com").unwrap();
        for to in ["a@b.example\r\nBcc: x@y.example", "a@b.example, x@y.example", "a@b.example\n", ""] {
            assert!(message(&from, &mail(to, "x"), Path::Wire).is_err(), "{to:?}");
        }
        let wire = formatted(&mail("ana@example.com", "x\r\nBcc: x@y.example"), Path::Wire);
        assert!(!wire.contains("\nBcc"), "{wire}");
        assert!(sender("nobody").is_err());
    }
}
