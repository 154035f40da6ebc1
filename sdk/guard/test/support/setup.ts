import type { TestContext } from "node:test";
import { setImmediate } from "node:timers/promises";
import { Guard, type GuardOptions } from "../../src/guard.js";
import { backgroundFetch } from "../../src/transport.js";
import { FakeClock } from "./clock.js";
import { FakeServer } from "./server.js";
import { Traffic } from "./traffic.js";
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
  const traffic = new Traffic(server);
  clock.isQuiet = () => traffic.isQuiet;
  const guards: Guard[] = [];
  const problems: Error[] = [];
  context.after(async () => {
    await Promise.all(guards.map((guard) => guard.close()));
    await server.stop();
  });
  const connect = async (options: GuardOptions = {}) => {
    const fetch = traffic.counted(options.fetch ?? backgroundFetch());
    const guard = await Guard.connect(server.issuer, {
      clock,
      onProblem: (it) => problems.push(it),
      ...options,
      fetch,
    });
    guards.push(guard);
    return guard;
  };
  return { clock, server, problems, connect };
}

/**
 * Lets time pass in small steps until something holds. Before each step everything arrives that is on its way, so that what comes
 * of it does not depend on how fast the machine is.
 */
export async function pass(
  clock: FakeClock,
  what: string,
  holds: () => boolean | Promise<boolean>,
  step = 40,
): Promise<number> {
  const start = clock.elapsed();
  await until(what, async () => {
    if (await holds()) return true;
    if (await isSettled(clock)) clock.advance(step);
    return false;
  });
  return clock.elapsed() - start;
}

/** Whether nothing is on its way for a few turns of the loop, in which what has arrived is dealt with. */
async function isSettled(clock: FakeClock): Promise<boolean> {
  for (let turn = 0; turn < 5; turn++) {
    if (!clock.isQuiet()) return false;
    await setImmediate();
  }
  return clock.isQuiet();
}
