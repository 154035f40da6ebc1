/** What a guard takes time and timers from. */
export interface Clock {
  /** The time of day in unix milliseconds; never runs backwards. For `exp`, `iat` and `nbf`. */
  now(): number;
  /** Milliseconds since some start. Never runs backwards, and goes on while the machine sleeps. For everything else. */
  elapsed(): number;
  /** Runs once after so many milliseconds without keeping the process alive. What it answers cancels. */
  after(milliseconds: number, run: () => void): () => void;
}

/** How far the two clocks may seem to part by their granularity alone, in milliseconds. */
const GRAIN = 2;
/** Readings that took longer are made again, so that a pause between the two is not taken for sleep. */
const QUICK = 0.5;

/**
 * The machine's clocks.
 *
 * Node offers no monotonic clock that runs while the machine sleeps. `elapsed` is the monotonic one, and whenever the
 * time of day ran further than it, the difference is added: a suspended machine wakes up stale. So does one whose time
 * of day was set forward, which costs some refused seconds and nothing else. A time of day set back never makes `elapsed`
 * smaller. If a machine sleeps and its time of day is set back by as much before it is read again, the sleep goes
 * unnoticed: there is nothing left to notice it by.
 */
export class SystemClock implements Clock {
  readonly #monotonic: () => number;
  readonly #wall: () => number;
  #latestWall = 0;
  #offset: number | undefined;
  #slept = 0;

  constructor(monotonic: () => number = () => performance.now(), wall: () => number = Date.now) {
    this.#monotonic = monotonic;
    this.#wall = wall;
  }

  now(): number {
    this.#latestWall = Math.max(this.#latestWall, this.#wall());
    return this.#latestWall;
  }

  elapsed(): number {
    let monotonic = this.#monotonic();
    let wall = this.#wall();
    for (let tries = 0; tries < 3; tries++) {
      const again = this.#monotonic();
      if (again - monotonic <= QUICK) break;
      monotonic = again;
      wall = this.#wall();
    }
    const offset = wall - monotonic;
    this.#offset ??= offset;
    if (offset > this.#offset) {
      this.#slept += offset - this.#offset;
      this.#offset = offset;
    } else if (offset < this.#offset - GRAIN) {
      this.#offset = offset;
    }
    return monotonic + this.#slept;
  }

  after(milliseconds: number, run: () => void): () => void {
    const timer = setTimeout(run, Math.min(Math.max(milliseconds, 0), 2 ** 31 - 1));
    timer.unref();
    return () => clearTimeout(timer);
  }
}

/** Waits so long, or until `signal` says that nobody waits any more. */
export function pause(clock: Clock, milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const done = () => {
      cancel();
      signal.removeEventListener("abort", done);
      resolve();
    };
    const cancel = clock.after(milliseconds, done);
    signal.addEventListener("abort", done);
  });
}
