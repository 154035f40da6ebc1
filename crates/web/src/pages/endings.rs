//! Why sessions end, in words for whoever held them.

use cerrojo_domain::EndReason;

use crate::envelope::Text;

/// Why, as a sentence.
pub(super) fn why(reason: EndReason) -> Text {
    let (es, en) = match reason {
        EndReason::Logout => ("Se cerró desde ese mismo dispositivo.", "It was signed out on that device."),
        EndReason::LogoutElsewhere => ("La cerraste desde otro dispositivo.", "You ended it from another device."),
        EndReason::LogoutOthers => {
            ("Cerraste todas las demás desde otro dispositivo.", "You ended all others from another device.")
        }
        EndReason::LogoutAll => ("Cerraste todas tus sesiones.", "You ended all your sessions."),
        EndReason::Admin => ("La cerró un administrador.", "An administrator ended it."),
        EndReason::Operator => ("La cerró quien opera el servidor.", "Whoever operates the server ended it."),
        EndReason::PasswordChanged => {
            ("Se cambió la contraseña de la cuenta.", "The password of the account was changed.")
        }
        EndReason::EmailChanged => {
            ("Se cambió el correo de la cuenta.", "The email address of the account was changed.")
        }
        EndReason::PasswordReset => {
            ("Se restableció la contraseña con un enlace.", "The password was reset by a link.")
        }
        EndReason::Disabled => ("La cuenta dejó de estar activa.", "The account is not active any more."),
        EndReason::RoleChanged => ("Cambió el rol de la cuenta.", "The role of the account was changed."),
        EndReason::UserDeleted => ("La cuenta se eliminó.", "The account was deleted."),
        EndReason::Idle => ("Nadie la usó durante demasiado tiempo.", "Nobody used it for too long."),
        EndReason::SessionLimit => (
            "Había demasiadas sesiones abiertas, y era la más antigua.",
            "Too many sessions were open, and it was the oldest.",
        ),
        EndReason::Expired => ("Caducó.", "It expired."),
        EndReason::KeyRetired => ("Se retiró la clave que la firmaba.", "The key that signed it was retired."),
        EndReason::Restored => {
            ("El servidor se restauró y cerró todas las sesiones.", "The server was restored and ended all sessions.")
        }
    };
    Text { es, en }
}

/// The same of somebody else's session.
pub(super) fn why_others(reason: EndReason) -> Text {
    let (es, en) = match reason {
        EndReason::LogoutElsewhere => {
            ("La persona la cerró desde otro dispositivo.", "The person ended it from another device.")
        }
        EndReason::LogoutOthers => ("La persona cerró todas menos otra.", "The person ended all but another one."),
        EndReason::LogoutAll => ("La persona cerró todas sus sesiones.", "The person ended all sessions."),
        other => return why(other),
    };
    Text { es, en }
}

/// Who, by the kind of whoever ended it (`user`, `administrator`, `operator`, `server`).
pub(super) fn who(kind: &str) -> Text {
    let (es, en) = match kind {
        "user" => ("tú", "you"),
        "administrator" => ("un administrador", "an administrator"),
        "operator" => ("quien opera el servidor", "whoever operates the server"),
        _ => ("el servidor", "the server"),
    };
    Text { es, en }
}
