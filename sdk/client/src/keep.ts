import type { Scope, StorageMode } from "./types.js";

/** What is kept of a session. Written at its beginning and never again: whoever removes it has removed it for good. */
export interface Session {
  readonly id: string;
  /** None with a cookie. */
  readonly token?: string | undefined;
  /** Unix milliseconds of the server's clock; 0: not known. */
  readonly expires: number;
}

/**
 * From what all tabs, and a page after a reload, reckon the idle timeout of a session: when somebody was last active, when the server was last told, both
 * in its time; how far that is ahead of this machine's; and the timeout, null (which Infinity is in JSON) if it is not known.
 */
export type Activity = [active: number, posted: number, offset: number, timeout: number];

/** What is needed to end a session, and to say so. */
export interface Pending {
  readonly token?: string | undefined;
  readonly path: string;
  /** That it is over: other tabs may see this before the tombstone itself. */
  readonly over?: Tombstone;
}

/** That a session is over. */
export type Tombstone = [at: number, reason: string, by?: string | null | undefined];

/** Tells sessions of one browser apart, and is no secret. */
export const number = () => `${Math.random()}`;

/** How long that is remembered: longer than a browser is likely to bring back an old tab. 30 days. */
const REMEMBERED = 30 * 86_400_000;

/** Storage that never throws, and is memory where there is none. */
function shelf(name: string, storage: () => Storage) {
  const memory = new Map<string, string>();
  const safely = <T>(run: () => T): T | undefined => {
    try {
      return run();
    } catch {
      return undefined;
    }
  };
  return {
    // biome-ignore lint/suspicious/noExplicitAny: what was written is read, by whoever knows what that was
    get: (key: string): any =>
      safely(() => JSON.parse(memory.get(name + key) ?? (storage().getItem(name + key) as string))),
    set(key: string, value: unknown) {
      const text = JSON.stringify(value);
      memory.set(name + key, text);
      safely(() => {
        storage().setItem(name + key, text);
        memory.delete(name + key);
      });
    },
    remove(key: string) {
      memory.delete(name + key);
      safely(() => storage().removeItem(name + key));
    },
    /** What follows `prefix` in the keys that begin with it. */
    list: (prefix: string): string[] =>
      [...memory.keys(), ...Object.keys(safely(storage) ?? {})].flatMap((it) => it.split(name + prefix)[1] ?? []),
  };
}

/**
 * What outlives a page. `s:` sessions, `cur` the present one's number, `g` that of a cookie's which is not known yet, `p:` logouts that the server has not heard of yet, `e:`
 * sessions that are over, `a:` activity. Each session has keys of its own, so that what one tab does to one session never touches
 * another's, and no lock is needed: a session counts only while neither its `p:` nor its `e:` is there.
 */
export function keep(w: Scope, name: string, mode: StorageMode) {
  const place = `${mode === "cookie" ? "local" : mode}Storage`;
  // There is no `memoryStorage`.
  const own = shelf(name, () => w[place as "localStorage"]);
  // A tab that is brought back brings its sessionStorage back, with sessions that are long over.
  const shared = mode === "session" ? shelf(name, () => w.localStorage) : own;
  for (const id of shared.list("e:")) {
    if (!(w.Date.now() - shared.get(`e:${id}`)?.[0] < REMEMBERED)) shared.remove(`e:${id}`);
  }
  /** What was owed to the server when a session ended in this page. */
  const owed = new Map<string, Pending>();
  const over = (id: string): Tombstone | undefined => shared.get(`e:${id}`) ?? own.get(`p:${id}`)?.over;
  const forget = (id: string, tombstone: Tombstone) => {
    if (own.get(`p:${id}`)) owed.set(id, own.get(`p:${id}`));
    shared.set(`e:${id}`, tombstone);
    own.remove(`s:${id}`);
    shared.remove(`a:${id}`);
  };
  return {
    ...own,
    /** The present session. */
    read(): Session | null {
      const id = own.get("cur");
      return over(id) ? null : own.get(`s:${id}`);
    },
    begin(session: Session) {
      own.set(`s:${session.id}`, session);
      own.set("cur", session.id);
    },
    /** The number of the session that a cookie may be of which no page of ours began: the same in all tabs, until it is over. */
    guest(): string {
      let id = own.get("g");
      if (!id || over(id)) {
        id = number();
        own.set("g", id);
      }
      return id;
    },
    forget,
    shared,
    over,
    owed,
    /** What the application's `clear` took along is put back: also the note that it is over, without which no other tab has done it. */
    pending(): string[] {
      for (const [id, pending] of owed) {
        if (own.get(`p:${id}`)) continue;
        if (own.get(`e:${id}`)) owed.delete(id);
        else {
          own.set(`p:${id}`, pending);
          forget(id, pending.over as Tombstone);
        }
      }
      return own.list("p:");
    },
  };
}

export type Keep = ReturnType<typeof keep>;
