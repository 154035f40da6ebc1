/** Expiry and idleness: sleep, wrong clocks, several tabs. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { TestBrowser } from "@cerrojo/client/testing";
import { ANA, HOUR, MINUTE, type Page, Scene, SECOND } from "./support/scene.js";

const DAY = 24 * HOUR;

/** How long until the page signs out, in milliseconds. */
async function until(scene: Scene, page: Page, most: number, step = 100): Promise<number> {
  const begun = scene.clock.now;
  while (page.client.state.status === "signed-in" && scene.clock.now - begun < most) await scene.clock.advance(step);
  return scene.clock.now - begun;
}

test("a session expires when it does, also one of months", async (context) => {
  for (const ttl of [90 * SECOND, 60 * DAY]) {
    const scene = new Scene(context, { ttl });
    const page = await scene.signedIn();
    await scene.browser.setOnline(false);
    page.tab.setVisible(false);
    await scene.clock.advance(MINUTE / 2);
    await scene.browser.machine.sleep(ttl - MINUTE);
    // A hidden page looks at the clock now and then.
    await scene.clock.advance(20 * SECOND);
    assert.equal(page.client.state.status, "signed-in");
    assert.equal(page.client.state.warning?.cause, "expired");
    assert.ok(Math.abs((await until(scene, page, MINUTE)) - 10 * SECOND) <= SECOND);
    assert.deepEqual(
      page.ends.map((it) => it.reason),
      ["expired"],
    );
  }
});

test("a wrong clock expires nothing, and keeps nothing, also one that is moved meanwhile", async (context) => {
  for (const skew of [2 * DAY, -2 * DAY, 0]) {
    for (const storage of ["local", "cookie"] as const) {
      const scene = new Scene(context, { ttl: HOUR });
      scene.browser.machine.skew = skew;
      const page = await scene.signedIn({ storage });
      await scene.clock.advance(10 * MINUTE);
      scene.browser.machine.skew = skew + 3 * HOUR;
      await scene.clock.advance(10 * MINUTE);
      assert.equal(page.client.state.status, "signed-in");
      scene.browser.machine.skew = skew - 3 * HOUR;
      await scene.clock.advance(10 * MINUTE);
      assert.equal(page.client.state.status, "signed-in");
      const again = await scene.reload(page, { storage });
      assert.equal(again.client.state.status, "signed-in");
      assert.ok(Math.abs((await until(scene, again, HOUR)) - 30 * MINUTE) <= 200);
    }
  }
});

test("a machine that slept over the end is signed out within a second of waking, with the network or without", async (context) => {
  for (const isOnline of [true, false]) {
    const scene = new Scene(context, { ttl: HOUR });
    const page = await scene.signedIn();
    await scene.clock.advance(MINUTE);
    await scene.browser.setOnline(isOnline);
    page.tab.freeze();
    await scene.browser.machine.sleep(8 * HOUR);
    page.tab.thaw();
    assert.ok((await until(scene, page, MINUTE, 10)) <= SECOND);
  }
});

test("whoever wakes the machine does not bring back a session that was idle by then", async (context) => {
  for (const isOnline of [true, false]) {
    for (const isServers of [true, false]) {
      const timeout = 15 * MINUTE;
      const scene = new Scene(context, isServers ? { idleTimeout: timeout } : {});
      const page = await scene.signedIn(isServers ? {} : { idleTimeout: timeout });
      await scene.clock.advance(MINUTE);
      await scene.browser.setOnline(isOnline);
      page.tab.freeze();
      await scene.browser.machine.sleep(8 * HOUR);
      page.tab.thaw();
      for (let moves = 0; moves < 5; moves++) {
        page.tab.dispatch("pointermove");
        await scene.clock.advance(200);
      }
      assert.deepEqual(
        page.ends.map((it) => it.reason),
        ["idle"],
      );
    }
  }
});

test("a page that is loaded after the end shows nobody, offline too", async (context) => {
  const scene = new Scene(context, { ttl: HOUR });
  const page = await scene.signedIn();
  await scene.browser.setOnline(false);
  page.tab.freeze();
  await scene.browser.machine.sleep(2 * HOUR);
  page.client.close();
  const again = scene.open({}, scene.browser.tab());
  await scene.clock.advance(SECOND);
  assert.deepEqual(
    again.ends.map((it) => it.reason),
    ["expired"],
  );
});

test("after an hour of use and sleep the idle timeout is kept to within a second", async (context) => {
  for (const isServers of [true, false]) {
    const timeout = 15 * MINUTE;
    const scene = new Scene(context, isServers ? { idleTimeout: timeout } : {});
    const page = await scene.signedIn(isServers ? {} : { idleTimeout: timeout });
    for (let minute = 0; minute < 60; minute += 5) {
      await scene.clock.advance(2 * MINUTE + 137);
      page.tab.dispatch("keydown");
      page.tab.freeze();
      await scene.browser.machine.sleep(2 * MINUTE);
      page.tab.thaw();
      await scene.clock.advance(MINUTE - 137);
    }
    assert.equal(page.client.state.status, "signed-in");
    page.tab.dispatch("pointermove");
    await scene.clock.advance(5 * MINUTE);
    page.tab.freeze();
    await scene.browser.machine.sleep(5 * MINUTE);
    page.tab.thaw();
    const left = await until(scene, page, HOUR, 50);
    assert.ok(Math.abs(left - 5 * MINUTE) <= SECOND, `${left} ms`);
    assert.deepEqual(
      page.ends.map((it) => it.reason),
      ["idle"],
    );
    await scene.clock.advance(SECOND);
    assert.equal(scene.server.live.length, 0, "at the server too");
  }
});

test("the network is no person: requests of an idle page move nothing, those of a person do", async (context) => {
  const scene = new Scene(context, { idleTimeout: 10 * MINUTE });
  const page = await scene.signedIn();
  const left = async () => {
    const begun = scene.clock.now;
    while (page.client.state.status === "signed-in" && scene.clock.now - begun < HOUR) {
      await page.client.fetch(`${scene.server.origin}/api/auth/profile`).catch(() => {});
      await page.client.profile().catch(() => {});
      await scene.clock.advance(5 * SECOND);
    }
    return scene.clock.now - begun;
  };
  assert.ok(Math.abs((await left()) - 10 * MINUTE) <= 5 * SECOND);
  await page.client.login(ANA);
  await scene.clock.advance(0);
  for (let minute = 0; minute < 30; minute++) {
    page.tab.dispatch("scroll");
    await scene.clock.advance(MINUTE);
  }
  assert.equal(page.client.state.status, "signed-in");
  assert.equal(scene.server.live.length, 1);
  const told = scene.server.requests.filter((it) => it.path === "/api/auth/activity" && !it.background).length;
  assert.ok(told <= 40, `the server was told ${told} times in half an hour`);
});

test("activity in one tab keeps all of them", async (context) => {
  for (const isOld of [false, true]) {
    const scene = new Scene(context, { idleTimeout: 5 * MINUTE, isOld });
    const [one, two] = [await scene.signedIn(), scene.open()];
    for (let minute = 0; minute < 20; minute++) {
      two.tab.dispatch("keydown");
      await scene.clock.advance(MINUTE);
    }
    for (const { client, ends } of [one, two]) {
      assert.deepEqual(ends, []);
      assert.equal(client.state.warning, null);
    }
    await scene.clock.advance(5 * MINUTE);
    for (const { ends } of [one, two])
      assert.deepEqual(
        ends.map((it) => it.reason),
        ["idle"],
      );
  }
});

test("a person is warned, and can stay", async (context) => {
  const scene = new Scene(context, { idleTimeout: 10 * MINUTE });
  const [page, other] = [await scene.signedIn(), scene.open()];
  const warnings: number[] = [];
  page.client.on("session.idle-warning", ({ endsAt }) => warnings.push(endsAt - scene.browser.machine.wall));
  let withdrawn = 0;
  other.client.on("session.active", () => withdrawn++);
  await scene.clock.advance(9 * MINUTE + SECOND);
  assert.equal(warnings.length, 1);
  assert.ok(Math.abs((warnings[0] ?? 0) - MINUTE) <= SECOND);
  assert.equal(other.client.state.warning?.cause, "idle");
  await page.client.stayActive();
  await scene.clock.advance(SECOND);
  assert.equal(page.client.state.warning, null);
  assert.equal(other.client.state.warning, null);
  assert.equal(withdrawn, 1);
  await scene.clock.advance(9 * MINUTE - SECOND);
  assert.equal(page.client.state.status, "signed-in");
  assert.equal(warnings.length, 2);
  await scene.clock.advance(MINUTE + SECOND);
  assert.deepEqual(
    page.ends.map((it) => it.reason),
    ["idle"],
  );
});

test("a clock that is set forward makes nobody idle while the server can say what time it is", async (context) => {
  const scene = new Scene(context, { idleTimeout: 30 * MINUTE });
  const page = await scene.signedIn();
  await scene.clock.advance(5 * MINUTE);
  const warned: unknown[] = [];
  page.client.on("session.idle-warning", (it) => warned.push(it));
  scene.browser.machine.skew = 5 * HOUR;
  await scene.clock.advance(20 * MINUTE);
  assert.equal(page.client.state.status, "signed-in");
  assert.deepEqual(warned, []);
  assert.ok(Math.abs((await until(scene, page, HOUR)) - 5 * MINUTE) <= SECOND);
});

test("two devices of one person are idle each for itself", async (context) => {
  const scene = new Scene(context, { idleTimeout: 5 * MINUTE });
  const here = await scene.signedIn();
  const there = scene.open({}, new TestBrowser(scene.server).tab());
  await there.client.login(ANA);
  for (let minute = 0; minute < 10; minute++) {
    here.tab.dispatch("keydown");
    await scene.clock.advance(MINUTE);
  }
  assert.equal(here.client.state.status, "signed-in");
  assert.deepEqual(
    there.ends.map((it) => it.reason),
    ["idle"],
  );
});
