//! Letters to look at, and one to try the mail server with.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use cerrojo_domain::{Email, UnixMillis};

use super::job::{ConfirmAsked, EmailChanged, NewDevice, PasswordChanged, ResetAsked};
use super::templates::Writer;
use super::{Kind, Mail, Templates, Unwritten};
use crate::Settings;
use crate::take_back::TAKE_BACK_TTL;

/// The letter as Ana would get it who did it `at` this time. Its link works for nobody.
///
/// # Errors
/// A built-in text is broken.
pub fn preview(
    (settings, templates): (&Settings, &Templates),
    kind: Kind,
    (to, at): (&Email, UnixMillis),
) -> Result<Mail, Unwritten> {
    let writer = Writer::new(settings, templates);
    let address = IpAddr::V4(Ipv4Addr::new(203, 0, 113, 9));
    let (name, told) = ("Ana Ruiz".to_owned(), to.as_str().to_owned());
    match kind {
        Kind::Reset => {
            let asked = ResetAsked { email: told, address, device: "Firefox, Linux".to_owned() };
            writer.reset(to, "only-a-preview", (&asked, at))
        }
        Kind::ResetForced => writer.reset_forced((to, "only-a-preview"), &name, at),
        Kind::PasswordChanged => {
            writer.password_changed(&PasswordChanged { to: told, name, at, address: Some(address) })
        }
        Kind::EmailChanged => {
            let new = "n***@example.com".to_owned();
            let job = EmailChanged { to: told, name, new, at, address: Some(address), undo: true };
            writer.email_changed(&job, Some(("only-a-preview", at.plus(TAKE_BACK_TTL))))
        }
        Kind::NewDevice => {
            let (device, session) = ("Firefox, Linux".to_owned(), "only-a-preview".to_owned());
            let silent_until = Some(at.plus(Duration::from_hours(24)));
            let job = NewDevice { to: told, name, at, address, device, session, silent_until };
            writer.new_device(&job, Some("only-a-preview"))
        }
        Kind::VerifyEmail | Kind::FinishRegistration | Kind::AlreadyRegistered => {
            let device = "Firefox, Linux".to_owned();
            let asked = ConfirmAsked { id: None, email: told, address: Some(address), device };
            let (link, until) = ((to, "only-a-preview"), at.plus(settings.confirm_within));
            match kind {
                Kind::AlreadyRegistered => writer.already_registered(to, (&asked, at)),
                Kind::FinishRegistration => writer.finish_registration(link, (&asked, at), until),
                _ => writer.verify(link, (&asked, at), until),
            }
        }
        Kind::EmailChangeAsked => {
            let new = "n***@example.com".to_owned();
            writer.email_change_asked(&EmailChanged { to: told, name, new, at, address: Some(address), undo: false })
        }
        Kind::Invitation => writer.invitation((to, "only-a-preview"), &name, at.plus(settings.invitation_ttl)),
        Kind::Test => writer.trial(to, at),
    }
}

/// A letter that says only that mail arrives.
///
/// # Errors
/// A built-in text is broken.
pub fn trial(
    (settings, templates): (&Settings, &Templates),
    (to, at): (&Email, UnixMillis),
) -> Result<Mail, Unwritten> {
    Writer::new(settings, templates).trial(to, at)
}
