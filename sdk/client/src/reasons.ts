import type { EndReason } from "./types.js";

const WORDS: Record<string, { es: string; en: string }> = {
  logout: { es: "Has cerrado la sesión.", en: "You have signed out." },
  logout_elsewhere: {
    es: "Has cerrado esta sesión desde otro dispositivo.",
    en: "You ended this session from another device.",
  },
  password_changed: {
    es: "La contraseña ha cambiado. Inicia sesión con la nueva.",
    en: "The password was changed. Sign in with the new one.",
  },
  email_changed: {
    es: "El correo de la cuenta ha cambiado. Inicia sesión de nuevo.",
    en: "The account's e-mail was changed. Sign in again.",
  },
  account_inactive: { es: "La cuenta está inactiva.", en: "The account is inactive." },
  account_suspended: { es: "La cuenta está suspendida.", en: "The account is suspended." },
  account_deleted: { es: "La cuenta se ha eliminado.", en: "The account was deleted." },
  admin: { es: "Un administrador ha cerrado esta sesión.", en: "An administrator ended this session." },
  idle: {
    es: "La sesión se ha cerrado por inactividad.",
    en: "You were signed out because nothing was done for a while.",
  },
  expired: { es: "La sesión ha caducado.", en: "The session has expired." },
  replaced: {
    es: "Has iniciado sesión en más dispositivos de los permitidos; esta sesión se ha cerrado.",
    en: "You signed in on more devices than allowed, and this session was ended.",
  },
  switched: { es: "Se ha iniciado otra sesión en este navegador.", en: "Somebody signed in again in this browser." },
  restored: {
    es: "El servidor se ha restaurado. Inicia sesión de nuevo.",
    en: "The server was restored. Sign in again.",
  },
  ended: { es: "La sesión ha terminado.", en: "The session is over." },
};

/** Words for why a session ended, to show to the person: Spanish if `locale` begins with `es`, else English. */
export function explain(reason: EndReason, locale = "es"): string {
  const { es, en } = (Object.hasOwn(WORDS, reason) && WORDS[reason]) || (WORDS.ended as { es: string; en: string });
  return /^es\b/i.test(locale) ? es : en;
}
