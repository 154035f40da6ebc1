import { type Answer, type Http, limited, parse, pause } from "./http.js";
import type { Scope } from "./types.js";

export interface Following {
  readonly token: string | undefined;
  readonly lock: string;
  /** Aborts when the session is over. */
  readonly gone: AbortSignal;
  /** Tells the other tabs. */
  post(type: string, data: Answer): void;
  /** An event of the stream's, for this tab and the others. */
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
  let rank = Infinity;
  let leading: AbortController | null = null;
  let running: Promise<void> | undefined;
  let watchdog: number | undefined;
  let wake = () => {};
  let cut = () => {};

  const beat = () => post("lead", { rank });

  function listen(milliseconds = LEADERLESS) {
    w.clearTimeout(watchdog);
    watchdog = w.setTimeout(() => lead(mine), milliseconds);
  }

  /** For as long as it does. */
  async function lead(as: number) {
    if (gone.aborted) return;
    rank = Math.min(rank, as);
    beat();
    if (!leading) {
      leading = new AbortController();
      running = run(leading.signal);
    }
    return running;
  }

  /** No more waiting; with what was connected given up, which may be so no more without anybody noticing. */
  function kick(isOther?: boolean) {
    if (isOther) cut();
    wake();
  }

  function stepDown() {
    leading?.abort();
    rank = Infinity;
    leading = null;
    kick(true);
  }

  async function run(signal: AbortSignal) {
    let failures = 0;
    while (!signal.aborted) {
      const hurry = new Promise<void>((resolve) => (wake = resolve));
      failures = (await connect(signal)) ? 0 : failures + 1;
      if (signal.aborted) return;
      beat();
      if (failures) await of.poll();
      await Promise.race([hurry, pause(w, Math.min(500 * 2 ** failures, AGAIN) * (0.5 + Math.random() / 2))]);
    }
  }

  /** Whether any events came. */
  async function connect(signal: AbortSignal): Promise<boolean> {
    let heard = false;
    const limit = limited(w, OPENING, signal);
    try {
      const response = await send("events", { method: "GET", token: of.token, background: true }, limit.signal);
      if (response.status === 401) of.refused(parse(await response.text()));
      const reader = (response.body as ReadableStream<Uint8Array>).getReader();
      const utf8 = new TextDecoder();
      let text = "";
      while (text.length < LONGEST) {
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
          of.event(type, data);
        }
        if (heard) limit.extend(SILENCE);
      }
    } catch {}
    limit.stop();
    return heard;
  }

  gone.addEventListener("abort", stepDown);
  const { locks } = w.navigator;
  locks?.request(of.lock, { signal: gone }, () => lead(0)).catch(() => {});
  listen(locks ? LEADERLESS : 400 * Math.random());

  return {
    heard(theirs: number) {
      if (theirs > rank) beat();
      if (theirs < rank) {
        stepDown();
        listen();
      }
    },
    kick,
  };
}

export type Follow = ReturnType<typeof follow>;
