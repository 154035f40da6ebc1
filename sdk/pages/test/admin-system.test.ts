/** The administrators' pages about the whole: overview, endings as they happen, audit, keys, mail. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import type { BrowserContextOptions, Page } from "playwright-core";
import { Installation } from "../../guard/test/support/installation.js";
import { launch, WAYS, Watched } from "./support/browser.js";

const PASSWORD = "una contraseña larga y propia 7";
const PHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Safari/604.1";
const JEFA = "jefa@example.org";
const EVIL = "<img src=x onerror=alert(1)>";

async function start(context: TestContext, settings: Record<string, string> = {}) {
  const here = await Installation.start(context, settings);
  await here.ask("POST", "register", { name: "Jefa", email: JEFA, password: PASSWORD });
  here.run("user", "set-role", JEFA, "admin");
  return { here, browser: await launch(context) };
}

type World = Awaited<ReturnType<typeof start>>;

/** Fills in a page's form and sends it. */
async function send(page: Page, fields: Record<string, string>, form = "main form"): Promise<void> {
  for (const [name, value] of Object.entries(fields)) await page.locator(`[id="${name}"]`).fill(value);
  await Promise.all([page.waitForEvent("load"), page.locator(`${form} button:not([type="button"])`).first().click()]);
}

async function administrator({ here, browser }: World, way: BrowserContextOptions): Promise<Watched> {
  const watched = await Watched.open(browser, `${here.address}/login?next=/admin`, way);
  await send(watched.page, { email: JEFA, password: PASSWORD });
  assert.equal(new URL(watched.page.url()).pathname, "/admin");
  return watched;
}

async function signIn(here: Installation, email: string): Promise<string> {
  const answer = await fetch(`${here.address}/api/auth/login`, {
    method: "POST",
    headers: { "content-type": "application/json", "user-agent": PHONE },
    body: JSON.stringify({ email, password: PASSWORD }),
  });
  return ((await answer.json()) as { data: { token: string } }).data.token;
}

async function endOne(here: Installation, email: string): Promise<void> {
  assert.equal((await here.ask("POST", "logout", undefined, await signIn(here, email))).status, 200);
}

test("every page about the whole is read in both languages, light and dark, narrow and wide, and by screen readers", async (context) => {
  // Nothing listens there: mails fail.
  const world = await start(context, {
    CERROJO_MAIL__URL: "smtp://127.0.0.1:9",
    CERROJO_MAIL__FROM: "cerrojo@example.org",
  });
  const { here } = world;
  await here.ask("POST", "register", { name: EVIL, email: "ana@example.org", password: PASSWORD });
  await here.ask("POST", "forgot-password", { email: "ana@example.org" });
  await endOne(here, "ana@example.org");
  for (const way of WAYS) {
    const watched = await administrator(world, way);
    const { page } = watched;
    await watched.assertClean();
    for (const path of [
      "endings",
      "endings?reason=idle",
      "endings?user=nobody",
      "endings/all",
      "audit",
      "audit?kind=session",
      "audit?kind=nothing",
      "audit/export?kind=session",
      "keys",
      "keys/rotate",
      "mail",
      "mail/drop?id=7",
    ]) {
      await page.goto(`${here.address}/admin/${path}`);
      await watched.assertClean();
    }
    await page.goto(`${here.address}/admin/keys`);
    await page.locator("tbody a").first().click();
    await watched.assertClean();
    await page.goto(`${here.address}/admin/mail`);
    await send(page, {}, "#test");
    await watched.assertClean();
    assert.equal(await page.locator("#faults").count(), 1, "no mail server takes it");
    await page.goto(`${here.address}/admin/keys/rotate`);
    await send(page, {}, "#consent");
    await watched.assertClean();
    assert.equal(await page.locator(".told").count(), 1);
    await page.context().close();
  }
});

test("endings come on top of the table as they happen, as text, and not twice", async (context) => {
  const world = await start(context);
  const { here } = world;
  await here.ask("POST", "register", { name: EVIL, email: "ana@example.org", password: PASSWORD });
  await here.ask("POST", "register", { name: "Luis", email: "luis@example.org", password: PASSWORD });
  await endOne(here, "luis@example.org");
  const watched = await administrator(world, { locale: "en-GB" });
  const { page } = watched;
  await page.goto(`${here.address}/admin/endings`);
  await page.locator("#live.on").waitFor();
  const rows = page.locator("#endings tr");
  // That of the promotion is among them.
  const before = await rows.count();
  await endOne(here, "ana@example.org");
  await page.locator("#endings tr.new").waitFor();
  assert.equal(await rows.count(), before + 1);
  const cells = await rows.first().locator("td").allTextContents();
  assert.deepEqual(cells.slice(1, 5), [`${EVIL}ana@example.org`, "Signed out", "The person", "Safari, iPhone"]);
  assert.equal(await page.locator("#endings img").count(), 0);
  await endOne(here, "luis@example.org");
  await page.locator("#endings tr.new").nth(1).waitFor();
  assert.match((await rows.first().textContent()) ?? "", /Luis/);
  await watched.assertClean();
  const shown = await rows.count();
  await page.reload();
  await page.locator("#live.on").waitFor();
  assert.equal(await rows.count(), shown);

  await page.locator("#user").fill("ana@example.org");
  await send(page, {}, ".filters");
  await page.locator("#live.on").waitFor();
  await endOne(here, "luis@example.org");
  await endOne(here, "ana@example.org");
  await page.locator("#endings tr.new").waitFor();
  assert.doesNotMatch((await page.locator("#endings").textContent()) ?? "", /Luis/);
  await watched.assertClean();
});

test("whoever is no administrator any more is shown out at once", async (context) => {
  const world = await start(context);
  const watched = await administrator(world, { locale: "en-GB" });
  const { page } = watched;
  await page.goto(`${world.here.address}/admin/endings`);
  await page.locator("#live.on").waitFor();
  await world.here.ask("POST", "register", { name: "Otra", email: "otra@example.org", password: PASSWORD });
  world.here.run("user", "set-role", "otra@example.org", "admin");
  world.here.run("user", "set-role", JEFA, "user");
  await page.waitForURL("**/login**");
  assert.match((await page.locator(".told").textContent()) ?? "", /Your session has ended/);
  await watched.assertClean();
});

test("everything ends and the trail is a file, without any script", async (context) => {
  const world = await start(context);
  const { here } = world;
  await here.ask("POST", "register", { name: "Ana", email: "ana@example.org", password: PASSWORD });
  const ana = await signIn(here, "ana@example.org");
  const watched = await administrator(world, { locale: "en-GB", javaScriptEnabled: false });
  const { page } = watched;
  await page.getByRole("link", { name: "Audit" }).click();
  await page.locator("#kind").selectOption("session");
  await send(page, {}, ".filters");
  assert.doesNotMatch((await page.locator("tbody").textContent()) ?? "", /account\./);
  await page.locator("#export").click();
  await page.locator("#format").selectOption("csv");
  const [download] = await Promise.all([
    page.waitForEvent("download"),
    page.locator("#consent button:not([type=button])").click(),
  ]);
  assert.equal(download.suggestedFilename(), "audit.csv");

  await page.getByRole("link", { name: "Endings" }).click();
  await page.locator("#end-all").click();
  await send(page, {}, "#consent");
  assert.equal(await page.locator("h1").textContent(), "You are signed out");
  assert.equal((await here.ask("GET", "profile", undefined, ana)).status, 401);
  watched.assertNothingWrong();
});
