//! E-mail addresses: one way to write each.

/// The longest address that SMTP carries (RFC 5321, section 4.5.3.1.3, less the angle brackets).
const LONGEST: usize = 254;
/// The longest part before the `@` (RFC 5321, section 4.5.3.1.1).
const LONGEST_LOCAL_PART: usize = 64;

/// An address, trimmed of Unicode white space and lower-cased by Unicode's rules. That form is stored, compared and written to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Email(String);

/// The text is not an e-mail address that mail could be sent to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EmailError;

impl Email {
    /// Reads an address as a person typed it.
    ///
    /// # Errors
    /// [`EmailError`] unless the text is `local@domain` with a dot-separated domain of letters, digits and hyphens, no
    /// white space, quotes or control characters, and within the lengths of RFC 5321, section 4.5.3.1.
    pub fn parse(typed: &str) -> Result<Self, EmailError> {
        let email = Self(Self::fold(typed));
        let (local, domain) = email.0.rsplit_once('@').ok_or(EmailError)?;
        let local_ok = !local.is_empty()
            && local.len() <= LONGEST_LOCAL_PART
            && !local.starts_with('.')
            && !local.ends_with('.')
            && !local.contains("..")
            && local.chars().all(is_local_char);
        let labels: Vec<&str> = domain.split('.').collect();
        let domain_ok = labels.len() >= 2 && labels.iter().all(|label| is_label(label));
        if local_ok && domain_ok && email.0.len() <= LONGEST { Ok(email) } else { Err(EmailError) }
    }

    /// The one form of an address, whether or not it is one: for look-ups by what somebody typed.
    #[must_use]
    pub fn fold(typed: &str) -> String {
        typed.trim().to_lowercase()
    }

    /// An address that was stored in its one form already.
    #[must_use]
    pub fn from_stored(stored: String) -> Self {
        Self(stored)
    }

    /// The address as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The part before the `@`.
    #[must_use]
    pub fn local_part(&self) -> &str {
        self.0.rsplit_once('@').map_or("", |(local, _)| local)
    }
}

fn is_local_char(c: char) -> bool {
    c.is_alphanumeric() || "!#$%&'*+-/=?^_`{|}~.".contains(c)
}

fn is_label(label: &str) -> bool {
    !label.is_empty()
        && label.len() <= 63
        && !label.starts_with('-')
        && !label.ends_with('-')
        && label.chars().all(|c| c.is_alphanumeric() || c == '-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_one_form() {
        assert_eq!(Email::parse("  ANA.Ruiz@Example.COM\n").map(|e| e.0), Ok("ana.ruiz@example.com".to_owned()));
        assert_eq!(Email::parse("Ñandú@correo.es").map(|e| e.0), Ok("ñandú@correo.es".to_owned()));
    }

    #[test]
    fn what_mail_cannot_be_sent_to_is_refused() {
        let long = format!("{}@example.com", "a".repeat(65));
        let bad = [
            "",
            "a",
            "a@",
            "@b.c",
            "a@b",
            "a b@c.de",
            "a@b..c",
            "a@-b.c",
            ".a@b.c",
            "a..b@c.de",
            "a@b@c.de",
            "a\0@b.c",
            "\"a\"@b.c",
            "a@b.c\r\nBcc: x@y.z",
            &long,
        ];
        for typed in bad {
            assert_eq!(Email::parse(typed), Err(EmailError), "{typed:?}");
        }
    }
}
