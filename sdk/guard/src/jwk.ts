import { type CryptoKey, importJWK, type JWK } from "jose";
import { fromBase64url } from "./base64url.js";
import type { Algorithm } from "./jws.js";

/** Bytes of a coordinate, of both curves. */
const COORDINATE = 32;
/** Bits of an RSA modulus: not fewer than RFC 7518, section 3.3, asks for, and not so many that a check takes milliseconds. */
const RSA_BITS = { least: 2048, most: 4096 };
/** The one public exponent, 65537: small ones have led to forgeries where padding was read carelessly. */
const RSA_EXPONENT = "AQAB";
/** The prime of Ed25519's field (RFC 8032, section 5.1). */
const ED25519_PRIME = 2n ** 255n - 19n;
/** The y of the eight points whose order divides 8. With one of them as a key some signatures are good for many messages. */
const SMALL_ORDER = new Set([
  0n,
  1n,
  ED25519_PRIME - 1n,
  0x05fc536d880238b13933c6d305acdfd5f098eff289f4c345b027b2c28f95e826n,
  0x7a03ac9277fdc74ec6cc392cfa53202a0f67100d760b3cba4fd84d3d706a17c7n,
]);

/** What a JWK is a key for, and how it becomes one. */
export interface Verifying {
  readonly algorithm: Algorithm;
  readonly importKey: () => Promise<CryptoKey>;
}

/**
 * The public key of a JWK for ES256 (`EC`, P-256; RFC 7518, section 6.2.1), Ed25519 or EdDSA (`OKP`, Ed25519; RFC 8037, section
 * 2), or RS256 (`RSA`, 2048 to 4096 bits, exponent 65537; RFC 7518, section 6.3.1). What it is for has to be said by `alg`,
 * but for P-256, where nothing else is possible. `null`: whatever else it is, no key for a guard.
 */
export function readJwk(jwk: JWK): Verifying | null {
  const { use, key_ops: operations } = jwk;
  const alg: string | undefined = jwk.alg;
  if (use !== undefined && use !== "sig") return null;
  if (operations !== undefined && !(Array.isArray(operations) && operations.includes("verify"))) return null;
  switch (jwk.kty) {
    case "EC":
      return alg === undefined || alg === "ES256" ? readEc(jwk) : null;
    case "OKP":
      return alg === "Ed25519" || alg === "EdDSA" ? readOkp(jwk, alg) : null;
    case "RSA":
      return alg === "RS256" ? readRsa(jwk) : null;
    default:
      return null;
  }
}

function imported(algorithm: Algorithm, jwk: JWK): Verifying {
  return { algorithm, importKey: async () => (await importJWK(jwk, algorithm)) as CryptoKey };
}

function readEc({ crv, x, y }: JWK): Verifying | null {
  if (crv !== "P-256" || !isCoordinate(x) || !isCoordinate(y)) return null;
  return imported("ES256", { kty: "EC", crv, x, y });
}

function readOkp({ crv, x }: JWK, algorithm: Algorithm): Verifying | null {
  if (crv !== "Ed25519" || !isCoordinate(x) || !isEd25519Key(x)) return null;
  return imported(algorithm, { kty: "OKP", crv, x });
}

function readRsa({ n, e }: JWK): Verifying | null {
  if (e !== RSA_EXPONENT || typeof n !== "string" || !isModulus(fromBase64url(n))) return null;
  return imported("RS256", { kty: "RSA", n, e });
}

function isCoordinate(text: unknown): text is string {
  return typeof text === "string" && fromBase64url(text)?.length === COORDINATE;
}

/** A point in its one spelling (y below the prime) and of an order that is not small. */
function isEd25519Key(text: string): boolean {
  const number = BigInt(`0x${Buffer.from(text, "base64url").reverse().toString("hex")}`);
  // Without the sign of x.
  const y = BigInt.asUintN(255, number);
  return y < ED25519_PRIME && !SMALL_ORDER.has(y);
}

/** Odd, big-endian without leading zeros, of a size that is neither small nor huge. */
function isModulus(modulus: Buffer | null): boolean {
  const [first, last] = [modulus?.at(0), modulus?.at(-1)];
  if (!modulus || !first || !last || last % 2 === 0) return false;
  const bits = (modulus.length - 1) * 8 + (32 - Math.clz32(first));
  return bits >= RSA_BITS.least && bits <= RSA_BITS.most;
}
