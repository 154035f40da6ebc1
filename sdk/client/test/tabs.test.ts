/** Several tabs and devices. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { TestBrowser } from "@cerrojo/client/testing";
import { ANA, EMAIL, MINUTE, Scene, SECOND } from "./support/scene.js";

for (const isOld of [false, true]) {
  const browser = isOld ? "a browser without channels and locks" : "a browser";
  test(`in ${browser}, a login and a logout in one tab are the others', and come with their reason`, async (context) => {
    const scene = new Scene(context, { isOld });
    const [one, two] = [scene.open(), scene.open()];
    await one.client.login(ANA);
    await scene.clock.advance(0);
    assert.equal(two.client.state.user?.email, EMAIL);
    await one.client.logout();
    await scene.clock.advance(0);
    assert.equal(two.client.state.status, "signed-out");
    assert.deepEqual(
      two.ends.map((it) => it.reason),
      ["logout"],
    );
    assert.deepEqual([two.cleared, two.went], [["logout"], ["logout"]]);
  });
}

test("a tab that was frozen meanwhile is signed out before it does anything", async (context) => {
  const scene = new Scene(context);
  const [one, two] = [await scene.signedIn(), scene.open()];
  two.tab.freeze();
  await one.client.logout();
  await scene.clock.advance(0);
  const asked = scene.server.requests.length;
  await assert.rejects(two.client.profile(), { code: "SIGNED_OUT" });
  assert.equal(scene.server.requests.length, asked, "nothing was sent");
  two.tab.thaw();
  assert.deepEqual(
    two.ends.map((it) => it.reason),
    ["logout"],
  );
});

test("what is said of an old session does nothing to the new one", async (context) => {
  const scene = new Scene(context);
  const [one, two] = [await scene.signedIn(), scene.open()];
  await scene.clock.advance(0);
  // Its messages wait: what the first tab says of the old session arrives when the new one is there.
  two.tab.freeze();
  await one.client.logout();
  await one.client.login(ANA);
  await scene.clock.advance(0);
  two.tab.thaw();
  await scene.clock.advance(MINUTE);
  for (const { client } of [one, two]) assert.equal(client.state.status, "signed-in");
  assert.equal(one.client.state.session, two.client.state.session);
  assert.equal(scene.server.live.length, 1);
});

test("a tab that is brought back brings no session back that is over", async (context) => {
  const scene = new Scene(context);
  const page = await scene.signedIn({ storage: "session" });
  const before = scene.browser.tab("https://app.example.org/", page.tab);
  await page.client.logout();
  await scene.browser.setOnline(false);
  const back = scene.open({ storage: "session" }, before);
  assert.equal(back.client.state.status, "signed-out");
});

test("whoever takes the token out of the storage is signed out", async (context) => {
  const scene = new Scene(context);
  const page = await scene.signedIn();
  scene.browser.tab().localStorage.clear();
  await scene.clock.advance(0);
  assert.equal(page.client.state.status, "signed-out");
});

test("storage that is forbidden is done without", async (context) => {
  const scene = new Scene(context);
  scene.browser.localStorage.isBroken = true;
  const page = await scene.signedIn();
  assert.equal(page.client.state.status, "signed-in");
  await page.client.logout();
  assert.equal(page.client.state.status, "signed-out");
  assert.equal(scene.server.live.length, 0);
});

test("a browser has one stream, which another tab takes over at once when its own is closed", async (context) => {
  const scene = new Scene(context);
  const pages = [await scene.signedIn(), scene.open(), scene.open()];
  await scene.clock.advance(MINUTE);
  assert.equal(scene.server.streams.size, 1);
  pages[0]?.tab.close();
  pages[0]?.client.close();
  await scene.clock.advance(SECOND);
  assert.equal(scene.server.streams.size, 1);
  scene.server.end(EMAIL, "admin");
  await scene.clock.advance(0);
  for (const { ends } of pages.slice(1))
    assert.deepEqual(
      ends.map((it) => it.reason),
      ["admin"],
    );
});

test("where there are no channels to lead by, every tab still hears", async (context) => {
  const scene = new Scene(context, { isOld: true });
  const pages = [await scene.signedIn(), scene.open()];
  await scene.clock.advance(SECOND);
  scene.server.end(EMAIL, "admin");
  await scene.clock.advance(0);
  for (const { ends } of pages)
    assert.deepEqual(
      ends.map((it) => it.reason),
      ["admin"],
    );
});

test("a leader that hangs is done without, and leads again when it is back", async (context) => {
  const scene = new Scene(context);
  const [leader, other] = [await scene.signedIn(), scene.open()];
  await scene.clock.advance(MINUTE);
  leader.tab.freeze();
  await scene.clock.advance(50 * SECOND);
  assert.equal(scene.server.streams.size, 2);
  leader.tab.thaw();
  await scene.clock.advance(MINUTE);
  assert.equal(scene.server.streams.size, 1);
  leader.tab.freeze();
  await scene.clock.advance(50 * SECOND);
  scene.server.end(EMAIL, "account_suspended");
  await scene.clock.advance(0);
  assert.deepEqual(
    other.ends.map((it) => it.reason),
    ["account_suspended"],
  );
});

for (const streaming of ["buffered", "refused"] as const) {
  test(`a stream that is ${streaming} is done without: the server is asked`, async (context) => {
    const scene = new Scene(context);
    scene.server.streaming = streaming;
    const page = await scene.signedIn();
    await scene.clock.advance(5 * MINUTE);
    assert.equal(page.client.state.status, "signed-in");
    scene.server.end(EMAIL, "password_changed");
    await scene.clock.advance(20 * SECOND);
    assert.deepEqual(
      page.ends.map((it) => it.reason),
      ["password_changed"],
    );
  });
}

test("a stream that falls silent is opened anew, and one that broke, and after an outage", async (context) => {
  const scene = new Scene(context);
  const page = await scene.signedIn();
  scene.server.streaming = "buffered";
  await scene.clock.advance(20 * SECOND);
  scene.server.streaming = "open";
  await scene.clock.advance(MINUTE);
  scene.server.stop();
  await scene.clock.advance(10 * MINUTE);
  assert.equal(page.client.state.status, "signed-in");
  scene.server.end(EMAIL, "restored");
  scene.server.state = "up";
  await scene.clock.advance(11 * SECOND);
  assert.deepEqual(
    page.ends.map((it) => it.reason),
    ["restored"],
  );
});

test("another device hears at once", async (context) => {
  const scene = new Scene(context);
  const here = await scene.signedIn();
  const there = scene.open({}, new TestBrowser(scene.server).tab());
  await there.client.login(ANA);
  const other = (await here.client.sessions()).find((it) => !it.current);
  await here.client.endSession(other?.id ?? "");
  await scene.clock.advance(0);
  assert.deepEqual(
    there.ends.map((it) => it.reason),
    ["logout_elsewhere"],
  );
  assert.equal(here.client.state.status, "signed-in");
});

test("a changed profile is shown in all tabs and devices", async (context) => {
  const scene = new Scene(context);
  const pages = [await scene.signedIn(), scene.open()];
  const there = scene.open({}, new TestBrowser(scene.server).tab());
  await there.client.login(ANA);
  await there.client.updateProfile({ name: "Ana María" });
  await scene.clock.advance(0);
  for (const { client } of [...pages, there]) assert.equal(client.state.user?.name, "Ana María");
});
