import type { IncomingMessage } from "node:http";
import type { Guard } from "./guard.js";
import type { Session } from "./session.js";

export interface ProtectOptions {
  /** The language of messages: Spanish unless set. */
  readonly locale?: "es" | "en";
}

/** What a request without a good token gets. */
export interface Rejection {
  readonly status: 401 | 503;
  readonly headers: Record<string, string>;
  readonly body: { readonly success: false; readonly message: string; readonly code: string };
}

export type Admission = { readonly session: Session } | { readonly session: null; readonly rejection: Rejection };

const MESSAGES = {
  es: {
    UNAUTHORIZED: "Token no proporcionado o inválido",
    UNAVAILABLE: "Servicio no disponible temporalmente. Por favor, intente de nuevo.",
  },
  en: {
    UNAUTHORIZED: "Token missing or invalid",
    UNAVAILABLE: "Service temporarily unavailable. Please try again.",
  },
} as const;

/** Seconds. A guard is current again about a second after the server can be reached. */
const RETRY_AFTER = "1";

const SEVERAL = Symbol("several");

/** Whether a request with this `Authorization` may go on, and what is to be answered if not. */
export async function admit(
  guard: Pick<Guard, "check">,
  authorization: string | readonly string[] | null | undefined,
  { locale = "es" }: ProtectOptions = {},
): Promise<Admission> {
  const values = typeof authorization === "string" ? [authorization] : (authorization ?? []);
  // Of two others might have looked at the other one.
  const token = values.length > 1 ? SEVERAL : bearerToken(values[0]);
  if (token === null) return { session: null, rejection: unauthorized("Bearer", locale) };
  const verdict = token === SEVERAL ? { outcome: "refused" as const } : await guard.check(token);
  if (verdict.outcome === "accepted") return { session: verdict.session };
  if (verdict.outcome === "refused") {
    return { session: null, rejection: unauthorized('Bearer error="invalid_token"', locale) };
  }
  return {
    session: null,
    rejection: { status: 503, headers: headers("retry-after", RETRY_AFTER), body: body("UNAVAILABLE", locale) },
  };
}

/** Every `Authorization` header of a request: Node's `headers` has only the first. */
export function authorizationOf(request: IncomingMessage): string | readonly string[] | undefined {
  // Requests that are made up, such as those of Fastify's `inject`, have only `headers`.
  const distinct = request.headersDistinct as IncomingMessage["headersDistinct"] | undefined;
  return distinct ? distinct.authorization : request.headers.authorization;
}

const SPACES = " \t\n\f\r";

/**
 * The bearer token of an `Authorization` header (RFC 6750, section 2.1), read as the server itself reads it; `null`: there is
 * none. Whatever else stands behind `Bearer`, such as two words, is a token that is not valid.
 */
export function bearerToken(authorization: string | null | undefined): string | null {
  // By hand: a pattern for it takes quadratic time for a header that is mostly spaces, and anybody may send one.
  const given = authorization ?? "";
  if (given.slice(0, 7).toLowerCase() !== "bearer ") return null;
  let [from, to] = [7, given.length];
  while (from < to && SPACES.includes(given.charAt(from))) from++;
  while (from < to && SPACES.includes(given.charAt(to - 1))) to--;
  return from === to ? null : given.slice(from, to);
}

function unauthorized(challenge: string, locale: "es" | "en"): Rejection {
  return { status: 401, headers: headers("www-authenticate", challenge), body: body("UNAUTHORIZED", locale) };
}

function headers(name: string, value: string): Record<string, string> {
  return { "cache-control": "no-store", [name]: value };
}

function body(code: keyof (typeof MESSAGES)["es"], locale: "es" | "en"): Rejection["body"] {
  return { success: false, message: MESSAGES[locale][code], code };
}
