import type { Counts } from "./counts.js";
import type { Follower } from "./follower.js";
import type { Http } from "./http.js";
import type { Session } from "./session.js";

/** When sessions were last used, on the clock's `elapsed`. */
type Uses = Map<string, Map<number, number>>;

/** The server reads 64 KiB; a list's name and a use never take more than these. */
const LARGEST_REQUEST = 60 * 1024;
const LIST_BYTES = 80;
const USE_BYTES = 28;
const MOST_USES = 500_000;

/** Tells the server which sessions are used here, so that they do not look idle. */
export class Activity {
  readonly #url: string;
  readonly #follower: Follower;
  readonly #http: Http;
  readonly #counts: Counts;
  readonly #onProblem: (problem: Error) => void;
  #uses: Uses = new Map();
  #count = 0;
  #cancel: (() => void) | null = null;

  constructor(parts: {
    endpoint: string;
    follower: Follower;
    http: Http;
    counts: Counts;
    onProblem: (problem: Error) => void;
  }) {
    this.#url = `${parts.endpoint}/activity`;
    this.#follower = parts.follower;
    this.#http = parts.http;
    this.#counts = parts.counts;
    this.#onProblem = parts.onProblem;
  }

  /** Notes that this session was accepted just now. */
  note({ list, index }: Session): void {
    const every = this.#follower.greeting?.report ?? null;
    if (every === null || !this.#http.hasCredentials) return;
    this.#keep(list, index, this.#http.clock.elapsed());
    // Sent before it is due, and not by everybody at the same moment.
    this.#cancel ??= this.#http.clock.after(every * (0.5 + Math.random() * 0.4), () => void this.send());
  }

  /** Sends what was noted since the last time; what cannot be sent is sent with the next. */
  async send(): Promise<void> {
    this.#cancel?.();
    this.#cancel = null;
    const uses = this.#uses;
    this.#uses = new Map();
    this.#count = 0;
    const batches = [...batchesOf(uses)];
    for (const [sent, batch] of batches.entries()) {
      const problem = await this.#post(batch);
      if (!problem) continue;
      for (const unsent of batches.slice(sent)) for (const use of unsent) this.#keep(...use);
      if (this.#http.closed.aborted) return;
      this.#onProblem(problem);
      const again = this.#follower.greeting?.report ?? 60_000;
      this.#cancel ??= this.#http.clock.after(Math.min(again, 5000), () => void this.send());
      return;
    }
  }

  async #post(batch: readonly Use[]): Promise<Error | null> {
    const now = this.#http.clock.elapsed();
    const uses: Record<string, [number, number][]> = {};
    for (const [list, index, at] of batch) {
      uses[list] ??= [];
      uses[list].push([index, Math.max(0, Math.round(now - at))]);
    }
    try {
      const body = JSON.stringify({ uses });
      const answer = await this.#http.call(this.#url, { body, maxBytes: 64 * 1024, timeout: 5000 });
      if (answer.status !== 200) return new Error(`${this.#url} answered ${answer.status}`);
      this.#counts.activityReports++;
      return null;
    } catch (error) {
      return error instanceof Error ? error : new Error(String(error));
    }
  }

  #keep(list: string, index: number, at: number): void {
    const places = this.#uses.get(list) ?? new Map<number, number>();
    this.#uses.set(list, places);
    const before = places.get(index);
    if (before === undefined && this.#count >= MOST_USES) return;
    if (before === undefined) this.#count++;
    places.set(index, Math.max(before ?? at, at));
  }
}

type Use = readonly [list: string, index: number, at: number];

function* batchesOf(uses: Uses): Generator<Use[]> {
  let [batch, size]: [Use[], number] = [[], 0];
  for (const [list, places] of uses) {
    size += LIST_BYTES;
    for (const [index, at] of places) {
      batch.push([list, index, at]);
      size += USE_BYTES;
      if (size + LIST_BYTES < LARGEST_REQUEST) continue;
      yield batch;
      [batch, size] = [[], LIST_BYTES];
    }
  }
  if (batch.length > 0) yield batch;
}
