import assert from "node:assert/strict";
import { test } from "node:test";
import { SystemClock } from "../../src/clock.js";

function hands() {
  const at = { monotonic: 500, wall: 1_800_000_000_000 };
  const clock = new SystemClock(
    () => at.monotonic,
    () => Math.floor(at.wall),
  );
  const pass = (monotonic: number, wall = monotonic) => {
    at.monotonic += monotonic;
    at.wall += wall;
  };
  return { clock, pass, at };
}

test("elapsed is the monotonic clock while the two agree", () => {
  const { clock, pass } = hands();
  const start = clock.elapsed();
  for (let reading = 0; reading < 100_000; reading++) {
    pass(2 ** -6);
    clock.elapsed();
  }
  const passed = clock.elapsed() - start;
  assert.ok(Math.abs(passed - 1562.5) <= 2, `${passed}`);
});

test("time that passed in the machine's sleep has passed", () => {
  const { clock, pass } = hands();
  const start = clock.elapsed();
  pass(10, 60_010);
  assert.ok(clock.elapsed() - start >= 60_009);
  pass(10, 3_600_010);
  assert.ok(clock.elapsed() - start >= 3_660_018);
});

test("a time of day set back takes nothing back, and sleep after it still counts", () => {
  const { clock, pass } = hands();
  const start = clock.elapsed();
  pass(10, -3_600_000);
  assert.equal(Math.round(clock.elapsed() - start), 10);
  pass(10, 30_010);
  assert.ok(clock.elapsed() - start >= 30_019);
});

test("elapsed never runs backwards, whatever the time of day does", () => {
  const { clock, pass } = hands();
  let before = clock.elapsed();
  for (const wall of [5, -5, 1000, -1000, 0, -2, 2, -90_000, 90_000]) {
    pass(1, wall);
    const after = clock.elapsed();
    assert.ok(after >= before, `${wall}`);
    before = after;
  }
});

test("a pause between the two readings is not taken for sleep", () => {
  const at = { monotonic: 500, wall: 1_800_000_000_000, pauses: false };
  const clock = new SystemClock(
    () => at.monotonic,
    () => {
      if (!at.pauses) return at.wall;
      at.pauses = false;
      at.monotonic += 400;
      at.wall += 400;
      return at.wall;
    },
  );
  const start = clock.elapsed();
  at.pauses = true;
  assert.ok(clock.elapsed() - start <= 400);
});

test("the time of day never runs backwards", () => {
  const { clock, pass } = hands();
  const before = clock.now();
  pass(10, -5000);
  assert.equal(clock.now(), before);
});
