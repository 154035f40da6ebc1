import type { EndReason } from "./types.js";

/** What the server answers (docs/openapi.json), and what befalls a request on its way. */
export type ErrorCode =
  | "VALIDATION_ERROR"
  | "UNAUTHORIZED"
  | "INVALID_CREDENTIALS"
  | "INVALID_RESET_TOKEN"
  | "INVALID_VERIFICATION_TOKEN"
  | "INVALID_INVITATION_TOKEN"
  | "EMAIL_NOT_VERIFIED"
  | "FORBIDDEN"
  | "CROSS_SITE_REQUEST"
  | "REAUTHENTICATION_REQUIRED"
  | "NOT_FOUND"
  | "METHOD_NOT_ALLOWED"
  | "REQUEST_TIMEOUT"
  | "USER_ALREADY_EXISTS"
  | "CONFLICT"
  | "TOO_MANY_SESSIONS"
  | "PAYLOAD_TOO_LARGE"
  | "UNSUPPORTED_MEDIA_TYPE"
  | "RATE_LIMITED"
  | "INTERNAL_ERROR"
  | "NOT_IMPLEMENTED"
  | "UNAVAILABLE"
  /** The server was not reached: offline, no such name, or CORS keeps this origin out. */
  | "NETWORK"
  /** No answer in time. */
  | "TIMEOUT"
  /** The answer is none of this API's. */
  | "BAD_ANSWER"
  /** The request would have taken the token somewhere else. */
  | "REDIRECTED"
  /** Nobody is signed in here, or not any more: the session ended while the request was under way. */
  | "SIGNED_OUT"
  /** A logout or a later login came before this one was through; its session is ended again. */
  | "SUPERSEDED"
  /** The server does not know cookie mode. */
  | "NO_COOKIE_MODE"
  /** There is no browser here: a page that is rendered on a server. */
  | "NO_BROWSER"
  // A later server may know more; those that are known are still offered by editors.
  | (string & {});

/** Whatever goes wrong is one of these. `message` is the server's, in its language, and may be shown. */
export class CerrojoError extends Error {
  declare readonly name: "CerrojoError";
  /** For programs. */
  declare readonly code: ErrorCode;
  /** The HTTP status; 0 where there was no answer. */
  declare readonly status: number;
  /** What exactly is wrong with the input, for people. */
  declare readonly errors: readonly string[];
  /** With a 401 about a session that is over: why it is. */
  declare readonly reason: EndReason | undefined;

  constructor(code: ErrorCode, message: string = code, status = 0, errors: readonly string[] = [], reason?: EndReason) {
    super(message);
    Object.assign(this, { name: "CerrojoError", code, status, errors, reason });
  }
}
