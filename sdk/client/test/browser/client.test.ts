/** The client in Chromium, beside the server itself: tabs, devices, networks, servers that come and go. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { loadavg } from "node:os";
import { test } from "node:test";
import type { Client, StorageMode } from "@cerrojo/client";
import { Application, ends, isOut, shows, state } from "./support/application.js";
import { Gate } from "./support/gate.js";

declare const window: { client: Client; close(): void };

const MODES: StorageMode[] = ["cookie", "memory", "session", "local"];
/** How often what is measured is done: more, to measure in earnest. */
const ROUNDS = Number(process.env.CERROJO_ROUNDS ?? 10);

function told(took: number[]): string {
  const sorted = took.toSorted((a, b) => a - b);
  const at = (part: number) => `${sorted[Math.ceil(sorted.length * part) - 1]?.toFixed(1)} ms`;
  return `of ${sorted.length}: p50 ${at(0.5)}, p99 ${at(0.99)}, worst ${at(1)}; load ${loadavg()[0]?.toFixed(1)}`;
}

const logout = () => window.client.logout();
/** What scripts of the page can get at. */
const within = () => JSON.stringify([Object.entries(localStorage), Object.entries(sessionStorage), document.cookie]);

test("each way to keep the session signs in, lasts as long as it says, and signs out", async (context) => {
  const app = await Application.start(context);
  const { email } = await app.server.register();
  for (const storage of MODES) {
    const device = await app.device();
    const page = await app.open(device, { storage, loginPage: "/login" });
    await shows(page, "signed-out");
    await app.login(page, email);
    await shows(page, "signed-in");
    assert.equal((await state(page)).user?.email, email);
    const isReadable = (await page.evaluate(within)).includes("eyJ");
    assert.equal(isReadable, storage === "session" || storage === "local", storage);
    await page.reload();
    await shows(page, storage === "memory" ? "signed-out" : "signed-in");
    if (storage === "memory") await app.login(page, email);
    const { status } = await page.evaluate(async (address) => {
      const answer = await window.client.fetch(`${address}/api/auth/profile`);
      return { status: answer.status };
    }, app.server.address);
    assert.equal(status, 200);
    await page.evaluate(() => void window.client.logout());
    await isOut(page);
    // The next page of the application takes away what the one before could not, because it was left.
    await page.goBack();
    await shows(page, "signed-out");
    await page.waitForFunction(() => !JSON.stringify([localStorage, sessionStorage]).includes("eyJ"));
    const again = await app.open(device, { storage });
    await shows(again, "signed-out");
    await device.close();
  }
});

test("a logout in one tab is the others' at once", async (context) => {
  const app = await Application.start(context);
  const { email } = await app.server.register();
  const device = await app.device();
  for (const storage of ["cookie", "local"] as const) {
    const [one, two] = [await app.open(device, { storage }), await app.open(device, { storage })];
    const took: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      await app.login(one, email);
      await shows(two, "signed-in");
      const at = await one.evaluate(() => {
        const at = performance.timeOrigin + performance.now();
        void window.client.logout();
        return at;
      });
      await shows(two, "signed-out");
      const seen = await two.evaluate(() =>
        (window as unknown as { ends: { seen: number; reason: string }[] }).ends.at(-1),
      );
      assert.equal(seen?.reason, "logout");
      took.push((seen?.seen ?? 0) - at);
    }
    context.diagnostic(`${storage}: ${told(took)}`);
    await one.close();
    await two.close();
  }
});

test("a session that is ended from another device is over here too, and says how", async (context) => {
  const app = await Application.start(context);
  const { email } = await app.server.register();
  const [here, there] = [await app.device(), await app.device()];
  const page = await app.open(here, { storage: "cookie" });
  const second = await app.open(here, { storage: "cookie" });
  const other = await app.open(there, { storage: "local" });
  await app.login(other, email);
  const took: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    await app.login(page, email);
    await shows(second, "signed-in");
    // Until the stream is open, which is a moment after the sign-in.
    await page.waitForTimeout(150);
    const at = await other.evaluate(async () => {
      const at = performance.timeOrigin + performance.now();
      await window.client.logout({ scope: "others" });
      return at;
    });
    for (const tab of [page, second]) {
      await shows(tab, "signed-out");
      assert.equal((await ends(tab)).at(-1)?.reason, "logout_elsewhere");
    }
    took.push(((await ends(second)).at(-1)?.seen ?? 0) - at);
    assert.equal((await state(other)).status, "signed-in");
  }
  context.diagnostic(`${told(took)}`);
});

test("offline: signed out here at once, at the server when the network is back, also over a reload of the browser", async (context) => {
  const app = await Application.start(context);
  for (const storage of ["cookie", "local"] as const) {
    const { email, token } = await app.server.register();
    const device = await app.device();
    const page = await app.open(device, { storage });
    await app.login(page, email);
    await device.setOffline(true);
    const { server } = await page.evaluate(logout);
    assert.equal(server, "pending");
    assert.equal((await state(page)).status, "signed-out");
    const live = async () =>
      (await app.server.ask("GET", "sessions", undefined, token)).data as { sessions: unknown[] };
    assert.equal((await live()).sessions.length, 2);
    await device.setOffline(false);
    await page.reload();
    await shows(page, "signed-out");
    await page.waitForFunction(() => !Object.keys(localStorage).some((it) => it.includes(":p:")));
    assert.equal((await live()).sessions.length, 1);
    await page.reload();
    await shows(page, "signed-out");
    await device.close();
  }
});

test("a tab that is closed in the moment of the logout has told the server", async (context) => {
  const app = await Application.start(context);
  for (const storage of MODES) {
    const { email, token } = await app.server.register();
    const device = await app.device();
    const page = await app.open(device, { storage });
    await app.login(page, email);
    await page.evaluate(() => {
      void window.client.logout();
      window.close();
    });
    await page.close();
    const other = await device.newPage();
    await other.waitForTimeout(300);
    const { data } = await app.server.ask("GET", "sessions", undefined, token);
    assert.equal((data as { sessions: unknown[] }).sessions.length, 1, storage);
    await device.close();
  }
});

test("a tab that is closed before the server can take anything has told it, once that can", async (context) => {
  const app = await Application.start(context);
  const gate = await Gate.start(context, app.server.address);
  for (const storage of MODES) {
    const { email, token } = await app.server.register();
    const device = await app.device();
    const [page, stays] = [await app.open(device, { storage, server: gate.address }), await device.newPage()];
    await app.login(page, email);
    gate.shut();
    await page.evaluate(() => void window.client.logout());
    await page.close();
    gate.open();
    await stays.waitForTimeout(500);
    const { data } = await app.server.ask("GET", "sessions", undefined, token);
    assert.equal((data as { sessions: unknown[] }).sessions.length, 1, storage);
    await device.close();
  }
});

test("over a restart of the server the session goes on, and what ended meanwhile is heard of", async (context) => {
  const app = await Application.start(context);
  const { email } = await app.server.register();
  const device = await app.device();
  const page = await app.open(device, { storage: "local" });
  await app.login(page, email);
  await app.server.stop();
  await page.waitForTimeout(1500);
  assert.equal((await state(page)).status, "signed-in");
  await app.server.serve();
  await page.evaluate(() => window.client.profile().then(() => {}));
  const token = await app.server.login(email);
  assert.equal((await app.server.ask("POST", "logout-others", undefined, token)).status, 200);
  await shows(page, "signed-out", 30_000);
  assert.equal((await ends(page))[0]?.reason, "logout_elsewhere");
  await app.server.stop();
  await app.server.serve();
  await app.login(page, email);
  await app.server.stop();
  assert.deepEqual(await page.evaluate(logout), { server: "pending", scope: "this" });
  assert.equal((await state(page)).status, "signed-out");
  await app.server.serve();
  await page.waitForFunction(() => !Object.keys(localStorage).some((it) => it.includes(":p:")), undefined, {
    timeout: 30_000,
  });
  assert.equal((await state(page)).status, "signed-out");
});

test("the token follows no redirect, and goes to no other origin", async (context) => {
  const app = await Application.start(context);
  const { email } = await app.server.register();
  const page = await app.open(await app.device(), { storage: "local", origins: [app.origin] });
  await app.login(page, email);
  const seen: (string | undefined)[] = [];
  const elsewhere = createServer((request, response) => {
    seen.push(request.headers.authorization);
    response.writeHead(200, { "access-control-allow-origin": "*", "access-control-allow-headers": "*" }).end();
  });
  elsewhere.listen(0, "127.0.0.1");
  await once(elsewhere, "listening");
  context.after(() => elsewhere.close());
  const address = `http://127.0.0.1:${(elsewhere.address() as AddressInfo).port}/`;
  const ask = (to: string) =>
    window.client.fetch(to).then(
      ({ status }) => status,
      (error) => error.code,
    );
  assert.equal(await page.evaluate(ask, `/to/${encodeURIComponent(address)}`), "REDIRECTED");
  assert.deepEqual(seen, []);
  assert.equal(await page.evaluate(ask, address), 200);
  assert.deepEqual(seen, [undefined]);
});

test("a page that the browser kept shows nobody when one goes back to it", async (context) => {
  const app = await Application.start(context);
  const { email } = await app.server.register();
  const device = await app.device();
  const page = await app.open(device, { storage: "local" });
  await app.login(page, email);
  await shows(page, "signed-in");
  await page.goto(
    `${app.origin}/other?options=${encodeURIComponent(JSON.stringify({ server: app.server.address, storage: "local" }))}`,
  );
  await shows(page, "signed-in");
  await page.evaluate(logout);
  await page.goBack();
  await shows(page, "signed-out");
});
