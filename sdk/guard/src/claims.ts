import type { Session } from "./session.js";
import type { Json, JsonObject } from "./strict-json.js";

/** What a token must say to be one of ours. */
export interface Policy {
  readonly issuer: string;
  readonly audience: string;
}

/** How far `iat` and `nbf` may lie ahead of this machine's clock, in seconds. */
const SKEW = 60;
const LONGEST_SESSION_ID = 64;
const LAST_INDEX = 2 ** 32 - 1;
/** A list's name may be looked up by whoever does not know it: only what can be one gets so far. */
export const LIST_NAME = /^[\w-]{1,64}$/;

/** Reads a verified payload. `null`: a claim is missing, of the wrong type, or does not fit the policy or the time. */
export function readClaims(claims: JsonObject, key: string, policy: Policy, now: number): Session | null {
  if (!text(claims, "jti")) return null;
  const latestStart = Math.floor(now / 1000) + SKEW;
  const issued = integer(claims, "iat");
  const expires = integer(claims, "exp");
  if (issued === null || expires === null || issued > latestStart || expires < issued) return null;
  if (claims.has("nbf") && (integer(claims, "nbf") ?? Number.POSITIVE_INFINITY) > latestStart) return null;
  return readSession(claims, key, policy);
}

/** Whose session it is, and where its bit is. `null`: something is missing, of the wrong type, or does not fit the policy. */
export function readSession(claims: JsonObject, key: string, policy: Policy): Session | null {
  const userId = integer(claims, "user_id", 1);
  const expires = integer(claims, "exp");
  if (
    userId === null ||
    expires === null ||
    claims.get("iss") !== policy.issuer ||
    !isAudience(claims.get("aud"), policy.audience) ||
    claims.get("sub") !== String(userId)
  ) {
    return null;
  }
  const [id, email, name] = [text(claims, "sid"), text(claims, "email"), text(claims, "name")];
  const roleId = integer(claims, "role_id", 1);
  if (!id || Buffer.byteLength(id) > LONGEST_SESSION_ID || email === null || name === null || roleId === null)
    return null;

  const place = object(object(claims.get("status"))?.get("status_list"));
  const uri = place && text(place, "uri");
  const index = place && integer(place, "idx");
  const start = `${policy.issuer}/status-lists/`;
  if (!uri?.startsWith(start) || index === null || index > LAST_INDEX) return null;
  const list = uri.slice(start.length);
  if (!LIST_NAME.test(list)) return null;
  return Object.freeze({ id, userId, email, name, roleId, expiresAt: expires * 1000, key, list, index });
}

function object(value: Json | undefined): JsonObject | null {
  return value instanceof Map ? value : null;
}

function text(claims: JsonObject, name: string): string | null {
  const value = claims.get(name);
  return typeof value === "string" ? value : null;
}

/** An integer written as one (not `1.0`, not `1e0`) and exact in every JSON reader (RFC 8259, section 6). */
function integer(claims: JsonObject, name: string, least = 0): number | null {
  const value = claims.get(name);
  return typeof value === "number" && value >= least && value <= Number.MAX_SAFE_INTEGER ? value : null;
}

/** A string, or an array of exactly this one (RFC 7519, section 4.1.3). */
function isAudience(claim: Json | undefined, audience: string): boolean {
  return claim === audience || (Array.isArray(claim) && claim.length === 1 && claim[0] === audience);
}
