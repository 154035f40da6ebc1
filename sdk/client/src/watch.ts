import type { Activity } from "./keep.js";
import type { ServerTime } from "./time.js";
import type { Options, Scope, Warning } from "./types.js";

/** What the server says of a session's end, by its own clock. Its `idle_at` is null where there is no idle timeout. */
export type Deadlines = { readonly now?: unknown; readonly expires_at?: unknown; readonly idle_at?: unknown };

/** ISO 8601 or unix milliseconds; Infinity for what is no time. */
export const when = (time: unknown): number => +new Date((time ?? NaN) as string) || Infinity;

export interface Watching {
  /** Unix milliseconds of the server's clock; 0: not known. */
  readonly expires: number;
  readonly kept: Activity | null;
  readonly options: Options;
  /** Aborts when the session is over. */
  readonly gone: AbortSignal;
  end(cause: Warning["cause"]): void;
  warn(warning: Warning | null): void;
  /** Tells the server that a person is there, and asks for the deadlines. Throws if it does not answer. */
  touch(): Promise<Deadlines>;
  /** Has the server say how the session stands, which is heard if it does. */
  doubt(): void;
  /** Something that other tabs and the next page should know. */
  share(activity: Activity): void;
  /** Each tick: what is to be looked at as well. */
  look(): void;
}

/** How often a visible page looks at the clock, which is how soon it notices that the machine slept; and a hidden one. */
const VISIBLE = 1000;
const HIDDEN = 15_000;
/** How long the server is given to say what time it is when the end seems to be there and the clocks are in doubt. */
const DOUBT = 800;
/** How often a person is looked for. */
const SEEN = 500;

/** Watches over one session's end by time: expiry, and idleness of the person. */
export function watch(w: Scope, time: ServerTime, of: Watching) {
  const { gone, options } = of;
  const { idleTimeout = Infinity, warnBefore = 60_000 } = options;
  let expires = of.expires || Infinity;
  /** When a person last did something, and when the server was last told that somebody did. */
  let [active = time.now(), posted = active, , timeout] = of.kept ?? ([] as unknown as Activity);
  /** The server's idle timeout, once it is known; until then its deadline. */
  timeout ||= Infinity;
  let idle = Infinity;
  let timer: number | undefined;
  let warned: Warning | null = null;
  let isAsking = false;
  let askedAt = -Infinity;
  let seenAt = -Infinity;

  const share = () => of.share([active, posted, time.offset(), timeout]);

  /** Tells the server that somebody is there, which also says what the timeout is. */
  async function post() {
    const before = posted;
    posted = time.now();
    try {
      heard(await of.touch(), true);
    } catch {
      posted = Math.min(before, posted);
    }
  }

  function person(isCertain?: boolean) {
    const at = w.performance.now();
    if (!isCertain && at - seenAt < SEEN) return;
    seenAt = at;
    // Whoever wakes the machine does not bring back what was over by then.
    if (tick() || gone.aborted) return;
    active = time.now();
    share();
    tick();
  }

  /** The end seems to be near, and the clocks cannot be trusted. */
  function doubt(cause: Warning["cause"], at: number) {
    if (isAsking) return;
    // A server that does not answer is not asked each second.
    if (Math.abs(time.now() - askedAt) < 5000) {
      if (time.now() >= at) of.end(cause);
      return;
    }
    isAsking = true;
    askedAt = time.now();
    of.doubt();
    w.setTimeout(() => {
      isAsking = false;
      if (gone.aborted) return;
      if (!time.isSure() && time.now() >= at) of.end(cause);
      else tick();
    }, DOUBT);
  }

  /** Whether the session is over if the clocks are right, which is in doubt then. */
  function tick(): boolean {
    w.clearTimeout(timer);
    of.look();
    if (gone.aborted) return false;
    const now = time.now();
    active = Math.min(active, now);
    const limit = Math.min(timeout, idleTimeout);
    const idleAt = limit < Infinity ? active + limit : idle;
    const at = Math.min(idleAt, expires);
    const cause = idleAt < expires ? "idle" : "expired";
    const warnAt = at - Math.min(warnBefore, cause === "idle" ? limit / 3 : warnBefore);
    if (now >= warnAt && !time.isSure()) doubt(cause, at);
    else if (now >= at) of.end(cause);
    if (now < warnAt ? warned : !isAsking && warned?.cause !== cause) {
      warned = now < warnAt ? null : { cause, endsAt: w.Date.now() + at - now };
      of.warn(warned);
    }
    if (gone.aborted) return false;
    // What was done since the server was last told.
    if (idle < Infinity && active > posted && now - posted >= Math.min(Math.max(timeout / 6, 500), 60_000)) void post();
    const next = [at, warnAt].map((it) => it - now).filter((it) => it > 0);
    timer = w.setTimeout(tick, Math.min(w.document.hidden ? HIDDEN : VISIBLE, ...next));
    return now >= at;
  }

  /** The server said so, to this tab or another. `isPerson`: it was an answer to a person's activity, which shows the timeout. */
  function heard(deadlines: Deadlines, isPerson?: boolean) {
    const now = when(deadlines.now);
    if (gone.aborted || now === Infinity) return;
    const isFirst = !time.isSure();
    time.set(now, true);
    expires = when(deadlines.expires_at);
    idle = when(deadlines.idle_at);
    active = Math.min(active, now);
    if (isPerson || idle === Infinity) timeout = idle - now;
    // A session that just began: its person is there.
    else if (timeout === Infinity && now - active < 5000) void post();
    if (isPerson || isFirst) share();
    tick();
  }

  return {
    tick,
    person,
    /** As by a person, and the server is told at once. */
    stay() {
      person(true);
      return post();
    },
    heard,
    /** Somebody did something in another tab. */
    merge([at, told, , known]: Activity) {
      // What lies ahead was written by a clock that was wrong.
      if (at <= time.now()) active = Math.max(active, at);
      posted = Math.max(posted, told);
      timeout = known || timeout;
    },
    /** Whether a request is sent for nobody: nobody did anything since the last one that was for somebody. */
    isBackground(): boolean {
      const is = active <= posted;
      if (!is) posted = time.now();
      return is;
    },
  };
}

export type Watch = ReturnType<typeof watch>;
