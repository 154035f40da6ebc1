/** `/docs`: the API to read and to try. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Page } from "playwright-core";
import { Installation } from "../../guard/test/support/installation.js";
import { launch, Watched } from "./support/browser.js";

const PASSWORD = "una contraseña larga y propia 7";

/** Opens an operation's form, fills it in, sends it, and waits for the answer. */
async function send(page: Page, path: string, method: string, body?: unknown): Promise<string> {
  const form = page.locator(`form[data-path="${path}"][data-method="${method}"]`);
  const details = page.locator("details.try", { has: form });
  if ((await details.getAttribute("open")) === null) await details.locator("> summary").click();
  if (body !== undefined) await form.locator("textarea").fill(JSON.stringify(body));
  await form.locator("button").first().click();
  await form.locator(".status").waitFor();
  // The body comes after the headers.
  await form.locator("pre").nth(1).waitFor();
  return (await form.locator(".answer").textContent()) ?? "";
}

test("it is read in both languages, light and dark, narrow and wide, and by screen readers", async (context) => {
  const here = await Installation.start(context);
  const browser = await launch(context);
  const ways = [
    { locale: "es-MX", colorScheme: "light", viewport: { width: 320, height: 640 } },
    { locale: "es-ES", colorScheme: "dark", viewport: { width: 1280, height: 800 } },
    { locale: "en-GB", colorScheme: "dark", viewport: { width: 320, height: 640 } },
    { locale: "en-US", colorScheme: "light", viewport: { width: 1280, height: 800 } },
  ] as const;
  for (const way of ways) {
    const watched = await Watched.open(browser, `${here.address}/docs`, way);
    const title = await watched.page.locator("#session").textContent();
    assert.equal(title, way.locale.startsWith("es") ? "Sesión" : "Session");
    await watched.page.evaluate("document.querySelectorAll('details').forEach((it) => { it.open = true; })");
    await watched.assertClean();
    await watched.page.context().close();
  }
});

test("it has every endpoint, also without scripts, and then nothing that needs them", async (context) => {
  const here = await Installation.start(context);
  const browser = await launch(context);
  const answer = await fetch(`${here.address}/openapi.json`);
  const { paths } = (await answer.json()) as { paths: Record<string, Record<string, unknown>> };
  const expected = Object.entries(paths).flatMap(([path, of]) =>
    Object.keys(of).map((method) => `${method.toUpperCase()} ${path}`),
  );
  const { page } = await Watched.open(browser, `${here.address}/docs`, { javaScriptEnabled: false });
  const told = await page.locator("article h3").allTextContents();
  assert.deepEqual(told.toSorted(), expected.toSorted());
  assert.equal(await page.locator(".needs-script:visible").count(), 0);
});

test("a session is tried from its beginning to its end", async (context) => {
  const here = await Installation.start(context);
  const browser = await launch(context);
  const watched = await Watched.open(browser, `${here.address}/docs`);
  const { page } = watched;
  const ana = { name: "Ana", email: "ana@example.org", password: PASSWORD };
  assert.match(await send(page, "/api/auth/register", "POST", ana), /^201 /);
  const token = await page.locator("#token").inputValue();
  assert.match(token, /^ey/, "it is filled in");
  assert.match(await send(page, "/api/auth/profile", "GET"), /^200 .*ana@example\.org/s);
  assert.match(await send(page, "/api/auth/verify", "GET"), /^200 .*x-request-id: /s);
  assert.match(await send(page, "/api/auth/logout", "POST"), /^200 /);
  assert.match(await send(page, "/api/auth/profile", "GET"), /^401 .*UNAUTHORIZED/s);
  assert.deepEqual(await page.evaluate("[localStorage.length, sessionStorage.length, document.cookie]"), [0, 0, ""]);
  await watched.assertClean();
});

test("what is put into an address stays in its place, and a stream can be stopped", async (context) => {
  const here = await Installation.start(context);
  const browser = await launch(context);
  const watched = await Watched.open(browser, `${here.address}/docs`);
  const { page } = watched;
  const form = page.locator('form[data-path="/api/guards/lists/{name}"]');
  await page.locator("details.try", { has: form }).locator("> summary").click();
  const asked: string[] = [];
  page.on("request", (request) => asked.push(new URL(request.url()).pathname));
  await form.locator("input").fill("../../admin?x#y");
  await form.locator("button").click();
  await form.locator(".status").waitFor();
  assert.deepEqual(asked, [`/api/guards/lists/${encodeURIComponent("../../admin?x#y")}`]);
  await form.locator("input").fill("..");
  await form.locator("button").click();
  await form.locator(".status.failed").waitFor();
  assert.equal(asked.length, 1, "nothing was sent");

  const events = page.locator('form[data-path="/api/guards/events"]');
  await page.locator("details.try", { has: events }).locator("> summary").click();
  await events.locator("button").first().click();
  await events.getByText("event: snapshot").waitFor();
  await events.locator("button.stop").click();
  await events.locator(".status").nth(1).waitFor();
  await watched.assertClean();
});

test("where the settings have it off, there is nothing", async (context) => {
  const here = await Installation.start(context, { CERROJO_SERVER__DOCS: "false" });
  for (const path of ["docs", "docs/reference.css", "docs/reference.js"]) {
    assert.equal((await fetch(`${here.address}/${path}`)).status, 404);
  }
});
