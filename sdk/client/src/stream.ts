import { type Answer, type Http, limited, parse } from "./http.js";
import type { Scope } from "./types.js";

export interface Following {
  readonly token: string | undefined;
  readonly lock: string;
  /** Aborts when the session is over. */
  readonly gone: AbortSignal;
  /** Tells the other tabs. */
  post(type: string, data: Answer): void;
  /** An event of the stream's. */
  event(type: string, data: Answer): void;
  /** The stream was refused with a 401. */
  refused(answer: Answer): void;
  /** Asks the server in the plain way, where no stream gets through. */
  poll(): Promise<unknown>;
}

/**
 * One stream a browser. The tab that holds the lock reads it and tells the others. Where there are no locks, or their holder is not
 * heard of any more, a tab appoints itself; of several that lead, all but the one with the lowest rank step down. Two that lead for a while
 * cost the server a stream, and nothing else.
 */
export function follow(w: Scope, { send }: Http, of: Following) {
  /** Nothing for so long, and the stream is taken to be dead: the server sends something every 15 s. Milliseconds, as all of these. */
  const SILENCE = 40_000;
  /** A stream that says nothing for so long from its beginning does not get through. */
  const OPENING = 5000;
  /** How often, at most, it is tried again, with a plain request in its place each time. */
  const AGAIN = 10_000;
  /** A leader that is not heard of for so long leads no more, whatever lock it holds. */
  const LEADERLESS = 45_000;
  /** Characters. */
  const LONGEST = 65_536;
  const { gone, post } = of;
  const mine = 1 + Math.random();
  let rank = 0;
  let leading: AbortController | null = null;
  let running: Promise<void> | undefined;
  let watchdog: number | undefined;
  let wake = () => {};
  let cut = () => {};
  let isHurried = false;

  const beat = () => post("lead", { rank });

  function listen(milliseconds = LEADERLESS) {
    w.clearTimeout(watchdog);
    watchdog = w.setTimeout(() => lead(mine), milliseconds);
  }

  /** For as long as it does. */
  async function lead(as: number) {
    w.clearTimeout(watchdog);
    if (gone.aborted) return;
    rank = leading ? Math.min(rank, as) : as;
    beat();
    if (!leading) {
      leading = new AbortController();
      running = run(leading.signal);
    }
    return running;
  }

  /** No more waiting; with what was connected given up, which may be so no more without anybody noticing. */
  function kick(isOther?: boolean) {
    isHurried = true;
    if (isOther) cut();
    wake();
  }

  function stepDown() {
    leading?.abort();
    leading = null;
    kick(true);
  }

  async function run(signal: AbortSignal) {
    let failures = 0;
    while (!signal.aborted) {
      isHurried = false;
      failures = (await connect(signal)) ? 0 : failures + 1;
      if (signal.aborted) return;
      beat();
      if (failures) await of.poll();
      const wait = Math.min(500 * 2 ** failures, AGAIN);
      await new Promise<void>((resolve) => {
        if (isHurried) resolve();
        const timer = w.setTimeout(resolve, wait * (0.5 + Math.random() / 2));
        wake = () => {
          w.clearTimeout(timer);
          resolve();
        };
      });
    }
  }

  /** Whether any events came. */
  async function connect(signal: AbortSignal): Promise<boolean> {
    let heard = false;
    const limit = limited(w, OPENING, signal);
    try {
      const response = await send("events", { method: "GET", token: of.token, background: true }, limit.signal);
      if (response.status === 401) of.refused(parse(await response.text()));
      const reader = response.body?.getReader();
      const utf8 = new TextDecoder();
      let text = "";
      while (reader && text.length < LONGEST) {
        const { done, value } = await reader.read();
        if (done || signal.aborted) break;
        beat();
        const events = (text + utf8.decode(value, { stream: true })).split(/\r?\n\r?\n/);
        text = events.pop() as string;
        for (const event of events) {
          const field = (name: string) => new RegExp(`^${name}: ?(.*)`, "m").exec(event)?.[1];
          const type = field("event");
          if (!type) continue;
          heard = true;
          cut = limit.stop;
          const data = parse(field("data"));
          post(type, data);
          of.event(type, data);
        }
        if (heard) limit.extend(SILENCE);
      }
    } catch {}
    limit.stop();
    return heard;
  }

  gone.addEventListener("abort", () => {
    w.clearTimeout(watchdog);
    stepDown();
  });
  const { locks } = w.navigator;
  locks?.request(of.lock, { signal: gone }, () => lead(0)).catch(() => {});
  listen(locks ? LEADERLESS : 400 * Math.random());

  return {
    heard(theirs: number) {
      if (leading && theirs >= rank) {
        if (theirs > rank) beat();
        return;
      }
      stepDown();
      listen();
    },
    kick,
  };
}

export type Follow = ReturnType<typeof follow>;
