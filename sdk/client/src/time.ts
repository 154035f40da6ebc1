import type { Scope } from "./types.js";

/** How far a machine's two clocks may part before one of them is taken to have been moved, or the machine to have slept. Milliseconds. */
const JUMP = 1500;

/**
 * The server's time. The time of day may be wrong, and be put right at any moment; the monotonic clock may stand still while the
 * machine sleeps. So the server's own `now` is taken, and what has passed since is what the clock says that ran further: until the server
 * is heard again, a doubt ends a session early and never late.
 */
export function serverTime(w: Scope) {
  let server = w.Date.now();
  let wall = server;
  let monotonic = w.performance.now();
  let heard = false;
  const passed = (): [number, number] => [w.Date.now() - wall, w.performance.now() - monotonic];
  return {
    now: () => server + Math.max(...passed()),
    /** Whether `now` is good enough to end a session by. */
    isSure(): boolean {
      const [byWall, byMonotonic] = passed();
      return heard && Math.abs(byWall - byMonotonic) < JUMP;
    },
    /** `sure`: the server said so just now. */
    set(now: number, sure: boolean) {
      server = now;
      wall = w.Date.now();
      monotonic = w.performance.now();
      heard = sure;
    },
    offset: () => server - wall,
  };
}

export type ServerTime = ReturnType<typeof serverTime>;
