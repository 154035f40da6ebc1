import type { Counts } from "./counts.js";
import type { Follower } from "./follower.js";
import type { Http } from "./http.js";
import { type ListMessage, readList, readMembers } from "./messages.js";

/** What became of a list that was asked for: `gone` is retired, or never was. */
export type Found = "open" | "gone" | "unavailable";

/** How long, in milliseconds, and how many that are gone are remembered. */
const REMEMBER_GONE = 10_000;
const MOST_GONE = 1000;
const MOST_AT_ONCE = 64;
const MOST_TIMES = 3;

/** Asks for lists that are not known, once each. */
export class Lookup {
  readonly #url: string;
  readonly #follower: Follower;
  readonly #http: Http;
  readonly #counts: Counts;
  readonly #running = new Map<string, Promise<Found>>();
  /** When each is to be asked for again. */
  readonly #gone = new Map<string, number>();

  constructor(parts: { endpoint: string; follower: Follower; http: Http; counts: Counts }) {
    this.#url = `${parts.endpoint}/lists/`;
    this.#follower = parts.follower;
    this.#http = parts.http;
    this.#counts = parts.counts;
  }

  /** Only for a name out of a token whose signature is good. */
  find(name: string): Promise<Found> {
    const until = this.#gone.get(name);
    if (until !== undefined && this.#http.clock.elapsed() < until) return Promise.resolve("gone");
    this.#gone.delete(name);
    const running = this.#running.get(name);
    if (running) return running;
    if (this.#running.size >= MOST_AT_ONCE) return Promise.resolve("unavailable");
    const asked = this.#ask(name).finally(() => this.#running.delete(name));
    this.#running.set(name, asked);
    return asked;
  }

  async #ask(name: string): Promise<Found> {
    for (let time = 0; time < MOST_TIMES; time++) {
      const { snapshots } = this.#follower;
      const answer = await this.#get(name);
      // An answer from before a snapshot may be of a list that is over since, and not in it for that.
      if (typeof answer === "object" && snapshots !== this.#follower.snapshots) continue;
      if (typeof answer === "string") return answer;
      this.#follower.openList(answer);
      return "open";
    }
    return "unavailable";
  }

  async #get(name: string): Promise<ListMessage | "gone" | "unavailable"> {
    this.#counts.lookups++;
    try {
      const answer = await this.#http.call(this.#url + name, { maxBytes: 8 * 1024 * 1024, timeout: 3000 });
      if (answer.status === 404) {
        this.#remember(name);
        return "gone";
      }
      const list = answer.status === 200 ? readList(readMembers(answer.text)) : null;
      return list?.name === name ? list : "unavailable";
    } catch {
      // Whatever went wrong on the way: nothing is known of the list, and the answer says so.
      return "unavailable";
    }
  }

  #remember(name: string): void {
    const [oldest] = this.#gone.keys();
    if (this.#gone.size >= MOST_GONE && oldest !== undefined) this.#gone.delete(oldest);
    this.#gone.set(name, this.#http.clock.elapsed() + REMEMBER_GONE);
  }
}
