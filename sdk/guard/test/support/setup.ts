import type { TestContext } from "node:test";
import { Guard, type GuardOptions } from "../../src/guard.js";
import { FakeClock } from "./clock.js";
import { FakeServer } from "./server.js";
import { until } from "./until.js";

export interface Setup {
  readonly clock: FakeClock;
  readonly server: FakeServer;
  readonly problems: Error[];
  connect(options?: GuardOptions): Promise<Guard>;
}

/** A server in process and guards of it, all gone after the test. */
export async function setup(context: TestContext): Promise<Setup> {
  const clock = new FakeClock();
  const server = await FakeServer.start(clock);
  const guards: Guard[] = [];
  const problems: Error[] = [];
  context.after(async () => {
    await Promise.all(guards.map((guard) => guard.close()));
    await server.stop();
  });
  const connect = async (options: GuardOptions = {}) => {
    const guard = await Guard.connect(server.issuer, { clock, onProblem: (it) => problems.push(it), ...options });
    guards.push(guard);
    return guard;
  };
  return { clock, server, problems, connect };
}

/** Lets time pass in small steps, in which sockets get their turn, until something holds. */
export async function pass(
  clock: FakeClock,
  what: string,
  holds: () => boolean | Promise<boolean>,
  step = 40,
): Promise<number> {
  const start = clock.elapsed();
  let last = performance.now();
  await until(what, async () => {
    if (await holds()) return true;
    // Real answers need real time: the fake clock runs at most so many times as fast as a step is long.
    if (performance.now() - last < 1) return false;
    last = performance.now();
    clock.advance(step);
    return false;
  });
  return clock.elapsed() - start;
}
