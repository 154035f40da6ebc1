import type { Clock } from "../../src/clock.js";

/** A clock that only moves when told. */
export class FakeClock implements Clock {
  #now: number;
  #elapsed = 1000;
  #timers: { at: number; run: () => void }[] = [];
  /** Whether nothing is on its way that time should wait for. */
  isQuiet: () => boolean = () => true;

  constructor(now = 1_800_000_000_000) {
    this.#now = now;
  }

  now(): number {
    return this.#now;
  }

  elapsed(): number {
    return this.#elapsed;
  }

  after(milliseconds: number, run: () => void): () => void {
    const timer = { at: this.#elapsed + milliseconds, run };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((one) => one !== timer);
    };
  }

  /** Lets so many milliseconds pass, and runs what falls due in them in its order. */
  advance(milliseconds: number): void {
    const end = this.#elapsed + milliseconds;
    for (;;) {
      const next = this.#timers.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
      if (!next) break;
      this.#timers = this.#timers.filter((one) => one !== next);
      this.#pass(Math.max(next.at, this.#elapsed));
      next.run();
    }
    this.#pass(end);
  }

  #pass(to: number): void {
    this.#now += to - this.#elapsed;
    this.#elapsed = to;
  }
}
