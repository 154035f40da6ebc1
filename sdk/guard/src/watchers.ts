import type { Follower } from "./follower.js";
import { type Ending, isEndedBy, type Session } from "./session.js";

/** Why a watched session may not go on. */
export type EndReason =
  /** It was ended. */
  | "ended"
  /** Its token expired. */
  | "expired"
  /** The guard cannot show that it goes on. */
  | "unavailable";

interface Watcher {
  readonly session: Session;
  readonly run: (reason: EndReason) => void;
}

/** How often expiry and staleness are looked at in any case: timers run late after the machine slept. */
const LOOK_EVERY = 1000;

/** Those who want to know when one session may not go on. Each is told once. */
export class Watchers {
  readonly #follower: Follower;
  readonly #byPlace = new Map<string, Set<Watcher>>();
  readonly #all = new Set<Watcher>();
  #cancel: (() => void) | null = null;

  constructor(follower: Follower) {
    this.#follower = follower;
    follower.onEnding((ending) => this.#onEnding(ending));
  }

  get size(): number {
    return this.#all.size;
  }

  /** Answers how to stop watching. A session that may not go on even now is told of at once, before this returns. */
  add(session: Session, run: (reason: EndReason) => void): () => void {
    const watcher = { session, run };
    const reason = this.#reason(session);
    if (reason) {
      run(reason);
      return () => undefined;
    }
    const place = placeOf(session);
    const here = this.#byPlace.get(place) ?? new Set();
    this.#byPlace.set(place, here.add(watcher));
    this.#all.add(watcher);
    this.#cancel ??= this.#lookLater();
    return () => this.#remove(watcher);
  }

  #reason(session: Session): EndReason | null {
    const { keys, lists, clock, deadline } = this.#follower;
    if (!keys.get(session.key)) return "ended";
    if (lists.get(session.list)?.isOver(session.index) ?? true) return "ended";
    if (clock.now() >= session.expiresAt) return "expired";
    return clock.elapsed() < deadline ? null : "unavailable";
  }

  #onEnding(ending: Ending): void {
    if (this.#all.size === 0) return;
    const hit =
      ending.kind === "session"
        ? [...(this.#byPlace.get(placeOf(ending)) ?? [])]
        : [...this.#all].filter(({ session }) => isEndedBy(session, ending));
    for (const watcher of hit) this.#tell(watcher, "ended");
  }

  /** Tells those whose sessions may not go on. */
  look(): void {
    this.#cancel?.();
    for (const watcher of this.#all) {
      const reason = this.#reason(watcher.session);
      if (reason) this.#tell(watcher, reason);
    }
    this.#cancel = this.#all.size > 0 ? this.#lookLater() : null;
  }

  #lookLater(): () => void {
    const left = this.#follower.deadline - this.#follower.clock.elapsed();
    return this.#follower.clock.after(Math.min(Math.max(left, 1), LOOK_EVERY), () => this.look());
  }

  #tell(watcher: Watcher, reason: EndReason): void {
    if (this.#remove(watcher)) watcher.run(reason);
  }

  #remove(watcher: Watcher): boolean {
    const place = placeOf(watcher.session);
    const here = this.#byPlace.get(place);
    here?.delete(watcher);
    if (here?.size === 0) this.#byPlace.delete(place);
    return this.#all.delete(watcher);
  }
}

function placeOf({ list, index }: { list: string; index: number }): string {
  return `${list}/${index}`;
}
