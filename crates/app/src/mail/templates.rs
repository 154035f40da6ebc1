//! What each mail says: the values that its template is given, and no more than those.

use std::net::IpAddr;

use cerrojo_domain::{Email, UnixMillis};
use cerrojo_store::StoreError;

use super::job::{ConfirmAsked, EmailChanged, NewDevice, PasswordChanged, ResetAsked};
use super::kind::Kind;
use super::{Mail, Templates};
use crate::Settings;

/// Why a built-in mail cannot be written: a defect.
#[derive(Debug)]
pub struct Unwritten(pub String);

impl From<Unwritten> for StoreError {
    fn from(Unwritten(cause): Unwritten) -> Self {
        Self::Broken(format!("a built-in mail cannot be written: {cause}"))
    }
}

/// How to write, and for which site.
pub(super) struct Writer<'a> {
    settings: &'a Settings,
    templates: &'a Templates,
}

impl<'a> Writer<'a> {
    pub(super) fn new(settings: &'a Settings, templates: &'a Templates) -> Self {
        Self { settings, templates }
    }

    /// The link that sets a new password; goes to the account's own address.
    pub(super) fn reset(
        &self,
        to: &Email,
        code: &str,
        (asked, at): (&ResetAsked, UnixMillis),
    ) -> Result<Mail, Unwritten> {
        let link = self.settings.reset_link.replace("{token}", code);
        let values = [when(at), address(Some(asked.address)), ("device", asked.device.clone()), ("link", link)];
        self.mail(to.as_str(), Kind::Reset, values)
    }

    /// The link that sets a new password where the one of before was taken away.
    pub(super) fn reset_forced(
        &self,
        (to, code): (&Email, &str),
        called: &str,
        at: UnixMillis,
    ) -> Result<Mail, Unwritten> {
        let link = self.settings.reset_link.replace("{token}", code);
        self.mail(to.as_str(), Kind::ResetForced, [name(called), when(at), ("link", link)])
    }

    /// The password was changed.
    pub(super) fn password_changed(&self, job: &PasswordChanged) -> Result<Mail, Unwritten> {
        self.mail(&job.to, Kind::PasswordChanged, [name(&job.name), when(job.at), address(job.address)])
    }

    /// The address was changed; this goes to the old one. With the code of a link that changes it back until then.
    pub(super) fn email_changed(
        &self,
        job: &EmailChanged,
        undo: Option<(&str, UnixMillis)>,
    ) -> Result<Mail, Unwritten> {
        let new = ("new_email", job.new.clone());
        let link = undo.map(|(code, _)| link(self.settings.undo_link.as_deref(), code)).unwrap_or_default();
        let until = undo.map(|(_, until)| minute(until)).unwrap_or_default();
        let (link, until) = (("undo_link", link), ("undo_until", until));
        self.mail(&job.to, Kind::EmailChanged, [name(&job.name), when(job.at), address(job.address), new, link, until])
    }

    /// Somebody signed in from where nobody did before. With the code of a link for whoever it was not.
    pub(super) fn new_device(&self, job: &NewDevice, code: Option<&str>) -> Result<Mail, Unwritten> {
        let silent_until = ("silent_until", job.silent_until.map(minute).unwrap_or_default());
        let device = ("device", job.device.clone());
        let link = code.map(|code| link(self.settings.not_me_link.as_deref(), code)).unwrap_or_default();
        let not_me = ("not_me_link", link);
        let values = [name(&job.name), when(job.at), address(Some(job.address)), device, silent_until, not_me];
        self.mail(&job.to, Kind::NewDevice, values)
    }

    /// The link that confirms an address; goes to that one. It works until then.
    pub(super) fn verify(
        &self,
        (to, code): (&Email, &str),
        (asked, at): (&ConfirmAsked, UnixMillis),
        until: UnixMillis,
    ) -> Result<Mail, Unwritten> {
        let link = self.settings.verify_link.replace("{token}", code);
        self.confirming((to, Kind::VerifyEmail), (asked, at), (until, link))
    }

    /// The link that sets a password and so makes the account; goes to the address that was registered. It works until then.
    pub(super) fn finish_registration(
        &self,
        (to, code): (&Email, &str),
        (asked, at): (&ConfirmAsked, UnixMillis),
        until: UnixMillis,
    ) -> Result<Mail, Unwritten> {
        let link = self.settings.reset_link.replace("{token}", code);
        self.confirming((to, Kind::FinishRegistration), (asked, at), (until, link))
    }

    fn confirming(
        &self,
        (to, kind): (&Email, Kind),
        (asked, at): (&ConfirmAsked, UnixMillis),
        (until, link): (UnixMillis, String),
    ) -> Result<Mail, Unwritten> {
        let until = ("until", minute(until));
        let values = [when(at), address(asked.address), ("device", asked.device.clone()), until, ("link", link)];
        self.mail(to.as_str(), kind, values)
    }

    /// Somebody wanted this address for an account, and it has one.
    pub(super) fn already_registered(
        &self,
        to: &Email,
        (asked, at): (&ConfirmAsked, UnixMillis),
    ) -> Result<Mail, Unwritten> {
        let values = [when(at), address(asked.address), ("device", asked.device.clone())];
        self.mail(to.as_str(), Kind::AlreadyRegistered, values)
    }

    /// Another address is to take the place of this one.
    pub(super) fn email_change_asked(&self, job: &EmailChanged) -> Result<Mail, Unwritten> {
        let new = ("new_email", job.new.clone());
        self.mail(&job.to, Kind::EmailChangeAsked, [name(&job.name), when(job.at), address(job.address), new])
    }

    /// The link of an invitation. It works until then.
    pub(super) fn invitation(
        &self,
        (to, code): (&Email, &str),
        called: &str,
        until: UnixMillis,
    ) -> Result<Mail, Unwritten> {
        let link = ("link", self.settings.invite_link.replace("{token}", code));
        self.mail(to.as_str(), Kind::Invitation, [name(called), ("until", minute(until)), link])
    }

    /// Mail arrives.
    pub(super) fn trial(&self, to: &Email, at: UnixMillis) -> Result<Mail, Unwritten> {
        self.mail(to.as_str(), Kind::Test, [when(at)])
    }

    fn mail<const N: usize>(&self, to: &str, kind: Kind, values: [Given; N]) -> Result<Mail, Unwritten> {
        let Settings { public_url, locale, .. } = self.settings;
        let site = public_url.split_once("://").map_or(public_url.as_str(), |(_, rest)| rest);
        let always = [("site", site.to_owned()), ("locale", locale.name().to_owned())];
        let values = always.into_iter().chain(values).collect();
        let written = self.templates.write((kind, *locale), &values).map_err(|fault| Unwritten(fault.to_string()))?;
        Ok(Mail { to: to.to_owned(), subject: written.subject, text: written.text, html: written.html })
    }
}

/// A value and its name.
type Given = (&'static str, String);

/// A link with this code; empty if there is no page that it would lead to.
fn link(page: Option<&str>, code: &str) -> String {
    page.map(|page| page.replace("{token}", code)).unwrap_or_default()
}

fn when(at: UnixMillis) -> Given {
    ("when", minute(at))
}

fn minute(at: UnixMillis) -> String {
    let stamp = at.rfc3339();
    format!("{} UTC", stamp.get(..16).unwrap_or(&stamp).replace('T', " "))
}

fn address(address: Option<IpAddr>) -> Given {
    ("address", address.map(|address| address.to_string()).unwrap_or_default())
}

fn name(name: &str) -> Given {
    ("name", presentable(name).unwrap_or_default().to_owned())
}

/// A name fit for a greeting. Anybody can register somebody else's address under any name: what could be read as a
/// message or a link is left out.
fn presentable(name: &str) -> Option<&str> {
    let name = name.trim();
    let fits = name.chars().all(|c| c.is_alphabetic() || matches!(c, ' ' | '\'' | '’' | '-'));
    (fits && !name.is_empty() && name.chars().count() <= 40).then_some(name)
}

/// An address that its owner recognises and nobody else can use: `n***@example.com`.
pub(super) fn masked(email: &Email) -> String {
    let domain = email.as_str().rsplit_once('@').map_or("", |(_, domain)| domain);
    let first: String = email.local_part().chars().take(1).collect();
    format!("{first}***@{domain}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Locale;

    fn settings(locale: Locale) -> Settings {
        Settings { locale, ..Settings::for_url("https://auth.example.com/") }
    }

    fn templates() -> Templates {
        Templates::load(None).unwrap()
    }

    fn changed(name: &str) -> PasswordChanged {
        let address = "192.0.2.7".parse().ok();
        PasswordChanged {
            to: "ana@example.com".to_owned(),
            name: name.to_owned(),
            at: UnixMillis(1_770_976_800_000),
            address,
        }
    }

    #[test]
    fn a_reset_mail_carries_the_link_in_both_forms() {
        let asked = ResetAsked {
            email: "ana@example.com".to_owned(),
            address: "2001:db8::1".parse().unwrap(),
            device: "Firefox, Linux".to_owned(),
        };
        for locale in [Locale::Es, Locale::En] {
            let settings = settings(locale);
            let to = Email::parse("ana@example.com").unwrap();
            let mail = Writer::new(&settings, &templates()).reset(&to, "c0de", (&asked, UnixMillis(0))).unwrap();
            let html = mail.html.unwrap();
            assert_eq!(mail.to, "ana@example.com");
            assert!(mail.text.contains("\nhttps://auth.example.com/reset-password?token=c0de\n"), "{}", mail.text);
            assert!(html.contains("href=\"https://auth.example.com/reset-password?token=c0de\""), "{html}");
            for part in [&mail.text, &html] {
                assert!(part.contains("1970-01-01 00:00 UTC") && part.contains("2001:db8::1"), "{part}");
                assert!(part.contains("Firefox, Linux"), "{part}");
            }
        }
    }

    #[test]
    fn each_locale_is_itself() {
        let (es, en) = (settings(Locale::Es), settings(Locale::En));
        let es = Writer::new(&es, &templates()).password_changed(&changed("Ana Ruiz")).unwrap();
        let html = es.html.unwrap();
        assert_eq!(es.subject, "Tu contraseña ha cambiado");
        assert!(es.text.starts_with("Hola, Ana Ruiz:\n\n") && html.contains("<html lang=\"es\">"), "{}", es.text);
        let en = Writer::new(&en, &templates()).password_changed(&changed("O'Brien")).unwrap();
        let html = en.html.unwrap();
        assert!(en.text.starts_with("Hello O'Brien,\n\n") && html.contains("Hello O&#39;Brien,"), "{}", en.text);
    }

    #[test]
    fn a_name_that_is_a_message_greets_nobody() {
        for name in ["Win at www.evil.example", "http://evil.example", "<b>", "", &"a".repeat(41)] {
            let settings = settings(Locale::Es);
            let mail = Writer::new(&settings, &templates()).password_changed(&changed(name)).unwrap();
            assert!(mail.text.starts_with("Hola:\n"), "{name}: {}", mail.text);
        }
    }

    #[test]
    fn a_new_address_is_masked() {
        assert_eq!(masked(&Email::parse("nueva@example.com").unwrap()), "n***@example.com");
    }
}
