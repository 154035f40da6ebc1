import { setImmediate } from "node:timers/promises";

/** Waits until something holds that real sockets bring about, for a minute at the very most: what is slow is awaited. */
export async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const end = performance.now() + 60_000;
  while (!(await holds())) {
    if (performance.now() > end) throw new Error(`waited in vain until ${what}`);
    await setImmediate();
  }
}
