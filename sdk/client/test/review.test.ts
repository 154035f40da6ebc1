/** What a hostile reading found. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { TestBrowser } from "@cerrojo/client/testing";
import { ANA, EMAIL, MINUTE, PASSWORD, type Page, Scene, SECOND } from "./support/scene.js";

const APP = "https://api.example.org";

/** Holds the answers to requests for a path back until it is called. */
function holding(tab: { fetch: typeof fetch }, path: string): () => void {
  const { fetch } = tab;
  let release = () => {};
  const held = new Promise<void>((resolve) => (release = resolve));
  tab.fetch = async (input, init) => {
    const response = await fetch(input, init);
    if (`${input}`.endsWith(path)) await held;
    return response;
  };
  return release;
}

/** What other tabs write is not read in this one before it is called: storage of several processes is not of one moment. */
function lagging({ tab }: Page): () => void {
  const real = tab.localStorage;
  const before = new TestBrowser(tab.browser.server).localStorage;
  for (let at = 0; at < real.length; at++) before.setItem(real.key(at) ?? "", real.getItem(real.key(at) ?? "") ?? "");
  const value = new Proxy(before, {
    get(target, name) {
      const it = Reflect.get(target, name, target);
      if (typeof it !== "function") return it;
      return (...args: [string, string]) => {
        if (name === "setItem") real.setItem(...args);
        if (name === "removeItem") real.removeItem(args[0]);
        return it.apply(target, args);
      };
    },
  });
  Object.defineProperty(tab, "localStorage", { value, configurable: true });
  return () => {
    Object.defineProperty(tab, "localStorage", { value: real });
    tab.dispatch("storage");
  };
}

for (const storage of ["cookie", "local", "session"] as const) {
  for (const isLate of [false, true]) {
    test(`${storage}: an application that clears all storage${isLate ? " late" : ""} does not undo its logout`, async (context) => {
      const scene = new Scene(context);
      const tab = scene.browser.tab();
      const empty = () => {
        tab.localStorage.clear();
        tab.sessionStorage.clear();
      };
      const clear = isLate ? () => new Promise<void>((resolve) => tab.setTimeout(() => resolve(empty()), 100)) : empty;
      const page = await scene.signedIn({ storage, clear }, tab);
      const other =
        storage === "session" ? null : scene.open({ storage, clear: () => scene.browser.localStorage.clear() });
      await scene.browser.setOnline(false);
      void page.client.logout();
      await scene.clock.advance(SECOND);
      await scene.browser.setOnline(true);
      await scene.clock.advance(MINUTE);
      assert.equal(scene.server.live.length, 0);
      assert.equal(other?.client.state.status ?? "signed-out", "signed-out");
      assert.ok(!scene.stored(page).includes("token-of"));
      assert.equal((await scene.reload(page, { storage })).client.state.status, "signed-out");
    });
  }

  test(`${storage}: nor does it if the page is loaded again before the server was told`, async (context) => {
    const scene = new Scene(context);
    const tab = scene.browser.tab();
    const clear = () => {
      tab.localStorage.clear();
      tab.sessionStorage.clear();
    };
    const page = await scene.signedIn({ storage, clear }, tab);
    await scene.browser.setOnline(false);
    void page.client.logout();
    const again = await scene.reload(page, { storage });
    await scene.browser.setOnline(true);
    await scene.clock.advance(MINUTE);
    assert.equal(again.client.state.status, "signed-out");
    assert.equal(scene.server.live.length, 0);
  });
}

test("a logout that another tab has sent is not sent again with the next person's cookie", async (context) => {
  const scene = new Scene(context);
  const one = await scene.signedIn({ storage: "cookie" });
  const two = scene.open({ storage: "cookie" });
  await scene.browser.setOnline(false);
  void one.client.logout();
  await scene.clock.advance(0);
  const { fetch } = one.tab;
  one.tab.fetch = () => Promise.reject(new TypeError("no network in this one"));
  await scene.browser.setOnline(true);
  await scene.clock.advance(MINUTE);
  await two.client.login(ANA);
  one.tab.fetch = fetch;
  await scene.clock.advance(MINUTE);
  assert.equal(scene.server.live.length, 1);
  assert.equal(one.client.state.status, "signed-in");
});

test("a relative address is judged as the browser resolves it, by <base href>", async (context) => {
  const scene = new Scene(context);
  scene.server.otherwise = () => new Response("{}");
  const page = await scene.signedIn({}, scene.browser.tab(`${scene.server.origin}/`));
  const sent = async (input: string | URL | Request) => {
    const { length } = scene.server.requests;
    await page.client.fetch(input);
    const { token, origin } = scene.server.requests[length] ?? {};
    return [origin, token];
  };
  const token = scene.server.sessions[0]?.token;
  assert.deepEqual(await sent("/orders"), [scene.server.origin, token]);
  page.tab.document.base = "https://cdn.example/";
  assert.deepEqual(await sent("/orders"), ["https://cdn.example", null]);
});

test("a Request of another frame is judged by its address", async (context) => {
  const scene = new Scene(context);
  scene.server.otherwise = () => new Response("{}");
  const page = await scene.signedIn({}, scene.browser.tab(`${scene.server.origin}/`));
  // No instance of this frame's Request.
  const foreign = (url: string) => ({ url, headers: new Headers() }) as Request;
  await page.client.fetch(foreign("https://evil.example/"));
  assert.deepEqual(
    [scene.server.requests.at(-1)?.origin, scene.server.requests.at(-1)?.token],
    ["https://evil.example", null],
  );
  await page.client.fetch(foreign(`${scene.server.origin}/orders`));
  assert.equal(scene.server.requests.at(-1)?.token, scene.server.sessions[0]?.token);
});

test("what another service says of the session is not believed: the server is asked, and told", async (context) => {
  const scene = new Scene(context);
  const answers = [{ success: false, code: "UNAUTHORIZED", reason: "account_deleted" }, { error: "no" }, {}];
  let at = 0;
  scene.server.otherwise = () => Response.json(answers[at++ % 3], { status: 401 });
  const page = await scene.signedIn({ origins: [APP] });
  for (let tries = 0; tries < 7; tries++) await page.client.fetch(`${APP}/orders`);
  await scene.clock.advance(SECOND);
  assert.equal(page.client.state.status, "signed-in");
  // The same where such a service answers under the server's own origin.
  for (let tries = 0; tries < 7; tries++) await page.client.fetch(`${scene.server.origin}/orders`);
  await scene.clock.advance(SECOND);
  assert.equal(page.client.state.status, "signed-in");
  scene.server.streaming = "refused";
  scene.server.end(EMAIL, "admin");
  for (let tries = 0; tries < 3; tries++) await page.client.fetch(`${APP}/orders`);
  await scene.clock.advance(SECOND);
  assert.equal(page.ends[0]?.reason, "admin");
});

test("a 401 of a proxy before the server says nothing of the session", async (context) => {
  const scene = new Scene(context);
  const page = await scene.signedIn();
  scene.server.state = 401;
  for (let tries = 0; tries < 5; tries++) await assert.rejects(page.client.profile(), { status: 401 });
  assert.equal(page.client.state.status, "signed-in");
});

for (const isOld of [false, true]) {
  test(`what the server said before another tab's logout signs nobody in${isOld ? ", in an old browser" : ""}`, async (context) => {
    const scene = new Scene(context, { isOld });
    const first = await scene.signedIn({ storage: "cookie" });
    first.client.close();
    first.tab.close();
    scene.browser.localStorage.clear();
    const tab = scene.browser.tab();
    const release = holding(tab, "/profile");
    const late = scene.open({ storage: "cookie" }, tab);
    late.client.on("session.started", () => assert.fail("signed in by an old answer"));
    const shown: string[] = [];
    late.client.on("change", ({ status }) => shown.push(status));
    await scene.clock.advance(0);
    // The session of `one` is known to the other tab by its storage only, and over before that looks.
    late.tab.freeze();
    const one = scene.open({ storage: "cookie" });
    await scene.clock.advance(0);
    assert.equal(one.client.state.status, "signed-in");
    assert.equal(late.client.state.status, "loading");
    await one.client.logout();
    release();
    await scene.clock.advance(SECOND);
    late.tab.thaw();
    await scene.clock.advance(SECOND);
    for (const { client } of [one, late]) assert.equal(client.state.status, "signed-out");
    assert.deepEqual(shown, ["signed-out"]);
  });
}

test("a client that is closed while it is loading stays closed", async (context) => {
  const scene = new Scene(context);
  const before = await scene.signedIn({ storage: "cookie" });
  before.client.close();
  scene.browser.localStorage.clear();
  const page = scene.open({ storage: "cookie" });
  page.client.close();
  await scene.clock.advance(0);
  const { length } = scene.server.requests;
  await scene.clock.advance(5 * MINUTE);
  assert.notEqual(page.client.state.status, "signed-in");
  assert.equal(scene.server.requests.length, length);
});

test("a client that is closed does not try a logout again and again", async (context) => {
  const scene = new Scene(context);
  const page = await scene.signedIn();
  scene.server.state = "hanging";
  void page.client.logout();
  await scene.clock.advance(0);
  page.client.close();
  await scene.clock.advance(30 * SECOND);
  const { length } = scene.server.requests;
  await scene.clock.advance(10 * MINUTE);
  assert.equal(scene.server.requests.length, length);
});

test("with a cookie, a request while it is loading waits until it is known who is there", async (context) => {
  const scene = new Scene(context);
  const before = await scene.signedIn({ storage: "cookie" });
  before.client.close();
  scene.browser.localStorage.clear();
  const page = scene.open({ storage: "cookie" });
  assert.equal(page.client.state.status, "loading");
  const response = await page.client.fetch(`${scene.server.origin}/api/auth/profile`);
  assert.equal(response.status, 200);
  scene.server.state = "hanging";
  const late = scene.open({ storage: "cookie" }, scene.browser.tab());
  scene.browser.localStorage.clear();
  assert.equal(late.client.state.status === "signed-out", false);
});

test("a login page is another one on another origin, or with another search or hash", async (context) => {
  const cases: [loginPage: string, at: string, isLeft: boolean][] = [
    ["/login", "https://app.example.org/login", false],
    ["/login", "https://app.example.org/login?next=%2F#top", false],
    ["/login", "https://app.example.org/login-help", true],
    ["https://id.example.org/login", "https://app.example.org/login", true],
    ["/?page=login", "https://app.example.org/?page=orders", true],
    ["/?page=login", "https://app.example.org/?page=login#top", false],
    ["/#/login", "https://app.example.org/#/orders", true],
    ["/#/login", "https://app.example.org/#/login", false],
  ];
  for (const [loginPage, at, isLeft] of cases) {
    const scene = new Scene(context);
    const page = await scene.signedIn({ loginPage, navigate: undefined } as never, scene.browser.tab(at));
    await page.client.logout();
    await scene.clock.advance(0);
    assert.deepEqual(page.tab.visited, isLeft ? [loginPage] : [], `${loginPage} at ${at}`);
  }
});

test("with a cookie, a logout of all devices that is left from before is this browser's only", async (context) => {
  const scene = new Scene(context);
  scene.server.addUser("berta@example.org", PASSWORD, "Berta");
  const page = await scene.signedIn({ storage: "cookie" });
  scene.server.state = 503;
  void page.client.logout({ scope: "all" });
  await scene.clock.advance(0);
  // The tab crashes, so to say.
  page.client.close();
  page.tab.isGone = true;
  scene.server.state = "up";
  const { length } = scene.server.requests;
  const again = scene.open({ storage: "cookie" });
  await scene.clock.advance(MINUTE);
  assert.equal(again.client.state.status, "signed-out");
  const asked = scene.server.requests.slice(length).map(({ path }) => path);
  assert.ok(asked.includes("/api/auth/logout") && !asked.includes("/api/auth/logout-all"), `${asked}`);
});

test("a logout of all devices that the server wants the password for says that it was this one's", async (context) => {
  for (const status of [400, 401]) {
    const scene = new Scene(context);
    const page = await scene.signedIn();
    const { fetch } = page.tab;
    page.tab.fetch = async (input, init) => {
      if (!`${input}`.endsWith("/logout-all") || `${init?.body}`.includes(PASSWORD)) return fetch(input, init);
      const code = status === 400 ? "VALIDATION_ERROR" : "INVALID_CREDENTIALS";
      return Response.json({ success: false, code }, { status });
    };
    assert.deepEqual(await page.client.logout({ scope: "all" }), { server: "ended", scope: "this" });
    assert.equal(scene.server.live.length, 0, "this one is over");
    await page.client.login(ANA);
    const said = await page.client.logout({ scope: "all", currentPassword: PASSWORD });
    assert.deepEqual(said, { server: "ended", scope: "all" });
    await page.client.login(ANA);
    assert.deepEqual(await page.client.logout({ scope: "others" }), { server: "ended", scope: "others" });
  }
});

for (const event of ["online", "focus"]) {
  test(`with a cookie, a server that was away at the beginning is asked again on ${event}`, async (context) => {
    const scene = new Scene(context);
    const before = await scene.signedIn({ storage: "cookie" });
    before.client.close();
    scene.browser.localStorage.clear();
    scene.server.state = 503;
    const page = scene.open({ storage: "cookie" });
    await scene.clock.advance(0);
    assert.equal(page.client.state.status, "signed-out");
    scene.server.state = "up";
    page.tab.dispatch(event);
    await scene.clock.advance(SECOND);
    assert.equal(page.client.state.status, "signed-in");
    await page.client.logout();
    const { length } = scene.server.requests;
    page.tab.dispatch(event);
    await scene.clock.advance(SECOND);
    assert.equal(page.client.state.status, "signed-out");
    page.tab.dispatch(event);
    await scene.clock.advance(SECOND);
    assert.ok(scene.server.requests.length <= length + 1, "a server that has answered is not asked again");
  });
}

test("a tab that signs out while it is loading does all of its part, and no older answer to another tab signs anybody in", async (context) => {
  const scene = new Scene(context);
  const first = await scene.signedIn({ storage: "cookie" });
  first.client.close();
  first.tab.close();
  scene.browser.localStorage.clear();
  const tabs = [scene.browser.tab(), scene.browser.tab()] as const;
  const [releaseOther, releaseOwn] = [holding(tabs[0], "/profile"), holding(tabs[1], "/profile")];
  const pages = tabs.map((tab) => scene.open({ storage: "cookie" }, tab));
  const own = pages[1] as Page;
  await scene.clock.advance(0);
  for (const { client } of pages) client.on("session.started", () => assert.fail("signed in by an old answer"));
  assert.deepEqual(await own.client.logout(), { server: "ended", scope: "this" });
  assert.equal(own.client.state.status, "signed-out");
  assert.deepEqual([own.cleared, own.went], [["logout"], ["logout"]]);
  assert.equal(scene.server.live.length, 0);
  releaseOther();
  await scene.clock.advance(SECOND);
  releaseOwn();
  await scene.clock.advance(SECOND);
  for (const { client } of pages) assert.equal(client.state.status, "signed-out");
});

test("nor does one if the other tab has not read yet that it is over", async (context) => {
  const scene = new Scene(context);
  const first = await scene.signedIn({ storage: "cookie" });
  // Signed in again by the server's own page.
  await first.client.logout();
  await scene.clock.advance(0);
  const login = { method: "POST", body: JSON.stringify({ ...ANA, cookie: true }), credentials: "include" } as const;
  await first.tab.fetch(`${scene.server.origin}/api/auth/login`, login);
  first.client.close();
  first.tab.close();
  const tabs = [scene.browser.tab(), scene.browser.tab()] as const;
  const [release, never] = [holding(tabs[0], "/profile"), holding(tabs[1], "/profile")];
  const [other, own] = tabs.map((tab) => scene.open({ storage: "cookie" }, tab)) as [Page, Page];
  await scene.clock.advance(0);
  const catchUp = lagging(other);
  own.client.on("session.started", () => assert.fail("signed in by an old answer"));
  await own.client.logout();
  release();
  await scene.clock.advance(0);
  assert.equal(own.client.state.status, "signed-out");
  catchUp();
  await scene.clock.advance(SECOND);
  never();
  await scene.clock.advance(SECOND);
  for (const { client } of [own, other]) assert.equal(client.state.status, "signed-out");
});

test("two tabs that find a cookie at the same moment are in one session", async (context) => {
  const scene = new Scene(context);
  const first = await scene.signedIn({ storage: "cookie" });
  first.client.close();
  first.tab.close();
  scene.browser.localStorage.clear();
  scene.open({ storage: "cookie" }).client.close();
  await scene.clock.advance(0);
  const tabs = [scene.browser.tab(), scene.browser.tab()];
  const pages = tabs.map((tab) => scene.open({ storage: "cookie" }, tab));
  const caughtUp = pages.map(lagging);
  await scene.clock.advance(0);
  for (const catchUp of caughtUp) catchUp();
  await scene.clock.advance(SECOND);
  for (const { client, ends } of pages) {
    assert.equal(client.state.status, "signed-in");
    assert.deepEqual(ends, []);
  }
  assert.equal(pages[0]?.client.state.session, pages[1]?.client.state.session);
});

test("storage that cannot even be looked at is done without", async (context) => {
  for (const storage of ["local", "session", "cookie"] as const) {
    const scene = new Scene(context);
    const tab = scene.browser.tab();
    // As browsers do that keep no site's storage, and frames without the right to it.
    const get = () => {
      throw new DOMException("no storage here", "SecurityError");
    };
    for (const name of ["localStorage", "sessionStorage"]) Object.defineProperty(tab, name, { get });
    const page = await scene.signedIn({ storage }, tab);
    await scene.clock.advance(MINUTE);
    assert.equal(page.client.state.status, "signed-in", storage);
    await page.client.logout();
    assert.equal(scene.server.live.length, 0, storage);
  }
});

test("who is there is asked again where a server was away as the page was loaded", async (context) => {
  for (const storage of ["cookie", "local", "session"] as const) {
    const scene = new Scene(context);
    const before = await scene.signedIn({ storage });
    scene.server.stop();
    const page = await scene.reload(before, { storage });
    const other = storage === "session" ? page : scene.open({ storage });
    await scene.clock.advance(MINUTE);
    assert.equal(page.client.state.status, "signed-in");
    assert.equal(page.client.state.user, null);
    scene.server.state = "up";
    await scene.clock.advance(15 * SECOND);
    for (const { client } of [page, other]) assert.equal(client.state.user?.email, EMAIL, storage);
  }
});
