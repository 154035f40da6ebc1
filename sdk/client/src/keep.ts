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
 * in its time; how far that is ahead of this machine's; and the timeout, 0 if it is not known.
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

/** How long that is remembered: longer than a browser is likely to bring back an old tab. 30 days. */
const REMEMBERED = 30 * 86_400_000;

/** Storage that never throws, and is memory where there is none. */
function shelf(name: string, storage: () => Storage | null) {
  const memory = new Map<string, string>();
  const safely = <T>(run: (on: Storage | null) => T): T | undefined => {
    try {
      return run(storage());
    } catch {
      return undefined;
    }
  };
  return {
    // biome-ignore lint/suspicious/noExplicitAny: what was written is read, by whoever knows what that was
    get: (key: string): any => safely((on) => JSON.parse(memory.get(name + key) ?? on?.getItem(name + key) ?? "null")),
    set(key: string, value: unknown) {
      const text = JSON.stringify(value);
      memory.set(name + key, text);
      safely((on) => {
        on?.setItem(name + key, text);
        if (on) memory.delete(name + key);
      });
    },
    remove(key: string) {
      memory.delete(name + key);
      safely((on) => on?.removeItem(name + key));
    },
    /** What follows `prefix` in the keys that begin with it. */
    list(prefix: string): string[] {
      const keys = [...memory.keys()];
      safely((on) => {
        for (let at = 0; on && at < on.length; at++) keys.push(on.key(at) as string);
      });
      return keys.filter((it) => it.startsWith(name + prefix)).map((it) => it.slice((name + prefix).length));
    },
  };
}

/**
 * What outlives a page. `s:` sessions, `cur` the present one's number, `p:` logouts that the server has not heard of yet, `e:`
 * sessions that are over, `a:` activity. Each session has keys of its own, so that what one tab does to one session never touches
 * another's, and no lock is needed: a session counts only while neither its `p:` nor its `e:` is there.
 */
export function keep(w: Scope, name: string, mode: StorageMode) {
  const own = shelf(name, () => (mode === "memory" ? null : mode === "session" ? w.sessionStorage : w.localStorage));
  // A tab that is brought back brings its sessionStorage back, with sessions that are long over.
  const shared = mode === "session" ? shelf(name, () => w.localStorage) : own;
  for (const id of shared.list("e:")) {
    if (!(w.Date.now() - shared.get(`e:${id}`)?.[0] < REMEMBERED)) shared.remove(`e:${id}`);
  }
  return {
    ...own,
    /** The present session. */
    read(): Session | null {
      const id = own.get("cur");
      return own.get(`p:${id}`) || shared.get(`e:${id}`) ? null : own.get(`s:${id}`);
    },
    begin(session: Session) {
      own.set(`s:${session.id}`, session);
      own.set("cur", session.id);
    },
    forget(id: string, tombstone: Tombstone) {
      shared.set(`e:${id}`, tombstone);
      own.remove(`s:${id}`);
      shared.remove(`a:${id}`);
    },
    activity: (id: string): Activity | null => shared.get(`a:${id}`),
    note: (id: string, activity: Activity) => shared.set(`a:${id}`, activity),
    over: (id: string): Tombstone | undefined => shared.get(`e:${id}`) ?? own.get(`p:${id}`)?.over,
    pending: () => own.list("p:"),
  };
}

export type Keep = ReturnType<typeof keep>;
