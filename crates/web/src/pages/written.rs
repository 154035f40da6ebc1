//! How pages are made: templates in each language, with what is the same on all of them.

use cerrojo_app::mail::device_kind;
use cerrojo_app::{Caller, Composition, Locale, Settings, Trouble};
use cerrojo_domain::{ADMIN_ROLE, EndReason};
use minijinja::value::merge_maps;
use minijinja::{Environment, Error, UndefinedBehavior, Value, context};

use super::looks::Looks;
use super::{Language, PageSettings, endings, shown};
use crate::envelope::Text;

macro_rules! templates {
    ($($name:literal),+ $(,)?) => {
        const TEMPLATES: &[(&str, &str)] = &[$(($name, include_str!(concat!("templates/", $name)))),+];
    };
}

templates! {
    "layout.html",
    "parts.html",
    "account.html",
    "admin/audit.html",
    "admin/consent.html",
    "admin/endings.html",
    "admin/export.html",
    "admin/keys.html",
    "admin/layout.html",
    "admin/mail.html",
    "admin/overview.html",
    "admin/parts.html",
    "admin/invitations.html",
    "admin/people.html",
    "admin/user.html",
    "admin/user-act.html",
    "admin/user-new.html",
    "admin/user-sessions.html",
    "admin/user-sessions-end.html",
    "admin/users.html",
    "delete.html",
    "devices.html",
    "devices-end.html",
    "done.html",
    "first.html",
    "forgot-password.html",
    "invitation.html",
    "link-over.html",
    "login.html",
    "logout.html",
    "password.html",
    "problem.html",
    "register.html",
    "resend.html",
    "reset-password.html",
    "sent.html",
    "signed-out.html",
    "take-back.html",
    "verify-email.html",
}

/// What all pages of a server are made with.
pub(crate) struct Pages {
    pub(super) looks: Looks,
    /// The path of `server.public_url`, without a slash at its end.
    pub(super) base: String,
    es: Result<Environment<'static>, Error>,
    en: Result<Environment<'static>, Error>,
}

impl Pages {
    pub(crate) fn new(settings: &PageSettings, app: &Settings) -> Self {
        let looks = Looks::new(settings.accent, settings.logo.clone());
        let base = base(&app.public_url).to_owned();
        let composition = app.password.composition;
        let of = |locale| environment((Language(locale), composition), (&settings.name, &base), &looks);
        Self { es: of(Locale::Es), en: of(Locale::En), looks, base }
    }

    /// A page. `common` is what the layout needs, `own` what the page needs beside it.
    pub(super) fn write(
        &self,
        name: &str,
        language: Language,
        (common, own): (Value, Value),
    ) -> Result<String, Trouble> {
        let environment = match language.0 {
            Locale::Es => &self.es,
            Locale::En => &self.en,
        };
        let written = environment.as_ref().map_err(|error| format!("{error:#}")).and_then(|environment| {
            let template = environment.get_template(name);
            template
                .and_then(|template| template.render(merge_maps([common, own])))
                .map_err(|error| format!("{error:#}"))
        });
        written.map_err(|error| Trouble::Internal(format!("the page {name} cannot be made: {error}")))
    }
}

/// What stands between the host and the paths of this server.
fn base(public_url: &str) -> &str {
    let (_, after) = public_url.split_once("://").unwrap_or(("", public_url));
    after.find('/').and_then(|at| after.get(at..)).unwrap_or_default().trim_end_matches('/')
}

fn environment(
    (language, composition): (Language, Composition),
    (brand, base): (&str, &str),
    looks: &Looks,
) -> Result<Environment<'static>, Error> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    for (name, text) in TEMPLATES {
        environment.add_template(name, text)?;
    }
    let (style, script, logo) = looks.names();
    for (name, value) in
        [("language", language.tag()), ("brand", brand), ("base", base), ("style", style), ("script", script)]
    {
        environment.add_global(name, value.to_owned());
    }
    let (admin_style, admin_script) = looks.administrators_names();
    environment.add_global("admin_style", admin_style.to_owned());
    environment.add_global("admin_script", admin_script.to_owned());
    environment.add_global("password_hint", language.pick(hint(composition).es, hint(composition).en));
    environment.add_global("logo", logo.map(str::to_owned));
    environment.add_filter("words", move |es: &str, en: &str| language.pick(es, en).to_owned());
    environment.add_filter("moment", move |time: &str| moment(time, language));
    environment.add_filter("short", |text: &str| shown::short(text));
    environment.add_filter("short_address", |text: &str| shown::short_address(text));
    environment.add_filter("plain", |text: &str| shown::plain(text));
    environment.add_filter("status_name", move |name: &str| shown::status(name, language));
    environment.add_filter("role_name", move |id: i64, name: &str| shown::role(id, name, language));
    environment.add_filter("device", move |agent: &str| device(agent, language));
    environment.add_filter("why", move |reason: &str| {
        EndReason::parse(reason).map(endings::why).map_or("", |text| language.pick(text.es, text.en)).to_owned()
    });
    environment.add_filter("why_others", move |reason: &str| {
        EndReason::parse(reason).map(endings::why_others).map_or("", |text| language.pick(text.es, text.en)).to_owned()
    });
    environment.add_filter("who", move |kind: &str| {
        let text = endings::who(kind);
        language.pick(text.es, text.en).to_owned()
    });
    Ok(environment)
}

/// What new passwords have to be like.
fn hint(composition: Composition) -> Text {
    match composition {
        Composition::Off => Text {
            es: "Al menos 8 caracteres. Varias palabras al azar son fáciles de recordar y difíciles de adivinar.",
            en: "At least 8 characters. A few random words are easy to remember and hard to guess.",
        },
        Composition::Required => Text {
            es: "Al menos 8 caracteres, con una letra mayúscula y un número.",
            en: "At least 8 characters, with an upper-case letter and a digit.",
        },
    }
}

/// What a device calls itself, in words.
pub(super) fn device(agent: &str, language: Language) -> String {
    device_kind(agent).unwrap_or_else(|| language.pick("Dispositivo desconocido", "Unknown device").to_owned())
}

/// A time of the API as people write it: `13 Feb 2026, 10:00 UTC`.
pub(super) fn moment(time: &str, language: Language) -> String {
    const ES: [&str; 12] = ["ene", "feb", "mar", "abr", "may", "jun", "jul", "ago", "sep", "oct", "nov", "dic"];
    const EN: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let read = || {
        let (date, clock) = time.split_once('T')?;
        let mut parts = date.split('-');
        let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
        let number = month.parse::<usize>().ok()?.checked_sub(1)?;
        let month = language.pick(ES.get(number)?, EN.get(number)?);
        Some(format!("{} {month} {year}, {} UTC", day.trim_start_matches('0'), clock.get(..5)?))
    };
    read().unwrap_or_else(|| time.to_owned())
}

/// What every page is given: who is signed in, and what was done before.
pub(super) fn common(caller: Option<&Caller>, told: Value) -> Value {
    let caller = caller.map_or(Value::from(()), |caller| {
        context! { name => &caller.name, email => &caller.email, administers => caller.role_id == ADMIN_ROLE }
    });
    context! { caller => caller, told => told, here => "", faults => context! {}, values => context! {} }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_below_a_path_has_its_pages_there() {
        for (url, path) in
            [("https://a.example", ""), ("https://a.example/", ""), ("http://[::1]:4000/auth/x", "/auth/x")]
        {
            assert_eq!(base(url), path);
        }
    }

    #[test]
    fn times_are_written_in_words() {
        let (es, en) = (Language(Locale::Es), Language(Locale::En));
        assert_eq!(moment("2026-02-03T10:00:00.000Z", es), "3 feb 2026, 10:00 UTC");
        assert_eq!(moment("2026-12-13T23:59:59.999Z", en), "13 Dec 2026, 23:59 UTC");
        assert_eq!(moment("whenever", en), "whenever");
    }

    #[test]
    fn every_template_can_be_read() {
        let pages = Pages::new(&PageSettings::default(), &Settings::for_url("https://auth.example.com"));
        assert!(pages.es.is_ok() && pages.en.is_ok(), "{:?} {:?}", pages.es.err(), pages.en.err());
    }
}
