//! Words for administrators: what sessions end for, who ends them, what mails are.

use cerrojo_domain::EndReason;

use crate::envelope::Text;
pub(super) use crate::pages::shown::{cut, short};

/// Why, in a few words.
pub(super) fn reason(reason: EndReason) -> Text {
    let (es, en) = match reason {
        EndReason::Logout => ("Cerró la sesión", "Signed out"),
        EndReason::LogoutElsewhere => ("Cerrada desde otro dispositivo", "Ended from another device"),
        EndReason::LogoutOthers => ("Cerró todas las demás", "Ended all others"),
        EndReason::LogoutAll => ("Cerró todas", "Ended all"),
        EndReason::Admin => ("Cerrada por administración", "Ended by an administrator"),
        EndReason::Operator => ("Cerrada por quien opera el servidor", "Ended by the operator"),
        EndReason::PasswordChanged => ("Contraseña cambiada", "Password changed"),
        EndReason::EmailChanged => ("Correo cambiado", "Email address changed"),
        EndReason::PasswordReset => ("Contraseña restablecida", "Password reset"),
        EndReason::Disabled => ("Cuenta no activa", "Account not active"),
        EndReason::RoleChanged => ("Rol cambiado", "Role changed"),
        EndReason::UserDeleted => ("Cuenta eliminada", "Account deleted"),
        EndReason::Idle => ("Sin uso", "Unused"),
        EndReason::SessionLimit => ("Demasiadas sesiones", "Too many sessions"),
        EndReason::Expired => ("Caducada", "Expired"),
        EndReason::KeyRetired => ("Clave retirada", "Key retired"),
        EndReason::Restored => ("Base de datos restaurada", "Database restored"),
    };
    Text { es, en }
}

/// Who ends sessions, by kind.
pub(super) const DOERS: [(&str, Text); 4] = [
    ("user", Text { es: "La propia persona", en: "The person" }),
    ("administrator", Text { es: "Administración", en: "An administrator" }),
    ("operator", Text { es: "Quien opera el servidor", en: "The operator" }),
    ("server", Text { es: "El servidor", en: "The server" }),
];

/// Who, by kind.
pub(super) fn doer(kind: &str) -> Text {
    let known = DOERS.into_iter().find(|(known, _)| *known == kind);
    known.map_or(Text { es: "Nadie conocido", en: "Nobody known" }, |(_, text)| text)
}

/// What a mail is, by the kind of its job.
pub(super) fn mail(kind: &str) -> Text {
    let (es, en) = match kind {
        "reset" => ("Enlace para restablecer la contraseña", "Link to reset the password"),
        "reset_forced" => ("Enlace para elegir otra contraseña", "Link to choose another password"),
        "password_changed" => ("Aviso: contraseña cambiada", "Notice: password changed"),
        "email_changed" => ("Aviso: correo cambiado", "Notice: address changed"),
        "email_change_asked" => ("Aviso: se pidió otro correo", "Notice: another address asked for"),
        "new_device" => ("Aviso: sesión desde un lugar nuevo", "Notice: sign-in from a new place"),
        "registered" => ("Enlace para terminar el registro", "Link to finish a registration"),
        "verify" | "email_change" => ("Enlace para confirmar el correo", "Link to confirm an address"),
        "invitation" => ("Invitación", "Invitation"),
        _ => ("Otro correo", "Another mail"),
    };
    Text { es, en }
}
