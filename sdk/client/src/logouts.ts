import type { CerrojoError } from "./errors.js";
import type { Http } from "./http.js";
import type { Keep, Pending } from "./keep.js";
import type { Scope } from "./types.js";

/** Waits for a lock that other tabs may hold, but not for ever: nothing rests on it alone. */
export async function exclusive<T>(w: Scope, name: string | false, run: () => Promise<T>): Promise<T> {
  let began: Promise<T> | undefined;
  const begin = () => (began ??= run());
  try {
    return await ((name && w.navigator.locks?.request(name, { signal: AbortSignal.timeout(9000) }, begin)) || begin());
  } catch {
    return begin();
  }
}

/**
 * The server's part of logouts. What it has not heard of is kept, also over a reload, and tried until it has: with what is needed
 * to end the session and nothing else, in a place from which nobody is ever signed in.
 */
export function logouts(w: Scope, { ask }: Http, kept: Keep, lock: string | false, closed: AbortSignal) {
  let timer: number | undefined;
  let tries = 0;
  const flying = new Map<string, Promise<string | boolean>>();

  /** Whether there is nothing more to be done about it, and what the server did if it was now. */
  async function attempt(id: string): Promise<string | boolean> {
    kept.pending();
    const pending: Pending | null = kept.get(`p:${id}`);
    if (!pending) return true;
    // A cookie may be another person's by the time that the page is loaded again.
    const path = pending.token || kept.owed.has(id) ? pending.path : "logout";
    try {
      await ask(path, { token: pending.token, keepalive: true });
    } catch (error) {
      const { status } = error as CerrojoError;
      // What may pass is tried again.
      if (status < 400 || status > 404) return false;
      if (path !== "logout") {
        // Not all of them, then (the server wants the password for that), but this one.
        kept.set(`p:${id}`, { ...pending, path: "logout" });
        return attempt(id);
      }
      if (status !== 401) return false;
    }
    kept.owed.delete(id);
    kept.remove(`p:${id}`);
    return path;
  }

  function send(id: string): Promise<string | boolean> {
    // With a cookie, a logout on its way must not meet the next login.
    const sent = flying.get(id) ?? exclusive(w, lock, () => attempt(id)).finally(() => flying.delete(id));
    flying.set(id, sent);
    return sent;
  }

  /** What {@link attempt} says of each. */
  async function flush(): Promise<(string | boolean)[]> {
    const done = await Promise.all(kept.pending().map(send));
    w.clearTimeout(timer);
    if (!done.includes(false)) tries = 0;
    // From 1 s to about a minute.
    else
      timer = w.setTimeout(
        () => void (closed.aborted || flush()),
        1000 * 2 ** Math.min(tries++, 6) * (0.5 + Math.random() / 2),
      );
    return done;
  }

  return {
    attempt,
    flush,
    /** As the page goes: no time for locks. */
    leave: () => kept.pending().map(attempt),
  };
}

export type Logouts = ReturnType<typeof logouts>;
