import { createHmac, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { deflateSync } from "node:zlib";

export const ISSUER = "https://auth.example.org";
export const AUDIENCE = "https://api.example.org";
export const NOW = 1_800_000_000_000;

export type Members = Record<string, unknown>;

const encode = (text: string | Buffer) => Buffer.from(text).toString("base64url");

/** A key of the server's, and tokens made with it. */
export class Signer {
  readonly kid: string;
  readonly alg: "ES256" | "HS256";
  readonly #sign: (input: string) => Buffer;
  readonly jwk: Members;

  private constructor(kid: string, alg: "ES256" | "HS256", jwk: Members, signInput: (input: string) => Buffer) {
    this.kid = kid;
    this.alg = alg;
    this.jwk = jwk;
    this.#sign = signInput;
  }

  static es256(kid: string): Signer {
    const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const signInput = (input: string) => es256(privateKey, input);
    return new Signer(
      kid,
      "ES256",
      { ...publicKey.export({ format: "jwk" }), kid, alg: "ES256", use: "sig" },
      signInput,
    );
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
