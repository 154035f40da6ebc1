//! What a page says of an act that was refused: beside the field that it is about, or above the form.

use std::collections::BTreeMap;

use super::Language;
use crate::envelope::{Detail, Text};
use crate::problem::{self, Problem, Row};

/// The name under which stands what is about no field.
pub(super) const FORM: &str = "form";

/// What is wrong, by the names of fields.
pub(super) type Faults = BTreeMap<&'static str, Vec<String>>;

/// What a problem says on a page.
pub(super) fn of(problem: &Problem, language: Language) -> Faults {
    let row = problem.row;
    if let (true, Some(quota)) = (row.code == "RATE_LIMITED", problem.quota) {
        return Faults::from([(FORM, vec![later(quota.reset.as_secs().div_ceil(60).max(1), language)])]);
    }
    let told = if problem.errors.is_empty() {
        let text = friendlier(row).unwrap_or(row.message);
        vec![language.pick(text.es, text.en).to_owned()]
    } else {
        problem.errors.iter().map(Detail::text).map(|text| language.pick(text.es, text.en).to_owned()).collect()
    };
    Faults::from([(field(row), told)])
}

fn later(minutes: u64, language: Language) -> String {
    let (es, en) = if minutes == 1 { ("un minuto", "a minute") } else { ("minutos", "minutes") };
    let wait = language.pick(es, en);
    let wait = if minutes == 1 { wait.to_owned() } else { format!("{minutes} {wait}") };
    let (es, en) = (
        "Se ha intentado demasiadas veces. Vuelve a intentarlo dentro de",
        "There were too many attempts. Try again in",
    );
    format!("{} {wait}.", language.pick(es, en))
}

/// The field that a row of the table is about.
fn field(row: &'static Row) -> &'static str {
    let of_fields: [(&str, &[&'static Row]); 7] = [
        (
            "email",
            &[
                &problem::EMAIL,
                &problem::EMAIL_MISSING,
                &problem::EMAIL_REGISTERED,
                &problem::EMAIL_TAKEN,
                &problem::INVITED,
            ],
        ),
        ("name", &[&problem::NAME, &problem::NAME_MISSING]),
        ("password", &[&problem::PASSWORD, &problem::PASSWORD_MISSING]),
        ("role_id", &[&problem::ROLE]),
        ("status", &[&problem::STATUS]),
        ("newPassword", &[&problem::NEW_PASSWORD, &problem::NEW_PASSWORD_MISSING]),
        ("currentPassword", &[&problem::CURRENT_PASSWORD, &problem::CURRENT_PASSWORD_MISSING]),
    ];
    of_fields.into_iter().find(|(_, rows)| rows.contains(&row)).map_or(FORM, |(name, _)| name)
}

macro_rules! friendlier {
    ($($row:ident: $es:literal, $en:literal;)+) => {
        /// What people are told where the API's words are for programs or too short.
        fn friendlier(row: &'static Row) -> Option<Text> {
            let texts = [$((&problem::$row, Text { es: $es, en: $en })),+];
            texts.into_iter().find(|(known, _)| *known == row).map(|(_, text)| text)
        }
    };
}

friendlier! {
    LOGIN_INCOMPLETE: "Escribe tu correo y tu contraseña.", "Enter your email address and your password.";
    CREDENTIALS: "El correo o la contraseña no son correctos.", "The email address or the password is wrong.";
    INACTIVE: "Esta cuenta no está activa. Habla con quien administra este sitio.", "This account is not active. Speak to whoever runs this site.";
    UNVERIFIED: "Antes tienes que confirmar tu correo: abre el enlace que te enviamos.", "You have to confirm your email address first: open the link that we sent you.";
    TOO_MANY_SESSIONS: "Ya tienes demasiadas sesiones abiertas. Cierra una en otro dispositivo y vuelve a intentarlo.", "You have too many sessions open already. End one on another device and try again.";
    EMAIL: "Escribe una dirección de correo como nombre@ejemplo.com.", "Enter an email address such as name@example.com.";
    EMAIL_MISSING: "Escribe tu correo.", "Enter your email address.";
    EMAIL_REGISTERED: "Ya hay una cuenta con este correo.", "There is an account with this email address already.";
    EMAIL_TAKEN: "Otra cuenta tiene ya este correo.", "Another account has this email address already.";
    NAME: "El nombre puede tener hasta 200 caracteres, sin saltos de línea, signos que no se ven ni marcas que cambien la dirección del texto.", "The name can have up to 200 characters, without line breaks, signs that are not seen, or marks that change the direction of text.";
    NAME_MISSING: "Escribe tu nombre.", "Enter your name.";
    PASSWORD_MISSING: "Elige una contraseña.", "Choose a password.";
    NEW_PASSWORD_MISSING: "Elige una contraseña nueva.", "Choose a new password.";
    PASSWORDS_MISSING: "Escribe la contraseña actual y la nueva.", "Enter your current password and the new one.";
    CURRENT_PASSWORD: "La contraseña actual no es correcta.", "The current password is wrong.";
    CURRENT_PASSWORD_MISSING: "Escribe tu contraseña actual.", "Enter your current password.";
    PROFILE_UNCHANGED: "Escribe un nombre y un correo.", "Enter a name and an email address.";
    ONESELF: "Eres administrador: eso solo lo puede hacer otro administrador con tu cuenta.", "You are an administrator: only another one can do that to your account.";
    LAST_ADMINISTRATOR: "Es el único administrador activo: antes tiene que haber otro.", "This is the only active administrator: there has to be another one first.";
    NOT_ADMINISTRATOR: "Estas páginas son solo para administradores.", "These pages are for administrators only.";
    NO_USER: "No hay ninguna cuenta con ese número. Quizá se ha eliminado.", "There is no account with that number. Perhaps it was deleted.";
    ROLE: "Elige uno de los roles.", "Choose one of the roles.";
    STATUS: "Elige uno de los estados.", "Choose one of the statuses.";
    INVITED: "Esta dirección ya tiene una invitación pendiente: envíala otra vez o retírala.", "This address has an invitation already: send it again or take it back.";
    TOO_MANY_INVITATIONS: "Hay demasiadas invitaciones pendientes: retira alguna.", "Too many invitations are waiting: take some back.";
    TOO_MANY_MAILS: "Ya se han enviado varias invitaciones a esta dirección. Inténtalo dentro de una hora.", "Several invitations went to this address already. Try again in an hour.";
    NO_SESSION: "Esa sesión ya había terminado.", "That session was over already.";
    NO_ROUTE: "La dirección no lleva a ninguna página. Quizá falte un trozo, o la página ya no existe.", "The address leads to no page. Perhaps a part of it is missing, or the page is gone.";
    OTHER_METHOD: "Esta dirección no se puede usar así.", "This address cannot be used like that.";
    REGISTER_CLOSED: "Aquí no se puede crear una cuenta: pide una invitación a quien administra este sitio.", "Accounts cannot be created here: ask whoever runs this site for an invitation.";
    VERIFICATION_OFF: "En este sitio no hace falta confirmar el correo.", "Email addresses need no confirmation at this site.";
    UNAVAILABLE: "El servidor no puede responder ahora. No se ha cambiado nada que sepamos; vuelve a intentarlo dentro de un momento.", "The server cannot answer now. Nothing was changed that we know of; try again in a moment.";
    INTERNAL: "Algo ha fallado en el servidor, y no es culpa tuya. Vuelve a intentarlo más tarde.", "Something failed in the server, and it is no fault of yours. Try again later.";
    CROSS_SITE: "Este formulario no se envió desde una página de este sitio. Ábrela aquí y envíalo de nuevo.", "This form was not sent from a page of this site. Open the page here and send it again.";
    TOO_LARGE: "El formulario es demasiado grande.", "The form is too large.";
    TOO_SLOW: "El formulario tardó demasiado en llegar. Vuelve a intentarlo.", "The form took too long to arrive. Try again.";
    CUT_OFF: "El formulario llegó incompleto. Vuelve a intentarlo.", "The form arrived incomplete. Try again.";
    NOT_FORM: "El formulario no se puede leer.", "The form cannot be read.";
    WRONG_INPUT: "El formulario no se puede leer.", "The form cannot be read.";
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use cerrojo_app::register::RegisterError;
    use cerrojo_app::{Locale, Quota};
    use cerrojo_domain::password::PasswordFlaw;

    use super::*;

    const ES: Language = Language(Locale::Es);
    const EN: Language = Language(Locale::En);

    #[test]
    fn a_fault_stands_beside_its_field() {
        let short = Problem::from(RegisterError::Password(vec![PasswordFlaw::TooShort, PasswordFlaw::NoDigit]));
        assert_eq!(of(&short, EN)["password"].len(), 2);
        assert!(of(&short, ES)["password"][0].contains("8 caracteres"));
        assert!(of(&Problem::from(&problem::CREDENTIALS), EN)["form"][0].contains("email address or the password"));
        assert!(of(&Problem::from(&problem::EMAIL_TAKEN), EN).contains_key("email"));
    }

    #[test]
    fn a_limit_says_when_to_come_back() {
        let after = |seconds| {
            let quota = Some(Quota { limit: 5, remaining: 0, reset: Duration::from_secs(seconds) });
            of(&Problem { quota, ..(&problem::TOO_MANY_LOGINS).into() }, EN)["form"][0].clone()
        };
        assert_eq!(after(61), "There were too many attempts. Try again in 2 minutes.");
        assert_eq!(after(0), "There were too many attempts. Try again in a minute.");
    }
}
