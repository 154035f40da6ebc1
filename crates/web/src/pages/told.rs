//! What a page says that follows an act: the act answers 303, and a cookie of a minute says to the next page what was done.
//!
//! It cannot stand in the address: there anybody could write it and send it to somebody.

use cerrojo_domain::SessionId;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use cerrojo_app::Caller;

use crate::envelope::Text;

/// A session and its person as its token said: whoever has no token of it is told nothing, and whoever has an old one nothing
/// newer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Whose {
    pub(super) session: SessionId,
    pub(super) name: String,
    pub(super) email: String,
}

impl Whose {
    pub(super) fn of(caller: &Caller) -> Self {
        Self { session: caller.session.clone(), name: caller.name.clone(), email: caller.email.clone() }
    }

    fn written(&self) -> String {
        let parts = [self.session.as_str(), &self.name, &self.email];
        URL_SAFE_NO_PAD.encode(parts.join("\n"))
    }

    fn read(text: &str) -> Option<Self> {
        let parts = String::from_utf8(URL_SAFE_NO_PAD.decode(text).ok()?).ok()?;
        let mut parts = parts.splitn(3, '\n').map(str::to_owned);
        let (session, name, email) = (parts.next()?, parts.next()?, parts.next()?);
        Some(Self { session: SessionId::from_text(session), name, email })
    }
}

macro_rules! told {
    ($($(#[$doc:meta])* $name:ident = $word:literal, ($title_es:literal, $title_en:literal), ($es:literal, $en:literal);)+) => {
        /// What was done.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub(super) enum Told {
            /// A session that the browser held has ended; whose.
            Ended(Option<Whose>),
            /// The person signed out of it; whose it was.
            SignedOut(Option<Whose>),
            $($(#[$doc])* $name),+
        }

        impl Told {
            fn word(&self) -> &'static str {
                match self {
                    Self::Ended(_) => "ended",
                    Self::SignedOut(_) => "signed-out",
                    $(Self::$name => $word),+
                }
            }

            fn without_session(word: &str) -> Option<Self> {
                match word {
                    $($word => Some(Self::$name),)+
                    _ => None,
                }
            }

            /// A title and a text.
            pub(super) fn words(&self) -> (Text, Text) {
                match self {
                    Self::Ended(_) => (
                        Text { es: "Tu sesión ha terminado", en: "Your session has ended" },
                        Text { es: "Inicia sesión de nuevo para continuar.", en: "Sign in again to continue." },
                    ),
                    Self::SignedOut(_) => (
                        Text { es: "Has cerrado la sesión", en: "You are signed out" },
                        Text { es: "Ya no queda sesión abierta en este navegador.", en: "No session is open in this browser any more." },
                    ),
                    $(Self::$name => (
                        Text { es: $title_es, en: $title_en },
                        Text { es: $es, en: $en },
                    )),+
                }
            }
        }
    };
}

told! {
    Deleted = "deleted", ("Tu cuenta se ha eliminado", "Your account is deleted"),
        ("Todas tus sesiones han terminado y tus datos se han borrado.", "All your sessions are over and your data is gone.");
    Reset = "reset", ("Tu contraseña ha cambiado", "Your password has changed"),
        ("Se han cerrado todas las sesiones de tu cuenta. Inicia sesión con la contraseña nueva.",
         "All sessions of your account are over. Sign in with the new password.");
    TakenBack = "taken-back", ("Nadie más puede entrar", "Nobody else can get in"),
        ("Se han cerrado todas las sesiones y la contraseña de antes ya no vale. Elige otra ahora.",
         "All sessions are over and the password of before is worth nothing. Choose another one now.");
    Confirmed = "confirmed", ("Correo confirmado", "Email address confirmed"),
        ("Gracias: ya sabemos que los correos te llegan a esa dirección.", "Thank you: we know now that mail reaches you at that address.");
    Accepted = "accepted", ("Tu cuenta está lista", "Your account is ready"),
        ("Inicia sesión con tu correo y la contraseña que acabas de elegir.", "Sign in with your email address and the password that you just chose.");
    Saved = "saved", ("Cambios guardados", "Changes saved"),
        ("Tu perfil está al día.", "Your profile is up to date.");
    EmailChanged = "email-changed", ("Correo cambiado", "Email address changed"),
        ("Hemos avisado a la dirección anterior. Tus otras sesiones han terminado; esta sigue abierta.",
         "The address of before was told. Your other sessions are over; this one goes on.");
    EmailWaits = "email-waits", ("Confirma tu nueva dirección", "Confirm your new address"),
        ("Te hemos enviado un enlace. Hasta que lo abras sigue valiendo la dirección de antes.",
         "We have sent you a link. Until you open it, the address of before stays.");
    PasswordChanged = "password-changed", ("Contraseña cambiada", "Password changed"),
        ("Tus otras sesiones han terminado; esta sigue abierta.", "Your other sessions are over; this one goes on.");
    KeyRotated = "key-rotated", ("Hay claves nuevas", "There are new keys"),
        ("Firman dentro de unos segundos, cuando todos los nodos y servicios las conocen. Lo que firmaron las anteriores sigue valiendo.",
         "They sign in a few seconds, when every node and service knows them. What the older ones signed goes on.");
    KeyRetired = "key-retired", ("La clave se ha retirado", "The key is retired"),
        ("Nada de lo que firmó se acepta ya, y sus sesiones han terminado.", "Nothing that it signed is accepted any more, and its sessions are over.");
    KeyGiven = "key-given", ("El secreto es un ajuste", "The secret is a setting"),
        ("Con HS256 se cambia token.secret y se reinicia el servidor. No se ha cambiado nada.",
         "With HS256 change token.secret and restart the server. Nothing was changed.");
    NoKey = "no-key", ("No hay ninguna clave con ese nombre", "There is no key of that name"),
        ("No se ha cambiado nada.", "Nothing was changed.");
    MailTested = "mail-tested", ("Correo de prueba enviado", "The test mail has left"),
        ("El servidor de correo lo aceptó: mira si te llega.", "The mail server took it: look whether it arrives.");
    MailKept = "mail-kept", ("Correo de prueba guardado", "The test mail was written down"),
        ("Está en la carpeta de mail.outbox: ningún correo sale mientras mail.url no esté puesto.",
         "It is in the folder of mail.outbox: no mail leaves as long as mail.url is not set.");
    MailRetried = "mail-retried", ("Se intenta de nuevo", "It is tried again"),
        ("El correo está el primero de la cola.", "The mail is due now.");
    MailDropped = "mail-dropped", ("El correo se ha descartado", "The mail is dropped"),
        ("No se intentará más, y a quien iba no se le avisa.", "It is not tried any more, and whom it was for is not told.");
    MailBusy = "mail-busy", ("Ese correo no se puede tocar ahora", "That mail cannot be touched now"),
        ("Ya salió, se descartó o se está intentando en este momento.", "It has left, was dropped, or is being tried at this moment.");
    OneEnded = "one-ended", ("Sesión cerrada", "Session ended"),
        ("Ese dispositivo ya no tiene acceso a tu cuenta.", "That device has no access to your account any more.");
    OneWasOver = "one-was-over", ("Esa sesión no está abierta", "That session is not open"),
        ("No está entre tus sesiones abiertas.", "It is not among your open sessions.");
    OthersEnded = "others-ended", ("Las demás sesiones se han cerrado", "All other sessions are over"),
        ("Solo queda abierta la de este navegador.", "Only the one of this browser goes on.");
    UserAdded = "user-added", ("Usuario añadido", "User added"),
        ("Ya puede iniciar sesión con la contraseña que elegiste.", "Signing in with the password that you chose works from now on.");
    UserChanged = "user-changed", ("Cambios guardados", "Changes saved"),
        ("Sus sesiones siguen como estaban.", "The sessions go on as they were.");
    UserChangedAndOut = "user-changed-and-out", ("Cambios guardados", "Changes saved"),
        ("Todas las sesiones de esta cuenta han terminado.", "All sessions of this account are over.");
    NothingChanged = "nothing-changed", ("No había nada que guardar", "There was nothing to save"),
        ("Todo sigue como estaba.", "All is as it was.");
    UserDeleted = "user-deleted", ("Cuenta eliminada", "Account deleted"),
        ("Sus sesiones han terminado y sus datos se han borrado.", "Its sessions are over and its data is gone.");
    ResetForced = "reset-forced", ("Contraseña anulada", "Password made void"),
        ("Ya no sirve, y todas las sesiones han terminado. Si la cuenta está activa, le llega un enlace por correo, cinco por hora como mucho; también puede pedirlo en «He olvidado mi contraseña».",
         "It works no more, and all sessions are over. If the account is active, a link goes by mail, five an hour at most; the person can also ask for one by «I forgot my password».");
    UserSessionEnded = "user-session-ended", ("Sesión cerrada", "Session ended"),
        ("Ese dispositivo ya no tiene acceso a la cuenta.", "That device has no access to the account any more.");
    UserSessionsEnded = "user-sessions-ended", ("Sesiones cerradas", "Sessions ended"),
        ("Ningún dispositivo tiene ya acceso a la cuenta.", "No device has access to the account any more.");
    UserSessionWasOver = "user-session-was-over", ("Esa sesión no está abierta", "That session is not open"),
        ("Había terminado ya.", "It was over already.");
    Invited = "invited", ("Invitación enviada", "Invitation sent"),
        ("Sale por correo ahora mismo.", "It leaves by mail now.");
    InvitationResent = "invitation-resent", ("Invitación enviada otra vez", "Invitation sent again"),
        ("El enlace de antes ya no sirve.", "The link of before works no more.");
    InvitationRevoked = "invitation-revoked", ("Invitación retirada", "Invitation taken back"),
        ("Su enlace ya no sirve.", "Its link works no more.");
    InvitationWasGone = "invitation-was-gone", ("Esa invitación ya no está pendiente", "That invitation is not waiting any more"),
        ("Se aceptó, se retiró o caducó.", "It was accepted, taken back, or ran out.");
}

impl Told {
    /// As the cookie's value.
    pub(super) fn written(&self) -> String {
        match self {
            Self::Ended(Some(whose)) | Self::SignedOut(Some(whose)) => format!("{}.{}", self.word(), whose.written()),
            other => other.word().to_owned(),
        }
    }

    pub(super) fn read(text: &str) -> Option<Self> {
        let (word, whose) = text.split_once('.').map_or((text, None), |(word, whose)| (word, Whose::read(whose)));
        match word {
            "ended" => Some(Self::Ended(whose)),
            "signed-out" => Some(Self::SignedOut(whose)),
            word => Self::without_session(word),
        }
    }

    /// The session that it is about.
    pub(super) fn whose(&self) -> Option<&Whose> {
        match self {
            Self::Ended(whose) | Self::SignedOut(whose) => whose.as_ref(),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back_and_nothing_else() {
        let session = SessionId::from_text("pQ7-x_9tVgJ0hB3kLm2NaA".to_owned());
        let whose = Whose { session, name: "Ñu 2".to_owned(), email: "ana@example.com".to_owned() };
        for told in [Told::Ended(None), Told::SignedOut(Some(whose)), Told::Reset, Told::OthersEnded] {
            assert_eq!(Told::read(&told.written()), Some(told));
        }
        assert_eq!(Told::read("ended.<script>"), Some(Told::Ended(None)));
        for other in ["", "nonsense", ".", "reset2"] {
            assert_eq!(Told::read(other), None, "{other}");
        }
    }
}
