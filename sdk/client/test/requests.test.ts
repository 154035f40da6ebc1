/** What is sent where, and what 401 answers mean. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { CerrojoError, createClient } from "@cerrojo/client";
import { ANA, EMAIL, PASSWORD, Scene, SECOND } from "./support/scene.js";

const APP = "https://api.example.org";

test("the token goes to the server and to the origins that were named, and nowhere else", async (context) => {
  const scene = new Scene(context);
  scene.server.otherwise = () => new Response("{}");
  const page = await scene.signedIn({ origins: [APP] });
  const sent = async (address: string, init?: RequestInit) => {
    const { length } = scene.server.requests;
    await page.client.fetch(address, init);
    return scene.server.requests[length]?.token;
  };
  const token = scene.server.sessions[0]?.token;
  for (const address of [`${scene.server.origin}/api/auth/profile`, `${APP}/orders`])
    assert.equal(await sent(address), token);
  const elsewhere = [
    "https://evil.example",
    "http://api.example.org/orders",
    "https://api.example.org:8443/orders",
    "https://api.example.org.evil.example/",
    "/orders",
    "https://sub.api.example.org/",
  ];
  for (const address of elsewhere) assert.equal(await sent(address), null, address);
  assert.equal(await sent(`${APP}/orders`, { headers: { authorization: "Bearer mine" } }), "mine");
});

test("a client of an https server is not made with an http origin", () => {
  for (const options of [
    { server: "https://auth.example.org", origins: ["http://api.example.org"] },
    { server: "https://auth.example.org", origins: [APP, "http://localhost"] },
  ]) {
    assert.throws(() => createClient(options), /https/);
  }
});

test("a 401 that says why ends the session at once; the reason is the person's to read", async (context) => {
  const scene = new Scene(context);
  scene.server.streaming = "refused";
  const page = await scene.signedIn();
  scene.server.end(EMAIL, "account_inactive", undefined, "administrator");
  await assert.rejects(page.client.profile(), { code: "UNAUTHORIZED", status: 401 });
  assert.deepEqual(
    page.ends.map((it) => it.reason),
    ["account_inactive"],
  );
});

test("401 answers that say nothing have the server asked at the third in a row, whose answer counts", async (context) => {
  const scene = new Scene(context);
  let status = 401;
  scene.server.otherwise = () => Response.json({ success: false, code: "UNAUTHORIZED" }, { status });
  scene.server.streaming = "refused";
  scene.server.givesReasons = false;
  const page = await scene.signedIn({ origins: [APP] });
  const ask = () => page.client.fetch(`${APP}/orders`);
  scene.server.end(EMAIL, "admin");
  await ask();
  await ask();
  status = 200;
  await ask();
  status = 401;
  await ask();
  await ask();
  assert.equal(page.client.state.status, "signed-in");
  await ask();
  await scene.clock.advance(0);
  assert.deepEqual(
    page.ends.map((it) => it.reason),
    ["unauthorized"],
  );
  assert.equal(scene.server.requests.at(-1)?.path, "/api/auth/logout", "the server is told");
});

test("a wrong current password is an error like any other, however often", async (context) => {
  const scene = new Scene(context);
  const page = await scene.signedIn();
  for (let tries = 0; tries < 5; tries++) {
    const wrong = page.client.changePassword({ currentPassword: "otra", newPassword: "nueva y larga 8" });
    await assert.rejects(wrong, { code: "INVALID_CREDENTIALS", status: 401 });
  }
  assert.equal(page.client.state.status, "signed-in");
  await page.client.changePassword({ currentPassword: PASSWORD, newPassword: "nueva y larga 8" });
  assert.equal(page.client.state.status, "signed-in");
});

test("an answer that comes after the end is no answer any more", async (context) => {
  const scene = new Scene(context);
  const page = await scene.signedIn({ origins: [APP] });
  let answer = (_: Response) => {};
  scene.server.otherwise = () => new Promise((resolve) => (answer = resolve));
  const orders = page.client.fetch(`${APP}/orders`).then((it) => it.text());
  const profile = page.client.profile();
  const caught = Promise.allSettled([orders, profile]);
  await page.client.logout();
  answer(new Response("secret"));
  await scene.clock.advance(20 * SECOND);
  assert.equal((await caught)[1]?.status, "rejected");
});

test("errors are typed, and say so in time", async (context) => {
  const scene = new Scene(context);
  const page = scene.open();
  const wrong = page.client.login({ email: EMAIL, password: "no" });
  await assert.rejects(
    wrong,
    (it) => it instanceof CerrojoError && it.code === "INVALID_CREDENTIALS" && it.name === "CerrojoError",
  );
  await assert.rejects(page.client.register({ name: "Ana", ...ANA }), { code: "USER_ALREADY_EXISTS", status: 409 });
  scene.server.state = "down";
  await assert.rejects(page.client.login(ANA), { code: "NETWORK", status: 0 });
  scene.server.state = "hanging";
  const hanging = page.client.login(ANA);
  hanging.catch(() => {});
  await scene.clock.advance(15 * SECOND);
  await assert.rejects(hanging, { code: "TIMEOUT" });
  scene.server.state = 502;
  await assert.rejects(page.client.login(ANA), { status: 502 });
});

test("a server that knows no cookie mode gets its session ended, and no token is kept", async (context) => {
  const scene = new Scene(context);
  const page = scene.open({ storage: "cookie" });
  const { fetch } = page.tab;
  page.tab.fetch = (input, init) =>
    fetch(
      input,
      init && typeof init.body === "string" ? { ...init, body: init.body.replace(',"cookie":true', "") } : init,
    );
  await assert.rejects(page.client.login(ANA), { code: "NO_COOKIE_MODE" });
  await scene.clock.advance(SECOND);
  assert.equal(scene.server.live.length, 0);
  assert.ok(!scene.stored(page).includes("token-of"));
});

test("a session of the server's own pages is found by its cookie", async (context) => {
  const scene = new Scene(context);
  const page = await scene.signedIn({ storage: "cookie" });
  scene.browser.localStorage.clear();
  const again = await scene.reload(page, { storage: "cookie" });
  assert.equal(again.client.state.user?.email, EMAIL);
  await scene.clock.advance(SECOND);
  assert.equal(again.client.state.status, "signed-in");
});
