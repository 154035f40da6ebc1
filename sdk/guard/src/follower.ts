import type { Clock } from "./clock.js";
import { Conversation } from "./conversation.js";
import { type Key, Keys } from "./keys.js";
import { Lists } from "./lists.js";
import type { Greeting, ListMessage } from "./messages.js";
import { ProtocolError } from "./protocol-error.js";
import type { Ending } from "./session.js";

export interface FollowerOptions {
  readonly issuer: string;
  readonly clock: Clock;
  /** Milliseconds. */
  readonly maxStaleness: number;
  /** Only tokens for this audience; without it, the server says which. */
  readonly audience?: string | undefined;
  /** The key of a shared secret: in no JWK set, so that only its retirement by name is believed. */
  readonly secretKey?: Key | undefined;
}

/** The names that a snapshot has. */
export interface Present {
  readonly lists: ReadonlySet<string>;
  readonly keys: ReadonlySet<string>;
}

/**
 * What a guard knows, and as of when. It opens no connection: {@link Follower.ask} says that a request is about to be
 * sent, and the conversation that it answers takes what the server says to that.
 */
export class Follower {
  readonly keys = new Keys();
  readonly lists = new Lists();
  readonly clock: Clock;
  readonly #options: FollowerOptions;
  readonly #listeners = new Set<(ending: Ending) => void>();
  #greeting: Greeting | null = null;
  #freshAsOf = Number.NEGATIVE_INFINITY;
  #position: string | null = null;
  #snapshots = 0;
  #isStopped = false;
  #onFirst: () => void = () => undefined;
  /** Once the guard was fresh for the first time. */
  readonly first = new Promise<void>((resolve) => {
    this.#onFirst = resolve;
  });

  constructor(options: FollowerOptions) {
    this.#options = options;
    this.clock = options.clock;
    if (options.secretKey) this.keys.add(options.secretKey);
  }

  /** The last place in the log that was applied: where the next request goes on from. */
  get position(): string | null {
    return this.#position;
  }

  /** How many snapshots were applied. What was asked for before the last one may be older than it. */
  get snapshots(): number {
    return this.#snapshots;
  }

  /** What the server last said of itself. */
  get greeting(): Greeting | null {
    return this.#greeting;
  }

  /** The audience that tokens must name; `null` before anybody said so. Once there is one it stays. */
  get audience(): string | null {
    return this.#options.audience ?? this.#greeting?.audience ?? null;
  }

  /** On the clock's `elapsed`: yes may be said while that lies before it. */
  get deadline(): number {
    return this.#freshAsOf + this.#options.maxStaleness;
  }

  /**
   * Until when every key that signs is known: a server signs with a new one three seconds after it was made known. After that
   * a key that is not known may be good.
   */
  get everyKeyUntil(): number {
    return Math.min(this.deadline, this.#freshAsOf + 2500);
  }

  /** How old what is known may be, in milliseconds; infinite before the first snapshot. */
  staleness(): number {
    return Math.max(0, this.clock.elapsed() - this.#freshAsOf);
  }

  /** Begins a request; to be called before anything of it is sent. */
  ask(): Conversation {
    return new Conversation(this);
  }

  /** Hears of every ending that this guard did not know before. What it answers stops that. */
  onEnding(listener: (ending: Ending) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Begins anew at the next request: whatever the position stood for cannot be relied upon. */
  forgetPosition(): void {
    this.#position = null;
  }

  /** Answers whether it is of the history that the position is of. @internal */
  greet(greeting: Greeting): boolean {
    if (greeting.issuer !== this.#options.issuer) {
      throw new ProtocolError(`the server says that it is ${greeting.issuer}, not ${this.#options.issuer}`);
    }
    // Whatever was found good was found so for the first one: a server of another is another server.
    const told = this.#greeting?.audience ?? greeting.audience;
    if (greeting.audience !== told) {
      throw new ProtocolError(`the server's tokens are for ${greeting.audience} now, not for ${told}`);
    }
    // An answer to polling does not say how often something would come.
    const heartbeat = greeting.heartbeat ?? this.#greeting?.heartbeat ?? null;
    const known = this.#greeting?.incarnation ?? greeting.incarnation;
    this.#greeting = { ...greeting, heartbeat };
    if (greeting.incarnation === known) return true;
    this.forgetPosition();
    return false;
  }

  /** @internal */
  setIncarnation(incarnation: string): void {
    if (this.#greeting) this.#greeting = { ...this.#greeting, incarnation };
  }

  openList({ name, capacity, bytes }: ListMessage): void {
    for (const index of this.lists.open(name, capacity, bytes)) this.#tell({ kind: "session", list: name, index });
  }

  /** @internal */
  end(list: string, index: number): void {
    if (this.lists.end(list, index)) this.#tell({ kind: "session", list, index });
  }

  /** @internal */
  retireList(list: string): void {
    if (this.lists.retire(list)) this.#tell({ kind: "list", list });
  }

  /** @internal */
  retireKey(key: string): void {
    if (this.keys.retire(key)) this.#tell({ kind: "key", key });
  }

  /**
   * The end of a snapshot. Of what is not in it, what the snapshot's own conversation knows to be older is retired, for
   * ever. Answers whether there is something else: it came from elsewhere since the request, and may be newer or over.
   *
   * @internal
   */
  retireMissing(present: Present, isOlder: (kind: keyof Present, name: string) => boolean): boolean {
    this.#snapshots++;
    this.lists.forgetAllAwaited();
    const lists = this.lists.names().filter((name) => !present.lists.has(name));
    const keys = this.keys.names().filter((name) => !present.keys.has(name) && !this.#isSecret(name));
    for (const name of lists) if (isOlder("lists", name)) this.retireList(name);
    for (const name of keys) if (isOlder("keys", name)) this.retireKey(name);
    return lists.some((name) => this.lists.get(name)) || keys.some((name) => this.keys.get(name));
  }

  /** The same for a set of keys that came with entries, which name by themselves what is retired. @internal */
  retireKeysMissingFrom(names: ReadonlySet<string>, known: Iterable<string>): void {
    for (const key of known) if (!names.has(key) && !this.#isSecret(key)) this.retireKey(key);
  }

  /** The secret's key is in no set, so that its absence says nothing. */
  #isSecret(key: string): boolean {
    return key === this.#options.secretKey?.id;
  }

  /** Everything that was over `elapsed` after the request was asked is applied. @internal */
  applied(asked: number, elapsed: number, position: string | null): void {
    if (this.#isStopped) return;
    const asOf = Math.min(this.clock.elapsed(), asked + elapsed - elapsed / 1000);
    this.#freshAsOf = Math.max(this.#freshAsOf, asOf);
    if (position !== null) this.#position = position;
    this.#onFirst();
  }

  /** Nobody follows any more: from now on, and for ever, nothing is accepted. */
  stop(): void {
    this.#isStopped = true;
    this.#freshAsOf = Number.NEGATIVE_INFINITY;
  }

  #tell(ending: Ending): void {
    for (const listener of this.#listeners) listener(ending);
  }
}
