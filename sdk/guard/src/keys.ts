import { createHmac } from "node:crypto";
import type { CryptoKey, JWK } from "jose";
import { readJwk } from "./jwk.js";
import type { Algorithm } from "./jws.js";

const SHORTEST_SECRET = 32;

/** A key that verifies, for one algorithm (RFC 8725, section 3.1). */
export class Key {
  inUse = true;
  readonly id: string;
  readonly algorithm: Algorithm;
  readonly #import: () => Promise<CryptoKey>;
  #imported: Promise<CryptoKey | null> | CryptoKey | null | undefined;

  constructor(id: string, algorithm: Algorithm, importKey: () => Promise<CryptoKey>) {
    this.id = id;
    this.algorithm = algorithm;
    this.#import = importKey;
  }

  /** In the form that verifies. `null`: it verifies nothing, such as a point that is not on the curve. */
  crypto(): Promise<CryptoKey | null> | CryptoKey | null {
    if (this.#imported === undefined) {
      this.#imported = this.#import().catch(() => null);
      // Once it is there nobody has to wait for a promise any more.
      void this.#imported.then((key) => {
        this.#imported = key;
      });
    }
    return this.#imported;
  }
}

/** Keys by their `kid`. A name never comes to mean another key, and a retired one stays retired. */
export class Keys {
  /** `null`: retired before it was known. */
  readonly #known = new Map<string, Key | null>();

  /** The key of exactly this name; `null`: retired; `undefined`: nobody told of it. */
  get(id: string): Key | null | undefined {
    const key = this.#known.get(id);
    return key?.inUse === false ? null : key;
  }

  get size(): number {
    return this.names().length;
  }

  /** The names of all keys in use. */
  names(): string[] {
    return [...this.#known].filter(([, key]) => key?.inUse).map(([name]) => name);
  }

  add(key: Key): void {
    if (!this.#known.has(key.id)) this.#known.set(key.id, key);
  }

  /** Refuses from now on, for ever, whatever this key signed. True: it was in use until now. */
  retire(id: string): boolean {
    const key = this.#known.get(id);
    if (key === undefined) this.#known.set(id, null);
    if (!key?.inUse) return false;
    key.inUse = false;
    return true;
  }
}

/**
 * The usable keys of a JWK set (RFC 7517, section 5) and all the names in it. Others are passed over, and so is every key
 * whose name is missing or stands there twice. `null`: it is no JWK set.
 */
export function readJwks(jwks: unknown): { usable: Key[]; names: Set<string> } | null {
  const keys = isObject(jwks) ? jwks.keys : undefined;
  if (!Array.isArray(keys)) return null;
  const named = keys.filter((jwk) => isObject(jwk) && typeof jwk.kid === "string") as (JWK & { kid: string })[];
  const times = new Map<string, number>();
  for (const { kid } of named) times.set(kid, (times.get(kid) ?? 0) + 1);
  const usable = named
    .filter((jwk) => times.get(jwk.kid) === 1)
    .map((jwk) => {
      const read = readJwk(jwk);
      return read && new Key(jwk.kid, read.algorithm, read.importKey);
    });
  return { usable: usable.filter((key) => key !== null), names: new Set(times.keys()) };
}

/** The key of a shared secret. It is never in a JWK set; the server derives its name from it. */
export function secretKey(secret: string | Uint8Array): Key {
  const bytes = Buffer.from(secret);
  if (bytes.length < SHORTEST_SECRET)
    throw new TypeError("hs256Secret needs 32 bytes at least (RFC 7518, section 3.2)");
  const tag = createHmac("sha256", bytes).update("cerrojo key id").digest();
  const id = `hs-${tag.subarray(0, 16).toString("base64url")}`;
  const hmac = { name: "HMAC", hash: "SHA-256" };
  return new Key(id, "HS256", () => crypto.subtle.importKey("raw", bytes, hmac, false, ["verify"]));
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
