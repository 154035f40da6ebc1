/** The pages for people: sign in, register, links in mails, the account. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import { Installation } from "../../guard/test/support/installation.js";
import { launch, WAYS, Watched } from "./support/browser.js";
import { Outbox } from "./support/mails.js";

const PASSWORD = "una contraseña larga y propia 7";
const PHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Safari/604.1";

async function start(context: TestContext, settings: Record<string, string> = {}) {
  const outbox = new Outbox(context);
  const here = await Installation.start(context, { CERROJO_MAIL__OUTBOX: outbox.folder, ...settings });
  return { here, outbox, browser: await launch(context) };
}

/** Fills in a page's form and sends it. */
async function send(page: Page, fields: Record<string, string>, form = "main form"): Promise<void> {
  for (const [name, value] of Object.entries(fields)) await page.locator(`[id="${name}"]`).fill(value);
  await Promise.all([page.waitForEvent("load"), page.locator(`${form} > button`).click()]);
}

async function register(page: Page, address: string, email: string): Promise<void> {
  await page.goto(`${address}/register`);
  await send(page, { name: "Ana Ruiz", email, password: PASSWORD });
  assert.equal(new URL(page.url()).pathname, "/account");
}

async function signInElsewhere(address: string, email: string, from = "127.0.0.1"): Promise<string> {
  const answer = await fetch(`${address}/api/auth/login`, {
    method: "POST",
    headers: { "content-type": "application/json", "user-agent": PHONE, "x-forwarded-for": from },
    body: JSON.stringify({ email, password: PASSWORD }),
  });
  return ((await answer.json()) as { data: { token: string } }).data.token;
}

/** Sees every page there is, in the state in which there is most on it. */
async function seeAll(
  { here, outbox, browser }: Awaited<ReturnType<typeof start>>,
  way: BrowserContextOptions,
  email: string,
): Promise<string[]> {
  const seen: string[] = [];
  const watched = await Watched.open(browser, `${here.address}/login?next=/account`, way);
  const { page } = watched;
  const look = async (name: string) => {
    seen.push(name);
    await watched.assertClean();
  };
  const open = async (path: string) => {
    await page.goto(new URL(path, here.address).href);
    await look(path.split("?")[0] ?? "");
  };
  await look("/login");
  await send(page, { email, password: "not it" });
  await look("/login, refused");
  await open("/register");
  await send(page, { name: "Ana Ruiz", email, password: "1234567" });
  await look("/register, refused");
  for (const path of ["/forgot-password", "/forgot-password/sent", "/register/sent", "/resend-verification"]) {
    await open(path);
  }
  await register(page, here.address, email);
  await look("/account, unconfirmed");
  await signInElsewhere(here.address, email);
  const token = await signInElsewhere(here.address, email);
  await here.ask("POST", "logout", undefined, token);
  for (const path of ["/account", "/account/password", "/account/delete", "/account/devices", "/logout", "/nothing"]) {
    await open(path);
  }
  await page.goto(`${here.address}/account/devices`);
  await page.locator(".devices a").first().click();
  await look("/account/devices/end");
  await send(page, { currentPassword: "not it" });
  await look("/account/devices/end, refused");
  await send(page, { currentPassword: PASSWORD });
  await look("/account/devices, one ended");
  await open(await outbox.link(email, "/verify-email"));
  await send(page, {});
  await look("/done");
  await page.goto(`${here.address}/account`);
  await page.locator("#sign-out").click();
  await page.waitForURL("**/logged-out");
  await look("/logged-out");
  await page.goto(`${here.address}/forgot-password`);
  await send(page, { email });
  const reset = await outbox.link(email, "/reset-password");
  await open(reset);
  await send(page, { newPassword: "1234567" });
  await look("/reset-password, refused");
  await send(page, { newPassword: `${PASSWORD}8` });
  await look("/done, reset");
  await open(reset);
  await open(here.run("user", "invite", `invitada-${email}`).split("\n")[1] ?? "");
  await seeTakenBack({ here, outbox, browser }, { page, look, open }, email);
  await page.context().close();
  return seen;
}

/** What the link in the notice of a changed address opens, and where its button leads. */
async function seeTakenBack(
  { here, outbox }: Awaited<ReturnType<typeof start>>,
  { page, look, open }: { page: Page; look(name: string): Promise<void>; open(path: string): Promise<void> },
  email: string,
): Promise<void> {
  await page.goto(`${here.address}/login`);
  await send(page, { email, password: `${PASSWORD}8` });
  await send(page, { name: "Ana Ruiz", email: `otra-${email}`, currentPassword: `${PASSWORD}8` });
  await look("/account, another address");
  await page.context().clearCookies();
  const undo = await outbox.link(email, "/undo-email");
  await open(undo);
  await send(page, {});
  await look("/reset-password, taken back");
  await open(undo);
  await open("/not-me?token=none");
  await open("/first-administrator?token=none");
  const mala = `mala-${email}`;
  await register(page, here.address, mala);
  await signInElsewhere(here.address, mala, "203.0.113.7");
  await page.context().clearCookies();
  await open(await outbox.link(mala, "/not-me"));
  await open(/\/first-administrator\?token=\S+/.exec(here.printed)?.[0] ?? "");
  assert.equal(await page.locator("#first-administrator").count(), 1);
}

test("every page is read in both languages, light and dark, narrow and wide, and by screen readers", async (context) => {
  const world = await start(context, {
    CERROJO_ACCOUNT__DELETION: "true",
    CERROJO_ACCOUNT__REAUTHENTICATION: "true",
    CERROJO_REGISTER__VERIFICATION: "notify",
    CERROJO_SERVER__TRUSTED_PROXIES: "127.0.0.1",
    CERROJO_PAGES__NAME: "Una cooperativa con un nombre bastante largo",
    CERROJO_PAGES__ACCENT: "#6a2c70",
  });
  for (const [number, way] of WAYS.entries()) {
    const seen = await seeAll(world, way, `ana${number}@example.org`);
    assert.ok(seen.length > 33, `${seen}`);
  }
});

test("from the first page to the last nothing needs a script", async (context) => {
  const { here, outbox, browser } = await start(context);
  const options = { javaScriptEnabled: false, locale: "en-GB" };
  const watched = await Watched.open(browser, `${here.address}/login`, options);
  const { page } = watched;
  const heading = () => page.locator("h1").textContent();
  await page.getByRole("link", { name: "Create one" }).click();
  await send(page, { name: "Ana Ruiz", email: "ana@example.org", password: PASSWORD });
  assert.equal(await heading(), "Your account");
  const elsewhere = await signInElsewhere(here.address, "ana@example.org");

  await page.getByRole("link", { name: "Devices" }).click();
  assert.equal(await page.locator("#this-device .mark").textContent(), "This device");
  await page.getByRole("button", { name: /^End the session of Safari, iPhone/ }).click();
  assert.match((await page.locator(".told").textContent()) ?? "", /Session ended/);
  assert.equal((await here.ask("GET", "profile", undefined, elsewhere)).status, 401);

  await page.getByRole("button", { name: "Sign out" }).click();
  assert.equal(await heading(), "You are signed out");
  assert.match((await page.locator("main").textContent()) ?? "", /Ana Ruiz.*ana@example\.org.*Ended by:?\s*you/s);
  await page.goBack();
  assert.doesNotMatch((await page.locator("body").textContent()) ?? "", /Safari, iPhone/, "nothing is kept");

  await page.goto(`${here.address}/forgot-password`);
  await send(page, { email: "ana@example.org" });
  assert.equal(await heading(), "Look at your mail");
  await page.goto(here.address + (await outbox.link("ana@example.org", "/reset-password")));
  await send(page, { newPassword: `${PASSWORD}8` });
  assert.equal(await heading(), "Your password has changed");
  await page.getByRole("link", { name: "Sign in" }).click();
  await send(page, { email: "ana@example.org", password: PASSWORD });
  assert.match((await page.locator("#faults").textContent()) ?? "", /is wrong/);
  await send(page, { password: `${PASSWORD}8` });
  assert.equal(await heading(), "Your account");
  watched.assertNothingWrong();
});

test("what is wrong is told at once to whoever does not see it, and the way goes to the field", async (context) => {
  const { here, browser } = await start(context);
  const { page } = await Watched.open(browser, `${here.address}/register`, { locale: "en-GB" });
  await send(page, { name: "Ana", email: "ana@example.org", password: "1234567" });
  assert.equal(await page.evaluate("document.activeElement.id"), "faults");
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  assert.equal(await page.evaluate("document.activeElement.id"), "password");
  const described = await page.locator("#password").getAttribute("aria-describedby");
  for (const id of described?.split(" ") ?? []) assert.notEqual(await page.locator(`#${id}`).textContent(), "");
  assert.match(described ?? "", /password-hint password-fault/);
  assert.equal(await page.locator("#name").inputValue(), "Ana", "what was typed stays");
  assert.equal(await page.locator("#password").inputValue(), "");
});

test("with scripts a password can be seen, and times are those of the reader's clock", async (context) => {
  const { here, browser } = await start(context);
  const options = { locale: "en-GB", timezoneId: "Asia/Tokyo" };
  const watched = await Watched.open(browser, `${here.address}/login`, options);
  const { page } = watched;
  await page.locator("#password").fill("secret");
  await page.getByRole("button", { name: "Show: Password" }).click();
  assert.equal(await page.locator("#password").getAttribute("type"), "text");
  await page.getByRole("button", { name: "Hide: Password" }).click();
  assert.equal(await page.locator("#password").getAttribute("type"), "password");
  await register(page, here.address, "ana@example.org");
  await page.goto(`${here.address}/account/devices`);
  const time = page.locator("#this-device time").first();
  const expected = await page.evaluate(
    (at) => new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "short" }).format(new Date(at ?? "")),
    await time.getAttribute("datetime"),
  );
  assert.equal(await time.textContent(), expected);
  assert.deepEqual(await page.evaluate("[localStorage.length, sessionStorage.length, document.cookie]"), [0, 0, ""]);
  await watched.assertClean();
});

test("a form on another site signs nobody in", async (context) => {
  const { here, browser } = await start(context);
  await register(await page(browser), here.address, "mala@example.org");
  const victim = await page(browser);
  await victim.setContent(
    `<form method="post" action="${here.address}/login"><input name="email" value="mala@example.org">
     <input name="password" value="${PASSWORD}"><button>Win</button></form>`,
  );
  const [answer] = await Promise.all([
    victim.waitForResponse((response) => response.url().endsWith("/login")),
    victim.locator("button").click(),
  ]);
  assert.equal(answer.status(), 403);
  assert.deepEqual(await victim.context().cookies(), []);
});

async function page(browser: Browser): Promise<Page> {
  return (await browser.newContext()).newPage();
}

test("they look as the settings say, and where those have them off there are none", async (context) => {
  const { here, browser } = await start(context, { CERROJO_PAGES__NAME: "ACME", CERROJO_PAGES__ACCENT: "#1d6b3f" });
  const watched = await Watched.open(browser, `${here.address}/login`);
  assert.equal(await watched.page.locator(".brand").textContent(), "ACME");
  const colour = await watched.page.evaluate(
    "getComputedStyle(document.querySelector('main form > button')).backgroundColor",
  );
  assert.equal(colour, "rgb(29, 107, 63)");
  await here.stop();
  await here.serve({ CERROJO_PAGES__ENABLED: "false" });
  assert.equal((await fetch(`${here.address}/login`)).status, 404);
});
