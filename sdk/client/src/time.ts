import type { Scope } from "./types.js";

/** How far a machine's two clocks may part before one of them is taken to have been moved, or the machine to have slept. Milliseconds. */
const JUMP = 1500;

/**
 * The server's time. The time of day may be wrong, and be put right at any moment; the monotonic clock may stand still while the
 * machine sleeps. So the server's own `now` is taken, and what has passed since is what the clock says that ran further: until the server
 * is heard again, a doubt ends a session early and never late. `ahead`: how far it was ahead of this machine's when it was last known, in milliseconds.
 */
export function serverTime(w: Scope, ahead = 0) {
  let server: number;
  let wall: number;
  let monotonic: number;
  let heard: boolean;
  /** `sure`: the server said so just now. */
  function set(now: number, sure: boolean) {
    server = now;
    wall = w.Date.now();
    monotonic = w.performance.now();
    heard = sure;
  }
  set(w.Date.now() + ahead, false);
  const passed = (): [number, number] => [w.Date.now() - wall, w.performance.now() - monotonic];
  return {
    now: () => server + Math.max(...passed()),
    /** Whether `now` is good enough to end a session by. */
    isSure(): boolean {
      const [byWall, byMonotonic] = passed();
      return heard && Math.abs(byWall - byMonotonic) < JUMP;
    },
    set,
    offset: () => server - wall,
  };
}

export type ServerTime = ReturnType<typeof serverTime>;
