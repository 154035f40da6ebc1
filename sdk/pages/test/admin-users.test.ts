/** The administrators' pages about users, their sessions and invitations. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import type { BrowserContextOptions, Page } from "playwright-core";
import { Installation } from "../../guard/test/support/installation.js";
import { launch, WAYS, Watched } from "./support/browser.js";
import { Outbox } from "./support/mails.js";

const PASSWORD = "una contraseña larga y propia 7";
const ADMINISTRATOR = "jefa@example.org";
const HOSTILE = '"><img src=x onerror=alert(1)>';

async function start(context: TestContext, settings: Record<string, string> = {}) {
  const outbox = new Outbox(context);
  const here = await Installation.start(context, { CERROJO_MAIL__OUTBOX: outbox.folder, ...settings });
  here.run("user", "invite", ADMINISTRATOR, "--name", "La jefa", "--role", "admin");
  const code = /token=([\w-]+)/.exec(here.run("user", "resend-invitation", ADMINISTRATOR))?.[1];
  await here.ask("POST", "accept-invitation", { token: code, name: "La jefa", password: PASSWORD });
  for (const [name, email] of [
    ["Ana Ruiz", "ana@example.org"],
    [
      "Ñandú Álvarez García de los Monteros y Villaseñor",
      "nandu.alvarez.garcia.de.los.monteros@una-cooperativa.example",
    ],
    [HOSTILE, "mala@example.org"],
  ]) {
    await here.ask("POST", "register", { name, email, password: PASSWORD });
  }
  return { here, outbox, browser: await launch(context) };
}

/** Fills in a page's form and sends it. */
async function send(page: Page, fields: Record<string, string>, form: string): Promise<void> {
  for (const [name, value] of Object.entries(fields)) {
    const field = page.locator(`${form} [id="${name}"]`);
    const kind = await field.evaluate((element) => element.tagName);
    if (kind === "SELECT") await field.selectOption(value);
    else await field.fill(value);
  }
  await Promise.all([page.waitForEvent("load"), page.locator(`${form} button:not([type="button"])`).first().click()]);
}

async function signIn(page: Page, address: string): Promise<void> {
  await page.goto(`${address}/login?next=/admin/users`);
  await send(page, { email: ADMINISTRATOR, password: PASSWORD }, "main form");
  assert.equal(new URL(page.url()).pathname, "/admin/users");
}

/** The page of whoever has this address. */
async function open(page: Page, address: string, email: string): Promise<string> {
  await page.goto(`${address}/admin/users?search=${encodeURIComponent(email)}`);
  await Promise.all([page.waitForEvent("load"), page.locator("#users tbody a").first().click()]);
  return page.url();
}

async function told(page: Page): Promise<string> {
  return (await page.locator(".told").textContent()) ?? "";
}

/** Sees every page there is, in the state in which there is most on it. */
async function seeAll(
  { here, browser }: Awaited<ReturnType<typeof start>>,
  way: BrowserContextOptions,
  number: number,
): Promise<number> {
  const watched = await Watched.open(browser, `${here.address}/login`, way);
  const { page } = watched;
  let seen = 0;
  const look = async () => {
    seen += 1;
    await watched.assertClean();
  };
  const go = async (url: string) => {
    await page.goto(new URL(url, here.address).href);
    await look();
  };
  await signIn(page, here.address);
  await look();
  await go("/admin/users?search=nandu&sort=-name&status=active&role_id=2");
  await go("/admin/users?search=nobody-at-all");
  await go(`/admin/users?search=${"x".repeat(201)}`);
  await go("/admin/users/new");
  await send(page, { name: HOSTILE, email: "mala@example.org", password: PASSWORD }, "#add-user");
  await look();
  const ana = await open(page, here.address, "ana@example.org");
  await look();
  await send(page, { email: ADMINISTRATOR }, "#user");
  await look();
  await here.login("ana@example.org");
  await here.ask("POST", "logout", undefined, await here.login("ana@example.org"));
  for (const rest of ["", "/force-reset", "/data", "/delete", "/sessions", "/sessions/end", "/sessions/end?id=x"]) {
    await go(ana + rest);
  }
  await page.goto(`${ana}/sessions`);
  await page.locator(".devices button").first().click();
  await page.waitForSelector(".told");
  await look();
  await go("/admin/users/1");
  await go("/admin/users/999999");
  await send(
    await invitations(page, here.address),
    { email: `invitada${number}@example.org`, name: HOSTILE },
    "#invite",
  );
  await look();
  await send(page, { email: `invitada${number}@example.org` }, "#invite");
  await look();
  await page.context().close();
  return seen;
}

async function invitations(page: Page, address: string): Promise<Page> {
  await page.goto(`${address}/admin/invitations`);
  return page;
}

test("every page about users is read in both languages, light and dark, narrow and wide, and by screen readers", async (context) => {
  const world = await start(context, {
    CERROJO_REGISTER__VERIFICATION: "notify",
  });
  for (const [number, way] of WAYS.entries()) assert.ok((await seeAll(world, way, number)) > 18);
});

test("from looking for somebody to deleting the account nothing needs a script", async (context) => {
  const { here, browser } = await start(context);
  const options = { javaScriptEnabled: false, locale: "en-GB" };
  const watched = await Watched.open(browser, `${here.address}/login`, options);
  const { page } = watched;
  await signIn(page, here.address);
  await send(page, { search: "RUIZ", sort: "name" }, "#filters");
  assert.equal(await page.locator("#users tbody tr").count(), 1);
  await page.getByRole("link", { name: "Ana Ruiz" }).click();
  await send(page, { name: "Ana R." }, "#user");
  assert.match(await told(page), /Changes saved/);
  const token = await here.login("ana@example.org");
  await page.getByRole("link", { name: "See the sessions" }).click();
  await page.getByRole("link", { name: "End all…" }).click();
  await send(page, {}, "#end");
  assert.match(await told(page), /Sessions ended/);
  assert.equal((await here.ask("GET", "profile", undefined, token)).status, 401);
  await page.getByRole("link", { name: "Ana R." }).click();
  await page.getByRole("link", { name: "Make the password void…" }).click();
  await send(page, {}, "#force-reset");
  assert.match(await told(page), /Password made void/);
  assert.equal((await here.ask("POST", "login", { email: "ana@example.org", password: PASSWORD })).status, 401);
  await page.getByRole("link", { name: "Download the data…" }).click();
  const [file] = await Promise.all([page.waitForEvent("download"), page.locator("#data button").click()]);
  assert.match(file.suggestedFilename(), /^user-\d+\.json$/);
  await page.goto(`${here.address}/admin/users?search=ana%40`);
  await page.getByRole("link", { name: "Ana R." }).click();
  await page.getByRole("link", { name: "Delete the account…" }).click();
  await send(page, {}, "#delete");
  assert.match(await told(page), /Account deleted/);
  watched.assertNothingWrong();
});

test("a link comes by mail to whoever has to choose another password", async (context) => {
  const { here, outbox, browser } = await start(context);
  const { page } = await Watched.open(browser, `${here.address}/login`, { locale: "en-GB" });
  await signIn(page, here.address);
  await page.goto(`${await open(page, here.address, "ana@example.org")}/force-reset`);
  await send(page, {}, "#force-reset");
  const ana = await (await browser.newContext({ locale: "en-GB" })).newPage();
  await ana.goto(here.address + (await outbox.link("ana@example.org", "/reset-password")));
  await send(ana, { newPassword: `${PASSWORD}8` }, "main form");
  assert.equal((await here.ask("POST", "login", { email: "ana@example.org", password: `${PASSWORD}8` })).status, 200);
});

test("somebody with letters beyond ASCII in the address is suspended, and signs in before", async (context) => {
  const { here, browser } = await start(context);
  const email = "josé@example.org";
  await here.ask("POST", "register", { name: "José", email, password: PASSWORD });
  const jose = await (await browser.newContext({ locale: "en-GB" })).newPage();
  await jose.goto(`${here.address}/login`);
  await send(jose, { email, password: PASSWORD }, "main form");
  assert.equal(new URL(jose.url()).pathname, "/account");
  const { page } = await Watched.open(browser, `${here.address}/login`, { locale: "en-GB" });
  await signIn(page, here.address);
  await open(page, here.address, email);
  await send(page, { status: "suspended" }, "#user");
  assert.match(await told(page), /Changes saved/);
  assert.equal((await here.ask("POST", "login", { email, password: PASSWORD })).status, 401);
});

test("a name does not turn the direction of the address beside it", async (context) => {
  const { here, browser } = await start(context);
  const { page } = await Watched.open(browser, `${here.address}/login`, { locale: "en-GB" });
  await signIn(page, here.address);
  const ana = await open(page, here.address, "ana@example.org");
  await page.goto(`${ana}/delete`);
  // As an import may bring it along.
  await page
    .locator("#delete bdi")
    .first()
    .evaluate((name) => {
      name.textContent = "\u202E:)gro.elpmaxe@aveun( ";
    });
  const beside = page.locator("#delete bdi").nth(1);
  const [first, last] = await beside.evaluate((address) => {
    const at = (start: number) => {
      const range = document.createRange();
      range.setStart(address.firstChild as Text, start);
      range.setEnd(address.firstChild as Text, start + 1);
      return range.getBoundingClientRect().left;
    };
    return [at(0), at(2)];
  });
  assert.ok(first < last, "the address is read from the left to the right");
});

test("what people call themselves runs nowhere", async (context) => {
  const { here, browser } = await start(context);
  const watched = await Watched.open(browser, `${here.address}/login`, { locale: "en-GB" });
  const { page } = watched;
  page.on("dialog", () => assert.fail("it ran"));
  await signIn(page, here.address);
  await open(page, here.address, "mala@example.org");
  assert.equal((await page.locator("h1").textContent())?.trim(), HOSTILE);
  assert.equal(await page.locator("main img").count(), 0);
  await page.goto(`${here.address}/admin/users?search=${encodeURIComponent(HOSTILE)}`);
  assert.equal(await page.locator("#search").inputValue(), HOSTILE);
  await watched.assertClean();
});
