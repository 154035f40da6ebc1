//! The letters, in Spanish and English.

use std::net::IpAddr;

use cerrojo_domain::{Email, UnixMillis};

use super::Mail;
use super::job::{EmailChanged, PasswordChanged, ResetAsked};
use super::letter::{Letter, Piece};
use crate::{Locale, Settings};

/// How to write, and for which site.
pub(super) struct Writer<'a> {
    locale: Locale,
    site: &'a str,
    reset_link: &'a str,
}

impl<'a> Writer<'a> {
    pub(super) fn new(settings: &'a Settings) -> Self {
        let site = settings.public_url.split_once("://").map_or(settings.public_url.as_str(), |(_, rest)| rest);
        Self { locale: settings.locale, site, reset_link: &settings.reset_link }
    }

    /// The link that sets a new password; goes to the account's own address.
    pub(super) fn reset(&self, to: &Email, code: &str, (asked, at): (&ResetAsked, UnixMillis)) -> Mail {
        let site = self.site;
        let url = self.reset_link.replace("{token}", code);
        let mut facts = self.facts(at, Some(asked.address));
        if !asked.device.is_empty() {
            facts.push((self.pick("Dispositivo", "Device"), asked.device.clone()));
        }
        let (subject, label, says) = match self.locale {
            Locale::Es => (
                "Restablece tu contraseña",
                "Elegir una contraseña nueva",
                [
                    "Hola:".to_owned(),
                    format!("Alguien, esperamos que tú, ha pedido restablecer la contraseña de tu cuenta en {site}."),
                    "Para elegir una contraseña nueva, abre este enlace. Funciona una sola vez, durante una hora.".to_owned(),
                    "Si no lo has pedido tú, no tienes que hacer nada: tu contraseña sigue siendo la misma. No compartas \
                     este enlace con nadie."
                        .to_owned(),
                ],
            ),
            Locale::En => (
                "Reset your password",
                "Choose a new password",
                [
                    "Hello,".to_owned(),
                    format!("Somebody, hopefully you, asked to reset the password of your account at {site}."),
                    "To choose a new password, open this link. It works once, for one hour.".to_owned(),
                    "If it was not you, there is nothing to do: your password stays as it is. Do not share this link \
                     with anybody."
                        .to_owned(),
                ],
            ),
        };
        let [hello, asked, open, otherwise] = says;
        let pieces = vec![
            Piece::Says(hello),
            Piece::Says(asked),
            Piece::Says(open),
            Piece::Link { label, url },
            Piece::Facts(facts),
            Piece::Says(otherwise),
        ];
        self.mail(to.as_str(), subject, pieces)
    }

    /// The password was changed.
    pub(super) fn password_changed(&self, job: &PasswordChanged) -> Mail {
        let site = self.site;
        let (subject, says, otherwise) = match self.locale {
            Locale::Es => (
                "Tu contraseña ha cambiado",
                format!("La contraseña de tu cuenta en {site} ha cambiado y se han cerrado las demás sesiones."),
                "Si has sido tú, no tienes que hacer nada. Si no, pide ahora mismo una contraseña nueva con «¿Olvidaste \
                 tu contraseña?» y avisa a quien administra el servicio.",
            ),
            Locale::En => (
                "Your password was changed",
                format!("The password of your account at {site} was changed, and the other sessions were closed."),
                "If it was you, there is nothing to do. If it was not, ask for a new password now with “Forgot your \
                 password?” and tell whoever runs the service.",
            ),
        };
        let pieces = vec![
            Piece::Says(self.hello(&job.name)),
            Piece::Says(says),
            Piece::Facts(self.facts(job.at, job.address)),
            Piece::Says(otherwise.to_owned()),
        ];
        self.mail(&job.to, subject, pieces)
    }

    /// The address was changed; this goes to the old one.
    pub(super) fn email_changed(&self, job: &EmailChanged) -> Mail {
        let (site, new) = (self.site, &job.new);
        let (subject, says, otherwise) = match self.locale {
            Locale::Es => (
                "El email de tu cuenta ha cambiado",
                format!(
                    "El email de tu cuenta en {site} ya no es este: ahora es {new}. Es el último aviso que llega aquí."
                ),
                "Si has sido tú, no tienes que hacer nada. Si no, alguien puede haber entrado en tu cuenta: avisa \
                 enseguida a quien administra el servicio.",
            ),
            Locale::En => (
                "The e-mail address of your account was changed",
                format!(
                    "The e-mail address of your account at {site} is no longer this one: it is {new} now. This is the last notice sent here."
                ),
                "If it was you, there is nothing to do. If it was not, somebody may have got into your account: tell \
                 whoever runs the service at once.",
            ),
        };
        let pieces = vec![
            Piece::Says(self.hello(&job.name)),
            Piece::Says(says),
            Piece::Facts(self.facts(job.at, job.address)),
            Piece::Says(otherwise.to_owned()),
        ];
        self.mail(&job.to, subject, pieces)
    }

    /// Mail arrives.
    pub(super) fn trial(&self, to: &Email, at: UnixMillis) -> Mail {
        let site = self.site;
        let (subject, says) = match self.locale {
            Locale::Es => (
                "Correo de prueba",
                format!("Este mensaje de prueba lo ha pedido quien administra {site}. Si lo lees, el correo llega."),
            ),
            Locale::En => (
                "Test message",
                format!("Whoever runs {site} asked for this test message. If you read it, mail arrives."),
            ),
        };
        self.mail(to.as_str(), subject, vec![Piece::Says(says), Piece::Facts(self.facts(at, None))])
    }

    fn mail(&self, to: &str, subject: &'static str, pieces: Vec<Piece>) -> Mail {
        let letter = Letter { locale: self.locale, subject, pieces };
        Mail { to: to.to_owned(), subject: subject.to_owned(), text: letter.text(), html: letter.html() }
    }

    fn pick(&self, es: &'static str, en: &'static str) -> &'static str {
        match self.locale {
            Locale::Es => es,
            Locale::En => en,
        }
    }

    fn hello(&self, name: &str) -> String {
        match (self.locale, presentable(name)) {
            (Locale::Es, Some(name)) => format!("Hola, {name}:"),
            (Locale::Es, None) => "Hola:".to_owned(),
            (Locale::En, Some(name)) => format!("Hello {name},"),
            (Locale::En, None) => "Hello,".to_owned(),
        }
    }

    fn facts(&self, at: UnixMillis, address: Option<IpAddr>) -> Vec<(&'static str, String)> {
        let stamp = at.rfc3339();
        let minute = stamp.get(..16).unwrap_or(&stamp).replace('T', " ");
        let mut facts = vec![(self.pick("Cuándo", "When"), format!("{minute} UTC"))];
        if let Some(address) = address {
            facts.push((self.pick("Desde la dirección", "From the address"), address.to_string()));
        }
        facts
    }
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

    fn settings(locale: Locale) -> Settings {
        Settings { locale, ..Settings::for_url("https://auth.example.com/") }
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
            let mail = Writer::new(&settings).reset(&to, "c0de", (&asked, UnixMillis(0)));
            assert_eq!(mail.to, "ana@example.com");
            assert!(mail.text.contains("\nhttps://auth.example.com/reset-password?token=c0de\n"), "{}", mail.text);
            assert!(mail.html.contains("href=\"https://auth.example.com/reset-password?token=c0de\""), "{}", mail.html);
            for part in [&mail.text, &mail.html] {
                assert!(part.contains("1970-01-01 00:00 UTC") && part.contains("2001:db8::1"), "{part}");
                assert!(part.contains("Firefox, Linux"), "{part}");
            }
        }
    }

    #[test]
    fn each_locale_is_itself() {
        let (es, en) = (settings(Locale::Es), settings(Locale::En));
        let es = Writer::new(&es).password_changed(&changed("Ana Ruiz"));
        assert_eq!(es.subject, "Tu contraseña ha cambiado");
        assert!(es.text.starts_with("Hola, Ana Ruiz:\n\n") && es.html.contains("<html lang=\"es\">"), "{}", es.text);
        let en = Writer::new(&en).password_changed(&changed("O'Brien"));
        assert!(en.text.starts_with("Hello O'Brien,\n\n") && en.html.contains("Hello O&#39;Brien,"), "{}", en.text);
    }

    #[test]
    fn a_name_that_is_a_message_greets_nobody() {
        for name in ["Win at www.evil.example", "http://evil.example", "<b>", "", &"a".repeat(41)] {
            let settings = settings(Locale::Es);
            let mail = Writer::new(&settings).password_changed(&changed(name));
            assert!(mail.text.starts_with("Hola:\n"), "{name}: {}", mail.text);
        }
    }

    #[test]
    fn a_new_address_is_masked() {
        assert_eq!(masked(&Email::parse("nueva@example.com").unwrap()), "n***@example.com");
    }
}
