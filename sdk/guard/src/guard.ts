import { Activity } from "./activity.js";
import { type Clock, pause, SystemClock } from "./clock.js";
import { type Counts, noCounts } from "./counts.js";
import { discover } from "./discover.js";
import { ConnectError, GuardUnavailable, TokenRefused } from "./errors.js";
import { Follower } from "./follower.js";
import { type Credentials, checkIssuer, Http } from "./http.js";
import { secretKey } from "./keys.js";
import { Link } from "./link.js";
import { Lookup } from "./lookup.js";
import { type Metrics, metricsText } from "./metrics.js";
import { OldTokens } from "./old-tokens.js";
import type { Ending, Session } from "./session.js";
import { backgroundFetch, type Fetch } from "./transport.js";
import { type Unlisted, type Verdict, Verifier } from "./verifier.js";
import { type EndReason, Watchers } from "./watchers.js";

export interface GuardOptions {
  /** Name and secret that `cerrojo service add` gave. Without them a guard follows within caps, and reports no activity. */
  readonly credentials?: Credentials;
  /** The bound: how long an ended session may at the very most be accepted here, in milliseconds. 5000 unless set. */
  readonly maxStaleness?: number;
  /** The audience that tokens must name. Unless set, the one that the server says. */
  readonly audience?: string;
  /**
   * Accepts tokens of the application that your users come from, where the server does (`migration.accept_old_tokens`): it is
   * asked about each when that is first shown here, if that application signed it. Needs `credentials`.
   */
  readonly oldTokens?: {
    /** What that application signs with (HS256). */
    readonly secret: string | Uint8Array;
  };
  /** The secret that the server signs with when it is set to HS256. Whoever knows it can make tokens. */
  readonly hs256Secret?: string | Uint8Array;
  /** How many verified tokens are remembered. 10,000 unless set; 0: none. */
  readonly cacheSize?: number;
  /** How long {@link Guard.connect} tries, in milliseconds. 10,000 unless set. */
  readonly connectTimeout?: number;
  /** Allows http to other hosts than this machine. */
  readonly allowInsecure?: boolean;
  /** What goes wrong on the way to the server and is tried again, for a log. */
  readonly onProblem?: (problem: Error) => void;
  /** Makes the requests instead of the built-in one, such as a `fetch` behind a proxy. */
  readonly fetch?: Fetch;
  /** For tests. */
  readonly clock?: Clock;
}

const SHORTEST_BOUND = 1000;
const LONGEST_BOUND = 600_000;

/** Verifies session tokens inside a service, from memory, and follows the server to stay current. */
export class Guard {
  readonly issuer: string;
  readonly #clock: Clock;
  readonly #closing = new AbortController();
  readonly #counts: Counts = noCounts();
  readonly #follower: Follower;
  readonly #verifier: Verifier;
  readonly #watchers: Watchers;
  readonly #http: Http;
  readonly #options: GuardOptions;
  #lookup: Lookup | undefined;
  #activity: Activity | undefined;
  #oldTokens: OldTokens | undefined;

  private constructor(issuer: string, options: GuardOptions) {
    const { maxStaleness = 5000, cacheSize = 10_000, audience, credentials, hs256Secret } = options;
    if (!(maxStaleness >= SHORTEST_BOUND && maxStaleness <= LONGEST_BOUND)) {
      throw new ConnectError(`maxStaleness is from ${SHORTEST_BOUND} to ${LONGEST_BOUND} milliseconds`);
    }
    if (options.oldTokens && !credentials) {
      throw new ConnectError("oldTokens needs credentials: the server answers nobody else what a token stands for");
    }
    this.issuer = checkIssuer(issuer, options.allowInsecure ?? false);
    this.#options = options;
    this.#clock = options.clock ?? new SystemClock();
    const key = hs256Secret === undefined ? undefined : secretKey(hs256Secret);
    this.#follower = new Follower({ issuer, clock: this.#clock, maxStaleness, audience, secretKey: key });
    this.#follower.onEnding(() => this.#counts.endings++);
    this.#verifier = new Verifier({ issuer, follower: this.#follower, cacheSize });
    this.#watchers = new Watchers(this.#follower);
    const fetch = options.fetch ?? backgroundFetch();
    this.#http = new Http({ fetch, clock: this.#clock, closed: this.#closing.signal, credentials });
  }

  /**
   * A guard of the server whose `public_url` is `issuer`, once it knows all that it has to. Throws a {@link ConnectError}
   * that says why if it never comes to that.
   */
  static async connect(issuer: string, options: GuardOptions = {}): Promise<Guard> {
    const guard = new Guard(issuer, options);
    // Nothing of a guard's own keeps the process alive, and somebody is waiting here.
    const hold = setInterval(() => undefined, 2 ** 30);
    try {
      await guard.#begin();
      return guard;
    } catch (error) {
      await guard.close();
      throw error;
    } finally {
      clearInterval(hold);
    }
  }

  async #begin(): Promise<void> {
    const { connectTimeout = 10_000, audience } = this.#options;
    let last: Error | null = null;
    let fail: (error: ConnectError) => void = () => undefined;
    const failed = new Promise<never>((_, reject) => {
      fail = reject;
    });
    const cancel = this.#clock.after(connectTimeout, () => {
      const why = last ? `: ${describe(last)}` : "";
      fail(new ConnectError(`no guard of ${this.issuer} after ${connectTimeout} ms${why}`, { cause: last }));
    });
    let begun = false;
    const onProblem = (problem: Error) => {
      last = problem;
      if (!begun && problem instanceof ConnectError) fail(problem);
      this.#problem(problem);
    };
    try {
      const endpoint = await Promise.race([this.#discover(onProblem), failed]);
      this.#start(endpoint, onProblem);
      await Promise.race([this.#follower.first, failed]);
      const said = this.#follower.greeting?.audience;
      if (audience !== undefined && said !== audience) {
        throw new ConnectError(
          `the server's tokens are for ${JSON.stringify(said)}, not for ${JSON.stringify(audience)}`,
        );
      }
      begun = true;
    } finally {
      cancel();
    }
  }

  async #discover(onProblem: (problem: Error) => void): Promise<string> {
    for (;;) {
      try {
        return await discover(this.issuer, this.#http);
      } catch (error) {
        if (error instanceof ConnectError || this.#closing.signal.aborted) throw error;
        onProblem(error as Error);
        await pause(this.#clock, 500, this.#closing.signal);
      }
    }
  }

  #start(endpoint: string, onProblem: (problem: Error) => void): void {
    const parts = { endpoint, follower: this.#follower, http: this.#http, counts: this.#counts, onProblem };
    this.#lookup = new Lookup(parts);
    this.#activity = new Activity(parts);
    const { oldTokens, cacheSize = 10_000 } = this.#options;
    if (oldTokens) this.#oldTokens = new OldTokens({ ...parts, ...oldTokens, issuer: this.issuer, cacheSize });
    void new Link({ ...parts, maxStaleness: this.#options.maxStaleness ?? 5000 }).run();
  }

  #problem(problem: unknown): void {
    this.#counts.problems++;
    try {
      this.#options.onProblem?.(problem instanceof Error ? problem : new Error(String(problem)));
    } catch {
      // A log that throws must not stop the guard.
    }
  }

  /** What is to be said of this token. Never throws for what a token may be. */
  async check(token: string): Promise<Verdict> {
    const checked = this.#verifier.check(token);
    const own = checked instanceof Promise ? await checked : checked;
    const first = own.outcome === "refused" && this.#oldTokens ? await this.#checkOld(token, this.#oldTokens) : own;
    const verdict = first.outcome === "unknown_list" ? await this.#lookUp(first) : first;
    this.#counts[verdict.outcome]++;
    if (verdict.outcome === "accepted") this.#activity?.note(verdict.session);
    return verdict;
  }

  /** Of a token that is none of the server's own. What is known of its session is judged as of any other: its bit is looked at last. */
  async #checkOld(token: string, oldTokens: OldTokens): Promise<Verdict | Unlisted> {
    const found = await oldTokens.find(token);
    if (typeof found === "string") return { outcome: found };
    return this.#follower.lists.get(found.session.list) === undefined ? found : this.#verifier.checkAgain(found);
  }

  async #lookUp(unlisted: Unlisted): Promise<Verdict> {
    const found = await this.#lookup?.find(unlisted.session.list);
    if (found === "open") return this.#verifier.checkAgain(unlisted);
    return { outcome: found === "gone" ? "refused" : "unavailable" };
  }

  /** The session of this token. Throws {@link TokenRefused} (401) or {@link GuardUnavailable} (503). */
  async verify(token: string): Promise<Session> {
    const verdict = await this.check(token);
    if (verdict.outcome === "accepted") return verdict.session;
    throw verdict.outcome === "refused" ? new TokenRefused() : new GuardUnavailable();
  }

  /**
   * Notes that this session was used just now, as a check does: for what a person does over a connection that was checked
   * when it was opened. `closeOnEnd` does it for each message of a socket.
   */
  used(session: Session): void {
    this.#activity?.note(session);
  }

  /** Hears of every ending that this guard learns of from now on. What it answers stops that. */
  onSessionEnd(listener: (ending: Ending) => void): () => void {
    return this.#follower.onEnding((ending) => this.#call(() => listener(ending)));
  }

  /**
   * Calls once when this session may not go on: it ended, expired, or the guard cannot show that it goes on. At once if
   * that is so even now. What it answers stops watching.
   */
  watch(session: Session, listener: (reason: EndReason) => void): () => void {
    return this.#watchers.add(session, (reason) => this.#call(() => listener(reason)));
  }

  /** Others' mistakes must not keep an ending from being applied. */
  #call(run: () => void): void {
    try {
      run();
    } catch (error) {
      this.#problem(error);
    }
  }

  /** How old what this guard knows may be, in milliseconds. From `maxStaleness` on it accepts nothing. */
  staleness(): number {
    return this.#follower.staleness();
  }

  metrics(): Metrics {
    return {
      ...this.#counts,
      cacheHits: this.#verifier.cacheHits,
      cached: this.#verifier.cached,
      keys: this.#follower.keys.size,
      lists: this.#follower.lists.size,
      watchers: this.#watchers.size,
      staleness: this.staleness(),
    };
  }

  /** The same as text for Prometheus. */
  prometheus(): string {
    return metricsText(this.metrics());
  }

  /** Tells the server of the last activity and ends. From the call on this guard accepts nothing, and whoever watches is told. */
  async close(): Promise<void> {
    if (this.#closing.signal.aborted) return;
    this.#follower.stop();
    // Nobody tells them any more.
    this.#watchers.look();
    const sent = this.#activity?.send();
    const cancel = this.#clock.after(2000, () => this.#closing.abort());
    await sent;
    cancel();
    this.#closing.abort();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

/** An error in one line, its causes included: Node says what went wrong with a connection only there. */
function describe(error: Error): string {
  const text = error.message || error.name;
  return error.cause instanceof Error ? `${text} (${describe(error.cause)})` : text;
}
