/** The automatic logouts in Chromium, beside the server itself. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Client } from "@cerrojo/client";
import { Application, ends, PASSWORD, shows, state, warnings } from "./support/application.js";

declare const window: { client: Client };

test("expiry, as it passes", async (context) => {
  const app = await Application.start(context, { CERROJO_TOKEN__TTL: "3s" });
  const { email } = await app.server.register();
  const device = await app.device();
  const [page, other] = [await app.open(device, { storage: "local" }), await app.open(device, { storage: "local" })];
  await app.login(page, email);
  for (const tab of [page, other]) {
    await shows(tab, "signed-out");
    assert.equal((await ends(tab))[0]?.reason, "expired");
  }
});

test("expiry, offline and with a clock that is wrong and jumps", async (context) => {
  const app = await Application.start(context, { CERROJO_TOKEN__TTL: "1h" });
  const { email } = await app.server.register();
  const device = await app.device();
  const page = await app.open(device, { storage: "local" });
  // Two days ahead, and time that passes as the test says.
  await page.clock.install({ time: Date.now() + 2 * 86_400_000 });
  await page.reload();
  await app.login(page, email);
  await page.evaluate(() => window.client.stayActive());
  await page.clock.runFor(5 * 60_000);
  assert.equal((await state(page)).status, "signed-in");
  // The server's own time has hardly passed, and the client hears so for the last time.
  await page.evaluate(() => window.client.stayActive());
  await device.setOffline(true);
  await page.clock.runFor(59 * 60_000 + 5000);
  assert.equal((await state(page)).status, "signed-in");
  assert.equal((await state(page)).warning?.cause, "expired");
  await page.clock.runFor(61_000);
  assert.equal((await ends(page))[0]?.reason, "expired");
});

test("idleness of the person, as it passes: whoever does something stays, in whichever tab, and requests are no person", async (context) => {
  const app = await Application.start(context, { CERROJO_SESSION__IDLE_TIMEOUT: "4s" });
  const { email } = await app.server.register();
  const device = await app.device();
  const [page, other] = [await app.open(device, { storage: "cookie" }), await app.open(device, { storage: "cookie" })];
  await app.login(page, email);
  await shows(other, "signed-in");
  for (let seconds = 0; seconds < 8; seconds++) {
    await other.mouse.move(10 + seconds, 10);
    await other.waitForTimeout(1000);
  }
  assert.deepEqual(await ends(page), []);
  await other.mouse.move(50, 50);
  const last = Date.now();
  await page.evaluate(() => {
    setInterval(() => window.client.profile().catch(() => {}), 300);
  });
  await shows(page, "signed-out");
  const took = ((await ends(page))[0]?.seen ?? 0) - last;
  assert.equal((await ends(page))[0]?.reason, "idle");
  context.diagnostic(`signed out ${took} ms after the last sign of a person; 4000 is the setting`);
  await shows(other, "signed-out");
  const [warned] = await warnings(page);
  assert.ok((warned ?? 0) >= 1);
});

test("idleness by a clock that is moved on: a warning, staying, and the end", async (context) => {
  const app = await Application.start(context);
  const { email } = await app.server.register();
  const device = await app.device();
  const page = await app.open(device, { storage: "local", idleTimeout: 15 * 60_000 });
  await page.clock.install();
  await page.reload();
  await app.login(page, email);
  // The server's time passes as it does, and is not to be heard.
  await device.setOffline(true);
  await page.clock.runFor(14 * 60_000 + 2000);
  assert.equal((await state(page)).warning?.cause, "idle");
  await page.evaluate(() => window.client.stayActive());
  assert.equal((await state(page)).warning, null);
  assert.deepEqual(await warnings(page), [1, 1]);
  await page.clock.runFor(10 * 60_000);
  assert.equal((await state(page)).status, "signed-in");
  // As a machine that sleeps: timers fire once, late.
  await page.clock.fastForward(2 * 3_600_000);
  await page.clock.runFor(2000);
  await shows(page, "signed-out");
  assert.equal((await ends(page))[0]?.reason, "idle");
});

test("401 answers: the server's reason at once; a wrong current password never", async (context) => {
  const app = await Application.start(context);
  const { email, token } = await app.server.register();
  const page = await app.open(await app.device(), { storage: "memory" });
  await app.login(page, email);
  const codes = await page.evaluate(async () => {
    const codes: string[] = [];
    for (let tries = 0; tries < 4; tries++) {
      const body = { currentPassword: "no es esta", newPassword: "otra contraseña larga 8" };
      await window.client.changePassword(body).catch((error) => codes.push(error.code));
    }
    return codes;
  });
  assert.deepEqual(codes, Array(4).fill("INVALID_CREDENTIALS"));
  assert.equal((await state(page)).status, "signed-in");
  const body = { currentPassword: PASSWORD, newPassword: "otra contraseña larga 8" };
  assert.equal((await app.server.ask("PUT", "password", body, token)).status, 200);
  await page.evaluate(() => window.client.profile().catch(() => {}));
  await shows(page, "signed-out");
  assert.equal((await ends(page))[0]?.reason, "password_changed");
});

test("an account that is made inactive", async (context) => {
  const app = await Application.start(context);
  const { email } = await app.server.register();
  const page = await app.open(await app.device(), { storage: "local" });
  await app.login(page, email);
  const admin = await app.server.register();
  await app.server.stop();
  app.server.run("user", "set-role", admin.email, "admin");
  await app.server.serve();
  const token = await app.server.login(admin.email);
  const { user } = await page.evaluate(() => window.client.profile().then((user) => ({ user })));
  const answer = await fetch(`${app.server.address}/api/admin/users/${user.user_id}`, {
    method: "PUT",
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    body: JSON.stringify({ status: "inactive" }),
  });
  assert.equal(answer.status, 200);
  await shows(page, "signed-out", 30_000);
  assert.equal((await ends(page))[0]?.reason, "account_inactive");
});
