import { fromBase64url, isWhole } from "./base64url.js";
import { type JsonObject, strictObject } from "./strict-json.js";

const ALGORITHMS = ["ES256", "Ed25519", "EdDSA", "RS256", "HS256"] as const;
/** The signature algorithms there are (RFC 7518, section 3.1; RFC 8037; RFC 9864). `Ed25519` and `EdDSA` are two. */
export type Algorithm = (typeof ALGORITHMS)[number];

/** What a token's header says, once it was found to be one that a session token may have. */
export interface Header {
  readonly alg: Algorithm;
  readonly kid: string;
}

/** Longer tokens are refused before any work. */
export const MAX_BYTES = 8 * 1024;
/** `typ` of a session token (RFC 9068, section 2.1). */
const SESSION_TYP = "at+jwt";
/** Would change what is verified or where the key comes from. None is needed, so each is refused. */
const REFUSED_MEMBERS = ["crit", "b64", "zip", "enc", "jku", "jwk", "x5u", "x5c"];

const COMPACT = /^([\w-]+)\.([\w-]+)\.([\w-]+)$/;
/** The signer writes the same header on every token of a key: it is read once. */
const read = new Map<string, Header>();
const REMEMBERED = 64;

/** A session token taken apart. Nothing in it is trusted. */
export interface Jws {
  readonly header: Header;
  /** As they stand in the token. */
  readonly parts: { readonly protected: string; readonly payload: string; readonly signature: string };
}

/** Takes a session token in compact form apart, as narrowly as RFC 8725 advises. `null`: whatever else it is, it is none. */
export function takeApart(token: string): Jws | null {
  if (token.length > MAX_BYTES) return null;
  const [, first, payload, signature] = COMPACT.exec(token) ?? [];
  if (!first || !payload || !signature || !isWhole(payload) || !isWhole(signature)) return null;
  const header = readHeader(first);
  return header && { header, parts: { protected: first, payload, signature } };
}

function readHeader(part: string): Header | null {
  const known = read.get(part);
  if (known) return known;
  const bytes = fromBase64url(part);
  const members = bytes && strictObject(bytes);
  const header = members && accepted(members);
  if (header) {
    if (read.size >= REMEMBERED) read.clear();
    read.set(part, header);
  }
  return header;
}

function accepted(members: JsonObject): Header | null {
  if (REFUSED_MEMBERS.some((name) => members.has(name))) return null;
  const [alg, kid, typ] = [members.get("alg"), members.get("kid"), members.get("typ")];
  const known = ALGORITHMS.find((name) => name === alg);
  if (!known || typeof kid !== "string" || typeof typ !== "string") return null;
  return isTyp(typ) ? { alg: known, kid } : null;
}

/** With or without `application/` before it, without regard to case (RFC 7515, section 4.1.9). */
function isTyp(typ: string): boolean {
  const given = typ.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
  return given === SESSION_TYP || given === `application/${SESSION_TYP}`;
}
