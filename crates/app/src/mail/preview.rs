//! Letters to look at, and one to try the mail server with.

use std::net::{IpAddr, Ipv4Addr};

use cerrojo_domain::{Email, UnixMillis};

use super::Mail;
use super::job::{EmailChanged, PasswordChanged, ResetAsked};
use super::templates::Writer;
use crate::Settings;

/// A kind of letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The link of a forgotten password.
    Reset,
    /// The password was changed.
    PasswordChanged,
    /// The address was changed; goes to the old one.
    EmailChanged,
}

/// The letter as Ana would get it who did it `at` this time. Its link works for nobody.
#[must_use]
pub fn preview(settings: &Settings, kind: Kind, (to, at): (&Email, UnixMillis)) -> Mail {
    let writer = Writer::new(settings);
    let address = IpAddr::V4(Ipv4Addr::new(203, 0, 113, 9));
    let (name, told) = ("Ana Ruiz".to_owned(), to.as_str().to_owned());
    match kind {
        Kind::Reset => {
            let asked = ResetAsked { email: told, address, device: "Firefox, Linux".to_owned() };
            writer.reset(to, "only-a-preview", (&asked, at))
        }
        Kind::PasswordChanged => {
            writer.password_changed(&PasswordChanged { to: told, name, at, address: Some(address) })
        }
        Kind::EmailChanged => {
            let new = "n***@example.com".to_owned();
            writer.email_changed(&EmailChanged { to: told, name, new, at, address: Some(address) })
        }
    }
}

/// A letter that says only that mail arrives.
#[must_use]
pub fn trial(settings: &Settings, (to, at): (&Email, UnixMillis)) -> Mail {
    Writer::new(settings).trial(to, at)
}
