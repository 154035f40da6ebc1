interface Timer {
  readonly due: number;
  readonly machine: TestMachine | null;
  readonly run: () => void;
}

// The real ones, also where a test replaces them.
const { setTimeout: later } = globalThis;
const turn = (globalThis as { setImmediate?: (run: () => void) => unknown }).setImmediate ?? ((run) => later(run, 0));

/** Lets everything happen that needs no time to pass. */
export async function settle(turns = 6): Promise<void> {
  for (let it = 0; it < turns; it++) await new Promise<void>((resolve) => turn(resolve));
}

/** Time that passes when a test says so. */
export class TestClock {
  /** The true time, which is the server's: unix milliseconds. */
  now: number;
  readonly #timers = new Map<number, Timer>();
  #next = 1;

  constructor(now = Date.UTC(2026, 0, 5, 9)) {
    this.now = now;
  }

  /** Lets so many milliseconds pass; timers run as they fall due. */
  async advance(milliseconds: number): Promise<void> {
    const end = this.now + milliseconds;
    for (;;) {
      await settle();
      const next = [...this.#timers].toSorted(([a, one], [b, other]) => one.due - other.due || a - b)[0];
      if (!next || next[1].due > end) break;
      this.now = Math.max(this.now, next[1].due);
      this.#timers.delete(next[0]);
      next[1].run();
    }
    this.now = end;
    await settle();
  }

  /** @internal */
  after(milliseconds: number, run: () => void, machine: TestMachine | null = null): number {
    const id = this.#next++;
    this.#timers.set(id, { due: this.now + Math.max(0, milliseconds), machine, run });
    return id;
  }

  /** @internal */
  cancel(id: number | undefined): void {
    if (id !== undefined) this.#timers.delete(id);
  }

  /** @internal A machine's timers stand still while it sleeps. */
  postpone(machine: TestMachine, by: number): void {
    for (const [id, timer] of this.#timers) {
      if (timer.machine === machine) this.#timers.set(id, { ...timer, due: timer.due + by });
    }
  }
}

/** The clocks of one machine. */
export class TestMachine {
  readonly clock: TestClock;
  /** How far its time of day is ahead of the true time, in milliseconds. Set it to move the clock. */
  skew = 0;
  #slept = 0;
  readonly #start: number;

  constructor(clock: TestClock) {
    this.clock = clock;
    this.#start = clock.now;
  }

  get wall(): number {
    return this.clock.now + this.skew;
  }

  /** Stands still while the machine sleeps. */
  get monotonic(): number {
    return this.clock.now - this.#start - this.#slept;
  }

  /** Sleeps for so many milliseconds: nothing of it runs, everything else goes on. It is awake again afterwards. */
  async sleep(milliseconds: number): Promise<void> {
    this.#slept += milliseconds;
    this.clock.postpone(this, milliseconds);
    await this.clock.advance(milliseconds);
  }
}
