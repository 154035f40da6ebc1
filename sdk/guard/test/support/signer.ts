import { createHmac, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { deflateSync } from "node:zlib";
import type { Algorithm } from "../../src/jws.js";

export const ISSUER = "https://auth.example.org";
export const AUDIENCE = "https://api.example.org";
export const NOW = 1_800_000_000_000;

export type Members = Record<string, unknown>;

const encode = (text: string | Buffer) => Buffer.from(text).toString("base64url");

/** A key of the server's, and tokens made with it. */
export class Signer {
  readonly kid: string;
  readonly alg: Algorithm;
  readonly #sign: (input: string) => Buffer;
  readonly jwk: Members;

  private constructor(kid: string, alg: Algorithm, jwk: Members, signInput: (input: string) => Buffer) {
    this.kid = kid;
    this.alg = alg;
    this.jwk = jwk;
    this.#sign = signInput;
  }

  static es256(kid: string): Signer {
    return Signer.#ofPair(kid, "ES256", generateKeyPairSync("ec", { namedCurve: "P-256" }), es256);
  }

  static ed25519(kid: string, alg: "Ed25519" | "EdDSA"): Signer {
    return Signer.#ofPair(kid, alg, generateKeyPairSync("ed25519"), (key, input) =>
      sign(null, Buffer.from(input), key),
    );
  }

  static rs256(kid: string, modulusLength = 3072, publicExponent = 65537): Signer {
    const pair = generateKeyPairSync("rsa", { modulusLength, publicExponent });
    return Signer.#ofPair(kid, "RS256", pair, (key, input) => sign("sha256", Buffer.from(input), key));
  }

  static #ofPair(
    kid: string,
    alg: Algorithm,
    { privateKey, publicKey }: { privateKey: KeyObject; publicKey: KeyObject },
    signInput: (key: KeyObject, input: string) => Buffer,
  ): Signer {
    const jwk = { ...publicKey.export({ format: "jwk" }), kid, alg, use: "sig" };
    return new Signer(kid, alg, jwk, (input) => signInput(privateKey, input));
  }

  static hs256(kid: string, secret: string): Signer {
    return new Signer(kid, "HS256", {}, (input) => createHmac("sha256", secret).update(input).digest());
  }

  header(more: Members = {}): Members {
    return { alg: this.alg, typ: "at+jwt", kid: this.kid, ...more };
  }

  signature(input: string): Buffer {
    return this.#sign(input);
  }

  /** Properly signed, whatever it is. */
  signText(header: string | Buffer, payload: string | Buffer): string {
    return this.signParts(encode(header), encode(payload));
  }

  signParts(header: string, payload: string): string {
    return `${header}.${payload}.${encode(this.#sign(`${header}.${payload}`))}`;
  }

  token(claims: Members, header: Members = this.header()): string {
    return this.signText(JSON.stringify(header), JSON.stringify(claims));
  }
}

function es256(key: KeyObject, input: string): Buffer {
  return sign("sha256", Buffer.from(input), { key, dsaEncoding: "ieee-p1363" });
}

/** The claims of a session at a place in a list, as the server writes them. */
export function claimsAt(list: string, index: number, more: Members = {}, issuer = ISSUER): Members {
  const seconds = Math.floor(NOW / 1000);
  return {
    iss: issuer,
    aud: AUDIENCE,
    sub: "7",
    iat: seconds,
    exp: seconds + 86_400,
    jti: `jti-${list}-${index}`,
    sid: `sid-${list}-${index}`,
    status: { status_list: { idx: index, uri: `${issuer}/status-lists/${list}` } },
    user_id: 7,
    email: "ana@example.org",
    role_id: 2,
    name: "Ana Núñez",
    ...more,
  };
}

/** The bitmap of a list in which these places are over. */
export function bitmap(capacity: number, ended: readonly number[] = []): Buffer {
  const bytes = Buffer.alloc(Math.ceil(capacity / 8));
  for (const index of ended) bytes[index >> 3] = (bytes[index >> 3] ?? 0) | (1 << (index & 7));
  return bytes;
}

/** As the server encodes it: ZLIB at its highest level, base64url. */
export function lst(bytes: Buffer): string {
  return encode(deflateSync(bytes, { level: 9 }));
}
