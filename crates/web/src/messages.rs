//! What successes say.

use crate::envelope::Text;

macro_rules! messages {
    ($($name:ident: $es:literal, $en:literal;)+) => {
        $(pub(crate) const $name: Text = Text { es: $es, en: $en };)+
    };
}

messages! {
    SIGNED_IN: "Inicio de sesión exitoso", "Signed in successfully";
    REGISTERED: "Usuario registrado exitosamente", "User registered successfully";
    CONFIRM: "Te hemos enviado un correo para confirmar tu dirección de email", "We have sent you an email to confirm your address";
    SESSION_CLOSED: "Sesión cerrada exitosamente", "Session closed successfully";
    SESSIONS_CLOSED: "Sesiones cerradas exitosamente", "Sessions closed successfully";
    ALL_SESSIONS_CLOSED: "Todas las sesiones cerradas exitosamente", "All sessions closed successfully";
    OTHER_SESSIONS_CLOSED: "Otras sesiones cerradas exitosamente", "Other sessions closed successfully";
    SESSIONS: "Sesiones obtenidas exitosamente", "Sessions retrieved successfully";
    PROFILE: "Perfil obtenido exitosamente", "Profile retrieved successfully";
    PROFILE_UPDATED: "Perfil actualizado exitosamente", "Profile updated successfully";
    PASSWORD_UPDATED: "Contraseña actualizada exitosamente", "Password updated successfully";
    PERSONAL: "Datos obtenidos exitosamente", "Data retrieved successfully";
    ACCOUNT_DELETED: "Cuenta eliminada exitosamente", "Account deleted successfully";
    RESET_REQUESTED: "Si el email está registrado, recibirás instrucciones para restablecer tu contraseña", "If the email is registered, you will receive instructions to reset your password";
    PASSWORD_RESET: "Contraseña restablecida exitosamente", "Password reset successfully";
    EMAIL_CONFIRMED: "Email confirmado exitosamente", "Email confirmed successfully";
    VERIFY_REQUESTED: "Si hay un email por confirmar, recibirás otro enlace", "If there is an email to confirm, you will receive another link";
    INVITED: "Invitación enviada exitosamente", "Invitation sent successfully";
    INVITATIONS: "Invitaciones obtenidas exitosamente", "Invitations retrieved successfully";
    INVITATION_REVOKED: "Invitación revocada exitosamente", "Invitation revoked successfully";
    INVITATION_ACCEPTED: "Invitación aceptada exitosamente", "Invitation accepted successfully";
    AUDIT: "Registro de auditoría obtenido exitosamente", "Audit trail retrieved successfully";
    USERS: "Usuarios obtenidos exitosamente", "Users retrieved successfully";
    USER: "Usuario obtenido exitosamente", "User retrieved successfully";
    USER_UPDATED: "Usuario actualizado exitosamente", "User updated successfully";
    RESET_FORCED: "Contraseña anulada y sesiones cerradas exitosamente", "Password made void and sessions closed successfully";
    USER_DELETED: "Usuario eliminado exitosamente", "User deleted successfully";
    ACTIVITY: "Actividad registrada exitosamente", "Activity recorded successfully";
    LIVE: "El servidor está en marcha", "The server is running";
    READY: "El servidor está listo", "The server is ready";
}
