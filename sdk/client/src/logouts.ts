import type { CerrojoError } from "./errors.js";
import type { Http } from "./http.js";
import type { Keep, Pending } from "./keep.js";
import type { Scope } from "./types.js";

/** Waits for a lock that other tabs may hold, but not for ever: nothing rests on it alone. */
export async function exclusive<T>(w: Scope, name: string, run: () => Promise<T>): Promise<T> {
  let began = false;
  const begin = () => {
    began = true;
    return run();
  };
  try {
    return await (w.navigator.locks?.request(name, { signal: AbortSignal.timeout(9000) }, begin) ?? begin());
  } catch (error) {
    if (began) throw error;
    return begin();
  }
}

/**
 * The server's part of logouts. What it has not heard of is kept, also over a reload, and tried until it has: with what is needed
 * to end the session and nothing else, in a place from which nobody is ever signed in.
 */
export function logouts(w: Scope, { ask }: Http, kept: Keep, lock: string | undefined) {
  let timer: number | undefined;
  let tries = 0;
  const flying = new Map<string, Promise<boolean>>();

  /** Whether there is nothing more to be done about it. */
  async function attempt(id: string): Promise<boolean> {
    const pending: Pending | null = kept.get(`p:${id}`);
    if (!pending) return true;
    const { token, path } = pending;
    try {
      await ask(path, { token, keepalive: true });
    } catch (error) {
      const { status } = error as CerrojoError;
      if (status !== 401) {
        // What may pass is tried again.
        if (path === "logout" || ![400, 403, 404].includes(status)) return false;
        // Not all of them, then (the server wants the password for that), but this one.
        kept.set(`p:${id}`, { token, path: "logout" });
        return attempt(id);
      }
    }
    kept.remove(`p:${id}`);
    return true;
  }

  function send(id: string): Promise<boolean> {
    const run = () => attempt(id);
    // With a cookie, a logout on its way must not meet the next login.
    const sent = flying.get(id) ?? (lock ? exclusive(w, lock, run) : run()).finally(() => flying.delete(id));
    flying.set(id, sent);
    return sent;
  }

  /** Whether all of them are done. */
  async function flush(): Promise<boolean> {
    const done = (await Promise.all(kept.pending().map(send))).every(Boolean);
    w.clearTimeout(timer);
    if (done) tries = 0;
    // From 1 s to about a minute.
    else timer = w.setTimeout(flush, 1000 * 2 ** Math.min(tries++, 6) * (0.5 + Math.random() / 2));
    return done;
  }

  return {
    attempt,
    flush,
    /** As the page goes: no time for locks. */
    leave: () => void kept.pending().map((id) => (lock || !flying.has(id)) && attempt(id)),
    close: () => w.clearTimeout(timer),
  };
}

export type Logouts = ReturnType<typeof logouts>;
