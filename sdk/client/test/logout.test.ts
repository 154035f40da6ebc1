/** Logouts: the four duties, the network gone, pages gone. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { CerrojoError, type StorageMode } from "@cerrojo/client";
import { TestBrowser } from "@cerrojo/client/testing";
import { ANA, EMAIL, HOUR, MINUTE, PASSWORD, Scene, SECOND } from "./support/scene.js";

const MODES: StorageMode[] = ["cookie", "memory", "session", "local"];

for (const storage of MODES) {
  test(`${storage}: a logout takes the token away, clears, goes to the login page and shows it`, async (context) => {
    const scene = new Scene(context);
    const page = await scene.signedIn({ storage });
    assert.equal(page.client.state.status, "signed-in");
    assert.equal(page.client.state.user?.email, EMAIL);
    const shown = page.client.logout();
    // At once, whatever the server says.
    assert.equal(page.client.state.status, "signed-out");
    assert.equal(page.client.state.user, null);
    assert.deepEqual(page.cleared, ["logout"]);
    await scene.clock.advance(0);
    assert.deepEqual(await shown, { server: "ended", scope: "this" });
    assert.deepEqual(page.went, ["logout"]);
    assert.deepEqual(
      page.ends.map((it) => it.reason),
      ["logout"],
    );
    assert.ok(!scene.stored(page).includes("token-of"));
    assert.equal(scene.server.sessions[0]?.ended?.reason, "logout");
    await assert.rejects(page.client.profile(), { code: "SIGNED_OUT" });
    const again = await scene.reload(page, { storage });
    assert.equal(again.client.state.status, "signed-out");
  });

  test(`${storage}: offline, it is one here, and at the server once that is there`, async (context) => {
    const scene = new Scene(context);
    const page = await scene.signedIn({ storage });
    await scene.browser.setOnline(false);
    const said = page.client.logout();
    assert.equal(page.client.state.status, "signed-out");
    await scene.clock.advance(0);
    assert.deepEqual(await said, { server: "pending", scope: "this" });
    assert.deepEqual(page.went, ["logout"]);
    assert.equal(scene.server.live.length, 1);
    await scene.clock.advance(HOUR);
    await scene.browser.setOnline(true);
    assert.equal(scene.server.live.length, 0);
    assert.ok(!scene.stored(page).includes("token-of"));
    assert.equal(page.client.state.status, "signed-out");
  });
}

for (const storage of ["cookie", "session", "local"] as const) {
  test(`${storage}: it outlives the page, and nobody is signed in by what is left of it`, async (context) => {
    const scene = new Scene(context);
    const page = await scene.signedIn({ storage });
    await scene.browser.setOnline(false);
    void page.client.logout();
    const offline = await scene.reload(page, { storage });
    assert.equal(offline.client.state.status, "signed-out");
    const again = await scene.reload(offline, { storage });
    assert.equal(again.client.state.status, "signed-out");
    await assert.rejects(again.client.profile(), { code: "SIGNED_OUT" });
    scene.server.state = 503;
    await scene.browser.setOnline(true);
    assert.equal(again.client.state.status, "signed-out");
    const later = await scene.reload(again, { storage });
    assert.equal(later.client.state.status, "signed-out");
    scene.server.state = "up";
    await scene.clock.advance(MINUTE);
    assert.equal(scene.server.live.length, 0);
    assert.equal(later.client.state.status, "signed-out");
  });
}

for (const storage of MODES) {
  test(`${storage}: a page that goes at that moment has told the server`, async (context) => {
    const scene = new Scene(context);
    const page = await scene.signedIn({ storage });
    void page.client.logout();
    page.tab.close();
    await scene.clock.advance(0);
    assert.equal(scene.server.live.length, 0);
  });
}

test("a server that takes requests and answers none keeps nobody in, and nothing waiting", async (context) => {
  const scene = new Scene(context);
  const page = await scene.signedIn({ storage: "cookie" });
  scene.server.state = "hanging";
  const asked = page.client.profile();
  asked.catch(() => {});
  const said = page.client.logout();
  assert.equal(page.client.state.status, "signed-out");
  await assert.rejects(asked, { code: "SIGNED_OUT" });
  await scene.clock.advance(30 * SECOND);
  assert.deepEqual(await said, { server: "pending", scope: "this" });
  const login = page.client.login(ANA);
  login.catch(() => {});
  await scene.clock.advance(30 * SECOND);
  await assert.rejects(login, CerrojoError);
  scene.server.state = "up";
  await scene.clock.advance(2 * MINUTE);
  assert.equal(scene.server.live.length, 0);
});

test("a login that comes after the logout signs nobody in, and its session is ended", async (context) => {
  for (const storage of MODES) {
    const scene = new Scene(context);
    const page = scene.open({ storage });
    await scene.clock.advance(0);
    const login = page.client.login(ANA);
    const logout = page.client.logout();
    await assert.rejects(login, { code: "SUPERSEDED" });
    await logout;
    await scene.clock.advance(5 * SECOND);
    assert.equal(page.client.state.status, "signed-out");
    assert.equal(scene.server.live.length, 0, storage);
    assert.equal((await scene.reload(page, { storage })).client.state.status, "signed-out");
  }
});

test("with a cookie, a logout that is left from before never ends the next person's session", async (context) => {
  const scene = new Scene(context);
  scene.server.addUser("berta@example.org", PASSWORD, "Berta");
  const page = await scene.signedIn({ storage: "cookie" });
  await scene.browser.setOnline(false);
  await page.client.logout();
  await assert.rejects(page.client.login({ email: "berta@example.org", password: PASSWORD }), { code: "NETWORK" });
  scene.browser.isOnline = true;
  await page.client.login({ email: "berta@example.org", password: PASSWORD });
  await scene.clock.advance(2 * MINUTE);
  assert.deepEqual(
    scene.server.live.map((it) => it.account.user.name),
    ["Berta"],
  );
  assert.equal(page.client.state.user?.name, "Berta");
});

test("with a cookie, nothing is sent for a person who is signed out here, whatever the browser still has", async (context) => {
  const scene = new Scene(context);
  const page = await scene.signedIn({ storage: "cookie" });
  scene.server.state = 503;
  await page.client.logout();
  scene.server.state = "up";
  const { length } = scene.server.requests;
  await page.client.fetch(`${scene.server.origin}/api/auth/profile`);
  assert.equal(scene.server.requests[length]?.token, null);
});

test("all: every device; others: all but this one", async (context) => {
  const scene = new Scene(context);
  const here = await scene.signedIn();
  const there = await new Scene(context).signedIn();
  void there;
  const other = new TestBrowser(scene.server);
  const elsewhere = scene.open({}, other.tab());
  await elsewhere.client.login(ANA);
  await here.client.logout({ scope: "others" });
  await scene.clock.advance(0);
  assert.equal(here.client.state.status, "signed-in");
  assert.deepEqual(
    elsewhere.ends.map(({ reason, by }) => [reason, by]),
    [["logout_elsewhere", "user"]],
  );
  await elsewhere.client.login(ANA);
  await here.client.logout({ scope: "all" });
  await scene.clock.advance(0);
  assert.equal(here.client.state.status, "signed-out");
  assert.equal(elsewhere.client.state.status, "signed-out");
  assert.equal(scene.server.live.length, 0);
});

test("whoever signs in over a session ends it; the other tabs clear and follow", async (context) => {
  const scene = new Scene(context);
  scene.server.addUser("berta@example.org", PASSWORD, "Berta");
  for (const storage of ["local", "cookie"] as const) {
    const one = await scene.signedIn({ storage });
    const two = scene.open({ storage });
    await scene.clock.advance(0);
    assert.equal(two.client.state.user?.name, "Ana");
    await one.client.login({ email: "berta@example.org", password: PASSWORD });
    await scene.clock.advance(0);
    for (const { client, cleared, went } of [one, two]) {
      assert.equal(client.state.user?.name, "Berta", storage);
      assert.deepEqual(cleared, ["switched"]);
      assert.deepEqual(went, [], "to no login page");
    }
    assert.deepEqual(
      scene.server.live.map((it) => it.account.user.name),
      ["Berta"],
    );
    await one.client.logout();
    await scene.clock.advance(0);
    one.client.close();
    two.client.close();
  }
});

test("what the application does wrong keeps nothing of it from happening", async (context) => {
  const scene = new Scene(context);
  const said = context.mock.method(console, "error", () => {});
  const page = await scene.signedIn({
    clear: () => {
      throw new Error("no cache here");
    },
  });
  await page.client.logout();
  await scene.clock.advance(0);
  assert.deepEqual(page.went, ["logout"]);
  assert.equal(said.mock.callCount(), 1);
  const slow = await scene.signedIn({ clear: () => new Promise(() => {}) });
  void slow.client.logout();
  await scene.clock.advance(1999);
  assert.deepEqual(slow.went, []);
  await scene.clock.advance(1);
  assert.deepEqual(slow.went, ["logout"]);
});

test("the login page is gone to, and not from itself", async (context) => {
  const scene = new Scene(context);
  const options = { loginPage: "/login", navigate: undefined } as never;
  const page = await scene.signedIn(options);
  await page.client.logout();
  await scene.clock.advance(0);
  assert.deepEqual(page.tab.visited, ["/login"]);
  const there = await scene.signedIn(options, scene.browser.tab("https://app.example.org/login?next=%2F"));
  await there.client.logout();
  await scene.clock.advance(0);
  assert.deepEqual(there.tab.visited, []);
});
