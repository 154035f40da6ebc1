import { errors, flattenedVerify } from "jose";
import { readClaims } from "./claims.js";
import type { Follower } from "./follower.js";
import { type Jws, MAX_BYTES, takeApart } from "./jws.js";
import type { Key } from "./keys.js";
import type { List } from "./lists.js";
import { Lru } from "./lru.js";
import type { Session } from "./session.js";
import { strictObject } from "./strict-json.js";

/** What is said of a token. */
export type Verdict =
  | { readonly outcome: "accepted"; readonly session: Session }
  /** It is not valid (any more). */
  | { readonly outcome: "refused" }
  /** Everything about it is good as far as this guard knows, and it does not know enough: the answer would be a guess. */
  | { readonly outcome: "unavailable" };

/** A token whose signature and claims were found good, with what can still turn against it. */
export interface Known {
  readonly session: Session;
  readonly key: Key;
  readonly list: List;
}

/** The same of a token whose list nobody told of yet. */
export interface Unlisted {
  readonly outcome: "unknown_list";
  readonly token: string;
  readonly session: Session;
  readonly key: Key;
}

const REFUSED: Verdict = { outcome: "refused" };
const UNAVAILABLE: Verdict = { outcome: "unavailable" };

export interface VerifierOptions {
  readonly issuer: string;
  readonly follower: Follower;
  /** How many verified tokens are remembered. */
  readonly cacheSize: number;
}

/** The check: from memory, in one order. It waits for the signature alone, and looks at nothing before that it trusts after. */
export class Verifier {
  readonly #issuer: string;
  readonly #follower: Follower;
  readonly #cache: Lru<Known>;
  cacheHits = 0;

  constructor(options: VerifierOptions) {
    this.#issuer = options.issuer;
    this.#follower = options.follower;
    this.#cache = new Lru(options.cacheSize);
  }

  get cached(): number {
    return this.#cache.size;
  }

  /** The whole check. The deadline is copied before anything else, and the clock it is measured by is read last. */
  check(token: string): Verdict | Promise<Verdict | Unlisted> {
    const deadline = this.#follower.deadline;
    // Not even looked for in memory, which would hash all of it.
    if (token.length > MAX_BYTES) return REFUSED;
    const audience = this.#follower.audience;
    if (audience === null) return UNAVAILABLE;
    const known = this.#cache.get(token);
    if (!known) return this.#verify(token, audience, deadline);
    this.cacheHits++;
    return this.#judge(token, known, deadline);
  }

  /** The rest of the check of a token that somebody was asked about meanwhile: by a deadline that is copied now. */
  checkAgain({ token, session, key }: Unlisted): Verdict {
    const deadline = this.#follower.deadline;
    const list = this.#follower.lists.get(session.list);
    if (!list) return list === null ? REFUSED : UNAVAILABLE;
    return this.#judge(token, { session, key, list }, deadline);
  }

  async #verify(token: string, audience: string, deadline: number): Promise<Verdict | Unlisted> {
    const { clock, keys, lists } = this.#follower;
    const jws = takeApart(token);
    if (!jws) return REFUSED;
    const key = keys.get(jws.header.kid);
    if (key === null) return REFUSED;
    // Whoever is current knows every key.
    if (key === undefined) return clock.elapsed() < this.#follower.everyKeyUntil ? REFUSED : UNAVAILABLE;
    if (jws.header.alg !== key.algorithm) return REFUSED;
    const payload = await verifySignature(jws.parts, key);
    const claims = payload && strictObject(payload);
    const session = claims && readClaims(claims, key.id, { issuer: this.#issuer, audience }, clock.now());
    if (!session || !key.inUse) return REFUSED;
    const list = lists.get(session.list);
    if (list === null) return REFUSED;
    if (list === undefined)
      return this.#isOver(session, key) ? REFUSED : { outcome: "unknown_list", token, session, key };
    const known = { session, key, list };
    this.#remember(token, known);
    return this.#judge(token, known, deadline);
  }

  #remember(token: string, known: Known): void {
    if (!this.#isOver(known.session, known.key)) this.#cache.set(token, known);
  }

  #isOver(session: Session, key: Key): boolean {
    return !key.inUse || this.#follower.clock.now() >= session.expiresAt;
  }

  #judge(token: string, { session, key, list }: Known, deadline: number): Verdict {
    if (this.#isOver(session, key) || list.isOver(session.index)) {
      this.#cache.delete(token);
      return REFUSED;
    }
    return this.#follower.clock.elapsed() < deadline ? { outcome: "accepted", session } : UNAVAILABLE;
  }
}

/** The payload, if the signature is this key's. */
async function verifySignature(parts: Jws["parts"], key: Key): Promise<Uint8Array | null> {
  const crypto = key.crypto();
  const usable = crypto instanceof Promise ? await crypto : crypto;
  if (!usable) return null;
  try {
    const { payload } = await flattenedVerify(parts, usable, { algorithms: [key.algorithm] });
    return payload;
  } catch (error) {
    if (error instanceof errors.JOSEError) return null;
    throw error;
  }
}
