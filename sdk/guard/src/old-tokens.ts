import { createHmac, timingSafeEqual } from "node:crypto";
import { fromBase64url } from "./base64url.js";
import { readSession } from "./claims.js";
import type { Counts } from "./counts.js";
import { ConnectError } from "./errors.js";
import type { Follower } from "./follower.js";
import type { Http } from "./http.js";
import { MAX_BYTES } from "./jws.js";
import { Key } from "./keys.js";
import { Lru } from "./lru.js";
import { strictObject } from "./strict-json.js";
import type { Unlisted } from "./verifier.js";

/** In the place of the key that signed: the server has none of it, and what ends such a session is its bit. */
const KEY = new Key("old-tokens", "HS256", () => Promise.reject(new Error("it verifies nothing")));
/** How long, in milliseconds, and how many that are dead are remembered. */
const REMEMBER_DEAD = 10_000;
const MOST_DEAD = 1000;
const MOST_AT_ONCE = 64;

/** Whether the other application signed this: a JWT of HS256, and of no kind of the server's own. */
function isSigned(token: string, secret: Uint8Array): boolean {
  if (token.length > MAX_BYTES) return false;
  const [header = "", payload = "", signature = "", ...more] = token.split(".");
  const bytes = more.length === 0 ? fromBase64url(header) : null;
  const members = bytes && strictObject(bytes);
  const typ = members?.get("typ") ?? "JWT";
  if (members?.get("alg") !== "HS256" || typeof typ !== "string" || !/^jwt$/i.test(typ)) return false;
  const mac = createHmac("sha256", secret).update(`${header}.${payload}`).digest();
  const given = fromBase64url(signature);
  return given !== null && given.length === mac.length && timingSafeEqual(given, mac);
}

/**
 * Asks the server for the sessions that it makes of another application's tokens. It is asked when a token is first shown; the
 * session is followed from then on as any other is.
 */
export class OldTokens {
  readonly #url: string;
  readonly #issuer: string;
  readonly #follower: Follower;
  readonly #http: Http;
  readonly #counts: Counts;
  readonly #onProblem: (problem: Error) => void;
  readonly #running = new Map<string, Promise<Unlisted | "refused" | "unavailable">>();
  readonly #secret: Uint8Array;
  /** What was told of each. Once it is over it stays here: nobody need be asked again. */
  readonly #found: Lru<Unlisted>;
  /** Until when each need not be asked about again. */
  readonly #dead = new Lru<number>(MOST_DEAD);

  constructor(parts: {
    issuer: string;
    secret: string | Uint8Array;
    /** How many sessions are remembered. */
    cacheSize: number;
    follower: Follower;
    http: Http;
    counts: Counts;
    onProblem: (problem: Error) => void;
  }) {
    this.#issuer = parts.issuer;
    this.#secret = Buffer.from(parts.secret);
    this.#found = new Lru(parts.cacheSize);
    this.#url = `${parts.issuer}/api/auth/introspect`;
    this.#follower = parts.follower;
    this.#http = parts.http;
    this.#counts = parts.counts;
    this.#onProblem = parts.onProblem;
  }

  /** The session; its bit is still to be looked at. Nothing is asked of a token that the other application did not sign. */
  find(token: string): Promise<Unlisted | "refused" | "unavailable"> {
    const known = this.#found.get(token);
    if (known) return Promise.resolve(known);
    if (!isSigned(token, this.#secret)) return Promise.resolve("refused");
    const until = this.#dead.get(token);
    if (until !== undefined && this.#http.clock.elapsed() < until) return Promise.resolve("refused");
    const running = this.#running.get(token);
    if (running) return running;
    if (this.#running.size >= MOST_AT_ONCE) return Promise.resolve("unavailable");
    const asked = this.#ask(token).finally(() => this.#running.delete(token));
    this.#running.set(token, asked);
    return asked;
  }

  async #ask(token: string): Promise<Unlisted | "refused" | "unavailable"> {
    this.#counts.oldTokensAsked++;
    try {
      const answer = await this.#http.call(this.#url, {
        headers: { "content-type": "application/x-www-form-urlencoded" },
        body: new URLSearchParams({ token }).toString(),
        maxBytes: 64 * 1024,
        timeout: 3000,
      });
      if (answer.status !== 200) throw refusal(this.#url, answer.status);
      const told = strictObject(Buffer.from(answer.text));
      const { audience } = this.#follower;
      if (told?.get("active") === true && audience !== null) {
        const session = readSession(told, KEY.id, { issuer: this.#issuer, audience });
        if (session) {
          const found: Unlisted = { outcome: "unknown_list", token, session, key: KEY };
          this.#found.set(token, found);
          return found;
        }
        throw new Error(`${this.#url} answered something that is no session`);
      }
      if (told?.get("active") !== false) throw new Error(`${this.#url} answered something that is no introspection`);
      this.#dead.set(token, this.#http.clock.elapsed() + REMEMBER_DEAD);
      return "refused";
    } catch (error) {
      this.#onProblem(error instanceof Error ? error : new Error(String(error)));
      return "unavailable";
    }
  }
}

function refusal(url: string, status: number): Error {
  if (status === 401) return new ConnectError(`${url} answered 401: the credentials are wrong`);
  return new Error(`${url} answered ${status}`);
}
