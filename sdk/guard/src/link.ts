import { pause } from "./clock.js";
import type { Conversation } from "./conversation.js";
import type { Counts } from "./counts.js";
import { ConnectError } from "./errors.js";
import type { Follower } from "./follower.js";
import { type Http, retryAfter } from "./http.js";
import { ProtocolError } from "./protocol-error.js";

export interface LinkParts {
  readonly endpoint: string;
  readonly follower: Follower;
  readonly http: Http;
  readonly counts: Counts;
  readonly maxStaleness: number;
  readonly onProblem: (problem: Error) => void;
}

const SHORTEST_PAUSE = 250;
const LONGEST_PAUSE = 5000;
/** A server that is full says for how long; meanwhile the guard polls. */
const LONGEST_REQUESTED_PAUSE = 60_000;
const POLL_EVERY = 1000;
/** A stream of which nothing comes by then is lying in some proxy's buffer. */
const BEGIN_WITHIN = 5000;
const ASK_AGAIN_AFTER = 290_000;
const POLL_TIMEOUT = 10_000;
const LARGEST_ANSWER = 64 * 1024 * 1024;

/** How a stream came to its end. */
interface End {
  /** Nothing was wrong: ask again after so long. */
  readonly askAgainIn?: number;
  readonly problem?: Error;
  readonly retryAfter?: number;
}

/** Keeps a follower current: by a stream, and by polling as long as none gets through. */
export class Link {
  readonly #parts: LinkParts;
  #streamFails = false;
  #wakePoller: () => void = () => undefined;

  constructor(parts: LinkParts) {
    this.#parts = parts;
  }

  /** Runs until the guard is closed. */
  async run(): Promise<void> {
    await Promise.all([this.#follow(), this.#pollWhereNeeded()]);
  }

  get #isClosed(): boolean {
    return this.#parts.http.closed.aborted;
  }

  async #follow(): Promise<void> {
    const { follower, http, onProblem } = this.#parts;
    let failures = 0;
    while (!this.#isClosed) {
      const conversation = follower.ask();
      const end = await this.#stream(conversation);
      if (this.#isClosed) return;
      if (end.problem) onProblem(end.problem);
      if (conversation.isFresh) failures = 0;
      else if (!this.#streamFails) {
        this.#streamFails = true;
        this.#wakePoller();
      }
      if (end.askAgainIn !== undefined && conversation.isFresh) {
        if (end.askAgainIn > 0) await pause(http.clock, end.askAgainIn, http.closed);
        continue;
      }
      const backOff = Math.min(SHORTEST_PAUSE * 2 ** failures, LONGEST_PAUSE) * (0.5 + Math.random() / 2);
      failures = Math.min(failures + 1, 10);
      await pause(http.clock, Math.max(backOff, Math.min(end.retryAfter ?? 0, LONGEST_REQUESTED_PAUSE)), http.closed);
    }
  }

  /** Follows one stream to its end, whatever that is. */
  async #stream(conversation: Conversation): Promise<End> {
    const { endpoint, http, counts } = this.#parts;
    counts.streamsAsked++;
    const abort = new AbortController();
    const watch = new StreamWatch(this.#parts, conversation, abort);
    try {
      const lastEventId = conversation.position === null ? {} : { "last-event-id": conversation.position };
      const answer = await http.fetch(`${endpoint}/events`, {
        method: "GET",
        headers: http.headers({ accept: "text/event-stream", "cache-control": "no-store", ...lastEventId }),
        signal: abort.signal,
        redirect: "error",
      });
      const type = answer.headers.get("content-type") ?? "";
      if (answer.status !== 200 || !/^text\/event-stream\s*(;|$)/i.test(type)) {
        abort.abort();
        return { problem: refusal(`${endpoint}/events`, answer.status, type), retryAfter: retryAfter(answer) };
      }
      for await (const bytes of answer.body ?? []) {
        const wasFresh = conversation.isFresh;
        conversation.receive(bytes);
        if (conversation.isFresh) {
          this.#streamFails = false;
          if (!wasFresh) counts.streamsFollowed++;
        }
        watch.heard();
      }
      return watch.ended(new Error("the server ended the stream"));
    } catch (error) {
      if (error instanceof ProtocolError) this.#parts.follower.forgetPosition();
      return watch.ended(error instanceof Error ? error : new Error(String(error)));
    } finally {
      watch.stop();
      abort.abort();
    }
  }

  async #pollWhereNeeded(): Promise<void> {
    const { follower, http, maxStaleness, onProblem } = this.#parts;
    let wait = POLL_EVERY;
    while (!this.#isClosed) {
      await this.#pauseUntilWoken(wait);
      wait = POLL_EVERY;
      // Also where a stream comes through, but late: somebody buffers it.
      if (this.#isClosed || (!this.#streamFails && follower.staleness() <= maxStaleness / 2)) continue;
      const end = await this.#poll();
      if (end.problem && !this.#isClosed) onProblem(end.problem);
      wait = Math.max(POLL_EVERY, Math.min(end.retryAfter ?? 0, LONGEST_PAUSE));
      if (http.closed.aborted) return;
    }
  }

  async #pauseUntilWoken(milliseconds: number): Promise<void> {
    const woken = new AbortController();
    this.#wakePoller = () => woken.abort();
    await pause(this.#parts.http.clock, milliseconds, AbortSignal.any([woken.signal, this.#parts.http.closed]));
    this.#wakePoller = () => undefined;
  }

  async #poll(): Promise<End> {
    const { endpoint, follower, http, counts } = this.#parts;
    counts.polls++;
    const conversation = follower.ask();
    const after = conversation.position === null ? "" : `?after=${encodeURIComponent(conversation.position)}`;
    try {
      const answer = await http.call(`${endpoint}/entries${after}`, {
        maxBytes: LARGEST_ANSWER,
        timeout: POLL_TIMEOUT,
      });
      if (answer.status !== 200) {
        return { problem: refusal(`${endpoint}/entries`, answer.status), retryAfter: retryAfter(answer) };
      }
      conversation.receiveAnswer(answer.text);
      return {};
    } catch (error) {
      if (error instanceof ProtocolError) follower.forgetPosition();
      return { problem: error instanceof Error ? error : new Error(String(error)) };
    }
  }
}

function refusal(url: string, status: number, type?: string): Error {
  if (status === 401) return new ConnectError(`${url} answered 401: the credentials are wrong`);
  if (status === 200) return new Error(`${url} answered with ${type || "no content type"} instead of an event stream`);
  return new Error(`${url} answered ${status}`);
}

function silent(milliseconds: number): Error {
  return new Error(`the stream was silent for ${milliseconds} ms`);
}

/** Ends a stream that has gone silent, that has lasted long enough, or whose server said goodbye. */
class StreamWatch {
  readonly #parts: LinkParts;
  readonly #conversation: Conversation;
  readonly #abort: AbortController;
  readonly #cancelLast: () => void;
  readonly #close: () => void;
  #cancelSilence: () => void;
  #cancelGoodbye: (() => void) | undefined;
  #askAgainAt = 0;
  #end: End | undefined;

  constructor(parts: LinkParts, conversation: Conversation, abort: AbortController) {
    this.#parts = parts;
    this.#conversation = conversation;
    this.#abort = abort;
    const { clock, closed } = parts.http;
    this.#close = () => abort.abort();
    closed.addEventListener("abort", this.#close);
    this.#cancelSilence = clock.after(BEGIN_WITHIN, () => this.#finish({ problem: silent(BEGIN_WITHIN) }));
    this.#cancelLast = clock.after(ASK_AGAIN_AFTER, () => this.#finish({ askAgainIn: 0 }));
  }

  /** Something came. */
  heard(): void {
    const { http, follower, maxStaleness } = this.#parts;
    const heartbeat = follower.greeting?.heartbeat ?? maxStaleness;
    const silence = this.#conversation.isFresh ? 3 * heartbeat : BEGIN_WITHIN;
    this.#cancelSilence();
    this.#cancelSilence = http.clock.after(silence, () => this.#finish({ problem: silent(silence) }));
    const retry = this.#conversation.goodbye;
    if (retry === null || this.#cancelGoodbye) return;
    // Going on with what there is must not make the guard stale.
    const wait = Math.random() * Math.min(retry, maxStaleness / 2);
    this.#askAgainAt = http.clock.elapsed() + wait;
    this.#cancelGoodbye = http.clock.after(wait, () => this.#finish({ askAgainIn: 0 }));
  }

  /** What is to be done now that the stream is over. */
  ended(problem: Error): End {
    if (this.#end) return this.#end;
    if (!this.#cancelGoodbye || problem instanceof ProtocolError) return { problem };
    return { askAgainIn: Math.max(0, this.#askAgainAt - this.#parts.http.clock.elapsed()) };
  }

  stop(): void {
    this.#cancelSilence();
    this.#cancelLast();
    this.#cancelGoodbye?.();
    this.#parts.http.closed.removeEventListener("abort", this.#close);
  }

  #finish(end: End): void {
    this.#end = end;
    this.#abort.abort();
  }
}
